"""Every client meets ECONNRESET from `connect()` itself: one class, every time."""

from __future__ import annotations

import asyncio
import collections
import errno
import http.client
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator

import aiohttp
import httpx
import pytest
import requests
import trio
import urllib3

from tests.privileged import needs
from tests.server.talking import HOSTS
from tests.support import PATIENCE
from tests.tier import Tier
from wirecut import TcpServer, serve_tcp

pytestmark = [needs("raw packets", "packet filter"), pytest.mark.clients]

Seconds = float | None


def with_a_socket(server: TcpServer, timeout: Seconds) -> None:
    socket.create_connection((server.host, server.port), timeout).close()


def with_http_client(server: TcpServer, timeout: Seconds) -> None:
    http.client.HTTPConnection(server.host, server.port, timeout=timeout).request("GET", "/")


def with_urllib3(server: TcpServer, timeout: Seconds) -> None:
    with urllib3.PoolManager(retries=False) as pool:
        pool.request("GET", server.url, timeout=timeout)


def with_requests(server: TcpServer, timeout: Seconds) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.get(server.url, timeout=timeout)


def with_httpx(server: TcpServer, timeout: Seconds) -> None:
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        client.get(server.url)


def with_httpx_async(server: TcpServer, timeout: Seconds) -> None:
    async def get() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=timeout) as client:
            await client.get(server.url)

    asyncio.run(get())


def with_aiohttp(server: TcpServer, timeout: Seconds) -> None:
    async def get() -> None:
        limit = aiohttp.ClientTimeout(timeout)
        async with aiohttp.ClientSession(timeout=limit) as session:
            await session.get(server.url)

    asyncio.run(get())


def with_asyncio(server: TcpServer, timeout: Seconds) -> None:
    async def connect() -> None:
        await asyncio.wait_for(asyncio.open_connection(server.host, server.port), timeout)

    asyncio.run(connect())


def with_trio(server: TcpServer, timeout: Seconds) -> None:
    async def connect() -> None:
        with trio.fail_after(timeout if timeout is not None else float("inf")):
            await trio.open_tcp_stream(server.host, server.port)

    trio.run(connect)


CLIENTS = [
    with_a_socket,
    with_http_client,
    with_urllib3,
    with_requests,
    with_httpx,
    with_httpx_async,
    with_aiohttp,
    with_asyncio,
    with_trio,
]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and all it came from."""
    if error is None:
        return
    yield error
    nested = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    arguments = [item for item in error.args if isinstance(item, BaseException)]
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        arguments.append(reason)
    for cause in (error.__cause__, error.__context__, *nested, *arguments):
        yield from chain(cause)


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_client_meets_one_class_with_econnreset_in_its_chain(
    host: str, client: Callable[[TcpServer, Seconds], None], timeout: Seconds, tier: Tier
) -> None:
    """300 of 300 in the exhaustive tier."""
    count = tier.count(quick=6, exhaustive=300)
    classes: collections.Counter[type[BaseException]] = collections.Counter()
    with serve_tcp(faults="reset/connect", host=host) as server:
        for _ in range(count):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
                client(server, timeout)
            numbers = {getattr(error, "errno", None) for error in chain(caught.value)}
            assert errno.ECONNRESET in numbers
            classes[caught.type] += 1
        assert len(server.attempts) == count
        assert not server.connections
    assert list(classes.values()) == [count]


@pytest.mark.parametrize("host", HOSTS)
def test_httpx_raises_connect_error_with_connection_reset_by_peer(
    host: str, tier: Tier
) -> None:
    """300 of 300 in the exhaustive tier."""
    with (
        serve_tcp(faults="reset/connect", host=host) as server,
        httpx.Client(trust_env=False) as client,
    ):
        for _ in range(tier.count(quick=20, exhaustive=300)):
            with pytest.raises(httpx.ConnectError) as caught:
                client.get(server.url)
            assert str(caught.value) == f"[Errno {errno.ECONNRESET}] Connection reset by peer"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("host", HOSTS)
def test_curl_fails_to_connect(host: str, tier: Tier) -> None:
    """100 of 100 in the exhaustive tier; 7 is CURLE_COULDNT_CONNECT."""
    with serve_tcp(faults="reset/connect", host=host) as server:
        for _ in range(tier.count(quick=3, exhaustive=100)):
            done = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "-g", server.url],
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 7
