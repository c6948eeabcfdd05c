"""What can strike on a line, and why something never did."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from wirecut.errors import MisuseError, UnmetExpectation, WirecutError
from wirecut.faults.at import Accept, Offset, Pattern, RequestEnd, StreamEnd
from wirecut.faults.fault import Fault
from wirecut.faults.forged_reset import ForgedReset
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition
from wirecut.faults.selection import Every, Exchange
from wirecut.faults.vanish import Vanish
from wirecut.http.framing import RequestFramer
from wirecut.wire.action import Direction

__all__ = ["check_fault", "unstruck"]


def check_fault(fault: Fault, address: tuple[str, int] | str) -> None:
    """Refuse a fault that means nothing on a line to ``address``.

    Raises:
        MisuseError: The message says where the fault belongs instead.
    """
    if fault.at_connect or isinstance(fault.at, Accept):
        raise MisuseError(
            f"{fault} happens to a server's address, and a line is past it: give the fault to "
            f"the server, or let {fault.word} strike at up:0 or later"
        )
    if isinstance(fault, ForgedReset | Lose | Partition | Vanish):
        raise MisuseError(
            f"{fault} is done to a server's end of a connection, and a line is the other: give "
            "the fault to the server"
        )
    if not isinstance(fault.on, Every | Exchange):
        raise MisuseError(
            f"{fault} selects among connections, and a line is only one: leave out "
            f"{fault.on.text}, or give the fault to the line that it is for"
        )
    if fault.tcp_only and isinstance(address, str):
        raise MisuseError(
            f"{fault} has no meaning on a Unix-domain socket ({address!r}): "
            f"{fault.word} is TCP's; use a TCP address"
        )


def unstruck(
    faults: Iterable[Fault],
    struck: Collection[Fault],
    tapes: Mapping[Direction, bytearray],
    ended: str,
) -> list[WirecutError]:
    """A finding for each fault that should have struck and did not.

    Args:
        faults: What was given; an optional one is exempt.
        struck: What struck.
        tapes: The bytes of each direction.
        ended: How the line ended, such as ``closed by client``.
    """
    return [
        UnmetExpectation(f"{fault} never struck: {_why(fault, tapes, ended)}")
        for fault in dict.fromkeys(faults)
        if not fault.optional and fault not in struck
    ]


def _why(fault: Fault, tapes: Mapping[Direction, bytearray], ended: str) -> str:
    """The reason, in the words of a server's findings."""
    at, sent = fault.at, tapes[Direction.UP]
    how = f"the line was {ended} after"
    if isinstance(at, RequestEnd) or isinstance(fault.on, Exchange):
        framer = RequestFramer()
        complete = sum(mark.kind == "end" for mark in framer.feed(bytes(sent)))
        if framer.problem is not None:
            return framer.problem
        if isinstance(fault.on, Exchange):
            plural = "" if complete == 1 else "s"
            return f"the line had {complete} complete request{plural} and was {ended}"
        if not complete:
            return f"{how} {len(sent)} bytes up, before a request was complete"
    match at:
        case Offset(direction=direction) | StreamEnd(direction=direction):
            return f"{how} {len(tapes[direction])} bytes {direction.word}"
        case Pattern(data=data, direction=direction, nth=nth):
            return (
                f"{how} {len(tapes[direction])} bytes {direction.word} with "
                f"{tapes[direction].count(data)} of {nth} matches of {data!r}"
            )
        case _:
            return f"the line was {ended}"
