"""The clients that the suite drives, each as "make this call so many times"."""

from __future__ import annotations

import asyncio
import http.client
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
import requests
import trio
import urllib3

from tests.support import PATIENCE

__all__ = ["CALLS", "REQUESTS", "Call", "Failures", "Request", "nothing_in_between"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as every client here can make it."""

    method: str
    body: bytes | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What its body needs."""
        return {} if self.body is None else {"Content-Type": "application/json"}


Failures = Counter[type[BaseException] | None]
"""How often each exception was raised; None for a call that returned."""

REQUESTS: Final = [
    pytest.param(Request("GET"), id="get"),
    pytest.param(Request("POST", b'{"name": "Ada"}'), id="post-small-json"),
    pytest.param(Request("POST", bytes(2_000_000)), id="post-2MB"),
]
"""Requests in one piece, in two, and in more than the socket buffers hold."""


@dataclass(frozen=True, slots=True)
class Call:
    """A client.

    Attributes:
        name: Its id in tests.
        run: Makes a request to a URL so many times, one after the other.
        reset: What it raises when a connection is reset after the whole request.
    """

    name: str
    run: Callable[[str, Request, int], Failures]
    reset: type[BaseException]


@contextmanager
def nothing_in_between(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy of the machine's stands between a client and a server here."""
    with monkeypatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1,::1,localhost")
        yield


def _count(call: Callable[[], object], times: int) -> Failures:
    failures: Failures = Counter()
    for _ in range(times):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - which one it is, is the question
            failures[type(error)] += 1
        else:
            failures[None] += 1
    return failures


async def _count_async(call: Callable[[], Awaitable[object]], times: int) -> Failures:
    failures: Failures = Counter()
    for _ in range(times):
        try:
            await call()
        except Exception as error:  # noqa: BLE001 - as above
            failures[type(error)] += 1
        else:
            failures[None] += 1
    return failures


def _httpx(url: str, request: Request, times: int) -> Failures:
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        return _count(
            lambda: client.request(
                request.method, url, content=request.body, headers=request.headers
            ),
            times,
        )


async def _httpx_async(url: str, request: Request, times: int) -> Failures:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        return await _count_async(
            lambda: client.request(
                request.method, url, content=request.body, headers=request.headers
            ),
            times,
        )


def _requests(url: str, request: Request, times: int) -> Failures:
    with requests.Session() as session:
        session.trust_env = False
        return _count(
            lambda: session.request(
                request.method,
                url,
                data=request.body,
                headers=request.headers,
                timeout=PATIENCE,
            ),
            times,
        )


def _urllib3(url: str, request: Request, times: int) -> Failures:
    with urllib3.PoolManager(retries=False, timeout=PATIENCE) as pool:
        return _count(
            lambda: pool.request(
                request.method, url, body=request.body, headers=request.headers
            ),
            times,
        )


def _http_client(url: str, request: Request, times: int) -> Failures:
    parts = urlsplit(url)

    def call() -> None:
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=PATIENCE
        )
        try:
            connection.request(request.method, "/", request.body, request.headers)
            connection.getresponse().read()
        finally:
            connection.close()

    return _count(call, times)


async def _aiohttp(url: str, request: Request, times: int) -> Failures:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def call() -> None:
            async with session.request(
                request.method, url, data=request.body, headers=request.headers
            ) as response:
                await response.read()

        return await _count_async(call, times)


CALLS: Final = (
    Call("httpx", _httpx, httpx.ReadError),
    Call("httpx-asyncio", lambda *args: asyncio.run(_httpx_async(*args)), httpx.ReadError),
    Call("httpx-trio", lambda *args: trio.run(_httpx_async, *args), httpx.ReadError),
    Call("requests", _requests, requests.ConnectionError),
    Call("urllib3", _urllib3, urllib3.exceptions.ProtocolError),
    Call("aiohttp", lambda *args: asyncio.run(_aiohttp(*args)), aiohttp.ClientOSError),
    Call("http.client", _http_client, ConnectionResetError),
)
"""Every client, sync and async."""
