"""``FINDINGS.md``: a template filled with numbers from the small result files; none is typed."""

from mednext.report.findings.text import findings_texts

__all__ = ["findings_texts"]
