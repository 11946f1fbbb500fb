"""``python -m mednext``."""

from mednext.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
