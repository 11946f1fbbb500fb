"""The one exception type that reaches a user: what was found, what was expected, what to do."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """Bad input, reported as a single message; the command line exits with code 2.

    Args:
        what: one sentence saying what is wrong.
        file: the file or folder it is about, if there is one.
        found: the offending value, as it stands in the input.
        expected: what would have been accepted.
        remedy: what the user can do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | Path | None = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.file = str(file) if file is not None else None
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [self.what]
        if self.file is not None:
            lines.append(f"  file:     {self.file}")
        if self.found is not None:
            lines.append(f"  found:    {self.found}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.remedy is not None:
            lines.append(f"  remedy:   {self.remedy}")
        return "\n".join(lines)
