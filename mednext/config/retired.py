"""Keys of configuration files that had another name in version 0.1; read until 0.3."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """``value`` with its retired keys under their new names, and a line of advice on each.

    >>> renamed({"seeds": [0], "more": []}, {"more": "extra_runs"})
    {'seeds': [0], 'extra_runs': []}

    Raises:
        ValueError: a key is there under both names.
    """
    if not isinstance(value, dict):
        return value
    for old in value.keys() & names.keys():
        if names[old] in value:
            raise ValueError(f"'{old}' is the retired name of '{names[old]}'; give only the latter")
        print(f"note: the key '{old}' is now '{names[old]}'; please rename it", file=sys.stderr)
    return {names.get(key, key): entry for key, entry in value.items()}
