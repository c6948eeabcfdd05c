"""What a server remembers of its connections.

The journal is never behind.  Whatever a peer can observe was recorded before it could be
observed, and reading first handles all that the kernel has delivered to the server: after
the client's call has returned, its bytes and its end are there, without a wait.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, overload

from wirecut.faults.fault import Fault
from wirecut.faults.struck import Struck
from wirecut.wire.action import Direction

__all__ = ["Connection", "Connections", "Ended", "Record", "Segment", "Struck", "Tape"]

_SEGMENT: Final = struct.Struct("<dIB")
_SEGMENTS_KEPT: Final = 4096


class Ended(enum.Enum):
    """How a connection ended, and by whom."""

    OPEN = "open"
    CLOSED_BY_CLIENT = "closed by client"
    CLOSED_BY_SERVER = "closed by server"
    RESET_BY_CLIENT = "reset by client"
    RESET_BY_SERVER = "reset by server"
    RESET_BY_THIRD_PARTY = "reset by a third party"
    VANISHED = "given up by the server without a word"
    STOPPED = "still open when the server was stopped"


@dataclass(frozen=True, slots=True)
class Segment:
    """One read or write of the server, for transcripts.

    Attributes:
        seconds: When, from the server's start.
        direction: UP was read, DOWN was sent.
        size_bytes: How many bytes; the journal has the bytes themselves.
    """

    seconds: float
    direction: Direction
    size_bytes: int


class Tape:
    """The first and the last bytes of a stream, and the true count of all of them."""

    __slots__ = ("_head", "_tail", "count", "limit")

    def __init__(self, limit_bytes: int) -> None:
        self.limit = limit_bytes
        self.count = 0
        # Most streams of a test are one piece: kept as it came, it costs half as much.
        self._head: bytes | bytearray = b""
        self._tail: bytearray | None = None

    def append(self, data: bytes | memoryview) -> None:
        """Add bytes at the end."""
        self.count += len(data)
        room = self.limit - len(self._head)
        if room >= len(data):
            self._begin(data)
            return
        self._begin(data[:room])
        tail = self._tail = self._tail if self._tail is not None else bytearray()
        tail += data[room:]
        if len(tail) > 2 * self.limit:
            del tail[: len(tail) - self.limit]

    def _begin(self, data: bytes | memoryview) -> None:
        """Add to what is kept of the stream's beginning."""
        head = self._head
        if not head:
            self._head = bytes(data)
        elif data:
            if isinstance(head, bytes):
                head = self._head = bytearray(head)
            head += data

    @property
    def left_out(self) -> int:
        """How many bytes in the middle are not kept."""
        return max(0, self.count - 2 * self.limit)

    @property
    def data(self) -> bytes:
        """The first ``limit`` bytes and the last ``limit`` bytes, without what is between."""
        if self._tail is None:
            return bytes(self._head)
        keep = min(len(self._tail), self.limit)
        return bytes(self._head) + bytes(self._tail[len(self._tail) - keep :])


class Record:
    """One connection's entry; written under the loop's lock only."""

    __slots__ = (
        "_down",
        "_segments",
        "_up",
        "client",
        "ended",
        "ended_seconds",
        "exchanges",
        "index",
        "opened_seconds",
        "problem",
        "struck",
        "unreached",
        "unread_bytes",
    )

    def __init__(self, index: int, client: object, opened_seconds: float) -> None:
        self.index = index
        self.client = client
        self.opened_seconds = opened_seconds
        self.ended_seconds: float | None = None
        self.ended = Ended.OPEN
        self.unread_bytes = 0
        self.exchanges = 0
        self.problem: str | None = None
        self.struck: tuple[Struck, ...] = ()
        self.unreached: tuple[tuple[Fault, str], ...] = ()
        self._up: Tape | None = None
        self._down: Tape | None = None
        self._segments: bytes | bytearray = b""

    def note(
        self, direction: Direction, data: bytes | memoryview, seconds: float, limit_bytes: int
    ) -> None:
        """Write down bytes that were read (UP) or sent (DOWN)."""
        if direction is Direction.UP:
            tape = self._up
            if tape is None:
                tape = self._up = Tape(limit_bytes)
        else:
            tape = self._down
            if tape is None:
                tape = self._down = Tape(limit_bytes)
        tape.append(data)
        segment = _SEGMENT.pack(seconds, len(data), direction is Direction.DOWN)
        segments = self._segments
        if not segments:
            self._segments = segment
        elif len(segments) < _SEGMENTS_KEPT * _SEGMENT.size:
            if isinstance(segments, bytes):
                segments = self._segments = bytearray(segments)
            segments += segment

    def tape(self, direction: Direction) -> Tape:
        """The bytes of one direction."""
        tape = self._up if direction is Direction.UP else self._down
        return tape if tape is not None else Tape(0)

    def count(self, direction: Direction) -> int:
        """Bytes on the wire in one direction."""
        tape = self._up if direction is Direction.UP else self._down
        return tape.count if tape is not None else 0

    def segments(self) -> tuple[Segment, ...]:
        """The first 4,096 reads and writes."""
        return tuple(
            Segment(seconds, Direction.DOWN if down else Direction.UP, size)
            for seconds, size, down in _SEGMENT.iter_unpack(bytes(self._segments))
        )


class Connection:
    """One connection of a server, as its journal has it.

    Reading any attribute first handles all that the kernel has delivered to the server, so
    it is never behind what the client has seen.  It stays readable after the server has
    closed.  Any thread may read it.
    """

    __slots__ = ("_catch_up", "_record")

    def __init__(self, record: Record, catch_up: Callable[[], None]) -> None:
        self._record = record
        self._catch_up = catch_up

    @property
    def index(self) -> int:
        """Its place among the server's connections, from 0."""
        return self._record.index

    @property
    def client(self) -> tuple[str, int] | str:
        """The client's address; empty for an unnamed Unix-domain socket."""
        client = self._record.client
        return client if isinstance(client, tuple | str) else ""

    @property
    def received(self) -> bytes:
        """What was read of the client; see ``received_left_out``."""
        return self._read().tape(Direction.UP).data

    @property
    def received_count(self) -> int:
        """How many bytes were read of the client."""
        return self._read().count(Direction.UP)

    @property
    def received_left_out(self) -> int:
        """How many bytes in the middle of ``received`` the journal has not kept."""
        return self._read().tape(Direction.UP).left_out

    @property
    def sent(self) -> bytes:
        """What was handed to the kernel for the client; see ``sent_left_out``."""
        return self._read().tape(Direction.DOWN).data

    @property
    def sent_count(self) -> int:
        """How many bytes were handed to the kernel for the client."""
        return self._read().count(Direction.DOWN)

    @property
    def sent_left_out(self) -> int:
        """How many bytes in the middle of ``sent`` the journal has not kept."""
        return self._read().tape(Direction.DOWN).left_out

    @property
    def unread_bytes(self) -> int:
        """What had arrived of the client, and was not read, when a fault ended it."""
        return self._read().unread_bytes

    @property
    def ended(self) -> Ended:
        """How it ended, or that it is open."""
        return self._read().ended

    @property
    def struck(self) -> tuple[Struck, ...]:
        """The faults that struck, in order."""
        return self._read().struck

    @property
    def exchanges(self) -> int:
        """HTTP requests that have begun on it; counted where a fault needs them framed."""
        return self._read().exchanges

    @property
    def opened_seconds(self) -> float:
        """When it was accepted, in seconds from the server's start."""
        return self._record.opened_seconds

    @property
    def ended_seconds(self) -> float | None:
        """When it ended, in seconds from the server's start; None while it is open."""
        return self._read().ended_seconds

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The server's reads and writes, at most the first 4,096."""
        return self._read().segments()

    def _read(self) -> Record:
        self._catch_up()
        return self._record

    def __repr__(self) -> str:
        record = self._record
        return (
            f"<Connection {record.index}: {record.count(Direction.UP)} bytes up, "
            f"{record.count(Direction.DOWN)} down, {record.ended.value}>"
        )


class Connections(Sequence[Connection]):
    """A server's connections in the order in which they were accepted, as of now."""

    __slots__ = ("_catch_up", "_records")

    def __init__(self, records: Sequence[Record], catch_up: Callable[[], None]) -> None:
        self._records = records
        self._catch_up = catch_up

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Connection: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Connection, ...]: ...
    def __getitem__(self, index: int | slice) -> Connection | tuple[Connection, ...]:
        if isinstance(index, slice):
            return tuple(Connection(record, self._catch_up) for record in self._records[index])
        return Connection(self._records[index], self._catch_up)

    def __iter__(self) -> Iterator[Connection]:
        return (Connection(record, self._catch_up) for record in self._records)

    def __repr__(self) -> str:
        return f"<Connections {list(self)!r}>"
