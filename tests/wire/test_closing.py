"""Ending a connection: what the peer sees of each way, and who closes the descriptor."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.support import FAMILIES, connected_pair, patient, running
from wirecut.deadline import Deadline
from wirecut.errors import DeadlineExceeded
from wirecut.wire import (
    End,
    Observation,
    TcpState,
    abort,
    bytes_unread,
    close_now,
    close_orderly,
    observe,
    receive_exactly,
    shut_down_writing,
    tcp_state,
    wait_until_readable,
)

every_family = pytest.mark.parametrize("family", FAMILIES)
every_tcp = pytest.mark.parametrize("family", FAMILIES[:2])


@every_tcp
def test_an_abort_resets_and_closes_the_socket(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        ours.sendall(b"abc")
        abort(ours)
        assert ours.fileno() == -1
        assert observe(peer, patient()) == Observation(b"abc", End.RESET)


def test_an_abort_drops_what_the_kernel_has_not_sent() -> None:
    with connected_pair(peer_buffer=4096) as (ours, peer):
        ours.setblocking(False)
        accepted = ours.send(bytes(1 << 17))
        abort(ours)
        seen = observe(peer, patient())
        assert seen.end is End.RESET
        assert 0 < len(seen.data) < accepted


def test_an_abort_does_not_wait_for_a_file_object() -> None:
    with connected_pair() as (ours, peer), ours.makefile("rb"):
        abort(ours)
        assert observe(peer, patient()).end is End.RESET


@every_family
def test_an_immediate_close_is_an_end_and_no_reset(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        ours.sendall(b"abc")
        close_now(ours)
        assert ours.fileno() == -1
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)


def test_an_immediate_close_does_not_wait_for_a_file_object() -> None:
    with connected_pair() as (ours, peer), ours.makefile("rb"):
        close_now(ours)
        assert observe(peer, patient()).end is End.EOF


def test_an_immediate_close_with_unread_input_resets() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"unread")
        wait_until_readable(ours, patient())
        close_now(ours)
        assert observe(peer, patient()).end is End.RESET


@every_family
def test_an_orderly_close_discards_unread_input_and_does_not_reset(
    family: socket.AddressFamily,
) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(b"unread")
        wait_until_readable(ours, patient())
        ours.sendall(b"abc")
        seen = []

        def read_then_close(_: threading.Event) -> None:
            seen.append(observe(peer, patient()))
            peer.sendall(b"late")
            peer.close()

        with running(read_then_close):
            assert close_orderly(ours, patient()) == len(b"unread" + b"late")
        assert ours.fileno() == -1
        assert seen == [Observation(b"abc", End.EOF)]


def test_an_orderly_close_waits_for_the_peers_end_and_not_longer_than_the_deadline() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abc")
        with pytest.raises(DeadlineExceeded, match=r"the peer's end \(3 bytes discarded\)"):
            close_orderly(ours, Deadline.after(0.02))
        assert ours.fileno() == -1
        assert observe(peer, patient()).end is End.EOF


def test_an_orderly_close_of_what_the_peer_reset_is_quiet() -> None:
    with connected_pair() as (ours, peer):
        abort(peer)
        assert close_orderly(ours, patient()) == 0
        assert ours.fileno() == -1


@every_family
def test_after_shutting_down_writing_we_still_read(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        ours.sendall(b"abc")
        shut_down_writing(ours)
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)
        peer.sendall(b"answer")
        assert receive_exactly(ours, 6, patient()) == b"answer"


def test_shutting_down_writing_sends_fin() -> None:
    with connected_pair() as (ours, peer):
        shut_down_writing(ours)
        wait_until_readable(peer, patient())
        assert tcp_state(ours) in {TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2}
        assert tcp_state(peer) is TcpState.CLOSE_WAIT


def test_shutting_down_writing_twice_or_after_a_reset_is_quiet() -> None:
    with connected_pair() as (ours, peer):
        shut_down_writing(ours)
        shut_down_writing(ours)
        abort(peer)
        assert observe(ours, patient()).end is End.RESET
        shut_down_writing(ours)


def test_shutting_down_a_closed_socket_is_an_error() -> None:
    with connected_pair() as (ours, _peer):
        ours.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            shut_down_writing(ours)


def test_a_reset_that_shutdown_itself_reports_is_quiet() -> None:
    class Reset(socket.socket):
        def shutdown(self, how: int) -> None:
            raise ConnectionResetError(how)

    with connected_pair() as (plain, _peer), Reset(fileno=plain.detach()) as ours:
        shut_down_writing(ours)


def test_a_socket_that_is_closed_already_is_left_alone() -> None:
    with connected_pair() as (ours, peer):
        ours.close()
        with socket.socket() as same_number:
            abort(ours)
            close_now(ours)
            assert same_number.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
        assert bytes_unread(peer) == 0


def test_the_peer_of_an_aborted_unix_socket_reads_the_end() -> None:
    with connected_pair(socket.AF_UNIX) as (ours, peer):
        ours.sendall(b"abc")
        abort(ours)
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)
