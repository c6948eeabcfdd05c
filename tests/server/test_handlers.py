"""Handlers: a function plays the server's side, on a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import pytest

from tests.server.talking import connect, has_ended, has_struck, is_open, numbered
from tests.support import PATIENCE, patient
from wirecut import (
    ConnectionStruck,
    DeadlineExceeded,
    End,
    Ended,
    MisuseError,
    Peer,
    PeerClosed,
    PeerReset,
    WirecutError,
    observe,
    serve_tcp,
)
from wirecut.wire import abort, receive_exactly


def test_a_handler_reads_and_sends_in_pieces_of_its_choice() -> None:
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        seen.append(peer.recv_exactly(3))
        seen.append(peer.recv_until(b"\r\n"))
        seen.append(peer.recv(2))
        peer.send(b"thanks")
        seen.append(peer.recv())
        seen.append(peer.recv())

    with serve_tcp(handler) as server, connect(server, b"abcline\r\nxyz") as client:
        assert receive_exactly(client, 6, patient()) == b"thanks"
        client.shutdown(socket.SHUT_WR)
        assert observe(client, patient()).end is End.EOF
    assert seen == [b"abc", b"line\r\n", b"xy", b"z", b""]


def test_a_terminator_is_found_wherever_it_is_split() -> None:
    line = b"hello\r\nrest"
    for split in range(1, len(line)):
        lines: list[bytes] = []
        with (
            serve_tcp(lambda peer, lines=lines: lines.append(peer.recv_until(b"\r\n"))) as s,
            connect(s, line[:split]) as client,
        ):
            assert s.connections[0].received == line[:split]
            client.sendall(line[split:])
            assert observe(client, patient()).end is End.EOF
        assert lines == [b"hello\r\n"]


def test_a_handler_that_returns_closes_in_good_order() -> None:
    with (
        serve_tcp(lambda peer: peer.send(b"bye")) as server,
        connect(server, b"unread") as client,
    ):
        seen = observe(client, patient())
        assert (seen.data, seen.end) == (b"bye", End.EOF)
        assert server.connections[0].ended is Ended.CLOSED_BY_SERVER


def test_a_handler_can_close_and_go_on() -> None:
    done = threading.Event()

    def handler(peer: Peer) -> None:
        peer.send(b"bye")
        peer.close()
        done.wait(PATIENCE)

    with serve_tcp(handler) as server, connect(server) as client:
        assert observe(client, patient()).end is End.EOF
        done.set()


def test_a_handler_can_strike_its_own_connection() -> None:
    struck = threading.Event()

    def handler(peer: Peer) -> None:
        peer.recv()
        peer.send(b"half")
        peer.strike("reset")
        with pytest.raises(ConnectionStruck):
            peer.recv()
        struck.set()

    with serve_tcp(handler) as server, connect(server, b"?") as client:
        seen = observe(client, patient())
        assert (seen.data, seen.end) == (b"half", End.RESET)
        assert struck.wait(PATIENCE)
        assert str(server.connections[0].struck[0].fault) == "reset/request.end"


@pytest.mark.parametrize("fault", ["reset/up:1", "close/up:1", "half_close/up:1"])
def test_a_handler_that_is_struck_learns_it_at_its_next_send(fault: str) -> None:
    raised: list[BaseException] = []
    go_on = threading.Event()

    def handler(peer: Peer) -> None:
        go_on.wait(PATIENCE)
        try:
            peer.send(b"too late")
        except WirecutError as error:
            raised.append(error)
            raise

    with serve_tcp(handler, faults=[fault]) as server, connect(server, b"?") as client:
        seen = observe(client, patient())
        go_on.set()
        assert seen.data == b""
    assert [type(error) for error in raised] == [ConnectionStruck]


@pytest.mark.parametrize("fault", ["reset/up:1", "reset/accept"])
def test_a_handler_is_called_even_if_its_connection_is_struck_before(fault: str) -> None:
    called: list[type[BaseException]] = []

    def handler(peer: Peer) -> None:
        try:
            while True:
                peer.recv()
        except WirecutError as error:
            called.append(type(error))

    with serve_tcp(handler, faults=[fault]) as server:
        # The bytes wait before the connection is accepted, as on a busy machine.
        with server._core.loop.lock, contextlib.suppress(OSError), connect(server, b"?"):
            pass
        server.wait_for(has_ended())
    assert called == [ConnectionStruck]


def test_a_handler_that_waits_is_woken_by_the_strike() -> None:
    def handler(peer: Peer) -> None:
        while True:
            peer.recv()

    with serve_tcp(handler, faults=["reset/up:2"]) as server, connect(server, b"12") as client:
        assert observe(client, patient()).end is End.RESET


def test_a_handler_whose_client_has_gone_ends_quietly() -> None:
    seen: list[type[BaseException]] = []

    def handler(peer: Peer) -> None:
        try:
            peer.recv_exactly(100)
        except WirecutError as error:
            seen.append(type(error))
            raise

    with serve_tcp(handler) as server:
        with connect(server, b"half"):
            pass
        server.wait_for(has_ended(0))
        with connect(server, b"half") as client:
            assert server.connections[1].received == b"half"
            abort(client)
        server.wait_for(has_ended(1))
    assert seen == [PeerClosed, PeerReset]


def test_a_handler_that_waits_longer_than_the_patience_fails_the_test() -> None:
    server = serve_tcp(lambda peer: peer.recv(), patience_seconds=0.02)
    with connect(server):
        server.wait_for(lambda s: s.findings(), timeout_seconds=PATIENCE)
        with pytest.raises(DeadlineExceeded, match=r"gave up waiting for input after 0\.02 s"):
            server.close()


def _raises_pytest_fail(peer: Peer) -> None:
    peer.recv()
    pytest.fail("as the handler says")


def _raises_assertion(peer: Peer) -> None:
    assert peer.recv() == b"as the handler says"


def _raises_system_exit(peer: Peer) -> None:
    peer.recv()
    raise SystemExit("as the handler says")


@pytest.mark.parametrize(
    "handler", [_raises_pytest_fail, _raises_assertion, _raises_system_exit]
)
def test_any_other_exception_of_a_handler_reaches_close(
    handler: Callable[[Peer], None],
) -> None:
    server = serve_tcp(handler)
    with connect(server, b"?") as client:
        assert observe(client, patient()).end is End.RESET
    with pytest.raises(BaseException, match="as the handler says") as caught:
        server.close()
    assert any("on connection 0" in note for note in caught.value.__notes__)
    server.close()


def test_several_findings_come_as_a_group() -> None:
    server = serve_tcp(_raises_assertion)
    for _ in range(3):
        with connect(server, b"?") as client:
            observe(client, patient())
    with pytest.raises(BaseExceptionGroup, match="3 findings") as caught:
        server.close()
    assert len(caught.value.exceptions) == 3


def test_a_handler_that_does_not_read_lets_the_client_wait() -> None:
    go_on = threading.Event()
    size = 16 << 20

    def handler(peer: Peer) -> None:
        go_on.wait(PATIENCE)
        peer.recv_exactly(size)
        peer.send(b"all")

    with serve_tcp(handler) as server, connect(server) as client:
        client.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < size:
                sent += client.send(bytes(min(1 << 20, size - sent)))
        assert sent < size
        # One turn may take 64 KiB more than the mark of 1 MiB.
        assert server.connections[0].received_count <= (1 << 20) + 65536
        go_on.set()
        client.settimeout(PATIENCE)
        client.sendall(bytes(size - sent))
        assert receive_exactly(client, 3, patient()) == b"all"


def test_a_handler_waits_while_its_client_does_not_read() -> None:
    data = numbered(1 << 20)
    sent: list[int] = []

    def handler(peer: Peer) -> None:
        for _ in range(16):
            peer.send(data)
            sent.append(1)

    with (
        serve_tcp(handler) as server,
        connect(server) as client,
    ):
        server.wait_for(lambda s: s.connections[0].sent_count)
        assert len(sent) < 16
        seen = observe(client, patient())
        assert seen.data == data * 16
    assert len(sent) == 16


def test_a_handler_knows_who_its_client_is() -> None:
    names: list[object] = []
    with (
        serve_tcp(lambda peer: names.append(peer.address)) as server,
        connect(server) as client,
    ):
        observe(client, patient())
        assert names == [client.getsockname()]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda peer: peer.recv(0), "max_bytes must be >= 1, got 0"),
        (lambda peer: peer.recv_exactly(-1), "count must be >= 0, got -1"),
    ],
)
def test_a_call_that_cannot_be_right_says_so(
    call: Callable[[Peer], object], sentence: str
) -> None:
    def handler(peer: Peer) -> None:
        peer.recv()
        call(peer)

    server = serve_tcp(handler)
    with connect(server, b"?") as client:
        observe(client, patient())
    with pytest.raises(MisuseError, match=sentence):
        server.close()


def test_a_stalled_handler_is_let_go_by_close() -> None:
    def handler(peer: Peer) -> None:
        while True:
            peer.recv()

    with serve_tcp(handler, faults=["stall/up:1"]) as server, connect(server, b"?"):
        server.wait_for(has_struck())
        server.wait_for(is_open())
