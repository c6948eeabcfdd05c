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

from tests.privileged import every_host, gated, needs
from tests.support import PATIENCE
from tests.tier import Tier
from wirecut.wire.gate import Attempt, SynGate

pytestmark = [needs("raw packets", "packet filter"), pytest.mark.clients]


def with_http_client(host: str, port: int) -> None:
    http.client.HTTPConnection(host, port, timeout=PATIENCE).request("GET", "/")


def with_urllib3(host: str, port: int) -> None:
    with urllib3.PoolManager(retries=False) as pool:
        pool.request("GET", url(host, port), timeout=PATIENCE)


def with_requests(host: str, port: int) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.get(url(host, port), timeout=PATIENCE)


def with_httpx(host: str, port: int) -> None:
    with httpx.Client(trust_env=False) as client:
        client.get(url(host, port))


def with_httpx_async(host: str, port: int) -> None:
    async def get() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(url(host, port))

    asyncio.run(get())


def with_aiohttp(host: str, port: int) -> None:
    async def get() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(url(host, port))

    asyncio.run(get())


def with_asyncio(host: str, port: int) -> None:
    async def connect() -> None:
        await asyncio.open_connection(host, port)

    asyncio.run(connect())


def with_trio(host: str, port: int) -> None:
    async def connect() -> None:
        await trio.open_tcp_stream(host, port)

    trio.run(connect)


CLIENTS = [
    with_http_client,
    with_urllib3,
    with_requests,
    with_httpx,
    with_httpx_async,
    with_aiohttp,
    with_asyncio,
    with_trio,
]


def url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


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


def reset(gate: SynGate, attempt: Attempt) -> None:
    gate.reset(attempt)


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
@every_host
def test_a_client_meets_one_class_with_econnreset_in_its_chain(
    family: socket.AddressFamily, client: Callable[[str, int], None], tier: Tier
) -> None:
    """300 of 300 in the exhaustive tier."""
    count = tier.count(quick=10, exhaustive=300)
    classes: collections.Counter[type[BaseException]] = collections.Counter()
    with gated(family, reset) as served:
        for _ in range(count):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
                client(*served.address)
            numbers = {getattr(error, "errno", None) for error in chain(caught.value)}
            assert errno.ECONNRESET in numbers
            classes[caught.type] += 1
    assert list(classes.values()) == [count]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@every_host
def test_curl_fails_to_connect(family: socket.AddressFamily, tier: Tier) -> None:
    """100 of 100 in the exhaustive tier; 7 is CURLE_COULDNT_CONNECT."""
    with gated(family, reset) as served:
        for _ in range(tier.count(quick=3, exhaustive=100)):
            done = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "-g", url(*served.address)],
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 7
