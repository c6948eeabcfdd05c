"""Vanish: exactly the bytes before it, and then no packet any more."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.privileged import needs
from tests.seeing import REPLY, seen_by_client
from wirecut import Deadline, End, MisuseError, Observation, Vanish, at
from wirecut.wire.action import DieSilently, Direction, Hold, WaitUntilSent


@pytest.mark.pure
def test_it_lets_the_kernels_hands_go_empty_before_it_dies() -> None:
    assert Vanish().act(view(b"abc")) == (
        Hold(Direction.BOTH),
        WaitUntilSent(),
        DieSilently(),
    )


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Vanish() == Vanish(at=at.request.end)
    assert Vanish.word == "vanish"
    assert Vanish.tcp_only
    assert not Vanish.acts_on_bytes
    assert not Vanish.needs_bytes
    assert not Vanish().address_state
    assert Vanish().needs == ("tcp repair",)
    assert Vanish().ends(Direction.UP) is Direction.BOTH
    assert "silence" in Vanish.peer_sees
    assert "RFC 9293" in Vanish.source


@pytest.mark.pure
def test_at_connect_there_is_nobody_to_vanish() -> None:
    with pytest.raises(MisuseError, match=r"^vanish needs a connection, and at connect there"):
        Vanish(at=at.connect)


@pytest.mark.pure
def test_nothing_passes_after_it() -> None:
    assert drive(["vanish/down:2"], [b"abcd"]).data == b"ab"


@needs(*Vanish.capabilities)
@pytest.mark.parametrize("count", [0, 1, 7, len(REPLY)])
def test_the_client_reads_the_prefix_and_then_silence(count: int) -> None:
    # The end never comes, so the deadline has to.
    seen = seen_by_client([Vanish(at=at.down(count))], deadline=Deadline.after(0.05))
    assert seen == Observation(REPLY[:count], End.OPEN)


def test_control_without_the_fault_the_reply_is_whole() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
