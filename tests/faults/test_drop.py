"""Drop: bytes are missing, and what follows moves up."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Drop, End, MisuseError, Observation, at
from wirecut.wire.action import Again, Direction, Transform


@pytest.mark.pure
def test_it_takes_its_bytes_and_gives_nothing() -> None:
    assert Drop(2).act(view(b"abc")) == (Transform(2, b""),)
    assert Drop(3).act(view(b"abc")) == (Transform(3, b""),)


@pytest.mark.pure
def test_what_has_not_come_yet_is_dropped_later() -> None:
    assert Drop(5).act(view(b"abc")) == (Transform(3, b""), Again())
    assert Drop(5).act(view(b"abc", done=3)) == (Transform(2, b""),)


@pytest.mark.pure
def test_at_the_end_it_makes_do_with_what_there_is() -> None:
    assert Drop(5).act(view(b"abc", end=True)) == (Transform(3, b""),)


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Drop() == Drop(1, at=at.down(0))
    assert Drop.word == "drop"
    assert Drop().ends(Direction.DOWN) is None
    assert Drop(9).window_bytes == 0
    assert Drop.acts_on_bytes
    assert Drop.needs_bytes
    assert not (Drop.paces)
    assert not (Drop.tcp_only)
    assert not (Drop().address_state)
    assert "missing" in Drop.peer_sees
    assert "RFC 9293" in Drop.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size_bytes": 0}, "size_bytes must be >= 1, got 0"),
        (
            {"at": at.accept},
            (
                "drop acts on the bytes of one direction, and accept has none; "
                "write drop/up:0 or drop/down:0"
            ),
        ),
        (
            {"at": at.down.end},
            (
                "drop needs a byte after the moment, and after down.end there is "
                "none; write down:N"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Drop(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
@pytest.mark.parametrize("pieces", [[b"abcde"], [b"a", b"b", b"c", b"d", b"e"]])
def test_it_acts_once_right_after_its_moment(pieces: list[bytes]) -> None:
    assert drive(["drop:2/down:1"], pieces).data == b"ade"


def test_the_client_reads_the_rest() -> None:
    seen = seen_by_client([Drop(4, at=at.down(3))])
    assert seen == Observation(REPLY[:3] + REPLY[7:], End.EOF)


def test_control_without_the_fault_nothing_is_missing() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
