"""Moments that need the client's requests framed, and what goes on after a half-close."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.both_sides.case import split
from tests.support import PATIENCE, patient
from wirecut import (
    ConnectionStruck,
    End,
    HttpReply,
    Line,
    Observation,
    Peer,
    dial,
    observe,
    serve_tcp,
)
from wirecut.wire import receive_exactly

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
)

every_request = pytest.mark.parametrize(
    "request_bytes", [GET, POST, CHUNKED], ids=["get", "post", "chunked"]
)
every_size = pytest.mark.parametrize("size", [1, 7, 1000])


@contextmanager
def dialed(*faults: str) -> Iterator[tuple[Line, socket.socket]]:
    """A line with faults, and the plain socket at its other end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        line = dial(listener.getsockname(), faults=faults, patience_seconds=PATIENCE)
        try:
            with listener.accept()[0] as observer:
                yield line, observer
        finally:
            line.close()


@every_size
@every_request
@pytest.mark.parametrize("fault", ["reset/request.end", "reset/request.end/exchange:1"])
def test_a_request_that_we_send_ends_at_its_last_byte(
    fault: str, request_bytes: bytes, size: int
) -> None:
    with dialed(fault) as (line, observer):
        with pytest.raises(ConnectionStruck):  # noqa: PT012 - by the last piece at the latest
            for piece in split(request_bytes + GET, size):
                line.send(piece)
            line.recv()
        assert observe(observer, patient()) == Observation(request_bytes, End.RESET)
        assert [one.count for one in line.struck] == [len(request_bytes)]


@every_size
@every_request
def test_a_request_that_we_read_ends_at_its_last_byte(request_bytes: bytes, size: int) -> None:
    with serve_tcp(faults="reset/request.end") as server:
        assert isinstance(server.address, tuple)
        with socket.create_connection(server.address) as client:
            try:
                for piece in split(request_bytes + GET, size):
                    client.sendall(piece)
                    assert server.connections[0].received_count <= len(request_bytes)
            except ConnectionError:
                pass
            else:
                assert observe(client, patient()) == Observation(b"", End.RESET)
        assert server.connections[0].received == request_bytes
        assert [one.count for one in server.connections[0].struck] == [len(request_bytes)]


@every_size
def test_the_second_request_that_we_send_is_the_one_that_is_chosen(size: int) -> None:
    with dialed("reset/request.end/exchange:2") as (line, observer):
        for piece in split(GET + POST, size):
            line.send(piece)
        assert observe(observer, patient()) == Observation(GET + POST, End.RESET)


def test_an_offset_of_an_exchange_counts_from_its_request_in_what_we_send() -> None:
    with dialed("reset/up:4/exchange:2") as (line, observer):
        line.send(GET + POST)
        assert observe(observer, patient()) == Observation(GET + POST[:4], End.RESET)


def test_an_offset_of_an_exchange_counts_from_its_answer_in_what_we_read() -> None:
    with serve_tcp(HttpReply(b"one")) as server:
        line = dial(server, faults="reset/down:20/exchange:2")
        line.send(GET)
        first = line.recv()
        line.send(GET)
        with pytest.raises(ConnectionStruck):
            line.recv_exactly(len(first))
        assert line.received == first + first[:20]
        line.close()


def test_a_line_that_was_half_closed_still_reads() -> None:
    with dialed("half_close/up:3") as (line, observer):
        line.send(b"01234")
        assert receive_exactly(observer, 3, patient()) == b"012"
        assert observer.recv(1) == b""
        observer.sendall(b"answer")
        assert line.recv_exactly(6) == b"answer"
        with pytest.raises(ConnectionStruck, match="our direction"):
            line.send(b"more")
        observer.sendall(b"last")
        observer.shutdown(socket.SHUT_WR)
        assert line.observe() == Observation(b"last", End.EOF)
        assert line.sent == b"012"


def test_a_handler_that_was_half_closed_still_reads() -> None:
    heard = bytearray()

    def handler(peer: Peer) -> None:
        peer.send(b"01234")
        with pytest.raises(ConnectionStruck):
            peer.send(b"more")
        while part := peer.recv():
            heard.extend(part)

    with serve_tcp(handler, faults="half_close/down:3") as server:
        assert isinstance(server.address, tuple)
        with socket.create_connection(server.address) as client:
            assert receive_exactly(client, 3, patient()) == b"012"
            assert client.recv(1) == b""
            client.sendall(b"answer")
        server.wait_for(lambda s: s.connections[0].ended_seconds is not None)
    assert heard == b"answer"


def test_a_reset_after_our_end_shows_as_both_from_a_line() -> None:
    with dialed("half_close/up:3", "reset/down:2") as (line, observer):
        line.send(b"01234")
        observer.sendall(b"xyz")
        assert line.recv() == b"xy"
        assert observe(observer, patient()) == Observation(b"012", End.FIN_THEN_RESET)


def test_a_reset_after_our_end_shows_as_both_from_a_server() -> None:
    faults = ["half_close/down:3", "reset/up:2"]
    with serve_tcp(faults=faults, greeting=b"01234") as server:
        assert isinstance(server.address, tuple)
        with socket.create_connection(server.address) as client:
            assert receive_exactly(client, 3, patient()) == b"012"
            assert client.recv(1) == b""
            client.sendall(b"xyz")
            server.wait_for(lambda s: s.connections[0].ended_seconds is not None)
            assert observe(client, patient()) == Observation(b"", End.FIN_THEN_RESET)
