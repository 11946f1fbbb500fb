"""Jinja environments of pages and reports: a name without a value is an error, never a blank."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def html_templates(package: str, folder: str) -> Environment:
    """Templates of a page; every value is escaped."""
    return Environment(
        loader=PackageLoader(package, folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )


def markdown_templates(package: str, folder: str) -> Environment:
    """Templates of a Markdown report, which is made from committed facts."""
    return html_templates(package, folder).overlay(autoescape=False, keep_trailing_newline=True)
