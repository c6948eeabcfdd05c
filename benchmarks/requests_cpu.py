"""Processor time of the server per request of a client that keeps its connection if it may."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Final

from benchmarks.effort import Effort
from benchmarks.measuring import Row, Table, alternate, quantity, times_less
from benchmarks.subjects import Subject

__all__ = ["cpu_per_request"]

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
_PATIENCE_SECONDS: Final = 10.0
_TARGET: Final = 5.0

_NOTE: Final = (
    "pytest-httpserver answers each request with `Connection: close`, so its client has to "
    "connect anew, which is part of its time; wirecut and aiohttp keep the connection."
)

_KEPT: Final = "wirecut-http"
_CLOSED: Final = "wirecut-http-close"
_PEER: Final = "pytest-httpserver"
_AIOHTTP: Final = "aiohttp"


def cpu_per_request(effort: Effort) -> tuple[Table, ...]:
    """Ask the servers by turns."""

    def turn(subject: Subject) -> Callable[[], float]:
        def run() -> float:
            before = subject.ask("cpu")
            _ask(subject.port, effort.requests)
            return (subject.ask("cpu") - before) / effort.requests

        return run

    with contextlib.ExitStack() as stack:
        turns = {
            name: turn(stack.enter_context(Subject.named(name)))
            for name in (_KEPT, _CLOSED, _PEER, _AIOHTTP)
        }
        results = alternate(turns, effort.rounds)

    def row(against: str, ours: str, theirs: str, target: float | None = None) -> Row:
        ratio = times_less(results[ours], results[theirs])
        return Row(
            against=against,
            ours=quantity(min(results[ours]) * 1e6, "us"),
            theirs=quantity(min(results[theirs]) * 1e6, "us"),
            ratio=ratio,
            target="" if target is None else f"at least {target:g} times less",
            met=None if target is None else ratio.best >= target,
        )

    table = Table(
        "Processor time of the server per keep-alive request",
        (
            row("pytest-httpserver", _KEPT, _PEER, _TARGET),
            row("pytest-httpserver, wirecut closing after each reply too", _CLOSED, _PEER),
            row("aiohttp (its parser is compiled)", _KEPT, _AIOHTTP),
        ),
        (_NOTE,),
    )
    return (table,)


def _ask(port: int, count: int) -> None:
    """Make so many requests, on as few connections as the server lets us."""
    while count:
        with socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kept = True
            while kept and count:
                sock.sendall(_REQUEST)
                kept = _read_reply(sock)
                count -= 1


def _read_reply(sock: socket.socket) -> bool:
    """Whether another request may follow on this connection."""
    data = b""
    while not data.endswith(b"\r\n\r\nok"):
        piece = sock.recv(65536)
        assert piece, f"the server ended in the middle of its reply: {data!r}"
        data += piece
    assert data.startswith((b"HTTP/1.0 200 ", b"HTTP/1.1 200 ")), data
    return b"\r\nConnection: close" not in data
