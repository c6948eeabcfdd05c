"""Why the obvious way to reset a client makes flaky tests: controls without wirecut.

What a client sees of these servers is a race, so the two loops assert only that it stays
within what is known, and print how often each was seen (``pytest -s``).  The third control
takes the race out, and shows its mechanism.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.clients.calls import CALLS, REQUESTS, Request, nothing_in_between
from tests.support import patient, running
from tests.tier import Tier
from wirecut import serve_tcp
from wirecut.wire import abort
from wirecut.wire.stream import wait_for_hangup

pytestmark = pytest.mark.clients

_HTTPX = CALLS[0]
_KNOWN = {
    httpx.ReadError,
    httpx.WriteError,
    httpx.ConnectError,
    httpx.RemoteProtocolError,
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with nothing_in_between(monkeypatch):
        yield


def _reset_on_accept(sock: socket.socket) -> None:
    abort(sock)


def _reset_after_first_read(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.recv(65536)
    abort(sock)


@contextmanager
def _naive_server(reset: Callable[[socket.socket], None]) -> Iterator[str]:
    """A thread that accepts and resets, and nothing more; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(stop: threading.Event) -> None:
            while not stop.is_set():
                sock, _ = listener.accept()
                reset(sock)

        with running(serve):
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                # Wakes the thread's accept() on Linux.
                listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("reset", [_reset_on_accept, _reset_after_first_read])
def test_a_naive_reset_is_a_race_between_known_exceptions(
    reset: Callable[[socket.socket], None], request_: Request, tier: Tier
) -> None:
    """300 calls each; 20 on the quick tier."""
    times = tier.count(quick=20, exhaustive=300)

    with _naive_server(reset) as url:
        seen = _HTTPX.run(url, request_, times)

    assert set(seen) <= _KNOWN
    body = len(request_.body or b"")
    named = {error.__name__: count for error, count in seen.items() if error is not None}
    print(f"{reset.__name__[1:]}, {request_.method} with {body} bytes: {named}")  # noqa: T201 - the measurement


def test_a_write_after_the_reset_swallows_it_and_the_read_sees_an_end_of_stream() -> None:
    with (
        serve_tcp(faults=["reset/up:4"]) as server,
        socket.create_connection((server.host, server.port)) as client,
    ):
        client.sendall(b"HEAD")
        assert wait_for_hangup(client, patient())

        with pytest.raises(ConnectionResetError):
            client.send(b"body")
        assert client.recv(1) == b""
