"""Lost segments of one served connection: lie in wait for each, and let its repetition pass.

A filter has no memory: it drops a segment and its repetitions alike.  A raw socket therefore
tells when something comes, and the connection's own count of dropped segments whether it is
gone; then the filter makes way.  The client repeats what was lost 0.2 s later at the
earliest.  Runs under the loop's lock.
"""

from __future__ import annotations

import bisect
import selectors
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from wirecut.errors import InternalError, MisuseError
from wirecut.faults.fault import Fault
from wirecut.faults.lose import losses_of
from wirecut.faults.partition import partitions_of
from wirecut.server.journal import Ended
from wirecut.server.loop import Timer
from wirecut.wire.action import Direction
from wirecut.wire.filters import (
    attach_filter,
    detach_filter,
    drop_segments_past,
    only_port,
)
from wirecut.wire.kernel import TcpState, tcp_state
from wirecut.wire.measuring import segments_dropped
from wirecut.wire.packets import RawSocket, open_raw
from wirecut.wire.partition import first_number
from wirecut.wire.repair import read_numbers
from wirecut.wire.segments import Flags, Segment, sequence_after
from wirecut.wire.tearing import resets_of

if TYPE_CHECKING:
    from wirecut.server.link import Link

__all__ = ["Losing", "begin_losing", "lose_ahead", "losing_of"]

# The raw socket has its copy a few microseconds before TCP looks at the segment.
_LOOK_AGAIN_SECONDS: Final = 0.001
_LOOKS: Final = 50


class Losing:
    """What one connection has still to lose, in order."""

    __slots__ = (
        "_dropped",
        "_first",
        "_link",
        "_lost",
        "_number",
        "_pending",
        "_raw",
        "_timer",
    )

    def __init__(self, link: Link) -> None:
        """Look at a connection; nothing is lost yet.

        Raises:
            OSError: It has ended.
        """
        self._link = link
        self._first = first_number(self._sock)
        self._pending: list[int] = []
        self._lost: list[int] = []
        self._number = 0
        self._dropped = 0
        self._raw: RawSocket | None = None
        self._timer: Timer | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        return self._raw.descriptors if self._raw is not None else ()

    def begin(self, places: Sequence[int]) -> None:
        """Take over from a connection's first moment; the first filter is in force already."""
        self._refuse_partitions()
        self._pending = list(places)
        self._listen()
        self._aim()
        self._look()  # it may have come and gone before it could be accepted

    def add(self, place: int) -> None:
        """Lie in wait for the segment with the byte after ``place`` bytes, if it is to come."""
        self._refuse_partitions()
        received = sequence_after(read_numbers(self._sock).receive, -self._first)
        if place < received:
            return  # too late: the fault strikes at the next chance, and loses the next
        bisect.insort(self._pending, place)
        if self._pending[0] == place:
            self._lie_in_wait()

    def lose_next(self) -> None:
        """Lose the next segment with bytes, unless one was lost where we are."""
        place = self._link.record.count(Direction.UP)
        if place in self._lost:
            self._lost.remove(place)
        elif place not in self._pending:
            self.add(sequence_after(read_numbers(self._sock).receive, -self._first))

    def refuse_others(self) -> None:
        """A connection has one filter.

        Raises:
            MisuseError: This has it.
        """
        if self._pending:
            raise MisuseError(
                "lose and partition both need the connection's packet filter: give them to "
                "different connections"
            )

    def stop(self) -> None:
        """Lose nothing more; twice is fine."""
        if self._pending and self._link.sock is not None:
            detach_filter(self._link.sock)
        self._pending.clear()
        self._be_deaf()

    def forked(self) -> None:
        """Close the descriptors in a forked child."""
        if self._raw is not None:
            self._raw.close()

    def on_event(self, _mask: int) -> None:
        """Segments came; an exception ends the connection and reaches the test."""
        link = self._link
        try:
            came = False
            while self._raw is not None and (segment := self._raw.receive()) is not None:
                came = came or self._is_past(segment)
            if came:
                self._look(_LOOKS)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall know
            link.host.report(error, link.record)
            link.end(Ended.RESET_BY_SERVER)

    @property
    def _sock(self) -> socket.socket:
        if self._link.sock is None:
            raise InternalError("the connection has ended")
        return self._link.sock

    def _refuse_partitions(self) -> None:
        interpreter = self._link.interpreter
        if interpreter is not None and (interpreter.partitions or interpreter.severed):
            self._pending = self._pending or [0]
            self.refuse_others()

    def _lie_in_wait(self) -> None:
        self._listen()
        self._aim()
        self._dropped = segments_dropped(self._sock)
        attach_filter(self._sock, drop_segments_past(self._number))

    def _listen(self) -> None:
        """Before the filter is in force, or nobody might see what it drops."""
        if self._raw is None:
            to_us = resets_of(self._sock).to_us
            family = to_us.family
            program = only_port(family, to_us.destination_port, source=to_us.source_port)
            # The connection exists: whether it may leave this machine was decided before.
            self._raw = open_raw(family, program, host=to_us.destination, allow_remote=True)
            self._link.host.loop.watch(self._raw.fileno(), selectors.EVENT_READ, self.on_event)

    def _be_deaf(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._raw is not None:
            self._link.host.loop.unwatch(self._raw.fileno())
            self._raw.close()
            self._raw = None

    def _aim(self) -> None:
        self._number = sequence_after(self._first, self._pending[0])

    def _is_past(self, segment: Segment) -> bool:
        """Whether the filter drops it; as ``drop_segments_past`` has it."""
        if not segment.payload and not segment.flags & Flags.FIN:
            return False
        end = sequence_after(segment.sequence, len(segment.payload) - self._number)
        return 0 < end < 1 << 31

    def _look(self, looks: int = 0) -> None:
        """Make way if the segment is gone; look again so often if it has only come."""
        if not self._pending or self._link.sock is None:
            return
        if segments_dropped(self._link.sock) == self._dropped:
            if looks:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._link.later(
                    _LOOK_AGAIN_SECONDS, lambda: self._look(looks - 1)
                )
            return
        self._lost.append(self._pending.pop(0))
        if self._pending:
            self._lie_in_wait()
        else:
            detach_filter(self._link.sock)
            self._be_deaf()


def begin_losing(link: Link, faults: Sequence[Fault]) -> None:
    """A connection was accepted: take over what its filter loses."""
    places, sock = losses_of(faults), link.sock
    if not places or sock is None:
        return
    try:
        losing_of(link).begin(places)
    except (OSError, MisuseError) as error:
        detach_filter(sock)
        if isinstance(error, MisuseError) or tcp_state(sock) is not TcpState.CLOSE:
            link.host.report(error, link.record)
            link.end(Ended.RESET_BY_SERVER)


def losing_of(link: Link) -> Losing:
    """What a connection with an interpreter has to lose.

    Raises:
        OSError: The connection has ended.
    """
    interpreter = link.interpreter
    if interpreter is None:
        raise InternalError("the connection has ended")
    if interpreter.losing is None:
        interpreter.losing = Losing(link)
    return interpreter.losing


def lose_ahead(faults: Sequence[Fault]) -> int | None:
    """After how many bytes the first segment is lost, if no partition has the filter."""
    return next(iter(losses_of(faults)), None) if not partitions_of(faults) else None
