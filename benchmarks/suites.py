"""Time per test of real pytest runs, in which each test makes one GET.

All suites have the same test, with the same client; only the fixture differs.  The first and
the last test are left out, since a session's server starts and stops there.

Two floors are subtracted, in a table each: an *empty test* with an empty fixture, which is
pytest's own time; and the *same test* with an empty fixture, its GET going to a server that
runs elsewhere, which is pytest's and the client's own time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.effort import Effort
from benchmarks.measuring import Row, Table, alternate, quantity, times_less
from benchmarks.subjects import Subject

__all__ = ["time_per_test"]

_CLIENT: Final = """
import http.client
import threading
import time

paused_seconds = 0.0


def get(address):
    client = http.client.HTTPConnection(*address)
    client.request("GET", "/")
    response = client.getresponse()
    assert response.status == 200
    assert response.read() == b"ok"
    client.close()


def pause():
    global paused_seconds
    start = time.perf_counter()
    threading.Event().wait(0.02)
    paused_seconds = time.perf_counter() - start
"""

_TEST: Final = """
import pytest
from client import get


@pytest.mark.parametrize("number", range({count}))
def test_one_get(number, address):
    get(address)
"""

_EMPTY_TEST: Final = """
import pytest


@pytest.mark.parametrize("number", range({count}))
def test_nothing(number, address):
    pass
"""

# By then a server of its own thread is done with the request, and waits for the next.
_TEST_THAT_GOES_ON: Final = """
import pytest
from client import get, pause


@pytest.mark.parametrize("number", range({count}))
def test_one_get(number, address):
    get(address)
    pause()
"""

# Every suite has this in its conftest: the time of each test from its setup to the end of
# its teardown, without what pytest does before the first and after the last.
_CLOCK: Final = """
import json
import os
import threading
import time

import client
import pytest

_seconds = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol():
    client.paused_seconds = 0.0
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        _seconds.append(time.perf_counter() - start - client.paused_seconds)


def pytest_sessionfinish():
    with open(os.environ["BENCHMARK_RESULT"], "w") as file:
        json.dump(_seconds, file)

"""

_FLOOR: Final = """
@pytest.fixture
def address():
    return "127.0.0.1", {port}
"""

_WIRECUT: Final = """
from wirecut import HttpReply


@pytest.fixture
def address(wire):
    return wire.tcp(HttpReply(b"ok")).address
"""

_HTTPSERVER_PER_TEST: Final = """
from pytest_httpserver import HTTPServer


@pytest.fixture
def address():
    server = HTTPServer()
    server.expect_request("/").respond_with_data("ok")
    server.start()
    yield server.host, server.port
    server.stop()
"""

_HTTPSERVER: Final = """
@pytest.fixture
def address(httpserver):
    httpserver.expect_request("/").respond_with_data("ok")
    return httpserver.host, httpserver.port
"""

_LOCALSERVER: Final = """
@pytest.fixture
def address(httpserver):
    httpserver.serve_content("ok")
    return httpserver.server_address
"""

# One event loop in one thread for the whole session, and on it a server per test: less work
# than a loop or a thread per test, so the harder of the comparisons.
_AIOHTTP: Final = """
import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer


async def _answer(request):
    return web.Response(text="ok")


@pytest.fixture(scope="session")
def loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _start():
    app = web.Application()
    app.router.add_get("/", _answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    return server


@pytest.fixture
def address(loop):
    server = asyncio.run_coroutine_threadsafe(_start(), loop).result()
    yield server.host, server.port
    asyncio.run_coroutine_threadsafe(server.close(), loop).result()
"""


@dataclass(frozen=True, slots=True)
class _Suite:
    """A suite to generate: its fixture, the plugin that it needs, its test."""

    fixture: str
    plugin: str = ""
    test: str = _TEST
    is_slow: bool = False


_GOES_ON: Final = "goes on: "
_SUITES: Final = {
    "empty test": _Suite(_FLOOR, test=_EMPTY_TEST),
    "same test": _Suite(_FLOOR),
    "wirecut": _Suite(_WIRECUT, "_wirecut_pytest"),
    "pytest-httpserver": _Suite(_HTTPSERVER, "pytest_httpserver.pytest_plugin"),
    "aiohttp": _Suite(_AIOHTTP),
    "started per test": _Suite(_HTTPSERVER_PER_TEST, is_slow=True),
    "pytest-localserver": _Suite(_LOCALSERVER, "pytest_localserver.plugin", is_slow=True),
    _GOES_ON + "wirecut": _Suite(
        _WIRECUT, "_wirecut_pytest", test=_TEST_THAT_GOES_ON, is_slow=True
    ),
    _GOES_ON + "pytest-httpserver": _Suite(
        _HTTPSERVER_PER_TEST, test=_TEST_THAT_GOES_ON, is_slow=True
    ),
}
# What each line calls the peer, our suite and its, and the target.
_PEERS: Final[dict[str, tuple[str, str, float | None]]] = {
    "pytest-httpserver, as shipped (one server per session)": (
        "wirecut",
        "pytest-httpserver",
        1.4,
    ),
    "aiohttp's TestServer in a thread": ("wirecut", "aiohttp", 2.0),
    "pytest-localserver": ("wirecut", "pytest-localserver", None),
    "pytest-httpserver, started per test, stopped at once": (
        "wirecut",
        "started per test",
        100.0,
    ),
    "pytest-httpserver, started per test, stopped 20 ms after the GET": (
        _GOES_ON + "wirecut",
        _GOES_ON + "pytest-httpserver",
        100.0,
    ),
}
_STOPPING: Final = (
    "A server of the standard library's kind looks every 0.5 s whether it shall stop.  A test "
    "that ends at once after its GET stops it before it has begun to wait; any other waits "
    "for up to 0.5 s.  The 20 ms are not part of the time."
)


def time_per_test(effort: Effort) -> tuple[Table, ...]:
    """Measure each suite by turns."""
    with tempfile.TemporaryDirectory() as folder, Subject.named("wirecut-http") as elsewhere:
        turns: dict[str, Callable[[], float]] = {}
        for number, (name, suite) in enumerate(_SUITES.items()):
            home = Path(folder) / f"suite{number}"
            count = effort.slow_tests if suite.is_slow else effort.tests
            _generate(home, suite, count, elsewhere.port)
            turns[name] = _turn(home, suite, count)
        results = alternate(turns, effort.rounds)
    pytest_alone, with_client = min(results["empty test"]), min(results["same test"])
    return (
        _table(
            "Time per test: a fresh server each, one GET; without pytest's own time",
            results,
            pytest_alone,
            f"An empty test with an empty fixture takes {pytest_alone * 1e3:.3g} ms, which is "
            f"subtracted.  The client alone takes {(with_client - pytest_alone) * 1e3:.3g} ms "
            "of what is left.",
        ),
        _table(
            "The same, without pytest's and the client's own time",
            results,
            with_client,
            f"The same test with an empty fixture takes {with_client * 1e3:.3g} ms, which is "
            "subtracted; its GET goes to a server that runs in another process.",
        ),
    )


def _table(title: str, results: dict[str, list[float]], floor: float, note: str) -> Table:
    rows = []
    for name, (ours, theirs, target) in _PEERS.items():
        mine, peers = ([one - floor for one in results[key]] for key in (ours, theirs))
        wanted = "" if target is None else f"at least {target:g} times less"
        if min(*mine, *peers) <= 0:
            rows.append(Row(name, "lost in the noise", target=wanted))
            continue
        ratio = times_less(mine, peers)
        rows.append(
            Row(
                against=name,
                ours=quantity(min(mine) * 1e3, "ms"),
                theirs=quantity(min(peers) * 1e3, "ms"),
                ratio=ratio,
                target=wanted,
                met=None if target is None else ratio.best >= target,
            )
        )
    return Table(title, tuple(rows), (note, _STOPPING))


def _generate(home: Path, suite: _Suite, count: int, port: int) -> None:
    home.mkdir()
    (home / "client.py").write_text(_CLIENT)
    (home / "conftest.py").write_text(_CLOCK + suite.fixture.replace("{port}", str(port)))
    (home / "test_suite.py").write_text(suite.test.format(count=count))
    (home / "pytest.ini").write_text("[pytest]\n")


def _turn(home: Path, suite: _Suite, count: int) -> Callable[[], float]:
    def run() -> float:
        result = home / "seconds.json"
        plugin = ["-p", suite.plugin] if suite.plugin else []
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin]
        environment = {
            **os.environ,
            "BENCHMARK_RESULT": str(result),
            # The other plugins that are installed would be part of every suite.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        ran = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        if ran.returncode != 0:
            raise RuntimeError(f"the suite {home} has failed:\n{ran.stdout}{ran.stderr}")
        seconds: list[float] = json.loads(result.read_text())
        assert len(seconds) == count
        inner = seconds[1:-1]
        return sum(inner) / len(inner)

    return run
