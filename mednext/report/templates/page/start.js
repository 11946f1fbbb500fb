startTheme();
startMenu();
startTables();
startListings();
startCases();
startPrint();
document.documentElement.dataset.ready = "yes";
// The charts lie below the first screen: its reader does not wait for them.
addEventListener("load", () => setTimeout(() => {
  startExplorer();
  document.documentElement.dataset.charts = "yes";
}));
