"""Faults that cannot strike are an error where they are written, not a silent pass."""

from __future__ import annotations

from collections.abc import Sequence

from wirecut.errors import MisuseError
from wirecut.faults.at import Accept, Connect, Moment, Offset, RequestEnd, StreamEnd
from wirecut.faults.fault import Fault
from wirecut.faults.selection import Exchange, covers
from wirecut.wire.action import Direction

__all__ = ["check_length", "check_plan"]


def check_plan(faults: Sequence[Fault], *, outbound: Direction = Direction.DOWN) -> None:
    """Refuse faults of which an earlier one makes a later one unreachable.

    Args:
        faults: All faults of one server or connection, in the order given.
        outbound: The direction in which the side that applies them sends.

    Raises:
        MisuseError: One can never strike; the message names both.
    """
    for index, first in enumerate(faults):
        for other_index, other in enumerate(faults):
            if index != other_index and _ends_before(
                first, other, outbound, given_first=index < other_index
            ):
                raise MisuseError(
                    f"{other} can never strike: {first} comes first and ends "
                    f"{'the connection' if first.ends(outbound) is Direction.BOTH else 'it'}; "
                    "drop one of them, or select other connections"
                )


def check_length(faults: Sequence[Fault], length_bytes: int) -> None:
    """Refuse an offset down that lies past the end of a reply whose length is known.

    Raises:
        MisuseError: A fault at ``down:N`` has an N above ``length_bytes``.
    """
    for fault in faults:
        if (
            isinstance(fault.at, Offset)
            and fault.at.direction is Direction.DOWN
            and not isinstance(fault.on, Exchange)
            and fault.at.count > length_bytes
        ):
            raise MisuseError(
                f"{fault} can never strike: the reply is {length_bytes} bytes long; "
                f"use down:0 to down:{length_bytes}, or down.end"
            )


def _ends_before(first: Fault, other: Fault, outbound: Direction, *, given_first: bool) -> bool:
    ended = first.ends(outbound)
    if ended is None or not covers(first.on, other.on):
        return False
    if isinstance(first.at, Connect):
        return not isinstance(other.at, Connect) or given_first
    direction = _direction(other.at)
    if direction is None or not direction & ended:
        return False
    earlier = _compare(first.at, other.at)
    return earlier < 0 or (earlier == 0 and given_first)


def _direction(moment: Moment) -> Direction | None:
    match moment:
        case Connect():
            return None
        case Accept() | RequestEnd():
            return Direction.UP
        case _:
            return moment.direction


def _compare(one: Moment, other: Moment) -> float:
    """Below zero if ``one`` surely comes first, zero if together, above if not or unknown."""
    if one == other:
        return 0
    match one, other:
        case Accept(), _:
            return -1
        case Offset(direction=d, count=n), Offset(direction=e, count=m) if d is e:
            return n - m
        case (Offset() | RequestEnd()) as first, StreamEnd(direction=e):
            # A request that has ended was there before the client's stream ended.
            up = first.direction if isinstance(first, Offset) else Direction.UP
            return -1 if up is e else 1
        case _:
            return 1
