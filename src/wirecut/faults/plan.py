"""Faults that cannot strike are an error where they are written, not a silent pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wirecut.errors import MisuseError
from wirecut.faults.at import Accept, Connect, Moment, Offset, Pattern, RequestEnd, StreamEnd
from wirecut.faults.fault import Fault
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition
from wirecut.faults.selection import EVERY, Exchange, covers
from wirecut.wire.action import Direction

__all__ = ["check_length", "check_plan"]

SHORTEST_REQUEST_BYTES: Final = len(b"A / HTTP/1.0\r\n\r\n")
"""No complete request is shorter (RFC 9112 section 3)."""


def check_plan(faults: Sequence[Fault], *, outbound: Direction = Direction.DOWN) -> None:
    """Refuse faults of which an earlier one makes a later one unreachable.

    Args:
        faults: All faults of one server or connection, in the order given.
        outbound: The direction in which the side that applies them sends.

    Raises:
        MisuseError: One can never strike, or two need the same thing of the kernel; the
            message names both.
    """
    for index, first in enumerate(faults):
        for other_index, other in enumerate(faults):
            if isinstance(first, Lose) and isinstance(other, Partition):
                _check_filters(first, other)
            if _ends_before(first, other, outbound, given_first=index < other_index):
                raise MisuseError(
                    f"{other} can never strike: {first} comes first and ends "
                    f"{'the connection' if first.ends(outbound) is Direction.BOTH else 'it'}; "
                    "drop one of them, or select other connections"
                )


def _check_filters(lose: Lose, partition: Partition) -> None:
    if covers(lose.on, partition.on) or covers(partition.on, lose.on):
        raise MisuseError(
            f"{lose} and {partition} both need the connection's packet filter: select "
            "different connections"
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
        # Attempts and connections are counted apart: only "every" speaks of both.
        return given_first if isinstance(other.at, Connect) else first.on == EVERY
    direction = _direction(other.at)
    if direction is None or not direction & ended:
        return False
    earlier = _compare(first, other, outbound)
    return earlier < 0 or (
        earlier == 0 and (given_first or _waits_longer(other, first, outbound))
    )


def _waits_longer(other: Fault, first: Fault, outbound: Direction) -> bool:
    """Whether, at one place, ``other`` needs the next byte and ``first`` strikes before it."""
    if isinstance(first.at, Offset) and (first.at.direction is outbound or not first.at.count):
        return False
    return other.needs_bytes


def _direction(moment: Moment) -> Direction | None:
    match moment:
        case Connect():
            return None
        case Accept() | RequestEnd():
            return Direction.UP
        case _:
            return moment.direction


def _compare(  # noqa: PLR0911 - one answer for each kind of pair
    first: Fault, other: Fault, outbound: Direction
) -> int:
    """Below zero if ``first`` surely comes first, zero if it does unless given later."""
    match first.at, other.at:
        case Accept(), Accept():
            return 0
        case Accept(), _:
            return -1
        case RequestEnd(), _ if isinstance(other.on, Exchange) and first.on != other.on:
            # The second request begins where the first one has ended.
            return -1 if other.on.number > 1 else _equal(first, other)
        case Offset(direction=d, count=n), Offset(direction=e, count=m) if d is e:
            return n - m
        case Offset(direction=d, count=0), StreamEnd(direction=e) if d is e:
            # Any other offset may lie past the end, and never comes.
            return -1
        case Pattern() as one, Pattern() as two:
            return _compare_patterns(one, two)
        case Offset(direction=d, count=n), Pattern() as two if d is two.direction and (
            d is not outbound or not n
        ):
            # Where we read, offsets and matches count the same bytes.  Where we write, what
            # is matched may be dropped before it counts.
            return n - len(two.data) * two.nth
        case Offset(direction=Direction.UP, count=n), RequestEnd() if (
            outbound is not Direction.UP or not n
        ):
            return n - SHORTEST_REQUEST_BYTES
        case _:
            return _equal(first, other)


def _compare_patterns(one: Pattern, two: Pattern) -> int:
    """Every match of ``two`` has some of ``one`` in it, if it contains its bytes."""
    *matches, rest = two.data.split(one.data)
    if one.direction is not two.direction:
        return 1
    left = one.nth - two.nth * len(matches)
    return -1 if not left and rest else left


def _equal(first: Fault, other: Fault) -> int:
    return 0 if first.at == other.at else 1
