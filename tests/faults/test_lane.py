"""A lane against a model that handles one byte at a time, for any faults and any split."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.lanes import Driven, drive, expected
from tests.strategies import segments
from wirecut import Close, Delay, Drop, Duplicate, Fault, Garbage, Reset, at, parse_fault
from wirecut.faults.lane import Due, Lane
from wirecut.wire.action import Action, Again, Direction, Hold, Pass, PassEnd, Transform, View

pytestmark = pytest.mark.pure

words = st.sampled_from(
    [
        "reset",
        "close",
        "half_close",
        "stall",
        "stall:up",
        "stall:down",
        "delay:0",
        "throttle:1",
        "throttle:1000",
        "dribble",
        "dribble:3",
        "corrupt",
        "corrupt:8",
        "corrupt:11",
        "corrupt:40",
        "drop",
        "drop:4",
        "duplicate",
        "duplicate:3",
        "duplicate:30",
        "garbage:1",
        "garbage:5",
    ]
)
places = st.sampled_from(
    ["accept", *(f"{d}:{n}" for d in ("up", "down") for n in range(13)), "up.end", "down.end"]
    + [
        f"pattern:{d}:{p}:{n}"
        for d in ("up", "down")
        for p in ("a", "ab", "aa")
        for n in (1, 2)
    ]
)


@st.composite
def plans(draw: st.DrawFn, most: int = 4) -> list[str]:
    texts = draw(st.lists(st.tuples(words, places).map("/".join), max_size=most))
    return [text for text in texts if _is_possible(text)]


def _is_possible(text: str) -> bool:
    word, moment = text.split("/")
    acts = word.split(":")[0] in {
        "throttle",
        "dribble",
        "corrupt",
        "drop",
        "duplicate",
        "garbage",
    }
    needs = acts and not word.startswith("garbage")
    return not (acts and moment == "accept") and not (needs and moment.endswith(".end"))


lanes = st.sampled_from(
    [
        (one, other)
        for one in (Direction.UP, Direction.DOWN)
        for other in (Direction.UP, Direction.DOWN)
    ]
)
streams = st.binary(max_size=12) | st.lists(st.sampled_from([b"a", b"b"]), max_size=12).map(
    b"".join
)


def outcome(seen: Driven) -> tuple[bytes, list[tuple[str, int]], int]:
    return seen.data, seen.struck, seen.ends


@settings(max_examples=1000)
@given(
    plan=plans(),
    data=streams,
    lane=lanes,
    end=st.booleans(),
    late=st.booleans(),
    draw=st.data(),
)
@example(
    ["duplicate:30/down:0", "garbage:1/down:3"],
    b"abc",
    (Direction.DOWN,) * 2,
    True,
    False,
    None,
)
@example(
    ["corrupt:40/down:0", "throttle:1/down:0"],
    b"abcdef",
    (Direction.DOWN,) * 2,
    True,
    True,
    None,
)
@example(
    ["drop/up:0", "delay:0/accept"], b"abc", (Direction.UP, Direction.DOWN), True, False, None
)
def test_what_passes_is_what_the_model_says_however_the_stream_is_split(  # noqa: PLR0913, PLR0917 - drawn
    plan: list[str],
    data: bytes,
    lane: tuple[Direction, Direction],
    end: bool,  # noqa: FBT001 - drawn
    late: bool,  # noqa: FBT001 - drawn
    draw: st.DataObject | None,
) -> None:
    pieces = draw.draw(segments(data)) if draw is not None else [data]
    direction, outbound = lane
    seen = drive(
        plan, pieces, direction=direction, outbound=outbound, end=end, end_comes_late=late
    )
    model = expected(plan, data, direction=direction, outbound=outbound, end=end)
    assert outcome(seen) == outcome(model)


# One lane by itself: what its interpreter relies on.


def lane_of(*, outbound: bool = True) -> tuple[Lane, list[tuple[str, int]]]:
    struck: list[tuple[str, int]] = []
    lane = Lane(
        Direction.DOWN,
        outbound=outbound,
        on_strike=lambda fault, count: struck.append((fault.text, count)),
    )
    return lane, struck


def everything(
    lane: Lane, waiting: bytes, *, end: bool = False, held: bool = False
) -> list[Action]:
    actions: list[Action] = []
    left = bytearray(waiting)
    while (action := lane.next(left, end=end, held=held)) is not None:
        actions.append(action)
        if isinstance(action, Pass):
            del left[: action.count]
        elif isinstance(action, Transform):
            del left[: action.take]
        assert len(actions) < 100
    return actions


def test_a_lane_without_faults_passes_all_that_waits_at_once_and_the_end_once() -> None:
    lane, struck = lane_of()
    assert everything(lane, b"abc") == [Pass(3)]
    assert everything(lane, b"") == []
    assert everything(lane, b"de", end=True) == [Pass(2), PassEnd()]
    assert everything(lane, b"", end=True) == []
    assert (lane.consumed, lane.emitted, lane.end_passed, struck) == (5, 5, True, [])
    assert lane.current is None


@pytest.mark.parametrize("outbound", [True, False])
def test_the_count_is_what_is_on_the_wire_of_the_lane(*, outbound: bool) -> None:
    lane, _ = lane_of(outbound=outbound)
    lane.arm(Drop(2, at=at.down(1)), Due.OFFSET, 1)
    everything(lane, b"abcd")
    assert (lane.consumed, lane.emitted) == (4, 2)
    assert lane.count == (2 if outbound else 4)


def test_what_is_held_does_not_pass_nor_strike_nor_end() -> None:
    lane, struck = lane_of()
    for text in ("garbage/down:0", "throttle/down:0", "reset/down.end"):
        fault = parse_fault(text)
        lane.arm(fault, Due.END if text.endswith("end") else Due.OFFSET)
    assert everything(lane, b"abc", end=True, held=True) == []
    assert struck == []


def test_what_is_asked_for_strikes_while_held_in_the_order_asked_for() -> None:
    lane, struck = lane_of()
    lane.arm(Reset(at=at.down(2)), Due.OFFSET, 2)
    lane.strike(Delay(1))
    lane.strike(Delay(2))
    lane.strike(Drop())
    assert everything(lane, b"abc", held=True) == [
        Hold(Direction.BOTH, 1.0),
        Hold(Direction.BOTH, 2.0),
        Transform(1, b""),
    ]
    assert [text for text, _ in struck] == [
        "delay/request.end",
        "delay:2.0/request.end",
        "drop/down:0",
    ]


def test_what_is_asked_for_keeps_its_order_also_if_it_needs_bytes() -> None:
    lane, struck = lane_of()
    lane.strike(Drop())
    lane.strike(Delay())
    everything(lane, b"abc")
    assert [text for text, _ in struck] == ["drop/down:0", "delay/request.end"]


def test_where_we_send_a_match_strikes_at_its_place_and_an_offset_with_the_next_byte() -> None:
    plan = ["delay/down:2", "delay/pattern:down:ab"]
    seen = drive(plan, [b"ab", b"c"])
    assert seen.struck == drive(plan, [b"abc"]).struck == [(plan[1], 2), (plan[0], 2)]


def test_what_is_asked_for_comes_before_what_strikes_at_accept() -> None:
    lane, struck = lane_of()
    lane.arm(Delay(1), Due.AT_ONCE, order=1)
    lane.strike(Delay(2))
    everything(lane, b"")
    assert [text for text, _ in struck] == ["delay:2.0/request.end", "delay/request.end"]


def test_a_pattern_is_found_in_bytes_that_a_strike_took_while_held() -> None:
    lane, _ = lane_of()
    fed: list[bytes] = []
    lane.scanners.append(fed.append)
    lane.strike(Drop(2))
    assert everything(lane, b"abcd", held=True) == [Transform(2, b"")]
    assert everything(lane, b"cdef") == [Pass(4)]
    assert fed == [b"abcd", b"ef"]


def test_a_scanner_is_fed_each_byte_once_before_it_passes() -> None:
    lane, _ = lane_of()
    fed: list[bytes] = []
    lane.scanners.append(fed.append)
    lane.arm(Delay(at=at.down(2)), Due.OFFSET, 2)
    assert lane.next(b"abcd", end=False) == Pass(2)
    assert (fed, lane.scan_position) == ([b"abcd"], 4)
    assert lane.next(b"cde", end=False) == Hold(Direction.BOTH, 1.0)
    assert lane.next(b"cde", end=False) == Pass(3)
    assert (fed, lane.scan_position) == ([b"abcd", b"e"], 5)


def test_a_scanner_begins_with_what_has_not_passed() -> None:
    lane, _ = lane_of()
    everything(lane, b"abc")
    assert lane.scan_position == 3


def test_a_strike_can_be_interrupted() -> None:
    lane, _ = lane_of()
    lane.strike(Reset())
    assert not lane.in_strike
    assert lane.next(b"", end=False) == Hold(Direction.BOTH)
    assert lane.in_strike
    assert lane.current == Reset()
    lane.interrupt()
    assert not lane.in_strike
    assert lane.next(b"", end=False) is None


def test_what_is_left_of_a_reset_looks_at_nothing() -> None:
    lane, _ = lane_of()
    lane.strike(Reset())
    assert not lane.is_blind
    for blind in (True, True, False):
        assert lane.next(b"", end=False) is not None
        assert lane.is_blind is blind
    lane.strike(Close())
    for _ in range(4):
        assert lane.next(b"", end=False) is not None
        assert not lane.is_blind


def test_what_was_inserted_can_be_as_long_as_what_waits() -> None:
    seen = drive(["garbage:3/down:0", "drop:1/down:0"], [b"abc"])
    assert seen.data == Garbage(3).noise[1:] + b"abc"


def test_an_effect_is_told_of_an_end_that_a_moment_has_hidden() -> None:
    plan = ["duplicate:9/down:0", "delay/down:3"]
    for pieces in ([b"abc"], [b"a", b"bc"]):
        seen = drive(plan, pieces, end_comes_late=False)
        assert (seen.data, seen.ends) == (b"abcabc", 1)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("other", "data"), [("delay/down:9", b"abcabc"), ("drop/down:3", b"abcbc")]
)
def test_a_moment_that_cannot_come_before_the_end_does_not_hide_it(
    other: str, data: bytes, *, late: bool
) -> None:
    seen = drive(["duplicate:9/down:0", other], [b"abc"], end_comes_late=late)
    assert (seen.data, seen.ends) == (data, 1)


def test_nothing_inserted_passes_while_a_fault_is_to_strike_at_this_place() -> None:
    plan = ["corrupt:8/up:1", "drop/up:1", "duplicate/up:0"]
    seen = drive(plan, [b"a"], direction=Direction.UP, end=False)
    # The copy is the byte after both moments, and the one given last acts first.
    assert (seen.data, seen.struck) == (b"a", [(plan[2], 0), (plan[0], 1), (plan[1], 1)])


def test_bytes_inserted_at_one_place_come_in_the_order_given() -> None:
    seen = drive(["garbage:2/down:1", "garbage:3/down:1"], [b"abc"])
    assert seen.data == b"a" + Garbage(2).noise + Garbage(3).noise + b"bc"


def test_bytes_can_be_inserted_among_those_inserted_before() -> None:
    seen = drive(["garbage:5/down:0", "garbage:1/down:2"], [b"abc"])
    noise = Garbage(5).noise
    assert seen.data == noise[:2] + Garbage(1).noise + noise[2:] + b"abc"


VIEWS: list[View] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking(Fault):
    """Passes byte after byte and remembers what it was shown."""

    window: int = 2

    @property
    def window_bytes(self) -> int:
        return self.window

    def act(self, view: View) -> tuple[Action, ...]:
        VIEWS.append(view)
        return (Pass(1), Again()) if view.waiting else (Again(),)


def shown(lane: Lane, waiting: bytes) -> list[tuple[int, bytes, bool, int, bytes]]:
    """What an effect is shown until all has passed, the end included."""
    VIEWS.clear()
    everything(lane, waiting, end=True)
    assert {view.direction for view in VIEWS} == {Direction.DOWN}
    return [(view.waiting, view.head, view.end, view.done, view.taken) for view in VIEWS]


def test_an_effect_is_shown_what_lies_before_the_next_moment() -> None:
    lane, _ = lane_of()
    lane.arm(Looking(at=at.down(0)), Due.OFFSET)
    lane.arm(Drop(at=at.down(3)), Due.OFFSET, 3)
    assert shown(lane, b"abcde") == [
        (3, b"ab", False, 0, b""),
        (2, b"bc", False, 1, b"a"),
        (1, b"c", False, 2, b"ab"),
        (1, b"e", True, 3, b"ab"),
        (0, b"", True, 4, b"ab"),
    ]


@pytest.mark.parametrize("window", [1, 2, 4, 9])
def test_an_effect_is_shown_inserted_bytes_as_any_others(window: int) -> None:
    lane, _ = lane_of()
    lane.arm(Garbage(3), Due.OFFSET)
    lane.arm(Looking(at=at.down(0), window=window), Due.OFFSET, order=1)
    stream = Garbage(3).noise + b"ab"
    expected_views = [
        (5 - n, stream[n : n + window], True, n, stream[: min(n, window)]) for n in range(5)
    ]
    assert shown(lane, b"ab") == [*expected_views, (0, b"", True, 5, stream[:window])]


@pytest.mark.parametrize("pieces", [[b"abc"], [b"a", b"bc"], []])
def test_an_effect_is_told_of_an_end_that_comes_late(pieces: list[bytes]) -> None:
    seen = drive(["duplicate:9/down:0"], pieces, end_comes_late=True)
    assert (seen.data, seen.ends) == (b"".join(pieces) * 2, 1)


def test_what_was_inserted_is_counted_until_it_has_passed() -> None:
    lane, _ = lane_of()
    fault = Garbage(3)
    lane.arm(fault, Due.OFFSET)
    lane.arm(Delay(at=at.down(2)), Due.OFFSET, 2)
    assert lane.next(b"ab", end=False) == Transform(0, fault.noise[:2])
    assert lane.inserted == 1
    assert everything(lane, b"ab") == [
        Hold(Direction.BOTH, 1.0),
        Transform(0, fault.noise[2:]),
        Pass(2),
    ]
    assert lane.inserted == 0


def test_a_piece_that_is_part_inserted_and_part_not_keeps_its_size() -> None:
    lane, _ = lane_of()
    garbage = Garbage(2)
    lane.arm(garbage, Due.OFFSET)
    lane.arm(Duplicate(4), Due.OFFSET, order=1)
    assert everything(lane, b"abcd") == [
        Transform(0, garbage.noise),
        Pass(2),
        Transform(0, garbage.noise + b"ab"),
        Pass(2),
    ]


def test_an_effect_that_waits_for_more_is_asked_again_only_when_there_is_more() -> None:
    lane, struck = lane_of()
    lane.arm(Drop(4), Due.OFFSET)
    assert everything(lane, b"ab") == [Transform(2, b"")]
    assert everything(lane, b"") == []
    assert everything(lane, b"cdef") == [Transform(2, b""), Pass(2)]
    assert struck == [("drop:4/down:0", 0)]


@pytest.mark.parametrize(("fault", "kept"), [(Drop(1000), b""), (Duplicate(1000), b"abc" * 9)])
def test_a_strike_keeps_only_what_its_effect_looks_at(fault: Fault, kept: bytes) -> None:
    lane, _ = lane_of()
    lane.arm(fault, Due.OFFSET)
    for _ in range(9):
        everything(lane, b"abc")
    current = lane._current
    assert current is not None
    assert (current.fault, current.taken, current.done) == (fault, kept, 27)
