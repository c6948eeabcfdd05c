"""Partition: from the moment on nothing passes, until it is healed."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.privileged import needs
from tests.seeing import REPLY, seen_by_client
from wirecut import Deadline, End, Fault, MisuseError, Observation, Partition, at, parse_fault
from wirecut.faults import EFFECTS
from wirecut.faults.partition import partitions_of, up_bytes_of
from wirecut.wire.action import Direction, Sever, View, WaitUntilSent


@pytest.mark.pure
@pytest.mark.parametrize("lane", [Direction.UP, Direction.DOWN])
def test_the_direction_is_that_of_the_moment_or_the_one_that_is_given(lane: Direction) -> None:
    seen = View(lane, 0)
    assert Partition().act(seen)[-1] == Sever(lane)
    assert Partition("up").act(seen) == (Sever(Direction.UP),)
    assert Partition("down").act(seen) == (WaitUntilSent(), Sever(Direction.DOWN))
    assert Partition("both", 0.5).act(seen) == (WaitUntilSent(), Sever(Direction.BOTH, 0.5))


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Partition() == Partition("same", None, at=at.down(0))
    assert Partition.word == "partition"
    assert Partition.tcp_only
    assert Partition.stops_arrival
    assert not any(one.stops_arrival for one in EFFECTS.values() if one is not Partition)
    assert not Partition.acts_on_bytes
    assert not Partition.needs_bytes
    assert not Partition().address_state
    assert Partition().needs == ("raw packets", "packet filter", "tcp repair")
    assert Partition().ends(Direction.DOWN) is None
    assert isinstance(Partition(seconds=2).seconds, float)
    assert "in order" in Partition.peer_sees
    assert "RFC 6298" in Partition.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("text", "up_bytes"),
    [
        ("partition/up:3", 3),
        ("partition/up:0", 0),
        ("partition:up/up:3", 3),
        ("partition:both/up:3", 3),
        ("partition/accept", 0),
        # The others cut the way down, or at a byte that is known only when it comes.
        ("partition:down/up:3", None),
        ("partition/down:3", None),
        ("partition:up/down:3", None),
        ("partition/up:3/exchange:2", None),
        ("partition/pattern:up:ab", None),
        ("partition/request.end", None),
        ("partition/up.end", None),
    ],
)
def test_where_it_cuts_the_way_up_is_known_beforehand_for_offsets(
    text: str, up_bytes: int | None
) -> None:
    fault = parse_fault(text)
    assert isinstance(fault, Partition)
    assert fault.up_bytes == up_bytes


@pytest.mark.pure
def test_the_first_of_several_cuts_is_the_one_to_prepare() -> None:
    faults: list[Fault] = [
        parse_fault(text)
        for text in ("reset/up:1", "partition/up:9", "partition/up:4", "partition/down:2")
    ]
    assert partitions_of(faults) == tuple(faults[1:])
    assert up_bytes_of(partitions_of(faults)) == 4
    assert up_bytes_of(partitions_of(faults[3:])) is None
    assert up_bytes_of(()) is None


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"direction": "left"},
            "direction must be one of same, up, down, both, got 'left'",
        ),
        ({"seconds": 0}, "seconds must be > 0, got 0.0; leave it out to heal by hand"),
        ({"seconds": -1}, "seconds must be >= 0 seconds, got -1"),
        (
            {"at": at.connect},
            (
                "partition needs a connection, and at connect there is none yet; the "
                "faults at connect are refuse, blackhole, unreachable, reset and delay, and "
                "the earliest moment for partition is accept"
            ),
        ),
    ],
)
def test_a_value_that_does_not_go_with_it_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Partition(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
def test_what_comes_up_never_comes_so_at_its_first_byte_it_waits_for_none() -> None:
    seen = drive(["partition/up:0"], [], direction=Direction.UP, end=False)
    assert seen.struck == [("partition/up:0", 0)]
    seen = drive(["stall/up:0"], [], direction=Direction.UP, end=False)
    assert seen.struck == []


@needs(*Partition.capabilities)
@pytest.mark.parametrize("direction", ["same", "down", "both"])
def test_the_client_reads_the_prefix_and_then_nothing(direction: str) -> None:
    # The end never comes, so the deadline has to.
    seen = seen_by_client([Partition(direction, at=at.down(3))], deadline=Deadline.after(0.05))
    assert seen == Observation(REPLY[:3], End.OPEN)


@needs(*Partition.capabilities)
@pytest.mark.parametrize("direction", ["same", "down", "both", "up"])
def test_after_its_time_everything_arrives(direction: str) -> None:
    begun = Deadline.after(0.05)
    seen = seen_by_client([Partition(direction, 0.05, at=at.down(3))])
    assert seen == Observation(REPLY, End.EOF)
    assert begun.expired or direction == "up"


def test_control_without_the_fault_the_reply_is_whole() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)


@pytest.mark.pure
def test_it_changes_no_byte_by_itself() -> None:
    assert Partition().act(view(b"abc"))[0] == WaitUntilSent()
