"""``mednext audit draft``: tables of a paper as CSV files and a commented ``audit.yaml``."""
