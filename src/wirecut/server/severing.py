"""What a third party does to one served connection: resets, partitions, silent death.

Needs a raw socket, a packet filter, or TCP_REPAIR; whoever gives such a fault to a server was
told then if the machine cannot do it.  Runs under the loop's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wirecut.errors import InternalError
from wirecut.server.journal import Ended
from wirecut.server.loop import Timer
from wirecut.wire.action import Direction
from wirecut.wire.packets import RawSocket, open_raw
from wirecut.wire.partition import Partition
from wirecut.wire.tearing import tear

if TYPE_CHECKING:
    from wirecut.server.link import Link

__all__ = ["Severed", "forge_reset"]


class Severed:
    """A connection whose cable is pulled, until it is healed."""

    __slots__ = ("_direction", "_link", "_partition", "_timer")

    def __init__(self, link: Link, direction: Direction, seconds: float | None) -> None:
        self._link = link
        self._direction = direction
        self._timer: Timer | None = None
        self._partition: Partition | None = None
        if link.sock is None:
            return
        self._partition = Partition(link.sock)
        # Upstream the bytes that were read have passed, and not one more shall.
        up_bytes = link.record.count(Direction.UP) if direction is Direction.UP else None
        self._partition.cut(direction, up_bytes=up_bytes)
        if seconds is not None:
            self._timer = link.later(seconds, self.heal)

    def heal(self) -> None:
        """Put the cable back; both ends are kicked, so that they repeat what was lost."""
        if self._timer is not None:
            self._timer.cancel()
        link, partition, self._partition = self._link, self._partition, None
        if partition is None or link.sock is None or link.interpreter is None:
            return
        with _raw(link) as raw:
            partition.heal(raw)
        link.interpreter.healed(self._direction)
        link.pump()


def forge_reset(link: Link, *, both: bool) -> None:
    """Reset a connection by segments that neither end has sent."""
    if link.sock is None:
        return
    with _raw(link) as raw:
        tear(link.sock, raw, both=both)
    if both:
        link.end(Ended.RESET_BY_THIRD_PARTY, "reset")


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
