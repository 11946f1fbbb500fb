startTheme();
startMenu();
startTables();
startListings();
startExplorer();
startCases();
startPrint();
document.documentElement.dataset.ready = "yes";
