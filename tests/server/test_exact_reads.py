"""A strike after N bytes of the client was made when N were read, and not one more."""

from __future__ import annotations

import pytest

from tests.server.talking import HOSTS, connect, numbered
from tests.support import patient
from tests.tier import Tier
from wirecut import End, Ended, TcpServer, at, observe, serve_tcp

_REQUEST = numbered(300)
_HTTP = b"POST /items HTTP/1.1\r\nHost: example.test\r\nContent-Length: 12\r\n\r\nhello, world"
_CHUNKED = (
    b"POST /items HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)


def _assert_read(server: TcpServer, taken: bytes, unread: int) -> None:
    record = server.connections[-1]
    assert record.received == taken
    assert record.unread_bytes == unread
    assert [struck.count for struck in record.struck] == [len(taken)]
    assert record.ended is Ended.RESET_BY_SERVER


@pytest.mark.parametrize("host", HOSTS)
def test_exactly_so_many_bytes_are_read_and_the_rest_is_counted(host: str, tier: Tier) -> None:
    """Every N from 0 to 300, 20 times; 16 of them, twice on the quick tier."""
    for count in tier.points(range(len(_REQUEST) + 1), quick=16):
        with serve_tcp(faults=[f"reset/up:{count}"], host=host) as server:
            for _ in range(tier.count(quick=2, exhaustive=20)):
                with connect(server, _REQUEST) as client:
                    seen = observe(client, patient())
                assert (seen.data, seen.end) == (b"", End.RESET)
                _assert_read(server, _REQUEST[:count], len(_REQUEST) - count)


def test_it_does_not_matter_how_the_client_splits_its_bytes(tier: Tier) -> None:
    """Every N from 1 to 300, byte by byte; 8 of them on the quick tier."""
    for count in tier.points(range(1, len(_REQUEST) + 1), quick=8):
        with (
            serve_tcp(faults=[f"reset/up:{count}"]) as server,
            connect(server) as client,
        ):
            for place in range(count):
                assert not (server.connections and server.connections[0].struck)
                client.sendall(_REQUEST[place : place + 1])
            assert observe(client, patient()).end is End.RESET
            _assert_read(server, _REQUEST[:count], 0)


@pytest.mark.parametrize(
    ("moment", "stream", "length"),
    [
        pytest.param(at.request.end.text, _HTTP, len(_HTTP), id="request.end"),
        pytest.param(at.request.end.text, _CHUNKED, len(_CHUNKED), id="chunked"),
        pytest.param(
            at.pattern(b"\r\n\r\n").text,
            _HTTP,
            len(_HTTP) - 12,
            id="pattern",
        ),
        pytest.param(at.pattern(b"aa", nth=2).text, b"xaaaay", 5, id="second-match"),
    ],
)
def test_a_moment_in_the_stream_is_found_wherever_it_is_split(
    moment: str, stream: bytes, length: int, tier: Tier
) -> None:
    """Split at every byte, with more behind it; 12 places on the quick tier."""
    stream += b"GET /next"
    for split in tier.points(range(1, len(stream)), quick=12):
        with (
            serve_tcp(faults=[f"reset/{moment}"]) as server,
            connect(server, stream[:split]) as client,
        ):
            if split < length:
                assert server.connections[0].received == stream[:split]
                assert server.connections[0].struck == ()
                client.sendall(stream[split:])
                arrived = len(stream)
            else:
                arrived = split
            assert observe(client, patient()).end is End.RESET
            _assert_read(server, stream[:length], arrived - length)


def test_the_client_end_is_a_moment_too() -> None:
    with (
        serve_tcp(faults=["reset/up.end"]) as server,
        connect(server, b"all I have") as client,
    ):
        assert server.connections[0].struck == ()
        client.shutdown(1)
        assert observe(client, patient()).end is End.RESET
        _assert_read(server, b"all I have", 0)
