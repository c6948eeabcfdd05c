"""What a third party does to one served connection: resets, partitions, silent death.

Needs a raw socket, a packet filter, or TCP_REPAIR; whoever gives such a fault to a server was
told then if the machine cannot do it.  Runs under the loop's lock.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wirecut.errors import InternalError, MisuseError
from wirecut.faults.fault import Fault
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition, up_bytes_of
from wirecut.server.journal import Ended
from wirecut.server.loop import Timer
from wirecut.server.losing import losing_of
from wirecut.wire.action import Direction, ForgeReset, LoseNext, Sever
from wirecut.wire.filters import attach_filter, detach_filter, drop_segments_past
from wirecut.wire.kernel import TcpState, tcp_state
from wirecut.wire.packets import RawSocket, open_raw
from wirecut.wire.partition import Partition as Cable
from wirecut.wire.partition import first_number
from wirecut.wire.segments import sequence_after
from wirecut.wire.tearing import tear

if TYPE_CHECKING:
    from wirecut.server.link import Link

__all__ = ["Severed", "cut_ahead", "fault_added", "heal", "interfere", "uncut"]


@dataclass(eq=False, slots=True)
class _Cut:
    """One cable that was pulled: what it carried, and when it is put back by itself."""

    direction: Direction
    up_bytes: int
    timer: Timer | None = None


class Severed:
    """What of one connection is cut; each cut lasts until its time or until all is healed."""

    __slots__ = ("_cuts", "_link", "_partition")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._cuts: list[_Cut] = []
        self._partition: Cable | None = None

    @property
    def direction(self) -> Direction:
        """All directions that are cut."""
        found = Direction(0)
        for cut in self._cuts:
            found |= cut.direction
        return found

    def cut(self, direction: Direction, seconds: float | None) -> None:
        """Let no packet through in ``direction``."""
        link = self._link
        if link.sock is None:
            return
        # Upstream the bytes that were read have passed, and not one more shall.
        one = _Cut(direction, link.record.count(Direction.UP))
        self._cuts.append(one)
        with _unless_ended(link):
            if self._partition is None:
                self._partition = Cable(link.sock)
            self._apply(self._partition)
        if seconds is not None and link.sock is not None:
            one.timer = link.later(seconds, lambda: self._heal([one]))

    def heal(self) -> None:
        """Put all cables back."""
        self._heal(self._cuts)

    def _heal(self, cuts: list[_Cut]) -> None:
        """Put cables back; with the last one both ends are kicked, to repeat what was lost."""
        for cut in tuple(cuts):
            if cut.timer is not None:
                cut.timer.cancel()
            self._cuts.remove(cut)
        link, partition = self._link, self._partition
        if partition is None or link.sock is None or link.interpreter is None:
            return
        with _unless_ended(link):
            if self._cuts:
                self._apply(partition)
            else:
                with _raw(link) as raw:
                    partition.heal(raw, up_bytes=_next_cut(link))
        if link.interpreter is not None and not self._cuts:
            link.interpreter.severed = None
        link.pump()

    def _apply(self, partition: Cable) -> None:
        if Direction.DOWN in self.direction:
            partition.cut(Direction.DOWN)
        else:
            partition.cut(Direction.UP, up_bytes=min(cut.up_bytes for cut in self._cuts))


def heal(links: Iterable[Link], index: int | None) -> None:
    """Put the cables of one connection, or of all, back.

    Raises:
        MisuseError: Nothing is cut.
    """
    chosen = [link.interpreter for link in links if index in (None, link.record.index)]
    severed = [one.severed for one in chosen if one is not None and one.severed is not None]
    for one in severed:
        one.heal()
    if not severed:
        which = "no connection is" if index is None else f"connection {index} is not"
        raise MisuseError(f"nothing to heal: {which} partitioned")


def interfere(link: Link, action: ForgeReset | Sever | LoseNext) -> None:
    """Execute one of the actions that need more than a socket."""
    interpreter = link.interpreter
    match action:
        case ForgeReset(both=both):
            forge_reset(link, both=both)
        case LoseNext():
            with _unless_ended(link):
                losing_of(link).lose_next()
        case Sever(direction=direction, seconds=seconds) if interpreter is not None:
            if interpreter.losing is not None:
                interpreter.losing.refuse_others()
            interpreter.severed = interpreter.severed or Severed(link)
            interpreter.severed.cut(direction, seconds)


def fault_added(link: Link, fault: Fault) -> None:
    """A fault was added to an open connection: see to it that it is exact, if it can be."""
    if isinstance(fault, Partition):
        _cut_added(link)
    elif isinstance(fault, Lose) and fault.up_bytes is not None:
        with _unless_ended(link):
            losing_of(link).add(fault.up_bytes)


def _cut_added(link: Link) -> None:
    ahead = _next_cut(link)
    if ahead is not None and link.sock is not None and not _is_severed(link):
        with _unless_ended(link):
            cut_ahead(link.sock, ahead)


def uncut(link: Link) -> None:
    """Right before the end of a connection: what comes later must meet the end, not a cut.

    Otherwise the kernel would wait for long for answers that do not get through.
    """
    if link.sock is not None and (_is_severed(link) or _next_cut(link) is not None):
        detach_filter(link.sock)
    if link.interpreter is not None and link.interpreter.losing is not None:
        link.interpreter.losing.stop()


def _is_severed(link: Link) -> bool:
    return link.interpreter is not None and link.interpreter.severed is not None


def _next_cut(link: Link) -> int | None:
    """After how many bytes up a partition that has not struck will cut."""
    if link.interpreter is None:
        return None
    struck = link.record.struck
    return up_bytes_of(
        fault
        for fault in link.interpreter.partitions
        if all(fault != one.fault for one in struck)
    )


def cut_ahead(sock: socket.socket, up_bytes: int | None, *, loses: bool = False) -> None:
    """Cut the way up of a connection beforehand, or make sure that it is not cut.

    With ``loses`` it is not cut but loses the segment there.

    Raises:
        OSError: The connection has ended.
    """
    if up_bytes is None:
        detach_filter(sock)
    elif loses:
        number = sequence_after(first_number(sock), up_bytes)
        attach_filter(sock, drop_segments_past(number))
    else:
        Cable(sock).cut(Direction.UP, up_bytes=up_bytes)


def forge_reset(link: Link, *, both: bool) -> None:
    """Reset a connection by segments that neither end has sent."""
    if link.sock is None:
        return
    with _unless_ended(link), _raw(link) as raw:
        tear(link.sock, raw, both=both)
    if both:
        link.end(Ended.RESET_BY_THIRD_PARTY, "torn")


@contextlib.contextmanager
def _raw(link: Link) -> Iterator[RawSocket]:
    """A raw socket that only sends, for a moment."""
    if link.sock is None:
        raise InternalError("the connection has ended")
    # The connection exists, so whether it may leave this machine was decided before.
    raw = open_raw(link.sock.family, allow_remote=True)
    try:
        yield raw
    finally:
        raw.close()


@contextlib.contextmanager
def _unless_ended(link: Link) -> Iterator[None]:
    """A connection that the client has reset meanwhile has no numbers, and nothing to cut."""
    try:
        yield
    except OSError:
        if link.sock is None or tcp_state(link.sock) is not TcpState.CLOSE:
            raise
        link.end(Ended.RESET_BY_CLIENT, "reset")
