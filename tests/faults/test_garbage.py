"""Garbage: noise at the moment, the same on every run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import End, Garbage, MisuseError, Observation, at
from wirecut.wire.action import Direction, Transform


@pytest.mark.pure
@pytest.mark.parametrize("waiting", [b"", b"abc"])
def test_it_inserts_its_noise_and_takes_nothing(waiting: bytes) -> None:
    assert Garbage().act(view(waiting)) == (Transform(0, Garbage().noise),)


@pytest.mark.pure
def test_the_noise_of_a_seed_is_written_down() -> None:
    assert Garbage(4).noise == bytes.fromhex("cd072cd8")
    assert Garbage(4, 7).noise == bytes.fromhex("b8b4e652")
    assert Garbage(4, 1).noise == bytes.fromhex("f5b16522")


@pytest.mark.pure
@given(size=st.integers(1, 99), seed=st.integers(0, 10**9))
def test_the_noise_has_its_size_and_begins_with_no_ascii(size: int, seed: int) -> None:
    noise = Garbage(size, seed).noise
    assert len(noise) == size
    assert noise[0] >= 0x80
    assert noise == Garbage(size, seed).noise


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Garbage() == Garbage(16, 0, at=at.down(0))
    assert Garbage.word == "garbage"
    assert Garbage().ends(Direction.DOWN) is None
    assert Garbage.acts_on_bytes
    assert not (Garbage.needs_bytes)
    assert not (Garbage.paces)
    assert not (Garbage.tcp_only)
    assert not Garbage().address_state
    assert "noise" in Garbage.peer_sees
    assert "RFC 9112" in Garbage.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size_bytes": 0}, "size_bytes must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        (
            {"at": at.accept},
            (
                "garbage acts on the bytes of one direction, and accept has none; "
                "write garbage/up:0 or garbage/down:0"
            ),
        ),
    ],
)
def test_a_value_out_of_its_range_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Garbage(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
@pytest.mark.parametrize("place", ["down:4", "down.end"])
def test_it_can_come_after_the_last_byte(place: str) -> None:
    assert drive([f"garbage:4/{place}"], [b"abcd"]).data == b"abcd" + Garbage(4).noise


def test_the_client_reads_the_noise_and_then_the_rest() -> None:
    fault = Garbage(4, at=at.down(3))
    seen = seen_by_client([fault])
    assert seen == Observation(REPLY[:3] + fault.noise + REPLY[3:], End.EOF)


def test_control_without_the_fault_there_is_no_noise() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
