"""Thousands of stalled connections on one server, and one more that is answered."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.talking import connect
from tests.support import patient
from tests.tier import Tier
from wirecut import Ended, HttpReply, TcpServer, observe, serve_tcp
from wirecut.wire import receive_exactly

_MANY_CLIENTS = Path(__file__).parent.parent / "puppets" / "many_clients.py"
_LOAD_SECONDS = 120.0
# Ours, the interpreter's and pytest's own.
_OTHER_DESCRIPTORS = 200
_REQUEST = b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"


@contextmanager
def _room_for(descriptors: int) -> Iterator[None]:
    """The limit on open descriptors raised as far as it goes, if that is enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < descriptors + _OTHER_DESCRIPTORS:
        pytest.skip(
            f"platform: the hard limit on open descriptors is {hard}, and {descriptors} "
            "connections need more (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _clients(server: TcpServer, count: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, _MANY_CLIENTS, server.host, str(server.port), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_one_more_is_answered_while_thousands_stall(tier: Tier) -> None:
    """10,000 connections; 500 on the quick tier.  Prints the memory of each (``-s``)."""
    count = tier.count(quick=500, exhaustive=10_000)
    reply = HttpReply(b"hello")
    with (
        _room_for(count),
        serve_tcp(
            reply, faults=[f"stall/request.end/first:{count}"], patience_seconds=_LOAD_SECONDS
        ) as server,
    ):
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        try:
            with _clients(server, count) as process:
                server.wait_for(lambda s: sum(bool(r.struck) for r in s._core.records) == count)
                gc.collect()
                each = (tracemalloc.get_traced_memory()[0] - before) / count

                with connect(server, _REQUEST) as client:
                    answer = receive_exactly(client, len(reply.rendered), patient())
                    assert answer == reply.rendered

                records = server.connections
                assert len(records) == count + 1
                assert {record.ended for record in records[:count]} == {Ended.OPEN}
                out, _ = process.communicate("", timeout=_LOAD_SECONDS)
                assert out == f"{count} silent\n"
        finally:
            tracemalloc.stop()
        print(f"{count} stalled connections, {each:.0f} bytes each with its record")  # noqa: T201 - the measurement
        # The target for 10,000; what a server needs once counts for more among few.
        assert each <= 1024 + 8_000 / count


def test_the_records_of_many_connections_tell_them_apart() -> None:
    with serve_tcp(b"reply") as server:
        for number in range(100):
            with connect(server, b"%d" % number) as client:
                observe(client, patient())
        assert [record.received for record in server.connections] == [
            b"%d" % number for number in range(100)
        ]
