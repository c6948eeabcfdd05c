"""The breaker: moments inside an exchange, as offsets of the two lanes, for any split."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lanes import Driven, breaker_of, drive, step
from tests.strategies import segments
from wirecut.errors import InternalError
from wirecut.faults import Fault, as_faults, parse_fault
from wirecut.faults.breaker import Breaker
from wirecut.http import RequestFramer
from wirecut.wire.action import Direction

pytestmark = pytest.mark.pure

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
REPLIES = (b"first", b"second!", b"the third")


class Served:
    """A server's side of one connection: each whole request is answered at once."""

    def __init__(self, faults: list[str]) -> None:
        self.seen = Driven()
        self.up, self.down = Driven(), Driven()
        self.breaker = breaker_of(faults, seen=self.seen)
        self._unread, self._said = bytearray(), bytearray()
        self._answered = 0

    def serve(self, requests: list[bytes], pieces: list[bytes]) -> None:
        """The client sends these requests, in these pieces, and ends its stream."""
        ends = [sum(map(len, requests[: n + 1])) for n in range(len(requests))]
        for piece in (*pieces, b""):
            self._unread += piece
            while self._turn(ends, end=not piece):
                pass

    def _turn(self, ends: list[int], *, end: bool) -> bool:
        # Down only when up has nothing left to do, as answers on workers may be.
        if step(self.breaker.up, self._unread, self.up, end=end):
            while (
                self._answered < len(ends) and self.breaker.up.consumed >= ends[self._answered]
            ):
                self._said += REPLIES[self._answered]
                self.breaker.produced += len(REPLIES[self._answered])
                self._answered += 1
            return True
        return step(self.breaker.down, self._said, self.down, end=end)


requests_made = st.lists(st.sampled_from([GET, POST]), min_size=1, max_size=3)


@given(
    requests=requests_made, number=st.integers(1, 3), count=st.integers(0, 10), draw=st.data()
)
def test_an_offset_down_counts_from_the_first_byte_of_its_exchange(
    requests: list[bytes], number: int, count: int, draw: st.DataObject
) -> None:
    fault = f"garbage:1/down:{count}/exchange:{number}"
    served = Served([fault])
    served.serve(requests, draw.draw(segments(b"".join(requests))))
    before = sum(map(len, REPLIES[: number - 1]))
    after = sum(map(len, REPLIES[: len(requests)])) - before
    reached = number <= len(requests) and count <= after
    assert served.seen.struck == ([(fault, before + count)] if reached else [])
    assert served.breaker.exchanges == len(requests)


@given(drop=st.integers(0, 4), count=st.integers(0, 6), draw=st.data())
def test_bytes_dropped_from_an_earlier_answer_do_not_shift_an_exchange(
    drop: int, count: int, draw: st.DataObject
) -> None:
    fault = f"delay/down:{count}/exchange:2"
    served = Served([f"drop:2/down:{drop}", fault])
    served.serve([GET, GET], draw.draw(segments(GET + GET)))
    answers = REPLIES[0] + REPLIES[1]
    on_the_wire = len(REPLIES[0]) - min(2, len(REPLIES[0]) - drop)
    assert served.seen.struck[-1] == (fault, on_the_wire + count)
    assert served.down.data == answers[:drop] + answers[drop + 2 :]


@given(number=st.integers(1, 3), draw=st.data())
def test_a_pattern_down_is_looked_for_in_its_exchange_only(
    number: int, draw: st.DataObject
) -> None:
    fault = f"delay/pattern:down:ir/exchange:{number}"
    served = Served([fault])
    served.serve([GET, POST, GET], draw.draw(segments(GET + POST + GET)))
    # "ir" is in "first" and in "the third"; the search goes on to the end of the stream.
    assert served.seen.struck == [(fault, 3 if number == 1 else 20)]


@given(number=st.integers(1, 3), draw=st.data())
def test_a_pattern_up_is_looked_for_in_its_exchange_only(
    number: int, draw: st.DataObject
) -> None:
    fault = f"delay/pattern:up:Host/exchange:{number}"
    served = Served([fault])
    served.serve([GET, GET, GET], draw.draw(segments(GET * 3)))
    at = GET.index(b"Host") + 4 + len(GET) * (number - 1)
    assert served.seen.struck == [(fault, at)]


@given(number=st.integers(1, 3), count=st.integers(0, len(GET)), draw=st.data())
def test_an_offset_up_counts_from_the_first_byte_of_its_exchange(
    number: int, count: int, draw: st.DataObject
) -> None:
    fault = f"delay/up:{count}/exchange:{number}"
    served = Served([fault])
    served.serve([GET, GET, GET], draw.draw(segments(GET * 3)))
    assert served.seen.struck == [(fault, len(GET) * (number - 1) + count)]


@given(drop=st.integers(0, len(GET) - 3), count=st.integers(0, 9), draw=st.data())
def test_an_offset_up_of_an_exchange_is_exact_on_the_side_that_sends_it_too(
    drop: int, count: int, draw: st.DataObject
) -> None:
    fault = f"garbage:1/up:{count}/exchange:2"
    seen = drive(
        [f"drop:3/up:{drop}", fault],
        draw.draw(segments(GET + GET)),
        direction=Direction.UP,
        outbound=Direction.UP,
    )
    assert seen.struck[-1] == (fault, len(GET) - 3 + count)


def test_an_exchange_is_known_on_the_side_that_asks_too() -> None:
    plan = ["delay/down:2/exchange:2", "delay/pattern:down:d/exchange:2"]
    seen, out = Driven(), Driven()
    breaker = breaker_of(plan, outbound=Direction.UP, seen=seen)
    for answer in (b"did", b"did"):
        for lane, data in ((breaker.up, GET), (breaker.down, answer)):
            waiting = bytearray(data)
            while step(lane, waiting, out, end=False):
                pass
    assert out.data == (GET + b"did") * 2
    assert seen.struck == [(plan[1], 4), (plan[0], 5)]


def test_all_faults_of_an_exchange_strike_once_each() -> None:
    plan = [
        "delay/up:3/exchange:1",
        "delay/down:1/exchange:1",
        "delay/pattern:down:ir/exchange:1",
        "delay/pattern:up:Host/exchange:1",
    ]
    served = Served(plan)
    served.serve([GET, GET], [GET, GET])
    host = GET.index(b"Host") + 4
    assert served.seen.struck == [(plan[0], 3), (plan[3], host), (plan[1], 1), (plan[2], 3)]


def test_what_was_inserted_at_the_end_of_an_answer_comes_before_the_next_exchange() -> None:
    plan = ["duplicate:5/down:0", "delay/down:1/exchange:2"]
    served = Served(plan)
    served.serve([GET, GET], [GET + GET])
    assert served.down.data == REPLIES[0] * 2 + REPLIES[1]
    assert served.seen.struck == [(plan[0], 0), (plan[1], 11)]


@given(requests=requests_made, draw=st.data())
def test_a_request_end_comes_again_with_every_request(
    requests: list[bytes], draw: st.DataObject
) -> None:
    served = Served(["delay/request.end"])
    served.serve(requests, draw.draw(segments(b"".join(requests))))
    ends = [sum(map(len, requests[: n + 1])) for n in range(len(requests))]
    assert served.seen.struck == [("delay/request.end", end) for end in ends]


@given(number=st.integers(1, 4), draw=st.data())
def test_a_request_end_of_one_exchange_comes_once(number: int, draw: st.DataObject) -> None:
    fault = f"delay/request.end/exchange:{number}"
    served = Served([fault])
    served.serve([GET, POST, GET], draw.draw(segments(GET + POST + GET)))
    ends = [len(GET), len(GET + POST), len(GET + POST + GET)]
    assert served.seen.struck == [(fault, end) for end in ends[number - 1 : number]]


def test_a_reset_at_the_request_end_strikes_before_the_answer() -> None:
    served = Served(["reset"])
    served.serve([POST], [POST])
    assert served.up.data == POST
    assert served.up.stopped


@pytest.mark.parametrize("order", [1, -1])
def test_faults_at_one_place_strike_in_the_order_given_however_the_place_is_named(
    order: int,
) -> None:
    plan = [
        "delay:1/request.end",
        f"delay:2/up:{len(GET)}",
        "delay:3/pattern:up:_0D_0A_0D_0A",
        f"delay:4/up:{len(GET)}/exchange:1",
        "delay:5/request.end/exchange:1",
    ][::order]
    served = Served(plan)
    served.serve([GET], [GET])
    texts = [parse_fault(text).text for text in plan]
    assert [text for text, _ in served.seen.struck] == texts


def test_input_that_is_no_request_is_a_problem_and_passes_as_it_is() -> None:
    served = Served(["reset/request.end"])
    assert served.breaker.problem is None
    served.serve([], [b"\x00\x01", b"more"])
    assert served.breaker.problem is not None
    assert served.breaker.problem.startswith("request 1 is not HTTP/1.1")
    assert served.up.data == b"\x00\x01more"
    assert served.seen.struck == []


def test_a_breaker_that_frames_no_requests_has_no_problem_and_no_exchanges() -> None:
    served = Served(["delay/up:0"])
    served.serve([], [b"\x00"])
    assert served.breaker.problem is None
    assert served.breaker.exchanges == 0


def test_a_breaker_can_begin_in_the_middle_of_a_connection() -> None:
    seen = Driven()
    breaker = breaker_of([], seen=seen)
    breaker.skip(10, 20)
    for text in ("delay/up:12", "delay/up:3", "delay/down:20", "delay/pattern:up:b"):
        breaker.add(parse_fault(text))
    assert (breaker.up.count, breaker.down.count, breaker.produced) == (10, 20, 20)
    out = Driven()
    waiting = bytearray(b"abc")
    while step(breaker.up, waiting, out, end=False):
        pass
    assert seen.struck == [
        ("delay/up:3", 10),
        ("delay/up:12", 12),
        ("delay/pattern:up:b", 12),
    ]
    waiting = bytearray(b"x")
    while step(breaker.down, waiting, out, end=False):
        pass
    assert seen.struck[3:] == [("delay/down:20", 20)]


def test_a_pattern_added_later_is_looked_for_in_what_has_not_been_scanned() -> None:
    seen = Driven()
    breaker = breaker_of(["delay/pattern:up:zz"], seen=seen)
    out = Driven()
    waiting = bytearray(b"ab")
    while step(breaker.up, waiting, out, end=False):
        pass
    breaker.add(parse_fault("delay/pattern:up:b"))
    waiting = bytearray(b"ab")
    while step(breaker.up, waiting, out, end=False):
        pass
    assert seen.struck == [("delay/pattern:up:b", 4)]


def test_a_breaker_that_was_released_is_no_work_for_the_garbage_collector() -> None:
    class Told:
        def __call__(self, fault: Fault, direction: Direction, count: int) -> None:
            del fault, direction, count

    told = Told()
    alive = weakref.ref(told)
    plan = as_faults(["reset/request.end", "delay/pattern:up:a", "delay/pattern:down:a"])
    breaker = Breaker(
        plan, outbound=Direction.DOWN, scan_requests=RequestFramer, on_strike=told
    )
    gc.disable()
    try:
        breaker.release()
        del breaker, told
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("outbound", [Direction.UP, Direction.DOWN])
def test_our_side_sends_in_one_of_the_lanes(outbound: Direction) -> None:
    breaker = breaker_of([], outbound=outbound)
    assert breaker.up is breaker.lane(Direction.UP)
    assert breaker.down is breaker.lane(Direction.DOWN)
    assert (breaker.up.direction, breaker.down.direction) == (Direction.UP, Direction.DOWN)
    assert breaker.up.outbound == (outbound is Direction.UP)
    assert breaker.down.outbound == (outbound is Direction.DOWN)


def test_a_fault_at_connect_is_a_bug_in_whoever_adds_it() -> None:
    with pytest.raises(
        InternalError, match=r"^refuse/connect is a state of the address, not of a connection$"
    ):
        breaker_of(["refuse"])
