"""Servers to measure, each in a process of its own.

``python -m benchmarks.subjects NAME`` prints its port, and then answers each line that it
reads: ``cpu`` with the seconds of processor time that it has used, ``memory`` with the bytes
that it has in memory, ``connections`` with how many it has seen.  It ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_httpserver import HTTPServer

import wirecut

__all__ = ["SUBJECTS", "Subject", "raise_descriptor_limit"]

Count = Callable[[], int]


class Subject:
    """A server in another process; a context manager that ends it."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._answer())

    @classmethod
    def named(cls, name: str) -> Self:
        """One of ``SUBJECTS``."""
        return cls(sys.executable, "-m", "benchmarks.subjects", name)

    def ask(self, question: str) -> float:
        """The answer to ``cpu``, ``memory`` or ``connections``."""
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended early")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


def raise_descriptor_limit() -> int:
    """Let this process, and those that it starts, have all descriptors that they may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def _wirecut_http(*, keep_alive: bool) -> Iterator[tuple[int, Count]]:
    with wirecut.serve_tcp(wirecut.HttpReply(b"ok", keep_alive=keep_alive)) as server:
        yield server.port, lambda: len(server.connections)


@contextlib.contextmanager
def _pytest_httpserver() -> Iterator[tuple[int, Count]]:
    with HTTPServer() as server:
        server.expect_request("/").respond_with_data("ok")
        yield server.port, lambda: 0


@contextlib.contextmanager
def _aiohttp() -> Iterator[tuple[int, Count]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def start() -> TestServer:
        app = web.Application()
        app.router.add_get("/", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        return server

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    yield server.port or 0, lambda: 0
    asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextlib.contextmanager
def _wirecut_reset() -> Iterator[tuple[int, Count]]:
    with wirecut.serve_tcp(faults="reset/accept") as server:
        yield server.port, lambda: len(server.connections)


@contextlib.contextmanager
def _thread_reset() -> Iterator[tuple[int, Count]]:
    """A thread per connection, as the servers in many tests are written."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    linger = struct.pack("ii", 1, 0)

    def reset(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        sock.close()

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=reset, args=(sock,)).start()

    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()[1], lambda: 0
    listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
    thread.join()
    listener.close()


@contextlib.contextmanager
def _wirecut_stall(fault: str) -> Iterator[tuple[int, Count]]:
    with wirecut.serve_tcp(wirecut.HttpReply(b"ok"), faults=fault) as server:
        yield server.port, lambda: sum(bool(one.struck) for one in server.connections)


SUBJECTS: Final[
    dict[str, Callable[[], contextlib.AbstractContextManager[tuple[int, Count]]]]
] = {
    "wirecut-http": lambda: _wirecut_http(keep_alive=True),
    "wirecut-http-close": lambda: _wirecut_http(keep_alive=False),
    "pytest-httpserver": _pytest_httpserver,
    "aiohttp": _aiohttp,
    "wirecut-reset": _wirecut_reset,
    "thread-reset": _thread_reset,
    "wirecut-stall-accept": lambda: _wirecut_stall("stall/accept"),
    "wirecut-stall-request": lambda: _wirecut_stall("stall/request.end"),
}


def _memory_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - one line of the kernel's
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request, else
    with SUBJECTS[sys.argv[1]]() as (port, connections):
        answers: dict[str, Callable[[], float]] = {
            "cpu": _cpu_seconds,
            "memory": _memory_bytes,
            "connections": connections,
        }
        print(port, flush=True)
        for line in sys.stdin:
            print(answers[line.strip()](), flush=True)


if __name__ == "__main__":
    _main()
