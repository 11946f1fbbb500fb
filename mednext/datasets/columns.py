"""Types of the columns that are numbers; all others of a table are text."""

SPACINGS = {"spacing_*": "float64"}
INDEX = {
    **dict.fromkeys(("row", "order", "start", "depth", "height", "width", "offset"), "int64"),
    **SPACINGS,
}
"""Of the ``index.csv`` of prepared arrays."""
ITEMS = {
    **dict.fromkeys(("depth", "height", "width", "order", "bytes"), "int64"),
    **dict.fromkeys(("minimum", "maximum"), "float64"),
    **SPACINGS,
}
"""Of the ``items.csv`` of a verification."""
