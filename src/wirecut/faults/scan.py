"""Finding moments in a stream that are not offsets, and turning them into offsets.

A scanner is fed every byte of one direction once, in order, possibly before the byte passes,
and says at which positions its moments lie.  The wire strikes there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["PatternScanner", "RequestMark", "RequestScanner"]


@dataclass(frozen=True, slots=True)
class RequestMark:
    """A border of a request in the client's stream.

    Attributes:
        kind: ``start``, before its first byte, or ``end``, after its last one.
        number: Which request of the connection, from 1.
        position: Bytes of the stream before the border.
    """

    kind: Literal["start", "end"]
    number: int
    position: int


class RequestScanner(Protocol):
    """Frames the requests in a client's stream; the HTTP layer has one."""

    problem: str | None
    """Why nothing more will be found, or None."""

    def feed(self, data: bytes) -> Iterable[RequestMark]:
        """Take the next bytes; the borders that they complete, in order."""
        ...


class PatternScanner:
    """Finds the ``nth`` match of a pattern, across any split into segments."""

    __slots__ = ("_left", "_pattern", "_tail", "position")

    def __init__(self, pattern: bytes, nth: int, position: int = 0) -> None:
        self._pattern = pattern
        self._left = nth
        self._tail = b""
        self.position = position

    def feed(self, data: bytes) -> int | None:
        """Take the next bytes; the position after the match they complete, or None."""
        if not self._left:
            self.position += len(data)
            return None
        # What may still become a match is at most one byte short of the pattern.
        window = self._tail + data
        base = self.position - len(self._tail)
        self.position += len(data)
        found = 0
        while self._left:
            index = window.find(self._pattern, found)
            if index < 0:
                keep = len(self._pattern) - 1
                start = max(found, len(window) - keep)
                self._tail = window[start:]
                return None
            found = index + len(self._pattern)
            self._left -= 1
        self._tail = b""
        return base + found
