"""Training, prediction and evaluation of one run at a time."""
