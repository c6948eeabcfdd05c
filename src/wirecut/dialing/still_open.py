"""The lines that were not closed, so that somebody can say so.

They are held here: one that is forgotten must not vanish before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wirecut.dialing.line import Line

__all__ = ["note_closed", "note_opened", "open_lines"]

_open: Final[set[Line]] = set()


def note_opened(line: Line) -> None:
    """A line was made."""
    _open.add(line)


def note_closed(line: Line) -> None:
    """A line was closed; twice is fine."""
    _open.discard(line)


def open_lines() -> tuple[Line, ...]:
    """The lines of this process that have a socket and were not closed."""
    # A fault that ends the connection takes the socket, and nothing is left to close.
    _open.difference_update([line for line in _open if line.closed])
    return tuple(_open)
