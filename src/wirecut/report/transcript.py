"""One connection, line by line: what passed, what struck, how it ended.

::

    connection 0 from 127.0.0.1 port 50312
      0.000312 s  up 1,500 bytes   b'GET / HTTP/1.1' ... 1,200 bytes ... b'the end'
      0.000401 s  down 8 bytes     b'Received'
      0.000512 s  struck by reset/down:8 at 8 bytes down
      0.000520 s  reset by server

Bytes are shown as Python writes them, the ends of what is long, secrets masked.  The whole
stream is masked before it is cut into the pieces in which it passed, because a secret can
begin in one piece and end in the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wirecut.report.secrets import mask_secrets
from wirecut.wire.action import Direction

__all__ = ["Event", "Stream", "Talk", "Transfer", "render_talk"]

# How much of a read or write is shown: its first and its last bytes.  The head of a request
# as common clients write it fits; most bytes of binary data take four characters each.
_TEXT_BYTES: Final = (240, 60)
_BINARY_BYTES: Final = (60, 15)
_FIRST_LINES: Final = 16
_LAST_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes of one direction.

    Attributes:
        data: What was kept: all, or the first half of ``data`` from the stream's beginning
            and the second from its end.
        left_out: How many bytes between the two halves were not kept.
    """

    data: bytes
    left_out: int = 0

    @property
    def count(self) -> int:
        """How many bytes the stream had."""
        return len(self.data) + self.left_out

    def masked(self) -> Stream:
        """The same without its secrets."""
        return Stream(mask_secrets(self.data), self.left_out)

    def slice(self, start: int, stop: int) -> bytes | None:
        """The bytes from ``start`` to ``stop`` of the stream, None if some are not kept."""
        if self.left_out:
            head = len(self.data) // 2
            if start >= head + self.left_out:
                start, stop = start - self.left_out, stop - self.left_out
            elif stop > head:
                return None
        return self.data[start:stop]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One read or write.

    Attributes:
        seconds: When, from the server's start.
        direction: UP from the client, DOWN to it.
        size_bytes: How many bytes.
    """

    seconds: float
    direction: Direction
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Event:
    """Anything else that happened, in words; ``seconds`` from the server's start."""

    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Talk:
    """One connection.

    Attributes:
        title: Which one.
        up: What came from the client.
        down: What went to it.
        transfers: How it came and went, from the first byte on, in order.
        events: What struck and how it ended, in order.
    """

    title: str
    up: Stream
    down: Stream
    transfers: tuple[Transfer, ...] = ()
    events: tuple[Event, ...] = ()


def render_talk(talk: Talk) -> str:
    """The connection as lines of text, the first one its title; secrets are masked.

    Bytes that are in none of the transfers stand at the end, without a time.
    """
    streams = {Direction.UP: talk.up.masked(), Direction.DOWN: talk.down.masked()}
    passed = dict.fromkeys(streams, 0)
    timed = []
    for one in talk.transfers:
        start = passed[one.direction]
        passed[one.direction] = stop = start + one.size_bytes
        timed.append((one.seconds, _piece(streams[one.direction], one.direction, start, stop)))
    # Sorting keeps the order of what happened at the same time: bytes first, then the fault
    # that they set off.
    timed += [(one.seconds, _told(one.text)) for one in talk.events]
    timed.sort(key=lambda line: line[0])
    lines = [f"  {seconds:.6f} s  {text}" for seconds, text in timed]
    lines += [
        f"  {'':<12}{_piece(stream, direction, passed[direction], stream.count)}"
        for direction, stream in streams.items()
        if stream.count > passed[direction]
    ]
    if len(lines) > _FIRST_LINES + _LAST_LINES:
        left_out = len(lines) - _FIRST_LINES - _LAST_LINES
        lines[_FIRST_LINES:-_LAST_LINES] = [f"  ... {left_out:,} more lines ..."]
    return "\n".join([talk.title, *lines])


def _piece(stream: Stream, direction: Direction, start: int, stop: int) -> str:
    size = f"{direction.word} {_bytes(stop - start)}"
    return f"{size:<16} {_shown(stream.slice(start, stop))}"


def _bytes(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


def _shown(data: bytes | None) -> str:
    if data is None:
        return "(not kept)"
    head, tail = _TEXT_BYTES if len(repr(data)) < 2 * len(data) + 4 else _BINARY_BYTES
    if len(data) <= head + tail:
        return repr(data)
    left_out = len(data) - head - tail
    return f"{data[:head]!r} ... {_bytes(left_out)} ... {data[-tail:]!r}"


def _told(text: str) -> str:
    """An event's text; it can quote bytes, as a fault at a pattern does."""
    return mask_secrets(text.encode()).decode()
