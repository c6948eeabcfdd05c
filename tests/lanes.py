"""Driving a lane without a socket, and a model of what it must do, one byte at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wirecut.errors import InternalError
from wirecut.faults import Fault
from wirecut.faults.at import Accept, Offset, Pattern, StreamEnd
from wirecut.faults.breaker import Breaker
from wirecut.faults.lane import Lane
from wirecut.faults.text import parse_fault
from wirecut.http import RequestFramer
from wirecut.wire.action import (
    Abort,
    Action,
    Close,
    DieSilently,
    Direction,
    ForgeReset,
    Hold,
    Pass,
    PassEnd,
    ShutDownWriting,
    Transform,
    View,
)

__all__ = ["Driven", "breaker_of", "drive", "expected", "view"]

# Far above what any test needs; a lane that goes on for ever must fail, not hang.
_ACTIONS_LIMIT = 10_000


def view(waiting: bytes, *, end: bool = False, done: int = 0, taken: bytes = b"") -> View:
    """What an effect sees when all of ``waiting`` waits downstream."""
    return View(Direction.DOWN, len(waiting), waiting, end=end, done=done, taken=taken)


@dataclass
class Driven:
    """What one direction did.

    Attributes:
        data: What went on, in order.
        struck: Each strike: the fault's text and the count of bytes on the wire.
        ends: How often the end of the stream went on.
        others: The actions that move no byte, in order.
        stopped: Whether nothing will go on any more.
    """

    data: bytes = b""
    struck: list[tuple[str, int]] = field(default_factory=list)
    ends: int = 0
    others: list[Action] = field(default_factory=list)
    stopped: bool = False


def breaker_of(
    faults: Iterable[Fault | str],
    *,
    outbound: Direction = Direction.DOWN,
    seen: Driven | None = None,
) -> Breaker:
    """A breaker whose strikes are noted in ``seen``."""

    def struck(fault: Fault, direction: Direction, count: int) -> None:
        del direction
        if seen is not None:
            seen.struck.append((fault.text, count))

    parsed = [parse_fault(one) if isinstance(one, str) else one for one in faults]
    return Breaker(parsed, outbound=outbound, scan_requests=RequestFramer, on_strike=struck)


def step(lane: Lane, waiting: bytearray, seen: Driven, *, end: bool) -> bool:
    """Execute one action of a lane, if there is one to execute."""
    if seen.stopped:
        return False
    action = lane.next(waiting, end=end)
    match action:
        case None:
            return False
        case Pass(count=count):
            assert 0 < count <= len(waiting)
            seen.data += waiting[:count]
            del waiting[:count]
        case Transform(take=take, give=give):
            assert 0 <= take <= len(waiting)
            seen.data += give
            del waiting[:take]
        case PassEnd():
            assert end
            assert not waiting
            seen.ends += 1
        case _:
            seen.others.append(action)
            seen.stopped = _stops(action, lane)
    return True


def _stops(action: Action, lane: Lane) -> bool:
    match action:
        case Abort() | Close() | ForgeReset() | DieSilently():
            return True
        case Hold(direction=direction, seconds=None):
            # What is left of the strike goes on; for the bytes it makes no difference.
            return lane.direction in direction and not lane.in_strike
        case ShutDownWriting():
            return lane.outbound and not lane.in_strike
        case _:
            return False


def drive(  # noqa: PLR0913 - independent settings
    faults: Iterable[Fault | str],
    pieces: Sequence[bytes],
    *,
    direction: Direction = Direction.DOWN,
    outbound: Direction = Direction.DOWN,
    end: bool = True,
    end_comes_late: bool = True,
) -> Driven:
    """Run the pieces, as they come, through one lane of a connection with these faults.

    Args:
        faults: What strikes.
        pieces: The stream; each is handled before the next one has come.
        direction: The lane's.
        outbound: The direction in which our side sends.
        end: Whether the stream ends after them.
        end_comes_late: Whether the end is known only after the last piece was handled.
    """
    seen = Driven()
    lane = breaker_of(faults, outbound=outbound, seen=seen).lane(direction)
    waiting = bytearray()
    known = [(piece, False) for piece in (b"", *pieces)]
    if end and end_comes_late:
        known.append((b"", True))
    elif end:
        known[-1] = (known[-1][0], True)
    left = _ACTIONS_LIMIT
    for piece, is_end in known:
        waiting += piece
        while step(lane, waiting, seen, end=is_end):
            left -= 1
            if not left:
                raise InternalError("the lane goes on for ever")
    return seen


def expected(  # noqa: C901, PLR0912, PLR0915 - one loop on purpose: it mirrors no structure of ours
    faults: Sequence[Fault | str],
    data: bytes,
    *,
    direction: Direction = Direction.DOWN,
    outbound: Direction = Direction.DOWN,
    end: bool = True,
) -> Driven:
    """What :func:`drive` must give for any split, worked out one byte at a time."""
    parsed = [parse_fault(one) if isinstance(one, str) else one for one in faults]
    sends = direction is outbound
    source, inserted, here = list(data), list[int](), 0
    out = Driven()
    consumed = 0
    active: list[tuple[Fault, int, list[int]]] = []
    places = []

    def waits_for_a_byte(place: int, fault: Fault) -> bool:
        return fault.needs_bytes or (isinstance(fault.at, Offset) and (sends or not place))

    for order, fault in enumerate(parsed):
        match fault.at:
            case Accept() if direction is Direction.UP:
                places.append((-1, order, fault))
            case Offset(direction=d, count=count) if d is direction:
                places.append((count, order, fault))
            case Pattern(direction=d, data=wanted, nth=nth) if d is direction:
                parts = data.split(wanted)
                if len(parts) > nth:
                    place = sum(map(len, parts[:nth])) + nth * len(wanted)
                    places.append((place, order, fault))
            case _:
                pass
    # What can strike without a further byte comes first, and then the order given.
    places.sort(key=lambda one: (one[0], waits_for_a_byte(one[0], one[2]), one[1]))
    ends = [
        one for one in parsed if isinstance(one.at, StreamEnd) and one.at.direction is direction
    ]

    def is_due(place: int, fault: Fault) -> bool:
        some = bool(inserted or source)
        if fault.needs_bytes and not some:
            return False
        if isinstance(fault.at, Offset):
            if (len(out.data) if sends else consumed) < place:
                return False
            return some or end or (place > 0 and not sends)
        return consumed >= place

    def strike(fault: Fault) -> None:
        nonlocal here
        out.struck.append((fault.text, len(out.data) if sends else consumed))
        match fault.word:
            case "reset" | "close":
                out.stopped = True
            case "half_close":
                out.stopped = sends
            case "stall":
                held = {"both": Direction.BOTH, "up": Direction.UP, "down": Direction.DOWN}
                stalled = getattr(fault, "direction")  # noqa: B009 - Stall's own
                out.stopped = direction in held[stalled]
            case "garbage":
                noise = list(getattr(fault, "noise"))  # noqa: B009 - Garbage's own
                inserted[here:here] = noise
                here += len(noise)
            case "drop" | "duplicate":
                active.append((fault, getattr(fault, "size_bytes"), []))  # noqa: B009 - as above
            case "corrupt":
                active.append((fault, getattr(fault, "bits"), []))  # noqa: B009 - as above
            case _:
                pass

    while not out.stopped:
        due = next((one for one in places if is_due(one[0], one[2])), None)
        if due is not None:
            places.remove(due)
            strike(due[2])
            continue
        if inserted or source:
            here = 0
            if inserted:
                byte = inserted.pop(0)
            else:
                byte = source.pop(0)
                consumed += 1
            if not active:
                out.data += bytes([byte])
                continue
            fault, left, seen = active.pop()
            if fault.word == "drop":
                left -= 1
            elif fault.word == "corrupt":
                for bit in range(min(8, left)):
                    byte ^= 1 << bit
                left = max(0, left - 8)
                out.data += bytes([byte])
            else:
                out.data += bytes([byte])
                seen.append(byte)
                left -= 1
                if not left:
                    inserted[0:0] = seen
                    here = len(seen)
            if left:
                active.append((fault, left, seen))
            continue
        if not end:
            break
        if active:
            fault, left, seen = active.pop()
            inserted[here:here] = seen
            here += len(seen)
            continue
        if ends:
            strike(ends.pop(0))
            continue
        out.ends = 1
        break
    return out
