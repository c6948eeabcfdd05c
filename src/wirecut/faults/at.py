"""When a fault strikes: moments of a connection, as frozen values.

*Up* is client to server, *down* is server to client, whichever side we play.

==================  =======================================================================
``connect``         the client's connect() itself
``accept``          right after the connection was accepted; races the client's connect()
``up:N``            N bytes of the client were read, and not one more
``down:N``          N bytes were delivered and there is another one to send, or the end
``up.end``          the client ended its stream (FIN)
``down.end``        the last byte was delivered, FIN was not
``pattern:D:P:K``   right after the K-th match of P in direction D; K is 1 if left out
``request.end``     the last byte of a complete HTTP/1.1 request was read (RFC 9112 section 6)
==================  =======================================================================

In a pattern's text form letters, digits and ``-`` stand for themselves and every other byte
for ``_`` and two hexadecimal digits: ``pattern:up:QUIT_0D_0A``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from wirecut.errors import MisuseError
from wirecut.validation import check_choice, check_count, is_count
from wirecut.wire.action import Direction

__all__ = [
    "Accept",
    "Connect",
    "Moment",
    "Offset",
    "Pattern",
    "RequestEnd",
    "StreamEnd",
    "accept",
    "connect",
    "down",
    "parse_moment",
    "pattern",
    "request",
    "up",
]

_DIRECTIONS: Final = {"up": Direction.UP, "down": Direction.DOWN}
_ESCAPE: Final = re.compile(rb"[^A-Za-z0-9-]")
_ESCAPED: Final = re.compile(r"(?:[A-Za-z0-9-]|_[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class Connect:
    """The client's ``connect()`` itself, before there is a connection."""

    @property
    def text(self) -> str:
        """The moment as it is written."""
        return "connect"


@dataclass(frozen=True, slots=True)
class Accept:
    """Right after ``accept()``, before any byte was read.

    Racy by nature: the client's ``connect()`` may or may not have returned.
    """

    @property
    def text(self) -> str:
        """The moment as it is written."""
        return "accept"


@dataclass(frozen=True, slots=True)
class Offset:
    """After so many bytes: ``up:N`` of the client were read, or ``down:N`` were delivered.

    Attributes:
        direction: UP or DOWN.
        count: Bytes from the connection's first one, or from the exchange's with
            ``exchange:K``; >= 0.
    """

    direction: Direction
    count: int

    def __post_init__(self) -> None:
        check_count(self.direction.word, self.count)

    @property
    def text(self) -> str:
        """The moment as it is written."""
        return f"{self.direction.word}:{self.count}"


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of one direction: after its last byte, before its FIN goes on."""

    direction: Direction

    @property
    def text(self) -> str:
        """The moment as it is written."""
        return f"{self.direction.word}.end"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Right after the last byte of the ``nth`` match of ``data``.

    Matches are counted without overlap and found across segment borders.
    """

    data: bytes
    direction: Direction = Direction.UP
    nth: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes) or not self.data:
            raise MisuseError(f"pattern must be bytes, at least one, got {self.data!r}")
        check_count("nth", self.nth, minimum=1)

    @property
    def text(self) -> str:
        """The moment as it is written."""
        escaped = _ESCAPE.sub(lambda match: b"_%02X" % match[0][0], self.data).decode("ascii")
        nth = "" if self.nth == 1 else f":{self.nth}"
        return f"pattern:{self.direction.word}:{escaped}{nth}"


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """The last byte of a complete HTTP/1.1 request; comes again with every request."""

    @property
    def text(self) -> str:
        """The moment as it is written."""
        return "request.end"


Moment: TypeAlias = Connect | Accept | Offset | StreamEnd | Pattern | RequestEnd


class _Stream:
    """``up(N)``, ``up.end`` and the same for ``down``."""

    __slots__ = ("_direction", "end")

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self.end: Final = StreamEnd(direction)

    def __call__(self, count: int) -> Offset:
        """The moment after ``count`` bytes (>= 0) in this direction."""
        return Offset(self._direction, count)


class _Request:
    """``request.end``; further moments of an exchange come with the HTTP layer."""

    __slots__ = ()

    end: Final = RequestEnd()


connect: Final = Connect()
accept: Final = Accept()
up: Final = _Stream(Direction.UP)
down: Final = _Stream(Direction.DOWN)
request: Final = _Request()


def pattern(data: bytes, *, direction: str = "up", nth: int = 1) -> Pattern:
    """Right after the ``nth`` (>= 1) match of ``data`` in ``direction``, ``up`` or ``down``.

    Raises:
        MisuseError: No data, an unknown direction, or ``nth`` below one.
    """
    return Pattern(data, _DIRECTIONS[check_choice("direction", direction, ("up", "down"))], nth)


_FIXED: Final[dict[str, Moment]] = {
    moment.text: moment for moment in (connect, accept, up.end, down.end, request.end)
}


def parse_moment(text: str) -> Moment:
    """The moment that ``text`` names; the inverse of a moment's ``text``.

    Raises:
        MisuseError: There is no such moment; the message lists those there are.
    """
    if text in _FIXED:
        return _FIXED[text]
    word, *rest = text.split(":")
    if word in _DIRECTIONS and len(rest) == 1 and is_count(rest[0]):
        return Offset(_DIRECTIONS[word], int(rest[0]))
    if word == "pattern" and len(rest) in (2, 3) and rest[0] in _DIRECTIONS:
        escaped, nth = (*rest[1:], "1")[:2]
        if _ESCAPED.fullmatch(escaped) and is_count(nth):
            return Pattern(_unescape(escaped), _DIRECTIONS[rest[0]], int(nth))
    raise MisuseError(
        f"unknown moment {text!r}; one of connect, accept, up:N, down:N, up.end, down.end, "
        "pattern:up:TEXT, pattern:down:TEXT, request.end (N is a count of bytes, >= 0)"
    )


def _unescape(text: str) -> bytes:
    return re.sub(
        rb"_([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("ascii")
    )
