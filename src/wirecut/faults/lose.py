"""Lose one packet of a live connection: nothing is missing in the end, it only takes longer.

``lose/up:N`` drops the client's segment that carries byte N + 1 of its stream, before the
server's TCP has seen it, so it is not acknowledged.  The client's kernel repeats it, as it
does on any network that loses packets.  The fault strikes when that byte has arrived at last.

What the client sends after that byte, before the loss is noticed a fraction of a millisecond
later, is lost with it, as in a burst; acknowledgements pass.

Sources: RFC 9293 section 3.8.1 (retransmission), RFC 6298 (its timer); socket(7),
SO_ATTACH_FILTER.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.errors import MisuseError
from wirecut.faults import at
from wirecut.faults.at import Connect, Moment, Offset
from wirecut.faults.fault import Fault
from wirecut.faults.selection import Exchange
from wirecut.wire.action import Action, Direction, LoseNext, View

__all__ = ["Lose", "losses_of"]


@dataclass(frozen=True, slots=True)
class Lose(Fault):
    """Lose the client's segment with the byte at the moment, once.

    Struck by hand (``server.strike``), it is the next segment with bytes that is lost.

    Raises:
        MisuseError: The moment is not a place in the client's stream that is known
            beforehand, ``up:N``.
    """

    at: Moment = field(default=at.up(0), kw_only=True)

    word: ClassVar[str] = "lose"
    peer_sees: ClassVar[str] = (
        "nothing but time: its kernel repeats the segment, after 0.2 s on Linux, and then "
        "every byte arrives"
    )
    source: ClassVar[str] = "RFC 9293 section 3.8.1; RFC 6298; socket(7), SO_ATTACH_FILTER"
    needs_bytes: ClassVar[bool] = True
    tcp_only: ClassVar[bool] = True
    capabilities: ClassVar[tuple[str, ...]] = ("raw packets", "packet filter", "tcp repair")

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.up_bytes is None and not isinstance(self.at, Connect):
            where = self.at.text
            if isinstance(self.on, Exchange):
                where += f"/{self.on.text}"
            raise MisuseError(
                "lose must know its byte of the client's stream before it comes, "
                f"got {where}; write lose/up:N"
            )

    @property
    def up_bytes(self) -> int | None:
        """How many of the client's bytes come before the one that is lost."""
        if isinstance(self.on, Exchange):
            return None
        match self.at:
            case Offset(direction=Direction.UP, count=count):
                return count
            case _:
                return None

    def act(self, view: View) -> tuple[Action, ...]:
        """Nothing is left to do, unless it strikes where nothing was prepared."""
        del view
        return (LoseNext(),)


def losses_of(faults: Iterable[Fault]) -> tuple[int, ...]:
    """The places at which they lose a segment, in order."""
    places = (fault.up_bytes for fault in faults if isinstance(fault, Lose))
    return tuple(sorted(place for place in places if place is not None))
