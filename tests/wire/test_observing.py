"""Observing: every byte, and which of the four ends came after it."""

from __future__ import annotations

import dataclasses
import socket
import threading

import pytest

from tests.support import FAMILIES, PATIENCE, connected_pair, patient, running
from wirecut.deadline import Deadline
from wirecut.errors import MisuseError
from wirecut.wire import (
    End,
    Observation,
    TcpState,
    abort,
    observe,
    shut_down_writing,
    tcp_state,
)

every_family = pytest.mark.parametrize("family", FAMILIES)
every_tcp = pytest.mark.parametrize("family", FAMILIES[:2])
every_payload = pytest.mark.parametrize("data", [b"", b"abc", bytes(100_000)])


@every_family
@every_payload
def test_a_fin_is_an_eof(family: socket.AddressFamily, data: bytes) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(data)
        shut_down_writing(peer)
        assert observe(ours, patient()) == Observation(data, End.EOF)


@every_family
@every_payload
def test_an_orderly_close_is_not_reported_as_a_reset(
    family: socket.AddressFamily, data: bytes
) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(data)
        peer.close()
        assert observe(ours, patient()) == Observation(data, End.EOF)


@every_tcp
@every_payload
def test_a_reset_is_not_reported_as_an_eof(family: socket.AddressFamily, data: bytes) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(data)
        abort(peer)
        assert observe(ours, patient()) == Observation(data, End.RESET)


@every_tcp
@every_payload
def test_a_fin_and_then_a_reset_is_told_from_both(
    family: socket.AddressFamily, data: bytes
) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(data)
        shut_down_writing(peer)
        abort(peer)
        assert observe(ours, patient()) == Observation(data, End.FIN_THEN_RESET)


def test_a_reset_after_we_answered_the_fin_with_ours_is_still_told() -> None:
    # Our FIN stays behind bytes that do not fit the peer's window: we are in LAST_ACK.
    with connected_pair(peer_buffer=4096) as (ours, peer):
        ours.setblocking(False)
        ours.send(bytes(1 << 17))
        peer.sendall(b"abc")
        shut_down_writing(peer)
        assert observe(ours, patient()) == Observation(b"abc", End.EOF)
        shut_down_writing(ours)
        assert tcp_state(ours) is TcpState.LAST_ACK
        abort(peer)
        assert observe(ours, patient()) == Observation(b"", End.FIN_THEN_RESET)


def test_a_reset_that_comes_while_we_settle_is_seen() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abc")
        shut_down_writing(peer)

        def reset_when_the_data_was_read(_: threading.Event) -> None:
            deadline = patient()
            while ours.recv(1, socket.MSG_PEEK):
                deadline.require("the observer")
            abort(peer)

        with running(reset_when_the_data_was_read):
            seen = observe(ours, patient(), settle_seconds=PATIENCE)
        assert seen == Observation(b"abc", End.FIN_THEN_RESET)


def test_settling_ends_by_itself_when_no_reset_comes() -> None:
    with connected_pair() as (ours, peer):
        shut_down_writing(peer)
        assert observe(ours, patient(), settle_seconds=0.02).end is End.EOF


def test_settling_ends_at_the_deadline() -> None:
    with connected_pair() as (ours, peer):
        shut_down_writing(peer)
        deadline = Deadline.after(0.05)
        assert observe(ours, deadline, settle_seconds=float("inf")).end is End.EOF
        assert deadline.expired


@every_family
def test_a_stream_without_an_end_is_open_at_the_deadline(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(b"abc")
        assert observe(ours, Deadline.after(0.05)) == Observation(b"abc", End.OPEN)
        # Nothing was spoilt: what comes later is seen later.
        peer.sendall(b"def")
        peer.close()
        assert observe(ours, patient()) == Observation(b"def", End.EOF)


def test_a_stream_that_never_stops_is_open_at_the_deadline() -> None:
    def flood(stop: threading.Event) -> None:
        while not stop.is_set():
            peer.sendall(bytes(1 << 12))

    with connected_pair() as (ours, peer), running(flood):
        assert observe(ours, Deadline.after(0.05)).end is End.OPEN
        ours.close()


def test_a_deadline_that_has_passed_allows_one_look() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abc")
        peer.close()
        assert observe(ours, Deadline.after(0)) == Observation(b"abc", End.OPEN)
        assert observe(ours, Deadline.after(0)) == Observation(b"", End.EOF)


def test_observing_sends_nothing_to_the_peer() -> None:
    with connected_pair() as (ours, peer):
        shut_down_writing(peer)
        assert observe(ours, patient()).end is End.EOF
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(1)


@pytest.mark.parametrize("timeout", [0.0, None, 60.0])
def test_the_sockets_own_timeout_does_not_matter(timeout: float | None) -> None:
    with connected_pair() as (ours, peer):
        ours.settimeout(timeout)
        assert observe(ours, Deadline.after(0.02)).end is End.OPEN
        abort(peer)
        assert observe(ours, patient()).end is End.RESET
        assert ours.gettimeout() == timeout


def test_an_observation_is_a_frozen_value() -> None:
    seen = Observation(b"abc", End.EOF)
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.data = b""  # type: ignore[misc]
    assert seen == Observation(b"abc", End.EOF)
    assert hash(seen) == hash(Observation(b"abc", End.EOF))


def test_settling_must_be_a_time_span() -> None:
    with connected_pair() as (ours, _), pytest.raises(MisuseError, match="settle_seconds"):
        observe(ours, patient(), settle_seconds=-1)
