"""ForgedReset: exactly the bytes before it, then a RST that neither end has sent."""

from __future__ import annotations

import pytest

from tests.lanes import drive, view
from tests.privileged import needs
from tests.seeing import REPLY, seen_by_client
from wirecut import End, ForgedReset, MisuseError, Observation, at
from wirecut.wire.action import Direction, ForgeReset, Hold, WaitUntilSent


@pytest.mark.pure
def test_it_lets_the_kernels_hands_go_empty_before_it_counts_the_number() -> None:
    assert ForgedReset().act(view(b"abc")) == (
        Hold(Direction.BOTH),
        WaitUntilSent(),
        ForgeReset(both=True),
    )
    assert ForgedReset("client").act(view(b""))[-1] == ForgeReset(both=False)


@pytest.mark.pure
def test_what_it_is() -> None:
    assert ForgedReset() == ForgedReset("both", at=at.request.end)
    assert ForgedReset.word == "forged_reset"
    assert ForgedReset.tcp_only
    assert not ForgedReset.acts_on_bytes
    assert not ForgedReset.needs_bytes
    assert not ForgedReset.connect_only
    assert not ForgedReset().address_state
    assert ForgedReset().needs == ("raw packets", "packet filter", "tcp repair")
    assert ForgedReset().ends(Direction.DOWN) is Direction.BOTH
    assert "did not send it" in ForgedReset.peer_sees
    assert "RFC 5961" in ForgedReset.source


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ends_told": "server"}, "ends_told must be one of both, client, got 'server'"),
        (
            {"at": at.connect},
            (
                "forged_reset needs a connection, and at connect there is none yet; the "
                "faults at connect are refuse, blackhole, unreachable, reset and delay, and "
                "the earliest moment for forged_reset is accept"
            ),
        ),
    ],
)
def test_a_value_that_does_not_go_with_it_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        ForgedReset(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
def test_nothing_passes_after_it() -> None:
    assert drive(["forged_reset/down:2"], [b"abcd"]).data == b"ab"


@needs(*ForgedReset.capabilities)
@pytest.mark.parametrize("ends_told", ["both", "client"])
@pytest.mark.parametrize("count", [0, 1, 7, len(REPLY)])
def test_the_client_reads_the_prefix_and_then_a_reset(ends_told: str, count: int) -> None:
    seen = seen_by_client([ForgedReset(ends_told, at=at.down(count))])
    assert seen == Observation(REPLY[:count], End.RESET)


def test_control_without_the_fault_the_reply_is_whole() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
