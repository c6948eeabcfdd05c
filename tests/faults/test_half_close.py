"""Half-close: an exact prefix, then end-of-file, while the client is still heard."""

from __future__ import annotations

import socket

import pytest

import wirecut
from tests.lanes import drive, view
from tests.seeing import REPLY, REQUEST, seen_by_client
from tests.support import patient
from wirecut import End, HalfClose, Observation, at
from wirecut.wire.action import Direction, PassEnd, ShutDownWriting


@pytest.mark.pure
@pytest.mark.parametrize("waiting", [b"", b"abc"])
def test_it_is_one_fin_and_nothing_else(waiting: bytes) -> None:
    assert HalfClose().act(view(waiting)) == (ShutDownWriting(),)


@pytest.mark.pure
@pytest.mark.parametrize("outbound", [Direction.UP, Direction.DOWN])
def test_it_ends_the_direction_in_which_we_send(outbound: Direction) -> None:
    assert HalfClose().ends(outbound) is outbound


@pytest.mark.pure
def test_what_it_is() -> None:
    assert HalfClose() == HalfClose(at=at.request.end)
    assert HalfClose.word == "half_close"
    assert not (HalfClose.acts_on_bytes)
    assert not (HalfClose.needs_bytes)
    assert not (HalfClose.paces)
    assert not (HalfClose.tcp_only)
    assert not (HalfClose().address_state)
    assert "still read" in HalfClose.peer_sees
    assert "SHUT_WR" in HalfClose.source


@pytest.mark.pure
def test_the_other_direction_goes_on_to_its_end() -> None:
    seen = drive(["half_close/up:2"], [b"abcd"], direction=Direction.UP)
    assert (seen.data, seen.ends, seen.others) == (b"abcd", 1, [ShutDownWriting()])
    assert PassEnd() not in seen.others


@pytest.mark.parametrize("cut", range(len(REPLY) + 1))
def test_the_client_reads_the_prefix_then_the_end(cut: int) -> None:
    assert seen_by_client([HalfClose(at=at.down(cut))]) == Observation(REPLY[:cut], End.EOF)


def test_what_the_client_sends_after_our_fin_is_still_read() -> None:
    with (
        wirecut.serve_tcp(REPLY, faults=["half_close/down:3"]) as server,
        socket.create_connection((server.host, server.port)) as client,
    ):
        client.sendall(REQUEST)
        assert wirecut.observe(client, patient()) == Observation(REPLY[:3], End.EOF)
        client.sendall(b"more")
        assert server.connections[0].received == REQUEST + b"more"


def test_control_without_the_fault_all_of_it_is_read() -> None:
    assert seen_by_client([]) == Observation(REPLY, End.EOF)
