"""Unreachable: the client's connect fails as if a router had said so."""

from __future__ import annotations

import errno
import socket

import pytest

import wirecut
from tests.lanes import view
from tests.privileged import needs
from tests.seeing import REPLY, seen_by_client
from tests.support import PATIENCE
from wirecut import End, MisuseError, Observation, Unreachable, at
from wirecut.wire.action import BlockAttempt, Direction
from wirecut.wire.segments import Unreachable as Reason


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Unreachable() == Unreachable("host", at=at.connect)
    assert Unreachable.word == "unreachable"
    assert not Unreachable().address_state
    assert Unreachable.tcp_only
    assert Unreachable.connect_only
    assert Unreachable().ends(Direction.UP) is Direction.BOTH
    assert Unreachable().needs == ("raw packets", "packet filter")
    assert "EHOSTUNREACH" in Unreachable.peer_sees
    assert "RFC 1122" in Unreachable.source


@pytest.mark.pure
@pytest.mark.parametrize("reason", list(Reason))
def test_it_answers_by_the_error_that_says_why(reason: Reason) -> None:
    assert Unreachable(reason.value).turn() == BlockAttempt(reason.value)


@pytest.mark.pure
def test_there_is_nothing_to_do_on_a_connection() -> None:
    with pytest.raises(NotImplementedError):
        Unreachable().act(view(b""))


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"why": "moon"}, "why must be one of host, net, prohibited, port, got 'moon'"),
        (
            {"at": at.accept},
            "unreachable happens at connect, got accept; write unreachable/connect",
        ),
        (
            {"on": wirecut.exchange(1)},
            (
                "exchange:1 goes with a moment inside an exchange (up:N, down:N, pattern, "
                "request.end), not with connect"
            ),
        ),
    ],
)
def test_a_value_that_does_not_go_with_it_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Unreachable(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@needs("raw packets", "packet filter")
def test_the_clients_connect_fails_with_no_route_to_host() -> None:
    with (
        wirecut.serve_tcp(REPLY, faults=[Unreachable()]) as server,
        pytest.raises(OSError) as raised,  # noqa: PT011 - the number is checked
    ):
        socket.create_connection((server.host, server.port), timeout=PATIENCE)
    assert raised.value.errno == errno.EHOSTUNREACH


def test_control_without_the_fault_the_connect_succeeds() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
