"""What tests of sockets share: real connections, and patience that costs nothing."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from wirecut.deadline import Deadline
from wirecut.wire import available

__all__ = [
    "FAMILIES",
    "PATIENCE",
    "connected_pair",
    "outcome_of_connect",
    "patient",
    "running",
]

PATIENCE = 10.0
"""Seconds that a test waits before it fails; reached only then."""

FAMILIES = [
    pytest.param(socket.AF_INET, id="ipv4"),
    pytest.param(
        socket.AF_INET6,
        id="ipv6",
        marks=pytest.mark.skipif(not available("ipv6 loopback"), reason="no ::1 here"),
    ),
    pytest.param(
        getattr(socket, "AF_UNIX", None),
        id="unix",
        marks=pytest.mark.skipif(not available("unix sockets"), reason="no AF_UNIX here"),
    ),
]
"""Every kind of stream socket, for ``parametrize``; the first two are the TCP ones."""


def patient() -> Deadline:
    """A deadline that is reached only when the test is about to fail."""
    return Deadline.after(PATIENCE)


def outcome_of_connect(address: tuple[str, int], timeout: float | None = PATIENCE) -> str:
    """The name of what a `connect()` there fails with, "timeout", or "served".

    Or "not connected", if it says that it did not fail, and yet there is no connection: see
    :class:`wirecut.Unreachable`.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(timeout)
        try:
            client.connect(address)
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        try:
            client.getpeername()
        except OSError:
            return "not connected"
        return "served"


@contextmanager
def connected_pair(
    family: socket.AddressFamily = socket.AF_INET, peer_buffer: int | None = None
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of one real connection, (ours, peer), both closed at the end.

    Args:
        family: AF_INET, AF_INET6 or AF_UNIX.
        peer_buffer: The peer's ``SO_RCVBUF``, set before the handshake, so that a few
            kilobytes which nobody reads fill its window.
    """
    with ExitStack() as cleanup:
        if family not in {socket.AF_INET, socket.AF_INET6}:
            ours, peer = socket.socketpair(family)
            cleanup.enter_context(ours)
            cleanup.enter_context(peer)
        else:
            with socket.socket(family) as listener:
                listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
                listener.listen()
                peer = cleanup.enter_context(socket.socket(family))
                if peer_buffer is not None:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer_buffer)
                peer.connect(listener.getsockname())
                ours = cleanup.enter_context(listener.accept()[0])
            for sock in (ours, peer):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield ours, peer


@contextmanager
def running(target: Callable[[threading.Event], object]) -> Iterator[None]:
    """``target(stop)`` in a thread; at the end stop is set and the thread joined.

    ``target`` may run into the other end of a socket being closed: ``OSError`` ends it.
    """
    stop = threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):
            target(stop)

    thread = threading.Thread(target=run, name="test-peer")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
