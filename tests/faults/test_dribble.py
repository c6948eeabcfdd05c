"""Dribble: every byte, in pieces of the size."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Deadline, Dribble, End, MisuseError, Observation, at
from wirecut.wire.action import After, Again, Direction, Pass, WaitUntilSent


@pytest.mark.pure
@pytest.mark.parametrize(
    ("size", "waiting", "piece"), [(1, 3, 1), (2, 3, 2), (3, 3, 3), (9, 3, 3)]
)
def test_each_piece_is_on_the_wire_before_the_next(size: int, waiting: int, piece: int) -> None:
    assert Dribble(size).act(view(bytes(waiting))) == (
        Pass(piece),
        WaitUntilSent(bounded=False),
        Again(),
    )


@pytest.mark.pure
def test_a_pause_comes_after_each_piece() -> None:
    assert Dribble(2, 0.5).act(view(b"abc")) == (
        Pass(2),
        WaitUntilSent(bounded=False),
        After(0.5),
        Again(),
    )


@pytest.mark.pure
@pytest.mark.parametrize("end", [False, True])
def test_without_a_byte_it_stays_in_force(*, end: bool) -> None:
    assert Dribble(2, 0.5).act(view(b"", end=end)) == (Again(),)


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Dribble() == Dribble(1, 0.0, at=at.down(0))
    assert Dribble.word == "dribble"
    assert Dribble().ends(Direction.DOWN) is None
    assert Dribble.acts_on_bytes
    assert Dribble.needs_bytes
    assert Dribble.paces
    assert not (Dribble.tcp_only)
    assert not (Dribble().address_state)
    assert isinstance(Dribble(1, 2).seconds, float)
    assert "pieces" in Dribble.peer_sees
    assert "RFC 9293" in Dribble.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size_bytes": 0}, "size_bytes must be >= 1, got 0"),
        ({"seconds": -1}, "seconds must be >= 0 seconds, got -1"),
        (
            {"at": at.accept},
            (
                "dribble acts on the bytes of one direction, and accept has none; "
                "write dribble/up:0 or dribble/down:0"
            ),
        ),
        (
            {"at": at.down.end},
            (
                "dribble needs a byte after the moment, and after down.end there "
                "is none; write down:N"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Dribble(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


def test_the_client_reads_everything_and_the_server_sends_it_in_pieces() -> None:
    assert seen_by_client([Dribble(4)]) == Observation(REPLY, End.EOF)
    seen = drive([Dribble(4, at=at.down(2))], [REPLY])
    assert (seen.data, len(seen.others)) == (REPLY, 4)


def test_the_pauses_add_up() -> None:
    begun = Deadline.after(0.03)
    assert seen_by_client([Dribble(5, 0.01)]) == Observation(REPLY, End.EOF)
    assert begun.expired


def test_control_without_the_fault_the_same_is_read() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
