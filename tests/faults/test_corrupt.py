"""Corrupt: as many bytes as usual, the flipped ones wrong."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Corrupt, End, MisuseError, Observation, at
from wirecut.wire.action import Again, Direction, Transform


@pytest.mark.pure
@pytest.mark.parametrize(
    ("bits", "given", "flipped"),
    [
        (1, b"\x00\x00", b"\x01"),
        (3, b"\x00\x00", b"\x07"),
        (8, b"\x0f\x00", b"\xf0"),
        (9, b"\xff\xff", b"\x00\xfe"),
        (16, b"\x00\xff\x11", b"\xff\x00"),
    ],
)
def test_the_lowest_bits_of_each_byte_are_flipped_first(
    bits: int, given: bytes, flipped: bytes
) -> None:
    assert Corrupt(bits).act(view(given)) == (Transform(len(flipped), flipped),)


@pytest.mark.pure
def test_what_has_not_come_yet_is_flipped_later() -> None:
    fault = Corrupt(20)
    assert fault.act(view(b"")) == (Transform(0, b""), Again())
    assert fault.act(view(b"\x00")) == (Transform(1, b"\xff"), Again())
    assert fault.act(view(b"\x00\x00\x00", done=1)) == (Transform(2, b"\xff\x0f"),)


@pytest.mark.pure
def test_at_the_end_it_makes_do_with_what_there_is() -> None:
    assert Corrupt(20).act(view(b"\x00", end=True)) == (Transform(1, b"\xff"),)


@pytest.mark.pure
@pytest.mark.parametrize(("bits", "window"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_its_window_holds_its_bits(bits: int, window: int) -> None:
    assert Corrupt(bits).window_bytes == window


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Corrupt() == Corrupt(1, at=at.down(0))
    assert Corrupt.word == "corrupt"
    assert Corrupt().ends(Direction.DOWN) is None
    assert Corrupt.acts_on_bytes
    assert Corrupt.needs_bytes
    assert not (Corrupt.paces)
    assert not (Corrupt.tcp_only)
    assert not (Corrupt().address_state)
    assert "wrong" in Corrupt.peer_sees
    assert "checksum" in Corrupt.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "bits must be >= 1, got 0"),
        (
            {"at": at.accept},
            (
                "corrupt acts on the bytes of one direction, and accept has none; "
                "write corrupt/up:0 or corrupt/down:0"
            ),
        ),
        (
            {"at": at.down.end},
            (
                "corrupt needs a byte after the moment, and after down.end there "
                "is none; write down:N"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Corrupt(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
@pytest.mark.parametrize("pieces", [[b"abcd"], [b"a", b"b", b"c", b"d"]])
def test_it_acts_once_right_after_its_moment(pieces: list[bytes]) -> None:
    assert drive(["corrupt:9/down:1"], pieces).data == b"a\x9dbd"


def test_the_client_reads_the_flipped_bits_among_the_right_ones() -> None:
    wrong = REPLY[:3] + bytes([REPLY[3] ^ 0xFF, REPLY[4] ^ 0x01]) + REPLY[5:]
    assert seen_by_client([Corrupt(9, at=at.down(3))]) == Observation(wrong, End.EOF)


def test_control_without_the_fault_nothing_is_flipped() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
