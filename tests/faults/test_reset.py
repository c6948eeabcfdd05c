"""Reset: an exact prefix, then ECONNRESET, and no orderly end."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.seeing import REPLY, seen_by_client
from wirecut import End, Observation, Reset, at
from wirecut.wire.action import Abort, Direction, Hold, ResetAttempt, WaitUntilSent


@pytest.mark.pure
@pytest.mark.parametrize("waiting", [b"", b"abc"])
@pytest.mark.parametrize("end", [False, True])
def test_all_that_passed_is_on_the_wire_before_the_abort(waiting: bytes, *, end: bool) -> None:
    assert Reset().act(view(waiting, end=end)) == (
        Hold(Direction.BOTH),
        WaitUntilSent(bounded=True),
        Abort(),
    )


@pytest.mark.pure
@pytest.mark.parametrize("outbound", [Direction.UP, Direction.DOWN])
def test_it_ends_both_directions_on_either_side(outbound: Direction) -> None:
    assert Reset().ends(outbound) is Direction.BOTH


@pytest.mark.pure
def test_at_connect_it_is_an_event_that_needs_a_gate() -> None:
    fault = Reset(at=at.connect)
    assert fault.turn() == ResetAttempt()
    assert not fault.address_state
    assert fault.needs == ("raw packets", "packet filter")
    assert Reset().needs == ()


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Reset() == Reset(at=at.request.end)
    assert Reset.word == "reset"
    assert Reset.tcp_only
    assert not (Reset.acts_on_bytes)
    assert not (Reset.needs_bytes)
    assert not (Reset.paces)
    assert not (Reset().address_state)
    assert "ECONNRESET" in Reset.peer_sees
    assert "RFC 9293" in Reset.source


@pytest.mark.pure
@pytest.mark.parametrize("cut", range(len(REPLY) + 1))
def test_nothing_passes_beyond_the_cut(cut: int) -> None:
    seen = drive([Reset(at=at.down(cut))], [REPLY])
    assert (seen.data, seen.struck, seen.ends) == (REPLY[:cut], [(f"reset/down:{cut}", cut)], 0)


@pytest.mark.parametrize("cut", range(len(REPLY) + 1))
def test_the_client_reads_the_prefix_then_a_reset(cut: int) -> None:
    seen = seen_by_client([Reset(at=at.down(cut))])
    assert seen == Observation(REPLY[:cut], End.RESET)


def test_control_an_orderly_close_is_not_reported_as_a_reset() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
