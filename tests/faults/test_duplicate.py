"""Duplicate: bytes pass, and right after the last of them all pass once more."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Duplicate, End, MisuseError, Observation, at
from wirecut.wire.action import Again, Direction, Pass, Transform


@pytest.mark.pure
def test_the_copy_comes_right_after_the_last_byte() -> None:
    assert Duplicate(2).act(view(b"abc")) == (Pass(2), Transform(0, b"ab"))
    assert Duplicate(3).act(view(b"abc")) == (Pass(3), Transform(0, b"abc"))


@pytest.mark.pure
def test_what_has_not_come_yet_is_repeated_later() -> None:
    fault = Duplicate(5)
    assert fault.act(view(b"")) == (Again(),)
    assert fault.act(view(b"abc")) == (Pass(3), Again())
    assert fault.act(view(b"def", done=3, taken=b"abc")) == (Pass(2), Transform(0, b"abcde"))


@pytest.mark.pure
def test_at_the_end_it_makes_do_with_what_there_is() -> None:
    fault = Duplicate(5)
    assert fault.act(view(b"abc", end=True)) == (Pass(3), Transform(0, b"abc"))
    assert fault.act(view(b"", end=True, done=1, taken=b"a")) == (Transform(0, b"a"),)


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Duplicate() == Duplicate(1, at=at.down(0))
    assert Duplicate.word == "duplicate"
    assert Duplicate().ends(Direction.DOWN) is None
    assert Duplicate(9).window_bytes == 9
    assert Duplicate.acts_on_bytes
    assert Duplicate.needs_bytes
    assert not (Duplicate.paces)
    assert not (Duplicate.tcp_only)
    assert not (Duplicate().address_state)
    assert "repeated" in Duplicate.peer_sees
    assert "RFC 9293" in Duplicate.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size_bytes": 0}, "size_bytes must be >= 1, got 0"),
        (
            {"at": at.accept},
            (
                "duplicate acts on the bytes of one direction, and accept has none; "
                "write duplicate/up:0 or duplicate/down:0"
            ),
        ),
        (
            {"at": at.down.end},
            (
                "duplicate needs a byte after the moment, and after down.end "
                "there is none; write down:N"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Duplicate(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
@pytest.mark.parametrize("pieces", [[b"abcde"], [b"a", b"b", b"c", b"d", b"e"]])
def test_it_acts_once_right_after_its_moment(pieces: list[bytes]) -> None:
    assert drive(["duplicate:2/down:1"], pieces).data == b"abcbcde"


@pytest.mark.pure
def test_the_copy_does_not_wait_for_the_next_byte() -> None:
    assert drive(["duplicate:5/down:0"], [b"hello"], end=False).data == b"hellohello"


def test_the_client_reads_the_bytes_twice() -> None:
    seen = seen_by_client([Duplicate(4, at=at.down(3))])
    assert seen == Observation(REPLY[:7] + REPLY[3:7] + REPLY[7:], End.EOF)


def test_control_without_the_fault_nothing_is_repeated() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
