"""Refuse: ECONNREFUSED from the client's connect, on a port that stays ours."""

from __future__ import annotations

import socket

import pytest

import wirecut
from tests.lanes import view
from tests.seeing import REPLY, seen_by_client
from wirecut import End, MisuseError, Observation, Refuse, at
from wirecut.wire.action import Direction, RefuseAttempt


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Refuse() == Refuse(at=at.connect)
    assert Refuse.word == "refuse"
    assert Refuse().address_state
    assert Refuse().ends(Direction.UP) is Direction.BOTH
    assert not (Refuse.acts_on_bytes)
    assert not (Refuse.needs_bytes)
    assert not (Refuse.paces)
    assert not (Refuse.tcp_only)
    assert "ECONNREFUSED" in Refuse.peer_sees
    assert "RFC 9293" in Refuse.source


@pytest.mark.pure
def test_for_every_attempt_it_is_a_state_and_for_some_an_event_that_needs_a_gate() -> None:
    assert Refuse().needs == ()
    assert not Refuse(on=wirecut.first(2)).address_state
    assert Refuse(on=wirecut.first(2)).needs == ("raw packets", "packet filter")
    assert Refuse().turn() == RefuseAttempt()


@pytest.mark.pure
def test_there_is_nothing_to_do_on_a_connection() -> None:
    with pytest.raises(NotImplementedError):
        Refuse().act(view(b""))


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at": at.accept}, "refuse happens at connect, got accept; write refuse/connect"),
        (
            {"on": wirecut.exchange(2)},
            (
                "exchange:2 goes with a moment inside an exchange (up:N, down:N, pattern, "
                "request.end), not with connect"
            ),
        ),
    ],
)
def test_a_value_that_does_not_go_with_it_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Refuse(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


def test_the_clients_connect_is_refused() -> None:
    with (
        wirecut.serve_tcp(REPLY, faults=[Refuse()]) as server,
        pytest.raises(ConnectionRefusedError),
    ):
        socket.create_connection((server.host, server.port))


def test_control_without_the_fault_the_connect_succeeds() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
