"""Delay: a pause in both directions, and nothing lost."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Deadline, Delay, End, MisuseError, Observation, at
from wirecut.wire.action import After, Direction, Hold


@pytest.mark.pure
@pytest.mark.parametrize("seconds", [0, 0.5, 1.0])
def test_it_holds_both_directions_for_the_time(seconds: float) -> None:
    assert Delay(seconds).act(view(b"abc")) == (Hold(Direction.BOTH, float(seconds)),)


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Delay() == Delay(1.0, at=at.request.end)
    assert Delay.word == "delay"
    assert Delay().ends(Direction.DOWN) is None
    assert Delay().window_bytes == 0
    assert not (Delay.acts_on_bytes)
    assert not (Delay.needs_bytes)
    assert not (Delay.paces)
    assert not (Delay.tcp_only)
    assert not Delay().address_state
    assert isinstance(Delay(2).seconds, float)
    assert "pause" in Delay.peer_sees
    assert "RFC 9293" in Delay.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": -0.5}, "seconds must be >= 0 seconds, got -0.5"),
        ({"seconds": float("nan")}, "seconds must be a number of seconds, got nan"),
        ({"seconds": float("inf")}, "seconds must be finite, got inf"),
        ({"seconds": True}, "seconds must be a number of seconds, got True"),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Delay(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
def test_at_connect_it_is_an_event_that_needs_a_gate() -> None:
    fault = Delay(0.5, at=at.connect)
    assert not fault.address_state
    assert fault.needs == ("raw packets", "packet filter")
    assert Delay(0.5).needs == ()
    assert fault.turn() == After(0.5)
    assert fault.ends(Direction.DOWN) is None


@pytest.mark.pure
def test_everything_passes_in_the_end() -> None:
    seen = drive(["delay/down:2"], [b"abcd"])
    assert (seen.data, seen.ends, seen.others) == (b"abcd", 1, [Hold(Direction.BOTH, 1.0)])


def test_the_client_reads_everything_and_not_before_the_time() -> None:
    begun = Deadline.after(0.05)
    assert seen_by_client([Delay(0.05, at=at.down(3))]) == Observation(REPLY, End.EOF)
    assert begun.expired


def test_control_the_time_is_the_delays_own() -> None:
    begun = Deadline.after(5.0)
    assert seen_by_client([Delay(0.001, at=at.down(3))]) == Observation(REPLY, End.EOF)
    assert not begun.expired
