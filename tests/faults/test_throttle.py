"""Throttle: every byte, at no more than the rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Deadline, End, MisuseError, Observation, Throttle, at
from wirecut.wire.action import After, Again, Direction, Pass, WaitUntilSent


@pytest.mark.pure
@pytest.mark.parametrize(
    ("rate", "step"), [(1, 1), (99, 1), (100, 1), (199, 1), (200, 2), (1024, 10), (10_000, 50)]
)
def test_a_step_is_ten_milliseconds_worth_and_its_time(rate: int, step: int) -> None:
    assert Throttle(rate).act(view(bytes(50))) == (
        Pass(step),
        WaitUntilSent(bounded=False),
        After(step / rate),
        Again(),
    )


@pytest.mark.pure
@pytest.mark.parametrize("end", [False, True])
def test_without_a_byte_it_stays_in_force(*, end: bool) -> None:
    assert Throttle().act(view(b"", end=end)) == (Again(),)


@pytest.mark.pure
@given(rate=st.integers(1, 10**6), waiting=st.integers(1, 10**6))
def test_no_step_is_faster_than_the_rate(rate: int, waiting: int) -> None:
    passed, _, wait, _ = Throttle(rate).act(view(bytes(waiting)))
    assert isinstance(passed, Pass)
    assert isinstance(wait, After)
    assert 1 <= passed.count <= waiting
    assert wait.seconds * rate == pytest.approx(passed.count)


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Throttle() == Throttle(1024, at=at.down(0))
    assert Throttle.word == "throttle"
    assert Throttle().ends(Direction.DOWN) is None
    assert Throttle.acts_on_bytes
    assert Throttle.needs_bytes
    assert Throttle.paces
    assert not (Throttle.tcp_only)
    assert not (Throttle().address_state)
    assert "rate" in Throttle.peer_sees
    assert "RFC 6349" in Throttle.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bytes_per_second": 0}, "bytes_per_second must be >= 1, got 0"),
        ({"bytes_per_second": 1.5}, "bytes_per_second must be a whole number, got 1.5"),
        (
            {"at": at.accept},
            (
                "throttle acts on the bytes of one direction, and accept has none; "
                "write throttle/up:0 or throttle/down:0"
            ),
        ),
        (
            {"at": at.up.end},
            (
                "throttle needs a byte after the moment, and after up.end there is "
                "none; write up:N"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Throttle(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
def test_it_begins_at_its_moment_and_changes_no_byte() -> None:
    seen = drive(["throttle:100/down:2"], [b"abcd"])
    waits = [WaitUntilSent(bounded=False), After(0.01)]
    assert (seen.data, seen.ends, seen.others) == (b"abcd", 1, waits * 2)


def test_the_client_reads_everything_and_not_faster_than_the_rate() -> None:
    # 15 bytes in steps of 3: five steps of 10 ms, and the end comes after the last.
    begun = Deadline.after(0.05)
    assert seen_by_client([Throttle(300)]) == Observation(REPLY, End.EOF)
    assert begun.expired


def test_control_a_high_rate_takes_no_time_to_speak_of() -> None:
    begun = Deadline.after(5.0)
    assert seen_by_client([Throttle(10**9)]) == Observation(REPLY, End.EOF)
    assert not begun.expired
