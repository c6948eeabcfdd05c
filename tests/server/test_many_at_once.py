"""Many clients, many servers, and threads that are switched as often as can be."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.server.talking import connect, numbered
from tests.support import PATIENCE, patient
from tests.tier import Tier
from wirecut import End, TcpServer, observe, serve_tcp

_THREADS = 50
_LONG_SECONDS = 6 * PATIENCE


def _in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run ``work(number)`` on so many threads at once; the first error is raised."""
    errors: list[BaseException] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            together.wait(_LONG_SECONDS)
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below, in the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_LONG_SECONDS)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.fixture(params=[False, True], ids=["usual", "switching-often"])
def _switching(request: pytest.FixtureRequest) -> Iterator[None]:
    with _switch_interval(1e-6 if request.param else sys.getswitchinterval()):
        yield


@contextmanager
def _switch_interval(seconds: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switching")
def test_fifty_threads_of_clients_are_each_cut_exactly(tier: Tier) -> None:
    """50 threads, 100 connections each; 5 each on the quick tier."""
    reply = numbered(2048)
    times = tier.count(quick=5, exhaustive=100)
    with serve_tcp(reply, faults=["reset/down:1000"], patience_seconds=_LONG_SECONDS) as server:

        def work(number: int) -> None:
            for _ in range(times):
                with connect(server, b"%d" % number) as client:
                    seen = observe(client, patient())
                    assert (seen.data == reply[:1000], seen.end) == (True, End.RESET)
                    assert any(
                        record.received == b"%d" % number for record in server.connections
                    )

        _in_threads(_THREADS, work)
        assert len(server.connections) == _THREADS * times
        assert {record.sent_count for record in server.connections} == {1000}


@pytest.mark.usefixtures("_switching")
def test_fifty_handlers_at_once_each_talk_to_their_own_client(tier: Tier) -> None:
    """50 threads, 20 conversations each; 2 each on the quick tier."""

    def echo(peer: object) -> None:
        for _ in range(5):
            peer.send(peer.recv_until(b"\n"))  # type: ignore[attr-defined] # a Peer

    times = tier.count(quick=2, exhaustive=20)
    with serve_tcp(echo, patience_seconds=_LONG_SECONDS) as server:

        def work(number: int) -> None:
            for _ in range(times):
                with connect(server) as client, client.makefile("rb") as file:
                    for count in range(5):
                        line = b"%d %d\n" % (number, count)
                        client.sendall(line)
                        assert file.readline() == line
                    assert file.read() == b""

        _in_threads(_THREADS, work)
        assert len(server.connections) == _THREADS * times


@pytest.mark.usefixtures("_switching")
def test_twenty_servers_at_once_do_not_know_of_each_other(tier: Tier) -> None:
    """20 servers, 100 connections to each; 10 on the quick tier."""
    times = tier.count(quick=10, exhaustive=100)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                serve_tcp(b"server %02d" % number, faults=[f"reset/down:{number % 9}"])
            )
            for number in range(20)
        ]

        def work(number: int) -> None:
            for index in range(times):
                with connect(servers[number], b"%d" % number) as client:
                    seen = observe(client, patient())
                    expected = (b"server %02d" % number)[: number % 9]
                    assert (seen.data, seen.end) == (expected, End.RESET)
                assert servers[number].connections[index].received == b"%d" % number

        _in_threads(20, work)
        assert [len(server.connections) for server in servers] == [times] * 20


@pytest.mark.usefixtures("_switching")
def test_servers_are_started_and_closed_by_many_threads(tier: Tier) -> None:
    """20 threads, 50 servers each; 5 each on the quick tier."""
    times = tier.count(quick=5, exhaustive=50)

    def work(number: int) -> None:
        for _ in range(times):
            server: TcpServer
            with (
                serve_tcp(lambda peer: peer.send(b"%d" % number)) as server,
                connect(server) as client,
            ):
                assert observe(client, patient()).data == b"%d" % number

    _in_threads(20, work)
