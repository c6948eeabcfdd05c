"""Pull the cable of one live connection: no byte, no acknowledgement, no FIN, no RST.

``partition/down:N`` and ``partition/up:N`` cut the direction of their moment from that byte
on, ``partition:both`` both.  What is sent meanwhile stays unacknowledged, and TCP repeats it
less and less often; healed, by ``server.heal()`` or after ``seconds``, it recovers and
nothing is lost.

Sources: RFC 9293 section 3.8.1 (retransmission), RFC 6298 (its timer), RFC 5482 section 1
(connections outlive outages shorter than the user timeout); socket(7), SO_ATTACH_FILTER.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.errors import MisuseError
from wirecut.faults import at
from wirecut.faults.at import Accept, Moment, Offset
from wirecut.faults.fault import Fault
from wirecut.faults.selection import Exchange
from wirecut.validation import check_choice, check_seconds
from wirecut.wire.action import Action, Direction, Sever, View, WaitUntilSent

__all__ = ["Partition", "partitions_of", "up_bytes_of"]

_DIRECTIONS = {"up": Direction.UP, "down": Direction.DOWN, "both": Direction.BOTH}


@dataclass(frozen=True, slots=True)
class Partition(Fault):
    """Let no packet of the connection through.

    Attributes:
        direction: ``up``, ``down``, ``both``, or ``same``: that of the moment.
        seconds: After how long it heals, > 0; None when it is told to.

    Raises:
        MisuseError: An unknown direction, or a time that is not a positive number.
    """

    direction: str = "same"
    seconds: float | None = None
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "partition"
    peer_sees: ClassVar[str] = (
        "silence as of a pulled cable: nothing arrives (down) or what it sends is not "
        "acknowledged (up); once healed, everything, in order"
    )
    source: ClassVar[str] = "RFC 9293 section 3.8.1; RFC 6298; socket(7), SO_ATTACH_FILTER"
    tcp_only: ClassVar[bool] = True
    stops_arrival: ClassVar[bool] = True
    capabilities: ClassVar[tuple[str, ...]] = ("raw packets", "packet filter", "tcp repair")

    def __post_init__(self) -> None:
        check_choice("direction", self.direction, ("same", *_DIRECTIONS))
        if self.seconds is not None:
            object.__setattr__(self, "seconds", check_seconds("seconds", self.seconds))
            if not self.seconds:
                raise MisuseError("seconds must be > 0, got 0.0; leave it out to heal by hand")
        Fault.__post_init__(self)

    @property
    def up_bytes(self) -> int | None:
        """After how many of a connection's bytes up it cuts, if that is known beforehand."""
        if self.direction == "down" or isinstance(self.on, Exchange):
            return None
        match self.at:
            case Offset(direction=Direction.UP, count=count):
                return count
            case Accept():
                return 0
            case _:
                return None

    def act(self, view: View) -> tuple[Action, ...]:
        """Cut; the way down only once it is empty."""
        direction = _DIRECTIONS.get(self.direction, view.direction)
        cut = Sever(direction, self.seconds)
        return (cut,) if direction is Direction.UP else (WaitUntilSent(), cut)


def partitions_of(faults: Iterable[Fault]) -> tuple[Partition, ...]:
    """Those of the faults that are partitions."""
    return tuple(fault for fault in faults if isinstance(fault, Partition))


def up_bytes_of(partitions: Iterable[Partition]) -> int | None:
    """Where the way up is cut first, if that is known beforehand."""
    cuts = [fault.up_bytes for fault in partitions]
    return min((cut for cut in cuts if cut is not None), default=None)
