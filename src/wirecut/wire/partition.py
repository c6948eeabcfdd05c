"""Pull the cable of one live connection, at an exact byte, and plug it in again.

A filter on our own end drops what the peer sends before TCP looks at it.  There is no FIN and
no RST; the peer's kernel gets no acknowledgement, keeps the bytes, and repeats them, so that
nothing is lost when the cut is healed.

====  ====================================================================================
up    The peer's bytes from the cut on do not arrive.  Acknowledgements of what we send do,
      so the way down goes on.
down  The peer gets nothing: we stop sending (that is the caller's part), and nothing of the
      peer's arrives, because we would acknowledge it.
both  The same as down.
====  ====================================================================================

**How fast it heals** is the peer's affair: it repeats what is unacknowledged after 0.2 s and
then half as often each time (RFC 6298 section 5), so a long partition takes about as long
again.  Two things make it quicker: in a private network (``wirecut lab``),
:func:`quick_retransmission`; and a *kick*, an ICMP error such as routers send, on which the
peer's kernel takes one doubling back (RFC 6069).

It needs the capabilities "packet filter" and "tcp repair", and for kicks "raw packets".
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.lab import inside_lab
from wirecut.validation import check_count
from wirecut.wire.action import Direction
from wirecut.wire.filters import (
    DROP_ALL,
    attach_filter,
    detach_filter,
    drop_from,
    drop_segment_with,
    only_port,
)
from wirecut.wire.kernel import bytes_unacknowledged, require
from wirecut.wire.measuring import tcp_info
from wirecut.wire.packets import RawSocket, open_raw
from wirecut.wire.repair import read_numbers
from wirecut.wire.segments import (
    Segment,
    Unreachable,
    UnreachableError,
    sequence_after,
)
from wirecut.wire.tearing import resets_of

__all__ = ["LostSegment", "Partition", "first_number", "quick_retransmission"]

# Each takes one doubling of the peer's waiting time back, and the kernel makes no more than
# tcp_retries2 = 15 by default.
_KICKS: Final = 16

_SYSCTLS: Final = Path("/proc/sys/net/ipv4")
_QUICK: Final[Mapping[str, int]] = MappingProxyType(
    # Microseconds and milliseconds; 1,000 is the least the kernel takes for the latter.
    {"tcp_rto_min_us": 2_000, "tcp_rto_max_ms": 1_000}
)


class Partition:
    """Cuts and heals the connection of one socket of ours, as often as wanted.

    It holds no descriptor.  The filter goes with the socket, so there is nothing to undo
    when the socket is closed; but a socket that is closed while cut still sends FIN or RST:
    :func:`~wirecut.wire.repair.die_silently` closes without.  One thread at a time.
    """

    __slots__ = ("_first", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        """Look at a connection; nothing is cut yet.

        Args:
            sock: Our end, connected.  It stays the caller's.

        Raises:
            CapabilityMissing: "packet filter" or "tcp repair".
            OSError: It is not connected.
        """
        require("packet filter")
        require("tcp repair")
        self._sock = sock
        self._first = first_number(sock)

    def cut(self, direction: Direction, *, up_bytes: int | None = None) -> None:
        """Cut from now on, in place of any earlier cut.

        Args:
            direction: UP, DOWN or BOTH; for the latter two wait for
                :func:`~wirecut.wire.bytes_unsent` to be 0, and send nothing more.
            up_bytes: For UP, how many of the peer's bytes arrive, counted from the first of
                the connection; None is as many as have arrived by now.  If more have
                arrived, those stay.

        Raises:
            MisuseError: ``up_bytes`` with another direction than UP.
        """
        if direction is not Direction.UP:
            if up_bytes is not None:
                raise MisuseError(f"up_bytes is for UP only, got {direction.word!r}")
            attach_filter(self._sock, DROP_ALL)
            return
        if up_bytes is None:
            number = read_numbers(self._sock).receive
        else:
            number = sequence_after(self._first, check_count("up_bytes", up_bytes))
        attach_filter(self._sock, drop_from(number))

    def heal(self, raw: RawSocket | None = None, *, up_bytes: int | None = None) -> None:
        """Let everything through again; if nothing is cut, nothing happens.

        Args:
            raw: If given, a raw socket of the connection's family: both ends are kicked, so
                that they repeat what is unacknowledged at once, or, in the first 0.2 s
                after they last did, by then.
            up_bytes: If given, where the way up is cut next; as for :meth:`cut`.
        """
        if up_bytes is None:
            detach_filter(self._sock)
        else:
            self.cut(Direction.UP, up_bytes=up_bytes)
        if raw is not None:
            for kick in self.kicks():
                raw.send(*(kick for _ in range(_KICKS)))

    def kicks(self) -> tuple[UnreachableError, UnreachableError]:
        """The ICMP errors that make the peer, and us, repeat what is unacknowledged.

        Each is about the first unacknowledged byte, or it would not be believed; to a
        connection that waits for nothing it means nothing.

        Raises:
            OSError: The connection has ended.
        """
        resets = resets_of(self._sock)
        numbers = read_numbers(self._sock)
        ours = sequence_after(numbers.write, -bytes_unacknowledged(self._sock))
        return (
            _about(resets.to_us, numbers.receive),
            _about(resets.to_peer, ours),
        )


class LostSegment:
    """Loses the one segment that holds a chosen byte of the peer's, once; a context manager.

    A filter has no memory, so it drops the segment and its repetitions alike.  It is taken
    away by hand: a raw socket sees the segment arrive, which is the moment to call
    :meth:`seen`.  The peer repeats it 0.2 s later at the earliest (less in a private network
    with :func:`quick_retransmission`, where a repetition may be lost as well).
    """

    __slots__ = ("_number", "_port", "_raw", "_sock")

    def __init__(self, sock: socket.socket, up_byte: int) -> None:
        """Lie in wait.

        Args:
            sock: Our end, connected; it stays the caller's.
            up_byte: Which byte, 0 being the first of the connection.

        Raises:
            CapabilityMissing: "packet filter", "tcp repair" or "raw packets".
            OSError: It is not connected, or out of descriptors.
        """
        for name in ("packet filter", "tcp repair", "raw packets"):
            require(name)
        check_count("up_byte", up_byte)
        self._sock = sock
        self._number = sequence_after(first_number(sock), up_byte)
        to_us = resets_of(sock).to_us
        self._port = to_us.source_port
        self._raw = open_raw(
            to_us.family,
            only_port(to_us.family, to_us.destination_port),
            host=to_us.destination,
        )
        try:
            attach_filter(sock, drop_segment_with(self._number))
        except BaseException:
            self._raw.close()
            raise

    def fileno(self) -> int:
        """The descriptor to watch, readable when :meth:`seen` may say something; or -1."""
        return self._raw.fileno()

    def seen(self) -> Segment | None:
        """The segment, if it has come and was lost; then everything passes again."""
        while self.fileno() >= 0 and (segment := self._raw.receive()) is not None:
            into = sequence_after(self._number, -segment.sequence)
            if segment.source_port == self._port and into < len(segment.payload):
                self.close()
                return segment
        return None

    def close(self) -> None:
        """Stop losing anything; twice is fine."""
        if self.fileno() >= 0:
            with contextlib.suppress(OSError):  # the connection may have ended
                detach_filter(self._sock)
            self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def quick_retransmission() -> Iterator[None]:
    """Connections made meanwhile repeat after milliseconds, and at least once a second.

    Sets ``net.ipv4.tcp_rto_min_us`` and ``tcp_rto_max_ms``, which hold for IPv6 too, and puts
    back what was there.

    Raises:
        MisuseError: This is no private network: it would change the whole machine.
        CapabilityMissing: This kernel has no such settings, or does not let us write them.
    """
    if not inside_lab():
        raise MisuseError(
            "quick_retransmission changes the network's settings, so it works only in a "
            "private one: run this under `wirecut lab -- COMMAND`"
        )
    with ExitStack() as undo:
        for name, value in _QUICK.items():
            setting = _SYSCTLS / name
            try:
                before = setting.read_text("ascii")
                setting.write_text(str(value), "ascii")
            except OSError as error:
                raise CapabilityMissing(f"cannot set net.ipv4.{name}: {error}") from error
            undo.callback(setting.write_text, before, "ascii")
        yield


def first_number(sock: socket.socket) -> int:
    """The sequence number of the peer's first byte; needs "tcp repair"."""
    while True:
        received = tcp_info(sock).bytes_received
        number = sequence_after(read_numbers(sock).receive, -received)
        if tcp_info(sock).bytes_received == received:  # nothing came in between
            return number


def _about(towards: Segment, number: int) -> UnreachableError:
    return UnreachableError(
        Segment(
            source=towards.source,
            source_port=towards.source_port,
            destination=towards.destination,
            destination_port=towards.destination_port,
            sequence=number,
        ),
        Unreachable.NETWORK,
    )
