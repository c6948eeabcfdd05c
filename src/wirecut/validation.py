"""Checks of arguments: one place, one shape of message.

Every message names the argument, the value it had, and what would be right.
"""

from __future__ import annotations

import math
from typing import Final

from wirecut.errors import MisuseError

__all__ = ["check_choice", "check_count", "check_seconds", "is_count"]

# int() of any length up to this works under every setting of the interpreter's own limit.
_COUNT_DIGITS: Final = 640


def check_count(
    name: str, value: object, *, minimum: int = 0, maximum: int | None = None
) -> int:
    """A whole number in [minimum, maximum], returned as it is.

    Raises:
        MisuseError: It is something else; booleans are not numbers here.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise MisuseError(f"{name} must be a whole number, got {value!r}")
    if value < minimum:
        raise MisuseError(f"{name} must be >= {minimum}, got {value!r}")
    if maximum is not None and value > maximum:
        raise MisuseError(f"{name} must be <= {maximum}, got {value!r}")
    return value


def check_seconds(name: str, value: object, *, infinite: bool = False) -> float:
    """A time span in seconds, >= 0, as a float.

    Args:
        name: The argument's name, for the message.
        value: What the caller gave.
        infinite: Whether infinity is a span here.

    Raises:
        MisuseError: It is negative, not a number, or infinite where it may not be.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise MisuseError(f"{name} must be a number of seconds, got {value!r}")
    if value < 0:
        raise MisuseError(f"{name} must be >= 0 seconds, got {value!r}")
    try:
        seconds = float(value)
    except OverflowError:  # a whole number that no float can hold
        seconds = math.inf
    if seconds == math.inf and not infinite:
        raise MisuseError(f"{name} must be finite, got {value!r}")
    return seconds


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """One of a few words, returned as it is.

    Raises:
        MisuseError: It is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise MisuseError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    return value


def is_count(text: str) -> bool:
    """Whether ``text`` is a whole number >= 0 in decimal digits, which ``int`` can read."""
    return text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS
