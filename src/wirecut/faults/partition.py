"""Pull the cable of one live connection: no byte, no acknowledgement, no FIN, no RST.

``partition/down:N`` and ``partition/up:N`` cut the direction of their moment from that byte
on, ``partition:both`` both.  What is sent meanwhile stays unacknowledged, and TCP repeats it
less and less often; healed, by ``server.heal()`` or after ``seconds``, it recovers and
nothing is lost.

Sources: RFC 9293 section 3.8.1 (retransmission), RFC 6298 (its timer), RFC 5482 section 1
(connections outlive outages shorter than the user timeout); socket(7), SO_ATTACH_FILTER.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.errors import MisuseError
from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_choice, check_seconds
from wirecut.wire.action import Action, Direction, Hold, Sever, View, WaitUntilSent

__all__ = ["Partition"]

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
    capabilities: ClassVar[tuple[str, ...]] = ("raw packets", "packet filter", "tcp repair")

    def __post_init__(self) -> None:
        check_choice("direction", self.direction, ("same", *_DIRECTIONS))
        if self.seconds is not None:
            object.__setattr__(self, "seconds", check_seconds("seconds", self.seconds))
            if not self.seconds:
                raise MisuseError("seconds must be > 0, got 0.0; leave it out to heal by hand")
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """Hold our side, let the kernel's hands go empty, cut."""
        direction = _DIRECTIONS.get(self.direction, view.direction)
        cut = Sever(direction, self.seconds)
        if direction is Direction.UP:
            return (cut,)
        return (Hold(direction & Direction.DOWN), WaitUntilSent(), cut)
