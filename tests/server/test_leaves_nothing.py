"""After close() nothing of a server is left, whatever happened before."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.talking import connect, descriptors, has_struck, numbered
from tests.support import PATIENCE, patient
from tests.tier import Tier
from wirecut import (
    End,
    Ended,
    HandlerStuck,
    MisuseError,
    Observation,
    Peer,
    TcpServer,
    observe,
    serve_tcp,
)
from wirecut.deadline import now
from wirecut.faults.breaker import Breaker
from wirecut.faults.lane import Lane
from wirecut.server.core import open_cores
from wirecut.server.link import Link
from wirecut.server.loop import lease_held

_PUPPETS = Path(__file__).parent.parent / "puppets"


def _one_life() -> None:
    with serve_tcp(b"reply") as server, connect(server, b"?") as client:
        observe(client, patient())


def test_many_servers_leave_threads_descriptors_and_memory_as_they_were(tier: Tier) -> None:
    """1,000 servers; 200 on the quick tier."""
    for _ in range(20):
        _one_life()
    gc.collect()
    before = threading.active_count(), descriptors(), len(open_cores())
    tracemalloc.start()
    try:
        for _ in range(20):
            _one_life()
        gc.collect()
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(tier.count(quick=200, exhaustive=1000)):
            _one_life()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert (threading.active_count(), descriptors(), len(open_cores())) == before
    # A hundred bytes a server would show: what is left is caches of the interpreter.
    assert grown < 20_000


def _waits_in_recv(peer: Peer) -> None:
    while peer.recv():
        pass


def _waits_in_recv_until(peer: Peer) -> None:
    peer.recv_until(b"never")


def _waits_in_send(peer: Peer) -> None:
    data = numbered(1 << 20)
    while True:
        peer.send(data)


@pytest.mark.parametrize("handler", [_waits_in_recv, _waits_in_recv_until, _waits_in_send])
def test_a_handler_that_waits_in_one_of_our_calls_ends_with_its_server(
    handler: Callable[[Peer], None],
) -> None:
    before = threading.active_count(), descriptors()
    with serve_tcp(handler) as server, connect(server, b"?"):
        server.wait_for(lambda s: s.connections[0].received_count)
        server.close()
        assert server.connections[0].ended is Ended.STOPPED
    assert (threading.active_count(), descriptors()) == before


def test_a_handler_stuck_outside_our_calls_is_named_and_its_sockets_are_gone() -> None:
    release = threading.Event()
    entered = threading.Event()

    def handler(peer: Peer) -> None:
        del peer
        entered.set()
        release.wait(PATIENCE)

    server = serve_tcp(handler, patience_seconds=0.05)
    with connect(server) as client:
        assert entered.wait(PATIENCE)
        before = now()
        with pytest.raises(HandlerStuck) as caught:
            server.close()
        assert now() - before >= 0.05
        assert "wirecut-worker-" in str(caught.value)
        assert "release.wait(PATIENCE)" in str(caught.value)
        assert observe(client, patient()).data == b""
        stuck = [one for one in threading.enumerate() if repr(one.name) in str(caught.value)]
        assert [one.daemon for one in stuck] == [True]
        server.close()
    release.set()
    for thread in stuck:
        if not lease_held():  # else it waits for another handler
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_worker_is_used_again_after_one_was_stuck() -> None:
    release = threading.Event()
    server = serve_tcp(lambda _: release.wait(PATIENCE), patience_seconds=0.01)
    with connect(server):
        server.wait_for(lambda s: len(s.connections) == 1)
        with pytest.raises(HandlerStuck) as caught:
            server.close()
    # By its name: a session's lease may keep idle workers, which would not end.
    stuck = [one for one in threading.enumerate() if repr(one.name) in str(caught.value)]
    assert len(stuck) == 1
    with serve_tcp(lambda peer: peer.send(b"well")) as other, connect(other) as client:
        assert observe(client, patient()).data == b"well"
    release.set()
    if not lease_held():
        stuck[0].join(PATIENCE)


def test_a_client_that_never_reads_does_not_hold_up_close() -> None:
    server = serve_tcp(numbered(16 << 20))
    with connect(server, b"?", receive_buffer_bytes=4096) as client:
        server.wait_for(lambda s: s.connections[0].sent_count)
        server.close()
        assert len(observe(client, patient()).data) < 16 << 20
        assert server.connections[0].ended is Ended.STOPPED


@pytest.mark.parametrize(
    "fault", ["stall/up:1", "delay:1000/down:0", "throttle:1/down:0", "dribble/down:0"]
)
def test_a_fault_at_work_does_not_hold_up_close(fault: str) -> None:
    with serve_tcp(numbered(1000), faults=[fault]) as server, connect(server, b"?"):
        server.wait_for(has_struck())
        server.close()


def test_a_failing_test_gets_the_findings_as_notes_and_leaves_nothing() -> None:
    before = threading.active_count(), descriptors()
    with (  # noqa: PT012 - the test is what fails
        pytest.raises(ZeroDivisionError) as caught,
        serve_tcp(b"reply", faults=["reset/up:100"]) as server,
    ):
        with connect(server, b"?") as client:
            observe(client, patient())
        raise ZeroDivisionError
    assert any("reset/up:100 never struck" in note for note in caught.value.__notes__)
    assert (threading.active_count(), descriptors()) == before


def test_close_may_be_called_twice_and_by_many_threads_at_once(tier: Tier) -> None:
    """200 servers, 8 threads each; 20 on the quick tier."""
    for _ in range(tier.count(quick=20, exhaustive=200)):
        server = serve_tcp(b"reply")
        together = threading.Barrier(8)

        def close(server: TcpServer = server, together: threading.Barrier = together) -> None:
            together.wait(PATIENCE)
            server.close()

        threads = [threading.Thread(target=close) for _ in range(8)]
        with connect(server, b"?"):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
                assert not thread.is_alive()
        server.close()
        assert server.closed


def test_a_handler_may_close_its_own_server() -> None:
    before = descriptors()
    closed = threading.Event()
    servers: list[TcpServer] = []

    def handler(peer: Peer) -> None:
        peer.recv()
        servers[0].close()
        closed.set()

    server = serve_tcp(handler)
    servers.append(server)
    with connect(server, b"?"):
        assert closed.wait(PATIENCE)
    server.close()
    for thread in threading.enumerate():
        # The handler's own thread could not wait for itself; a session's lease keeps all.
        if thread.name.startswith(("wirecut-worker", "wirecut-loop")) and not lease_held():
            thread.join(PATIENCE)
    assert descriptors() == before


@pytest.mark.parametrize(
    "use",
    [
        lambda server: server.start(),
        lambda server: server.stop(),
        lambda server: server.refusing().__enter__(),
        lambda server: server.strike("reset"),
        lambda server: server.add("reset/up:1"),
    ],
)
def test_a_closed_server_says_so(use: Callable[[TcpServer], object]) -> None:
    server = serve_tcp()
    server.close()
    with pytest.raises(MisuseError, match=r"was closed: make a new server"):
        use(server)


def test_a_wait_ends_when_the_server_is_closed() -> None:
    server = serve_tcp()
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            server.wait_for_connections(1, timeout_seconds=PATIENCE)
        except MisuseError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    server.close()
    thread.join(PATIENCE)
    assert [str(error).endswith("was closed while it was waited for") for error in errors] == [
        True
    ]


def _puppet(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, _PUPPETS / name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupted_test_ends_at_once_and_says_nothing_else() -> None:
    with _puppet("interrupted.py") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(2)
        out, err = process.communicate(timeout=PATIENCE)
    assert out.splitlines() == ["interrupted", "threads 1, sockets 0"]
    assert err == ""
    assert process.returncode == 0


def test_a_handler_that_sleeps_for_ever_delays_no_exit() -> None:
    with _puppet("sleeping_handler.py") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert out.splitlines() == ["HandlerStuck", "sockets 0"]
    assert err == ""
    assert process.returncode == 0


def test_descriptors_that_run_out_are_named_and_served_later() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = serve_tcp(b"reply")
    with connect(server) as client:
        server.wait_for_connections(1)
        used = max(int(one.name) for one in Path("/proc/self/fd").iterdir())
        second = None
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, hard))
            # The limit counts numbers: the lowest free ones are taken by the client.
            second = connect(server, b"?")
            try:
                second.__enter__()
            except OSError:
                second = None
            if second is not None:
                server.wait_for(lambda s: s.findings() or len(s.connections) == 2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            if second is not None:
                second.__exit__(None, None, None)
        client.sendall(b"?")
        assert observe(client, patient()).data == b"reply"
    found = server.shut_down()
    assert all("descriptors" in str(finding) for finding in found)


def test_a_struck_connection_leaves_no_garbage_behind() -> None:
    """Its parts refer to each other; what they leave must not wait for the collector."""
    with serve_tcp(faults=["reset/request.end", "delay:0/up:3/optional"]) as server:
        for _ in range(3):
            reset_by(server)
        assert len(server.connections) == 3
        gc.collect()
        for _ in range(20):
            reset_by(server)
        assert len(server.connections) == 23
        left = [one for one in gc.get_objects() if isinstance(one, Breaker | Lane | Link)]
        # The loop may still have the last event of one of them in its hands.
        assert len({id(one) for one in left}) <= 1


def reset_by(server: TcpServer) -> None:
    with connect(server, b"GET / HTTP/1.1\r\nHost: t\r\n\r\n") as client:
        assert observe(client, patient()) == Observation(b"", End.RESET)
