"""The timeouts and refusals a client can be brought to, and which exception each is."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest
import trio

from tests.clients.calls import nothing_in_between
from tests.support import PATIENCE
from tests.tier import Tier
from wirecut import Ended, HttpReply, serve_tcp

pytestmark = [
    pytest.mark.clients,
    # What httpx leaves on trio when a write of a body was given up.
    pytest.mark.filterwarnings("ignore:Async generator .httpx:ResourceWarning"),
]

# What the test waits for; the fault makes it come whatever the machine's speed.
_SHORT_SECONDS = 0.02
_SMALL_BUFFER_BYTES = 4096


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with nothing_in_between(monkeypatch):
        yield


def _sync(url: str, body: bytes | None, timeout: httpx.Timeout) -> None:
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        client.request("GET" if body is None else "POST", url, content=body)


async def _async(url: str, body: bytes | None, timeout: httpx.Timeout) -> None:  # noqa: ASYNC109 - httpx's own
    async with httpx.AsyncClient(trust_env=False, timeout=timeout) as client:
        await client.request("GET" if body is None else "POST", url, content=body)


_Call = Callable[[str, bytes | None, httpx.Timeout], None]
_HTTPX = pytest.mark.parametrize(
    "call",
    [
        pytest.param(_sync, id="sync"),
        pytest.param(lambda *args: asyncio.run(_async(*args)), id="asyncio"),
        pytest.param(lambda *args: trio.run(_async, *args), id="trio"),
    ],
)


def _raised(
    call: _Call, url: str, body: bytes | None, timeout: httpx.Timeout, times: int
) -> Counter[type[BaseException]]:
    seen: Counter[type[BaseException]] = Counter()
    for _ in range(times):
        with pytest.raises(httpx.HTTPError) as caught:
            call(url, body, timeout)
        seen[caught.type] += 1
    return seen


@_HTTPX
@pytest.mark.parametrize("moment", ["up:0", "up:1", "up:100"])
def test_a_body_that_nobody_reads_is_a_write_timeout(
    call: _Call, moment: str, tier: Tier
) -> None:
    """200 KB, 300 of 300; 5 of 5 on the quick tier."""
    times = tier.count(quick=5, exhaustive=300)
    timeout = httpx.Timeout(PATIENCE, write=_SHORT_SECONDS)
    body = bytes(200_000)

    with serve_tcp(
        faults=[f"stall:up/{moment}"], receive_buffer_bytes=_SMALL_BUFFER_BYTES
    ) as server:
        assert _raised(call, server.url, body, timeout, times) == {httpx.WriteTimeout: times}


@_HTTPX
def test_a_reply_that_does_not_come_is_a_read_timeout(call: _Call, tier: Tier) -> None:
    """300 of 300; 5 of 5 on the quick tier."""
    times = tier.count(quick=5, exhaustive=300)
    timeout = httpx.Timeout(PATIENCE, read=_SHORT_SECONDS)

    with serve_tcp(HttpReply(b"late"), faults=["stall/request.end"]) as server:
        assert _raised(call, server.url, None, timeout, times) == {httpx.ReadTimeout: times}
        assert {record.ended for record in server.connections} == {Ended.OPEN}


@_HTTPX
def test_an_address_that_does_not_answer_is_a_connect_timeout(call: _Call, tier: Tier) -> None:
    """300 of 300; 5 of 5 on the quick tier."""
    times = tier.count(quick=5, exhaustive=300)
    timeout = httpx.Timeout(PATIENCE, connect=_SHORT_SECONDS)

    with serve_tcp(faults=["blackhole/connect"]) as server:
        assert _raised(call, server.url, None, timeout, times) == {httpx.ConnectTimeout: times}
        assert len(server.connections) == 0


@_HTTPX
def test_a_refused_address_is_a_connect_error(call: _Call, tier: Tier) -> None:
    """300 of 300; 5 of 5 on the quick tier."""
    times = tier.count(quick=5, exhaustive=300)

    with serve_tcp(faults=["refuse/connect"]) as server:
        assert _raised(call, server.url, None, httpx.Timeout(PATIENCE), times) == {
            httpx.ConnectError: times
        }


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_refused_is_econnrefused_on_a_port_that_nobody_can_take(host: str) -> None:
    with serve_tcp(host=host, faults=["refuse/connect"]) as server:
        with pytest.raises(ConnectionRefusedError) as caught:
            socket.create_connection((server.host, server.port))
        assert caught.value.errno == errno.ECONNREFUSED

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as thief, pytest.raises(OSError, match="in use"):
            thief.bind((host, server.port))


def test_the_same_port_is_refused_served_and_refused_again(tier: Tier) -> None:
    """50 rounds; 5 on the quick tier."""
    with serve_tcp(HttpReply(b"up")) as server, httpx.Client(trust_env=False) as client:
        url = server.url
        for _ in range(tier.count(quick=5, exhaustive=50)):
            server.stop()
            with pytest.raises(httpx.ConnectError):
                client.get(url)
            server.start()
            assert client.get(url).text == "up"
            with server.refusing():
                # The open connection goes on; only new ones are refused.
                assert client.get(url).text == "up"
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((server.host, server.port))
            assert httpx.get(url, trust_env=False).text == "up"
        assert server.url == url


def test_a_client_can_come_back_to_an_address_that_did_not_answer() -> None:
    with serve_tcp(HttpReply(b"up"), faults=["blackhole/connect"]) as server:
        with pytest.raises(httpx.ConnectTimeout):
            _sync(server.url, None, httpx.Timeout(PATIENCE, connect=_SHORT_SECONDS))
        server.stop()
        with pytest.raises(httpx.ConnectError):
            _sync(server.url, None, httpx.Timeout(PATIENCE))
