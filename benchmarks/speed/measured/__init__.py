"""What engines.py and predicting.py put together for docs/speed.md: one idea a file."""
