"""The page: one self-contained HTML file with tables, figures, cases, audit and provenance."""

from mednext.report.page.write import write_page

__all__ = ["write_page"]
