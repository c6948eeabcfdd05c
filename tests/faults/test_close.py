"""Close: an exact prefix, then end-of-file, and never a reset."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import Close, End, Observation, at
from wirecut.wire.action import Close as CloseSocket
from wirecut.wire.action import Direction, Drain, Hold, ShutDownWriting


@pytest.mark.pure
@pytest.mark.parametrize("waiting", [b"", b"abc"])
def test_it_reads_to_the_peers_end_between_fin_and_close(waiting: bytes) -> None:
    assert Close().act(view(waiting)) == (
        Hold(Direction.BOTH),
        ShutDownWriting(),
        Drain(),
        CloseSocket(),
    )


@pytest.mark.pure
@pytest.mark.parametrize("outbound", [Direction.UP, Direction.DOWN])
def test_it_ends_both_directions_on_either_side(outbound: Direction) -> None:
    assert Close().ends(outbound) is Direction.BOTH


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Close() == Close(at=at.request.end)
    assert Close.word == "close"
    assert not (Close.acts_on_bytes)
    assert not (Close.needs_bytes)
    assert not (Close.paces)
    assert not (Close.tcp_only)
    assert not Close().address_state
    assert "end-of-file" in Close.peer_sees
    assert "RFC 9293" in Close.source


@pytest.mark.pure
@pytest.mark.parametrize("cut", range(len(REPLY) + 1))
def test_nothing_passes_beyond_the_cut(cut: int) -> None:
    seen = drive([Close(at=at.down(cut))], [REPLY])
    assert (seen.data, seen.struck, seen.ends) == (REPLY[:cut], [(f"close/down:{cut}", cut)], 0)


@pytest.mark.parametrize("cut", range(len(REPLY) + 1))
def test_the_client_reads_the_prefix_then_the_end(cut: int) -> None:
    assert seen_by_client([Close(at=at.down(cut))]) == Observation(REPLY[:cut], End.EOF)


def test_control_the_same_cut_by_a_reset_is_told_apart() -> None:
    assert seen_by_client(["reset/down:3"]) == Observation(REPLY[:3], End.RESET)
