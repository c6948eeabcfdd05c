"""Waiting for something to happen to a server, on a thread, on asyncio, on trio."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.server.talking import connect
from tests.support import PATIENCE
from tests.tier import Tier
from wirecut import DeadlineExceeded, MisuseError, TcpServer, serve_tcp

_ASYNC = pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda work, *args: asyncio.run(work(*args)), id="asyncio"),
        pytest.param(trio.run, id="trio"),
    ],
)
_Run = Callable[..., object]


def test_a_wait_ends_when_the_condition_comes_true(tier: Tier) -> None:
    """500 times; 50 on the quick tier."""
    with serve_tcp() as server, connect(server) as client:
        for count in range(1, tier.count(quick=50, exhaustive=500)):
            thread = threading.Thread(target=client.sendall, args=(b"x",))
            thread.start()
            server.wait_for(
                lambda s, count=count: s.connections[0].received_count == count,  # type: ignore[misc] # mypy cannot type a lambda's default
                timeout_seconds=PATIENCE,
            )
            thread.join()


def test_a_wait_that_is_true_already_returns_at_once() -> None:
    with serve_tcp() as server:
        server.wait_for(lambda _: True, timeout_seconds=0.0)
        server.wait_for_connections(0, timeout_seconds=0.0)


def test_a_wait_in_vain_ends_at_its_deadline() -> None:
    with serve_tcp(patience_seconds=0.01) as server:
        for seconds in (None, 0.0, 0.01):
            with pytest.raises(DeadlineExceeded, match="did not come true in time"):
                server.wait_for_connections(1, timeout_seconds=seconds)


@_ASYNC
def test_a_coroutine_waits_without_stopping_its_event_loop(run: _Run) -> None:
    async def work(server: TcpServer) -> None:
        await server.wait_for_connections_async(0)
        with socket.create_connection((server.host, server.port)) as client:
            await server.wait_for_connections_async(1, timeout_seconds=PATIENCE)
            client.sendall(b"hello")
            await server.wait_for_async(
                lambda s: s.connections[0].received == b"hello", timeout_seconds=PATIENCE
            )

    with serve_tcp() as server:
        run(work, server)


@_ASYNC
def test_a_coroutine_is_woken_by_what_another_thread_does(run: _Run, tier: Tier) -> None:
    """200 times; 20 on the quick tier."""
    times = tier.count(quick=20, exhaustive=200)

    async def work(server: TcpServer, client: socket.socket) -> None:
        for count in range(1, times + 1):
            thread = threading.Thread(target=client.sendall, args=(b"x",))
            thread.start()
            await server.wait_for_async(
                lambda s, count=count: s.connections[0].received_count == count,  # type: ignore[misc] # mypy cannot type a lambda's default
                timeout_seconds=PATIENCE,
            )
            thread.join()

    with serve_tcp() as server, connect(server) as client:
        run(work, server, client)


@_ASYNC
def test_a_coroutine_gives_up_at_its_deadline(run: _Run) -> None:
    async def work(server: TcpServer) -> None:
        with pytest.raises(DeadlineExceeded):
            await server.wait_for_connections_async(1, timeout_seconds=0.01)

    with serve_tcp() as server:
        run(work, server)


@_ASYNC
def test_a_blocking_wait_in_an_event_loop_names_the_async_form(run: _Run) -> None:
    async def work(server: TcpServer) -> None:
        with pytest.raises(MisuseError, match="await wait_for_async"):
            server.wait_for(lambda _: True)
        with pytest.raises(MisuseError, match="await wait_for_async"):
            server.wait_for_connections(1)

    with serve_tcp() as server:
        run(work, server)


def test_an_async_wait_outside_both_says_so() -> None:
    waits: list[Awaitable[None]] = []
    with serve_tcp() as server:
        waits.append(server.wait_for_async(lambda _: True))
        with pytest.raises(MisuseError, match="runs on asyncio or trio; use wait_for"):
            waits[0].__await__().__next__()


def test_an_exception_of_the_condition_reaches_the_waiter() -> None:
    with serve_tcp() as server, pytest.raises(ZeroDivisionError):
        server.wait_for(lambda _: 1 / 0)
