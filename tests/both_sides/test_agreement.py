"""Whatever the faults and however the streams are split, the three interpreters agree."""

from __future__ import annotations

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from tests.both_sides.case import Case, Split
from tests.both_sides.fake import Fake
from tests.both_sides.runs import run_loop, run_player
from wirecut import MisuseError
from wirecut.faults.plan import check_plan
from wirecut.wire.action import Direction

_ENDING = ("reset", "close", "half_close")
_STALLS = ("stall", "stall:{in_}", "stall:{out}")
_TIMED = ("delay:0.0005", "stall:both:0.0005", "throttle:100000")
_CHANGING = (
    "corrupt:3",
    "corrupt:20",
    "drop:2",
    "duplicate:3",
    "garbage:3",
    "dribble",
    "dribble:3",
)
_WAYS = st.sampled_from(["{out}", "{in_}"])
_MOMENTS = st.one_of(
    st.builds("{}:{}".format, _WAYS, st.integers(0, 14)),
    st.builds("{}.end".format, _WAYS),
    st.builds(
        "pattern:{}:{}:{}".format, _WAYS, st.sampled_from(["a", "ab", "aa"]), st.integers(1, 3)
    ),
)
_DATA = st.text("ab-", max_size=12).map(str.encode)
_SPLITS = st.builds(Split, st.integers(1, 13), st.integers(1, 13))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case whose faults can be given to either side.

    A stall is only told from a long delay by a short patience, so the two do not meet.
    """
    waiting = draw(st.sampled_from([_STALLS, _TIMED, ()]))
    effects = st.sampled_from([*_ENDING, *_CHANGING, *waiting])
    texts = draw(
        st.lists(st.builds("{}/{}".format, effects, _MOMENTS), max_size=4, unique=True)
    )
    case = Case(tuple(texts), draw(_DATA), draw(st.booleans()), draw(_DATA))
    try:
        for outbound in (Direction.UP, Direction.DOWN):
            check_plan(case.faults_for(outbound), outbound=outbound)
    except MisuseError:
        assume(False)
    return case


@pytest.mark.pure
@settings(max_examples=400)
@given(cases(), st.lists(_SPLITS, min_size=1, max_size=4))
def test_the_outcome_depends_neither_on_the_segmentation_nor_on_the_side(
    case: Case, splits: list[Split]
) -> None:
    expected = Fake(case, Direction.DOWN, Split()).outcome
    for outbound in (Direction.UP, Direction.DOWN):
        for how in splits:
            assert Fake(case, outbound, how).outcome == expected


@given(cases(), _SPLITS)
def test_the_loop_agrees_with_the_interpreter_without_a_socket(case: Case, how: Split) -> None:
    fake = Fake(case, Direction.DOWN, how)
    event(fake.outcome.end.value)
    assert run_loop(case, how, fake.outcome, stuck=fake.stuck) == fake.outcome


@given(cases(), _SPLITS)
def test_the_player_agrees_with_the_interpreter_without_a_socket(
    case: Case, how: Split
) -> None:
    fake = Fake(case, Direction.UP, how)
    event(fake.outcome.end.value)
    assert run_player(case, how, fake.outcome, stalled=fake.stalled) == fake.outcome
