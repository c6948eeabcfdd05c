"""Hypothesis strategies for faults and for the ways a stream can be split."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from wirecut.errors import MisuseError
from wirecut.faults import EFFECTS, Fault, at
from wirecut.faults.at import Moment, Offset, Pattern
from wirecut.faults.selection import EVERY, Exchange, First, Nth, Selection
from wirecut.wire.action import Direction

__all__ = ["arguments", "faults", "moments", "segments", "selections"]

counts = st.integers(1, 10**12)
seconds = st.floats(0, allow_infinity=False, allow_nan=False)

arguments: dict[str, st.SearchStrategy[dict[str, object]]] = {
    "reset": st.just({}),
    "close": st.just({}),
    "half_close": st.just({}),
    "stall": st.fixed_dictionaries(
        {},
        optional={
            "direction": st.sampled_from(["both", "up", "down"]),
            "seconds": st.none() | seconds.filter(bool),
        },
    ),
    "delay": st.fixed_dictionaries({}, optional={"seconds": seconds | st.integers(0, 9)}),
    "throttle": st.fixed_dictionaries({}, optional={"bytes_per_second": counts}),
    "dribble": st.fixed_dictionaries({}, optional={"size_bytes": counts, "seconds": seconds}),
    "corrupt": st.fixed_dictionaries({}, optional={"bits": counts}),
    "drop": st.fixed_dictionaries({}, optional={"size_bytes": counts}),
    "duplicate": st.fixed_dictionaries({}, optional={"size_bytes": counts}),
    "garbage": st.fixed_dictionaries(
        {}, optional={"size_bytes": counts, "seed": st.integers(0, 10**12)}
    ),
    "refuse": st.just({}),
    "blackhole": st.just({}),
    "unreachable": st.fixed_dictionaries(
        {}, optional={"why": st.sampled_from(["host", "net", "prohibited", "port"])}
    ),
    "forged_reset": st.fixed_dictionaries(
        {}, optional={"ends_told": st.sampled_from(["both", "client"])}
    ),
    "partition": st.fixed_dictionaries(
        {},
        optional={
            "direction": st.sampled_from(["same", "up", "down", "both"]),
            "seconds": st.none() | seconds.filter(bool),
        },
    ),
    "lose": st.just({}),
    "vanish": st.just({}),
}
"""The values of every effect, by its word."""

directions = st.sampled_from([Direction.UP, Direction.DOWN])

moments: st.SearchStrategy[Moment] = st.one_of(
    st.sampled_from([at.connect, at.accept, at.up.end, at.down.end, at.request.end]),
    st.builds(Offset, directions, st.integers(0, 10**12)),
    st.builds(Pattern, st.binary(min_size=1, max_size=8), directions, st.integers(1, 99)),
)
"""Every moment there is."""

selections: st.SearchStrategy[Selection] = st.one_of(
    st.just(EVERY),
    st.builds(First, counts),
    st.builds(Nth, counts),
    st.builds(Exchange, counts),
)
"""Every selection there is."""


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Any fault that can be made."""
    word = draw(st.sampled_from(list(EFFECTS)))
    values = draw(arguments[word])
    if draw(st.booleans()):
        values["at"] = draw(moments)
    if draw(st.booleans()):
        values["on"] = draw(selections)
    values["optional"] = draw(st.booleans())
    try:
        return EFFECTS[word](**values)  # type: ignore[arg-type] # drawn to fit
    except MisuseError:  # an effect that does not go with this moment or selection
        for name in ("at", "on"):
            values.pop(name, None)
        return EFFECTS[word](**values)  # type: ignore[arg-type] # drawn to fit


@st.composite
def segments(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """``data`` split anywhere; no piece is empty."""
    inner = st.integers(1, max(1, len(data) - 1))
    cuts = sorted(draw(st.sets(inner, max_size=8))) if len(data) > 1 else []
    borders = [0, *cuts, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(borders) if a < b]
