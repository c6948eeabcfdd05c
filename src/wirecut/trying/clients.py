"""HTTP clients that run in this process: one GET each, as their documentation shows it.

Each is called with its defaults, retries included, apart from a timeout; none looks at the
environment's proxies, which would take even 127.0.0.1 elsewhere.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import importlib.util
import platform
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from wirecut.errors import MisuseError

__all__ = ["CLIENTS", "Client", "find_client"]


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    Attributes:
        name: What it is called on the command line; also the module that has to be there.
        get: Takes a URL and a timeout in seconds, and returns the reply's body.
    """

    name: str
    get: Callable[[str, float], bytes]

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported."""
        return importlib.util.find_spec(self.name) is not None

    @property
    def version(self) -> str:
        """Its version; that of Python for the standard library's clients."""
        version = getattr(importlib.import_module(self.name), "__version__", None)
        in_library = self.name in _STANDARD
        return f"Python {platform.python_version()}" if in_library else str(version)


def find_client(name: str) -> Client:
    """The client of that name.

    Raises:
        MisuseError: There is none, or it is not installed.
    """
    client = next((one for one in CLIENTS if one.name == name), None)
    if client is None:
        known = ", ".join(one.name for one in CLIENTS)
        raise MisuseError(f"unknown client {name!r}; one of {known}")
    if not client.is_installed:
        there = ", ".join(one.name for one in CLIENTS if one.is_installed)
        raise MisuseError(
            f"the client {name} is not installed: pip install {name}, or choose one of {there}"
        )
    return client


def _http_client(url: str, timeout_seconds: float) -> bytes:
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=timeout_seconds)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def _urllib(url: str, timeout_seconds: float) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout_seconds) as response:
        body: bytes = response.read()
    return body


def _urllib3(url: str, timeout_seconds: float) -> bytes:
    urllib3 = _module("urllib3")
    with urllib3.PoolManager() as pool:
        body: bytes = pool.request("GET", url, timeout=timeout_seconds).data
    return body


def _requests(url: str, timeout_seconds: float) -> bytes:
    with _module("requests").Session() as session:
        session.trust_env = False
        body: bytes = session.get(url, timeout=timeout_seconds).content
    return body


def _httpx(url: str, timeout_seconds: float) -> bytes:
    with _module("httpx").Client(trust_env=False, timeout=timeout_seconds) as client:
        body: bytes = client.get(url).content
    return body


def _aiohttp(url: str, timeout_seconds: float) -> bytes:
    aiohttp = _module("aiohttp")

    async def get() -> bytes:
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as reply:
            body: bytes = await reply.read()
            return body

    return asyncio.run(get())


def _module(name: str) -> Any:  # noqa: ANN401 - a module that may not be installed
    return importlib.import_module(name)


_STANDARD: Final = ("http.client", "urllib")

CLIENTS: Final = (
    Client("http.client", _http_client),
    Client("urllib", _urllib),
    Client("urllib3", _urllib3),
    Client("requests", _requests),
    Client("httpx", _httpx),
    Client("aiohttp", _aiohttp),
)
"""Every client that can be tried in process, in the order in which they are listed."""
