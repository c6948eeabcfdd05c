"""What tests of the server share: a plain socket as the client, and bytes that tell places."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import PATIENCE
from wirecut import Ended, TcpServer
from wirecut.wire import available

__all__ = ["HOSTS", "connect", "descriptors", "has_ended", "has_struck", "is_open", "numbered"]

HOSTS = [
    pytest.param("127.0.0.1", id="ipv4"),
    pytest.param(
        "::1",
        id="ipv6",
        marks=pytest.mark.skipif(
            not available("ipv6 loopback"), reason="platform: no ::1 here"
        ),
    ),
]
"""Loopback in each family, for ``parametrize``."""


def numbered(size_bytes: int) -> bytes:
    """Bytes of which any prefix differs from any shifted one: 4-byte numbers in a row."""
    return array("I", range(-(-size_bytes // 4))).tobytes()[:size_bytes]


@contextmanager
def connect(
    server: TcpServer, first: bytes = b"", *, receive_buffer_bytes: int | None = None
) -> Iterator[socket.socket]:
    """A client's socket, with ``first`` already sent; waits at most the test's patience.

    Args:
        server: Where to connect.
        first: What to send at once.
        receive_buffer_bytes: ``SO_RCVBUF``, set before the handshake.
    """
    address = server.address
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    if not isinstance(address, str) and ":" in address[0]:
        family = socket.AF_INET6
    with socket.socket(family) as sock:
        sock.settimeout(PATIENCE)
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.connect(address)
        if first:
            sock.sendall(first)
        yield sock


def descriptors() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def has_struck(index: int = 0) -> Callable[[TcpServer], bool]:
    """Whether a fault has struck connection ``index``, for ``wait_for``."""
    return lambda s: len(s.connections) > index and bool(s.connections[index].struck)


def has_ended(index: int = 0) -> Callable[[TcpServer], bool]:
    """Whether connection ``index`` has ended, for ``wait_for``."""
    return lambda s: len(s.connections) > index and s.connections[index].ended is not Ended.OPEN


def is_open(index: int = 0) -> Callable[[TcpServer], bool]:
    """Whether connection ``index`` was accepted and is open, for ``wait_for``."""
    return lambda s: len(s.connections) > index and s.connections[index].ended is Ended.OPEN
