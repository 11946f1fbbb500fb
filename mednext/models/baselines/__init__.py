"""Networks the paper compares with, one file per family."""
