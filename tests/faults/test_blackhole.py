"""Blackhole: no answer to the client's connect, until the client's own timeout."""

from __future__ import annotations

import socket

import pytest

import wirecut
from tests.lanes import view
from tests.seeing import REPLY, seen_by_client
from wirecut import Blackhole, End, MisuseError, Observation, at
from wirecut.wire import available
from wirecut.wire.action import Direction, DropAttempt


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Blackhole() == Blackhole(at=at.connect)
    assert Blackhole.word == "blackhole"
    assert Blackhole().address_state
    assert Blackhole.tcp_only
    assert Blackhole().ends(Direction.UP) is Direction.BOTH
    assert not (Blackhole.acts_on_bytes)
    assert not (Blackhole.needs_bytes)
    assert not (Blackhole.paces)
    assert "no answer" in Blackhole.peer_sees
    assert "listen(2)" in Blackhole.source


@pytest.mark.pure
def test_for_every_attempt_it_is_a_state_and_for_some_an_event_that_needs_a_gate() -> None:
    assert Blackhole().needs == ()
    assert not Blackhole(on=wirecut.nth(2)).address_state
    assert Blackhole(on=wirecut.nth(2)).needs == ("raw packets", "packet filter")
    assert Blackhole().turn() == DropAttempt()


@pytest.mark.pure
def test_there_is_nothing_to_do_on_a_connection() -> None:
    with pytest.raises(NotImplementedError):
        Blackhole().act(view(b""))


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"at": at.down(1)},
            "blackhole happens at connect, got down:1; write blackhole/connect",
        ),
    ],
)
def test_a_value_that_does_not_go_with_it_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Blackhole(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.skipif(not available("full backlog"), reason="platform: no full backlog here")
def test_the_clients_connect_times_out() -> None:
    # The answer never comes, so the client's timeout has to.
    with (
        wirecut.serve_tcp(REPLY, faults=[Blackhole()]) as server,
        pytest.raises(TimeoutError),
    ):
        socket.create_connection((server.host, server.port), timeout=0.05)


def test_control_without_the_fault_the_connect_succeeds() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
