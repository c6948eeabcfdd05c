"""What went otherwise than planned, in sentences: why a fault never struck."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wirecut.errors import UnmetExpectation
from wirecut.faults.at import Offset, Pattern, RequestEnd, StreamEnd
from wirecut.faults.fault import Fault
from wirecut.faults.selection import Exchange
from wirecut.http.framing import RequestFramer
from wirecut.server.attempts import ConnectAttempt
from wirecut.server.journal import Ended, Record
from wirecut.wire.action import Direction

__all__ = ["raise_findings", "unreached_behaviours", "unstruck"]

_SHOWN = 3


def unstruck(
    faults: Iterable[Fault],
    records: Sequence[Record],
    attempts: Sequence[ConnectAttempt] = (),
) -> list[UnmetExpectation]:
    """A finding for each fault that should have struck and did not.

    A server without any connection is unused, which is no finding; a fault at ``connect``
    is a state of the address and exempt, and so is an optional one.
    """
    if not records and not attempts:
        return []
    struck = {struck.fault for record in records for struck in record.struck}
    return [
        UnmetExpectation(
            f"{fault} never struck: "
            + (_why_no_attempt(fault, attempts) if fault.at_connect else _why(fault, records))
        )
        for fault in dict.fromkeys(faults)
        if not fault.optional and not fault.address_state and fault not in struck
    ]


def unreached_behaviours(given: int, records: Sequence[Record]) -> list[UnmetExpectation]:
    """A finding if fewer connections came than behaviours were given for one each."""
    if not records or len(records) >= given:
        return []
    reused = _reused(records)
    return [
        UnmetExpectation(
            f"{given} behaviours were given, one per connection, but only {_came(records)}"
            + (f": {reused}" if reused else "")
        )
    ]


def raise_findings(server: str, errors: Sequence[BaseException]) -> None:
    """Raise what a server found: one error as it is, several as a group."""
    # Pytest shows where a handler failed, and not this function; a group has no other place,
    # and pytest before 9 stumbles over one that has none at all.
    __tracebackhide__ = len(errors) == 1
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    raise BaseExceptionGroup(f"{server}: {len(errors)} findings", list(errors))


def _why_no_attempt(fault: Fault, attempts: Sequence[ConnectAttempt]) -> str:
    selected = [one for one in attempts if fault.on.selects(one.index + 1)]
    if not selected:
        verb = "was" if len(attempts) == 1 else "were"
        return f"only {_times(len(attempts), 'attempt')} to connect {verb} made"
    *_, last = (None, *selected[0].struck)
    why = f"was struck by {last}" if last is not None else "came before it was added"
    return f"attempt {selected[0].index} to connect {why}"


def _why(fault: Fault, records: Sequence[Record]) -> str:
    selected = [record for record in records if fault.on.selects(record.index + 1)]
    if not selected:
        reused = _reused(records)
        return f"only {_came(records)}" + (f": {reused}" if reused else "")
    reasons = [_why_not_here(fault, record) for record in selected[:_SHOWN]]
    if len(selected) > _SHOWN:
        reasons.append(f"and {len(selected) - _SHOWN} more connections")
    return "; ".join(reasons)


def _why_not_here(fault: Fault, record: Record) -> str:
    name = f"connection {record.index}"
    ended = "is still open" if record.ended is Ended.OPEN else f"was {record.ended.value}"
    if record.ended is Ended.STOPPED:
        ended = "was still open at the end"
    if isinstance(fault.at, RequestEnd) or isinstance(fault.on, Exchange):
        framer = _framed(record)
        if framer.problem is not None:
            return f"{name}: {framer.problem}"
        if isinstance(fault.on, Exchange):
            return f"{name} had {_times(framer.complete, 'complete request')} and {ended}"
        if not framer.complete:
            count = record.count(Direction.UP)
            return f"{name} {ended} after {count} bytes up, before a request was complete"
    match fault.at:
        case Offset(direction=direction) | StreamEnd(direction=direction):
            return f"{name} {ended} after {record.count(direction)} bytes {direction.word}"
        case Pattern(data=data, direction=direction, nth=nth):
            seen = record.tape(direction).data.count(data)
            return (
                f"{name} {ended} after {record.count(direction)} bytes {direction.word} with "
                f"{seen} of {nth} matches of {data!r}"
            )
        case _:
            return f"{name} {ended}"


def _reused(records: Sequence[Record]) -> str:
    for record in records:
        complete = _framed(record).complete
        if complete > 1:
            return f"connection {record.index} was reused for exchange {complete}"
    return ""


def _came(records: Sequence[Record]) -> str:
    return f"{_times(len(records), 'connection')} {'was' if len(records) == 1 else 'were'} made"


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


class _Framed:
    """How many requests a recorded stream holds; only for explanations."""

    def __init__(self, data: bytes) -> None:
        framer = RequestFramer()
        self.complete = sum(mark.kind == "end" for mark in framer.feed(data))
        self.problem = framer.problem


def _framed(record: Record) -> _Framed:
    return _Framed(record.tape(Direction.UP).data)
