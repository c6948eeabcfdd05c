"""The table: every effect at every kind of moment, in both directions, and combinations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.both_sides.case import Case, Outcome
from wirecut import End, Garbage

__all__ = ["CASES", "SAID"]

SAID = b"0123456789"
REPLY = b"ok"
NOISE = Garbage(4).noise

_MOMENTS = {
    "{way}:0": 0,
    "{way}:5": 5,
    "{way}:9": 9,
    "{way}:10": 10,
    "pattern:{way}:34": 5,
    "pattern:{way}:9": 10,
    "{way}.end": 10,
}
"""Moments in ``SAID`` and where they lie; the last byte, the end and beyond it included."""

_NEEDS_A_BYTE: dict[str, Callable[[int], bytes]] = {
    "throttle:100000": lambda _: SAID,
    "dribble": lambda _: SAID,
    "dribble:4": lambda _: SAID,
    "corrupt:12": lambda n: (
        SAID[:n]
        + bytes(a ^ b for a, b in zip(SAID[n : n + 2], b"\xff\x0f", strict=False))
        + SAID[n + 2 :]
    ),
    "drop:3": lambda n: SAID[:n] + SAID[n + 3 :],
    "duplicate:3": lambda n: SAID[:n] + SAID[n : n + 3] * 2 + SAID[n + 3 :],
}
_CHANGES: dict[str, Callable[[int], bytes]] = {
    **_NEEDS_A_BYTE,
    "garbage:4": lambda n: SAID[:n] + NOISE + SAID[n:],
    "delay:0.001": lambda _: SAID,
    "stall:both:0.001": lambda _: SAID,
    "stall:{way}:0.001": lambda _: SAID,
}
"""What reaches the other side, by effect, given where it strikes."""

_ENDS = {
    "reset": End.RESET,
    "close": End.EOF,
    "half_close": End.EOF,
    "stall": End.OPEN,
    "stall:{way}": End.OPEN,
}
"""How the observer's stream ends, by effect."""


def _placed(way: str, effects: dict[str, object]) -> Iterator[tuple[str, str, int, bool]]:
    """Effect, fault, its place in ``SAID``, and whether it can strike there."""
    for effect in effects:
        for moment, place in _MOMENTS.items():
            needs = effect in _NEEDS_A_BYTE
            if not (needs and moment == "{way}.end"):
                text = f"{effect}/{moment}".replace("{way}", way)
                yield effect, text, place, place < len(SAID) or not needs


def _outbound() -> Iterator[Case]:
    for effect, fault, place, strikes in _placed("{out}", {**_CHANGES}):
        data = _CHANGES[effect](place) if strikes else SAID
        outcome = Outcome(data, End.EOF, strikes=(fault,) if strikes else ())
        yield Case((fault,), SAID, expected=outcome)
    for effect, fault, place, _ in _placed("{out}", {**_ENDS}):
        outcome = Outcome(SAID[:place], _ENDS[effect], strikes=(fault,))
        yield Case((fault,), SAID, expected=outcome)


def _inbound() -> Iterator[Case]:
    for effect, fault, place, strikes in _placed("{in_}", {**_CHANGES}):
        heard = _CHANGES[effect](place) if strikes else SAID
        outcome = Outcome(REPLY, End.EOF, heard, (fault,) if strikes else ())
        yield Case((fault,), REPLY, hears=SAID, expected=outcome)
    for effect, fault, place, _ in _placed("{in_}", {**_ENDS}):
        heard = SAID if effect == "half_close" else SAID[:place]
        outcome = Outcome(b"", _ENDS[effect], heard, (fault,))
        yield Case((fault,), REPLY, hears=SAID, expected=outcome)


def _case(*faults: str, strikes: int | None = None, **outcome: bytes | End) -> Case:
    """A combination in what our side says; all of it strikes unless only some does."""
    data, end = outcome["data"], outcome.get("end", End.EOF)
    assert isinstance(data, bytes)
    assert isinstance(end, End)
    return Case(faults, SAID, expected=Outcome(data, end, strikes=faults[:strikes]))


_COMBINATIONS = (
    Case((), SAID, expected=Outcome(SAID, End.EOF)),
    Case((), SAID, ends=False, expected=Outcome(SAID, End.OPEN)),
    Case((), b"", expected=Outcome(b"", End.EOF)),
    Case(("reset/{out}:0",), b"", expected=Outcome(b"", End.RESET, strikes=("reset/{out}:0",))),
    Case(("reset/{out}:0",), b"", ends=False, expected=Outcome(b"", End.OPEN)),
    Case(("reset/{out}:10",), SAID, ends=False, expected=Outcome(SAID, End.OPEN)),
    Case(("reset/{out}.end",), SAID, ends=False, expected=Outcome(SAID, End.OPEN)),
    Case((), REPLY, hears=SAID, expected=Outcome(REPLY, End.EOF, SAID)),
    _case("dribble/{out}:0", "reset/{out}:7", data=SAID[:7], end=End.RESET),
    _case("dribble:3/{out}:2", "close/{out}:7", data=SAID[:7]),
    _case("throttle:100000/{out}:0", "half_close/{out}:7", data=SAID[:7]),
    _case("garbage:4/{out}:3", "reset/{out}:5", data=SAID[:3] + NOISE[:2], end=End.RESET),
    _case("garbage:4/{out}:3", "reset/{out}:7", data=SAID[:3] + NOISE, end=End.RESET),
    _case(
        "garbage:4/{out}:3", "reset/{out}:8", data=SAID[:3] + NOISE + SAID[3:4], end=End.RESET
    ),
    _case("drop:3/{out}:2", "reset/{out}:4", data=b"0156", end=End.RESET),
    _case("drop:3/{out}:2", "close/{out}:7", data=b"0156789"),
    _case("duplicate:4/{out}:1", "reset/{out}:7", data=b"0123412", end=End.RESET),
    _case("duplicate:4/{out}:1", "drop:2/{out}:5", data=b"01234" + b"34" + b"56789"),
    _case("duplicate:20/{out}:4", data=SAID + SAID[4:]),
    _case("corrupt:8/{out}:2", "corrupt:8/{out}:4", data=b"01\xcd3\xcb56789"),
    _case(
        "garbage:4/{out}:3",
        "garbage:4:1/{out}:3",
        data=SAID[:3] + NOISE + Garbage(4, 1).noise + SAID[3:],
    ),
    _case(
        "garbage:4:1/{out}:3",
        "garbage:4/{out}:3",
        data=SAID[:3] + Garbage(4, 1).noise + NOISE + SAID[3:],
    ),
    _case("drop/{out}:3", "corrupt:8/{out}:3", data=b"012\xcc56789"),
    _case("garbage:4/{out}.end", "reset/{out}.end", data=SAID + NOISE, end=End.RESET),
    _case(
        "drop:2/pattern:{out}:12",
        "reset/pattern:{out}:78",
        data=b"01256789"[:7],
        end=End.RESET,
    ),
    Case(
        ("half_close/{in_}:4", "reset/{in_}:8"),
        REPLY,
        hears=SAID,
        expected=Outcome(b"", End.EOF, SAID[:8], ("half_close/{in_}:4", "reset/{in_}:8")),
    ),
    Case(
        ("drop:3/{in_}:2", "reset/{in_}:7"),
        REPLY,
        hears=SAID,
        expected=Outcome(b"", End.RESET, b"0156", ("drop:3/{in_}:2", "reset/{in_}:7")),
    ),
    Case(
        ("dribble/{in_}:0", "garbage:4/{in_}:5"),
        REPLY,
        hears=SAID,
        expected=Outcome(
            REPLY,
            End.EOF,
            SAID[:5] + NOISE + SAID[5:],
            ("dribble/{in_}:0", "garbage:4/{in_}:5"),
        ),
    ),
    Case(
        ("duplicate:4/{in_}:3", "drop:2/{out}:1"),
        SAID,
        hears=SAID,
        expected=Outcome(
            b"03456789",
            End.EOF,
            b"0123456" + b"3456" + b"789",
            ("duplicate:4/{in_}:3", "drop:2/{out}:1"),
        ),
    ),
    Case(
        ("stall:{out}/{in_}:4",),
        REPLY,
        hears=SAID,
        expected=Outcome(b"", End.OPEN, SAID, ("stall:{out}/{in_}:4",)),
    ),
)

CASES = (*_outbound(), *_inbound(), *_COMBINATIONS)
