"""``FINDINGS.md``: a template filled with numbers from the small result files; none is typed."""

from mednext.report.findings.text import findings_texts
from mednext.report.findings.write import write_findings

__all__ = ["findings_texts", "write_findings"]
