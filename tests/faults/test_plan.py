"""Plans: what can never strike is refused by name, and what is accepted can strike."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.lanes import Driven, breaker_of, step
from wirecut import MisuseError, parse_fault
from wirecut.faults import as_faults
from wirecut.faults.plan import SHORTEST_REQUEST_BYTES, check_length, check_plan
from wirecut.http import RequestFramer
from wirecut.wire.action import Direction

pytestmark = pytest.mark.pure

REFUSED = [
    ("reset/down:5", "close/down:9", "the connection"),
    ("reset/down:5", "close/down:5", "the connection"),
    ("stall:down/down:5", "corrupt/down:9", "it"),
    ("half_close/down:0", "reset/down.end", "it"),
    ("reset/accept", "reset/up:0", "the connection"),
    ("reset/accept", "delay/accept", "the connection"),
    ("stall:up/accept", "delay/request.end", "it"),
    ("reset/up:0", "reset/up.end", "the connection"),
    ("reset/up:3", "delay/request.end", "the connection"),
    ("reset/up:16", "delay/request.end", "the connection"),
    ("reset/up:2", "delay/pattern:up:abc", "the connection"),
    ("reset/up:3", "delay/pattern:up:abc", "the connection"),
    ("reset/down:0", "delay/pattern:down:abc", "the connection"),
    ("reset/pattern:up:a", "delay/pattern:up:a:2", "the connection"),
    ("reset/pattern:up:a", "delay/pattern:up:ba", "the connection"),
    ("reset/pattern:up:a:4", "delay/pattern:up:aa:2", "the connection"),
    ("reset/request.end", "delay/request.end/exchange:1", "the connection"),
    ("reset/request.end", "delay/request.end/exchange:2", "the connection"),
    ("reset/request.end", "delay/down:0/exchange:2", "the connection"),
    ("reset/request.end", "delay/request.end", "the connection"),
    ("reset/down:1/first:3", "close/down:2/first:2", "the connection"),
    ("reset/down:1/first:3", "close/down:2/nth:3", "the connection"),
    ("reset/down:1", "close/down:2/nth:3", "the connection"),
    ("reset/down:1/exchange:2", "close/down:2/exchange:2", "the connection"),
    ("reset/down:1", "close/down:2/exchange:2", "the connection"),
    ("reset/down.end", "close/down.end", "the connection"),
    ("refuse/connect", "reset/accept", "the connection"),
    ("refuse/connect", "blackhole/connect", "the connection"),
    ("reset/connect", "reset/accept", "the connection"),
    ("reset/connect", "refuse/connect", "the connection"),
    ("reset/connect", "delay/connect", "the connection"),
    ("reset/connect", "reset/connect/nth:3", "the connection"),
    ("reset/connect", "reset/down:3/nth:3", "the connection"),
    ("refuse/connect/first:2", "reset/connect/nth:2", "the connection"),
    ("unreachable/connect/nth:2", "blackhole/connect/nth:2", "the connection"),
    ("blackhole/connect", "partition/up:3", "the connection"),
    ("forged_reset/down:5", "partition/down:9", "the connection"),
    ("vanish/down:5", "reset/down:9", "the connection"),
]


@pytest.mark.parametrize(("first", "other", "what"), REFUSED)
def test_a_fault_behind_an_end_is_refused_by_the_names_of_both(
    first: str, other: str, what: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        check_plan(as_faults([first, other]))
    assert str(raised.value) == (
        f"{parse_fault(other)} can never strike: {parse_fault(first)} comes first and ends "
        f"{what}; drop one of them, or select other connections"
    )


def test_an_end_before_the_end_of_a_longer_pattern_is_found_whatever_the_order() -> None:
    with pytest.raises(MisuseError, match=r"^delay/pattern:up:ab can never strike: reset/"):
        check_plan(as_faults(["delay/pattern:up:ab", "reset/pattern:up:a"]))


@pytest.mark.parametrize(
    ("first", "other"), [("reset/down:5", "close/down:9"), ("reset/accept", "reset/up:0")]
)
def test_an_earlier_end_is_found_wherever_it_is_given(first: str, other: str) -> None:
    with pytest.raises(MisuseError, match=f"^{other} can never strike: {first} comes first"):
        check_plan(as_faults([other, "delay/down:0", first]))


@pytest.mark.parametrize(
    "plan",
    [
        ["close/down:9", "delay/down:5"],
        ["corrupt/down:5", "reset/down:5"],
        ["delay/accept", "reset/accept"],
        ["delay/request.end", "reset/request.end"],
        ["reset/down:5", "close/up:9"],
        ["stall:down/down:5", "reset/up:9"],
        ["stall:up/up:5", "reset/down:9"],
        ["half_close/down:5", "reset/up:9"],
        ["half_close/up:5", "delay/up:9"],
        ["stall:down:1/down:5", "reset/down:9"],
        ["delay/down:5", "reset/down:9"],
        ["throttle/down:0", "reset/down:9"],
        ["reset/down:5/first:2", "close/down:9"],
        ["reset/down:5/first:2", "close/down:9/nth:3"],
        ["reset/down:5/nth:1", "close/down:9/nth:2"],
        ["reset/down:5/exchange:1", "close/down:9/exchange:2"],
        ["reset/down:5/exchange:1", "close/down:9"],
        # An offset may lie past the end, and then the end strikes.
        ["reset/down:5", "close/down.end"],
        ["half_close/down:5", "reset/down.end"],
        # A client may go without a whole request.
        ["reset/request.end", "delay/up.end"],
        ["reset/up:17", "delay/request.end"],
        ["reset/up:4", "delay/pattern:up:abc"],
        ["delay/pattern:up:abc", "reset/up:3"],
        ["reset/pattern:up:a:2", "delay/pattern:up:a"],
        ["delay/pattern:up:ba", "reset/pattern:up:a"],
        ["reset/pattern:up:ba", "delay/pattern:up:a"],
        ["reset/pattern:up:a:2", "delay/pattern:up:ab"],
        ["reset/pattern:up:a:5", "delay/pattern:up:aa:2"],
        ["reset/pattern:up:a", "delay/pattern:up:b"],
        ["reset/pattern:up:a", "delay/pattern:down:a:2"],
        ["reset/pattern:down:a", "delay/down:9"],
        # Where we send, what the pattern is found in may be dropped before it counts.
        ["reset/down:2", "delay/pattern:down:abc"],
        ["delay/request.end/exchange:1", "reset/request.end"],
        ["reset/request.end", "delay/up:3/exchange:1"],
        ["reset/request.end", "delay/down:9/first:2"],
        ["reset/request.end", "delay/down:9/nth:2"],
        ["reset/request.end/exchange:2", "delay/down:1/exchange:2"],
        ["reset/up.end", "delay/down.end"],
        ["refuse/connect"],
        ["reset/connect"],
        # Given later, it strikes all attempts that those before it have left.
        ["reset/connect/nth:3", "refuse/connect"],
        ["refuse/connect/first:2", "reset/connect/first:3"],
        ["delay/connect", "reset/connect"],
        ["unreachable/connect/nth:1", "unreachable:net/connect/nth:2"],
        # The first connection may well be the third attempt.
        ["refuse/connect/first:2", "reset/down:3/first:1"],
        ["reset/connect/nth:1", "reset/down:3/nth:1"],
        # What is healed goes on.
        ["partition/down:5", "reset/down:9"],
        ["partition/down:5", "partition/down:5"],
        ["partition/up:5", "partition:both/up:9"],
        [],
    ],
)
def test_what_can_strike_is_accepted(plan: list[str]) -> None:
    check_plan(as_faults(plan))


def test_a_second_exchange_never_begins_after_an_end_at_the_first_request() -> None:
    with pytest.raises(MisuseError, match=r"^delay/down:0/exchange:2 can never strike: reset/"):
        check_plan(as_faults(["delay/down:0/exchange:2", "reset/request.end"]))


def test_at_one_place_what_needs_a_byte_comes_after_an_end_that_needs_none() -> None:
    with pytest.raises(MisuseError, match=r"^throttle/up:5 can never strike: reset/up:5 comes"):
        check_plan(as_faults(["throttle/up:5", "reset/up:5"]))
    check_plan(as_faults(["throttle/up:0", "reset/up:0"]))
    check_plan(as_faults(["throttle/down:5", "reset/down:5"]))
    check_plan(as_faults(["garbage/up:5", "reset/up:5"]))


def test_the_side_that_applies_the_faults_decides_what_a_half_close_ends() -> None:
    plan = as_faults(["half_close/up:1", "delay/up:2"])
    check_plan(plan, outbound=Direction.DOWN)
    with pytest.raises(MisuseError, match=r"^delay/up:2 can never strike: half_close/up:1 "):
        check_plan(plan, outbound=Direction.UP)


def test_where_we_send_what_is_asked_for_may_be_dropped_before_it_counts() -> None:
    check_plan(as_faults(["reset/up:3", "delay/request.end"]), outbound=Direction.UP)
    check_plan(as_faults(["reset/up:2", "delay/pattern:up:abc"]), outbound=Direction.UP)
    for other in ("delay/request.end", "delay/pattern:up:abc"):
        with pytest.raises(MisuseError, match=f"^{other} can never strike: reset/up:0 "):
            check_plan(as_faults(["reset/up:0", other]), outbound=Direction.UP)


@pytest.mark.parametrize("other", ["delay/request.end", "delay/pattern:up:abc"])
def test_inside_one_exchange_places_are_compared_as_on_a_connection(other: str) -> None:
    with pytest.raises(MisuseError, match=f"^{other}/exchange:2 can never strike: reset/up:2/"):
        check_plan(as_faults(["reset/up:2/exchange:2", f"{other}/exchange:2"]))


def test_a_fault_at_connect_may_stand_behind_another_given_later() -> None:
    with pytest.raises(MisuseError, match=r"^blackhole/connect can never strike: refuse"):
        check_plan(as_faults(["refuse", "blackhole"]))
    with pytest.raises(MisuseError, match=r"^refuse/connect can never strike: blackhole"):
        check_plan(as_faults(["blackhole", "refuse"]))
    with pytest.raises(MisuseError, match=r"^reset/up:1 can never strike: refuse/connect"):
        check_plan(as_faults(["reset/up:1", "refuse"]))


def test_the_shortest_request_is_as_short_as_that() -> None:
    request = b"A / HTTP/1.0\r\n\r\n"
    assert len(request) == SHORTEST_REQUEST_BYTES == 16
    assert [mark.position for mark in RequestFramer().feed(request)] == [0, 16]


@pytest.mark.parametrize("count", [0, 14, 15])
def test_an_offset_within_the_reply_is_accepted(count: int) -> None:
    check_length(as_faults([f"reset/down:{count}"]), 15)


def test_an_offset_past_the_end_of_the_reply_is_refused() -> None:
    with pytest.raises(MisuseError) as raised:
        check_length(as_faults(["delay/down:15", "reset/down:16"]), 15)
    assert str(raised.value) == (
        "reset/down:16 can never strike: the reply is 15 bytes long; use down:0 to down:15, or "
        "down.end"
    )


@pytest.mark.parametrize("text", ["reset/up:99", "reset/down:99/exchange:2", "reset/down.end"])
def test_the_length_of_the_reply_says_nothing_about_other_moments(text: str) -> None:
    check_length(as_faults([text]), 15)


# Soundness: every fault of an accepted plan strikes in some conversation.

REQUEST = b"A / HTTP/1.0\r\n\r\n"
UPS = [b"b" * 20 + b"aa", REQUEST + REQUEST, b"", b"a", b"aa", b"aaaa", b"aaaaa"]
DOWNS = [b"aaab", b"baab", b"bbbb", b"", b"a", b"aa", b"aaaa"]
ORDERS = [(False, 0), (True, 0), (True, 4)]
effects = st.sampled_from(
    [
        "reset",
        "close",
        "half_close",
        "stall",
        "stall:up",
        "stall:down",
        "delay",
        "corrupt",
        "garbage:1",
    ]
)
moments = st.sampled_from(
    ["accept", "up.end", "down.end", "request.end"]
    + [f"{d}:{n}" for d in ("up", "down") for n in range(4)]
    + [f"pattern:up:{p}:{n}" for p in ("a", "aa") for n in (1, 2)]
    + ["pattern:down:a", "pattern:down:a:2"]
)


def struck_in(
    plan: list[str], up: bytes, down: bytes, *, down_first: bool, dropped: int
) -> set[str]:
    """The faults that strike when these bytes are sent, one direction before the other.

    ``dropped`` bytes down are struck by a fault that was asked for at run time.
    """
    seen = Driven()
    breaker = breaker_of(plan, seen=seen)
    lanes = {
        Direction.UP: (Driven(), bytearray(up)),
        Direction.DOWN: (Driven(), bytearray(down)),
    }
    order = [Direction.DOWN, Direction.UP] if down_first else [Direction.UP, Direction.DOWN]
    if dropped:
        breaker.down.strike(parse_fault(f"drop:{dropped}"))
    # At accept nothing has come.
    step(breaker.up, bytearray(), lanes[Direction.UP][0], end=False)
    for direction in order:
        out, waiting = lanes[direction]
        lane = breaker.lane(direction)
        while True:
            for text, _ in seen.struck:
                ended = parse_fault(text).ends(Direction.DOWN)
                if ended is not None and direction in ended:
                    out.stopped = True
            if not step(lane, waiting, out, end=True):
                break
    return {text for text, _ in seen.struck} & set(plan)


@given(st.lists(st.tuples(effects, moments).map("/".join), min_size=2, max_size=2, unique=True))
def test_each_fault_of_an_accepted_plan_strikes_in_some_conversation(texts: list[str]) -> None:
    try:
        plan = [fault.text for fault in as_faults(texts)]
    except MisuseError:
        assume(False)
        return
    assume(plan[0] != plan[1])
    try:
        check_plan(as_faults(plan))
        refused = ""
    except MisuseError as error:
        refused = str(error)
    struck = set[str]()
    for up, down, (down_first, dropped) in itertools.product(UPS, DOWNS, ORDERS):
        struck |= struck_in(plan, up, down, down_first=down_first, dropped=dropped)
        if not refused and struck == set(plan):
            return
    assert refused, f"only {struck} can strike"
    assert refused.split(" can never strike")[0] not in struck
