"""Checks of a paper's printed numbers: arithmetic alone, no data, no network, no torch.

Input is a folder with ``audit.yaml`` and CSV files of printed cells; output is one CSV per kind of
check and a report. docs/audit.md lists the rules and the vocabulary of the verdicts.
"""
