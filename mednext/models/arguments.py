"""The arguments that every network takes, checked before it is built."""

from __future__ import annotations

from mednext.errors import UserError


def whole_number(who: str, option: str, value: object) -> int:
    """``value`` as an int: 1, 2, ..., also those of numpy.

    Raises:
        UserError: anything else; True and 224.0, too.
    """
    number = value.__index__() if hasattr(value, "__index__") else 0
    if isinstance(value, bool) or number < 1:
        raise UserError(
            f"{who}: impossible value of '{option}'",
            found=f"{value!r} ({type(value).__name__})",
            expected="a whole number, at least 1",
        )
    return int(number)


def square_side(who: str, img_size: object) -> int:
    """S of an image size S or (S, S), as timm passes it.

    Raises:
        UserError: height and width differ, or one is no whole number.
    """
    if isinstance(img_size, (tuple, list)) and len(img_size) == 2:
        height, width = (whole_number(who, "img_size", side) for side in img_size)
        if height != width:
            raise UserError(
                f"{who} takes square images",
                found=f"img_size = {img_size}",
                expected="height and width that are equal",
            )
        return height
    return whole_number(who, "img_size", img_size)


def check_choice(who: str, option: str, value: object, known: tuple[object, ...]) -> None:
    """Refuse a value of an option that does not exist.

    Raises:
        UserError: ``value`` is not in ``known``.
    """
    if value not in known:
        raise UserError(
            f"{who}: unknown value of '{option}'",
            found=repr(value),
            expected=", ".join(repr(k) for k in known),
        )
