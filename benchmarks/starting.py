"""Time to start and stop a server that nobody connects to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_httpserver import HTTPServer

import wirecut
from benchmarks.effort import Effort
from benchmarks.measuring import Row, Table, alternate, quantity, times_less

__all__ = ["start_and_stop"]


def start_and_stop(effort: Effort) -> tuple[Table, ...]:
    """Start and stop servers by turns."""

    def warm() -> float:
        with wirecut.serve_tcp():  # as in a session that has another server
            return _each(effort.starts, _wirecut)

    results = alternate(
        {
            "warm": warm,
            "cold": lambda: _each(effort.starts, _wirecut),
            "aiohttp": lambda: asyncio.run(_aiohttp(effort.starts)),
            "pytest-httpserver": lambda: _each(effort.slow_starts, _pytest_httpserver),
        },
        effort.rounds,
    )
    ours = results["warm"]
    rows = [Row("(the loop runs already)", quantity(min(ours) * 1e6, "us"))]
    rows.append(
        Row("(with the loop and its thread)", quantity(min(results["cold"]) * 1e6, "us"))
    )
    rows += [
        Row(
            against=name,
            ours=quantity(min(ours) * 1e6, "us"),
            theirs=quantity(min(results[key]) * 1e6, "us"),
            ratio=times_less(ours, results[key]),
        )
        for key, name in (
            ("aiohttp", "aiohttp's TestServer, on a running event loop"),
            ("pytest-httpserver", "pytest-httpserver"),
        )
    ]
    return (Table("Start and stop of a server", tuple(rows)),)


def _each(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def _wirecut() -> None:
    wirecut.serve_tcp().close()


def _pytest_httpserver() -> None:
    server = HTTPServer()
    server.start()
    server.stop()


async def _aiohttp(count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        server = TestServer(web.Application(), host="127.0.0.1")
        await server.start_server()
        await server.close()
    return (time.perf_counter() - start) / count
