"""The journal is never behind: what a client has observed is there, without a wait."""

from __future__ import annotations

import socket

import pytest

from tests.server.talking import HOSTS, connect, numbered
from tests.support import patient
from tests.tier import Tier
from wirecut import Ended, HttpReply, observe, serve_tcp
from wirecut.wire import abort, receive_exactly
from wirecut.wire.action import Direction

_REQUEST = b"GET /items HTTP/1.1\r\nHost: example.test\r\n\r\n"
_REPLY = HttpReply(b"hello")


def _exchange(client: socket.socket) -> None:
    client.sendall(_REQUEST)
    assert receive_exactly(client, len(_REPLY.rendered), patient()) == _REPLY.rendered


def test_it_has_each_exchange_of_a_kept_connection_at_once(tier: Tier) -> None:
    """10,000 exchanges, 500 to a connection; 500 in all on the quick tier."""
    with serve_tcp(_REPLY) as server:
        for index in range(tier.count(quick=1, exhaustive=20)):
            with connect(server) as client:
                for count in range(1, 501):
                    _exchange(client)
                    record = server.connections[index]
                    assert record.received == _REQUEST * count
                    assert record.sent == _REPLY.rendered * count
                    assert record.ended is Ended.OPEN
            assert server.connections[index].ended is Ended.CLOSED_BY_CLIENT


@pytest.mark.parametrize("host", HOSTS)
def test_it_has_each_exchange_of_a_new_connection_at_once(host: str, tier: Tier) -> None:
    """10,000 connections; 300 on the quick tier."""
    with serve_tcp(_REPLY, host=host) as server:
        for index in range(tier.count(quick=300, exhaustive=10_000)):
            with connect(server) as client:
                _exchange(client)
                name = client.getsockname()[:2]
            records = server.connections
            assert len(records) == index + 1
            record = records[index]
            assert (record.received, record.sent) == (_REQUEST, _REPLY.rendered)
            assert record.ended is Ended.CLOSED_BY_CLIENT
            assert record.client == name


def test_it_has_what_the_client_does_last(tier: Tier) -> None:
    """What a client sends before it closes or resets: 2,000 times; 100 on the quick tier."""
    with serve_tcp() as server:
        for index in range(tier.count(quick=100, exhaustive=2000)):
            with connect(server, b"bye") as client:
                if index % 2:
                    # Else the reset could overtake the bytes in the server's queue.
                    assert server.connections[index].received == b"bye"
                    abort(client)
            record = server.connections[index]
            assert record.received == b"bye"
            assert record.ended is (
                Ended.RESET_BY_CLIENT if index % 2 else Ended.CLOSED_BY_CLIENT
            )


@pytest.mark.parametrize(
    ("fault", "ended"),
    [
        ("reset/up:1", Ended.RESET_BY_SERVER),
        ("close/up:1", Ended.CLOSED_BY_SERVER),
        (None, Ended.CLOSED_BY_SERVER),
    ],
)
def test_it_has_the_end_that_the_client_has_seen(
    fault: str | None, ended: Ended, tier: Tier
) -> None:
    """2,000 times each; 100 on the quick tier."""
    with serve_tcp(b"reply", faults=[fault] if fault else []) as server:
        for index in range(tier.count(quick=100, exhaustive=2000)):
            with connect(server, b"?") as client:
                observe(client, patient())
                assert server.connections[index].ended is ended


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 199, 200, 201, 300, 399, 401, 5000])
@pytest.mark.parametrize("pieces", [1, 7, 5000])
def test_it_keeps_the_first_and_the_last_bytes_and_counts_all(size: int, pieces: int) -> None:
    data = numbered(size)
    step = max(1, -(-size // pieces))
    with (
        serve_tcp(
            lambda peer: peer.send(peer.recv_exactly(size)), journal_limit_bytes=100
        ) as server,
        connect(server) as client,
    ):
        for start in range(0, size, step):
            client.sendall(data[start : start + step])
        assert receive_exactly(client, size, patient()) == data
        record = server.connections[0]
        kept = data if size <= 200 else data[:100] + data[-100:]
        assert (record.received, record.sent) == (kept, kept)
        assert (record.received_count, record.sent_count) == (size, size)
        left_out = max(0, size - 200)
        assert (record.received_left_out, record.sent_left_out) == (left_out, left_out)


def test_it_stays_readable_after_the_server_was_closed() -> None:
    with serve_tcp(b"reply") as server, connect(server, b"request") as client:
        observe(client, patient())
    record = server.connections[0]
    assert (record.received, record.sent) == (b"request", b"reply")
    assert repr(record) == "<Connection 0: 7 bytes up, 5 down, closed by server>"
    assert len(server.connections) == 1


def test_it_tells_reads_and_writes_in_order_with_their_times() -> None:
    with serve_tcp(b"reply") as server, connect(server, b"request") as client:
        observe(client, patient())
        record = server.connections[0]
        read, written = record.segments
        assert (read.direction, read.size_bytes) == (Direction.UP, 7)
        assert (written.direction, written.size_bytes) == (Direction.DOWN, 5)
        assert 0 <= record.opened_seconds <= read.seconds <= written.seconds
    assert record.ended_seconds is not None
    assert record.ended_seconds >= written.seconds


def test_what_was_open_when_the_server_stopped_says_so() -> None:
    with serve_tcp() as server, connect(server):
        server.wait_for_connections(1)
        server.stop()
        assert server.connections[0].ended is Ended.STOPPED


def test_connections_are_a_sequence() -> None:
    with serve_tcp() as server:
        for _ in range(3):
            with connect(server):
                pass
        records = server.connections
        assert [record.index for record in records] == [0, 1, 2]
        assert [record.index for record in records[1:]] == [1, 2]
        assert records[-1].index == 2
        with pytest.raises(IndexError):
            records[3]
