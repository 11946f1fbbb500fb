"""From a profile to its runs, and runs brought from or sent elsewhere."""
