"""Stall: silence, in the directions and for the time that were asked for."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Deadline, End, MisuseError, Observation, Stall, at
from wirecut.wire.action import Direction, Hold

DIRECTIONS = [("both", Direction.BOTH), ("up", Direction.UP), ("down", Direction.DOWN)]


@pytest.mark.pure
@pytest.mark.parametrize(("word", "direction"), DIRECTIONS)
@pytest.mark.parametrize("seconds", [None, 0.5])
def test_it_holds_the_direction_for_the_time(
    word: str, direction: Direction, seconds: float | None
) -> None:
    assert Stall(word, seconds).act(view(b"abc")) == (Hold(direction, seconds),)


@pytest.mark.pure
@pytest.mark.parametrize(("word", "direction"), DIRECTIONS)
@pytest.mark.parametrize("outbound", [Direction.UP, Direction.DOWN])
def test_it_ends_what_it_holds_if_it_holds_it_for_ever(
    word: str, direction: Direction, outbound: Direction
) -> None:
    assert Stall(word).ends(outbound) is direction
    assert Stall(word, 1).ends(outbound) is None


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Stall() == Stall("both", None, at=at.request.end)
    assert Stall.word == "stall"
    assert not (Stall.acts_on_bytes)
    assert not (Stall.needs_bytes)
    assert not (Stall.paces)
    assert not (Stall.tcp_only)
    assert not Stall().address_state
    assert isinstance(Stall("up", 2).seconds, float)
    assert "silence" in Stall.peer_sees
    assert "RFC 9293" in Stall.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"direction": "left"}, "direction must be one of both, up, down, got 'left'"),
        ({"seconds": -1}, "seconds must be >= 0 seconds, got -1"),
        ({"seconds": 0}, "seconds must be > 0, or None for ever, got 0.0"),
        ({"seconds": "1"}, "seconds must be a number of seconds, got '1'"),
        (
            {"at": at.connect},
            (
                "stall needs a connection, and at connect there is none yet; the "
                "faults at connect are refuse, blackhole, unreachable, reset and delay, and "
                "the earliest moment for stall is accept"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Stall(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
def test_one_direction_is_held_and_the_other_goes_on() -> None:
    assert drive(["stall:down/down:2"], [b"abcd"]).data == b"ab"
    assert drive(["stall:up/down:2"], [b"abcd"]).data == b"abcd"


@pytest.mark.parametrize("word", ["both", "down"])
def test_the_client_reads_the_prefix_and_then_nothing(word: str) -> None:
    # The end never comes, so the deadline has to.
    seen = seen_by_client([Stall(word, at=at.down(3))], deadline=Deadline.after(0.05))
    assert seen == Observation(REPLY[:3], End.OPEN)


@pytest.mark.parametrize("word", ["both", "down"])
def test_after_its_time_the_connection_comes_back_and_nothing_is_lost(word: str) -> None:
    begun = Deadline.after(0.05)
    seen = seen_by_client([Stall(word, 0.05, at=at.down(3))])
    assert seen == Observation(REPLY, End.EOF)
    assert begun.expired


def test_control_a_stall_up_after_the_request_does_not_stop_the_reply() -> None:
    seen = seen_by_client([Stall("up", at=at.down(3))], deadline=Deadline.after(0.05))
    assert seen.data == REPLY
