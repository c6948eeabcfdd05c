"""A forked child holds our descriptors: it gives them up, and our objects there say so."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.server.talking import connect
from tests.support import patient
from tests.tier import Tier
from wirecut import End, Ended, HttpReply, MisuseError, observe, serve_tcp

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: no fork here"),
    # From Python 3.12 on: that a process with threads forks is what is tested.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@contextmanager
def _forked(work: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """A forked child that does some work and then lives until the block ends.

    Gives the socket on which the child writes what it has to say.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10.0)
        child = os.fork()
        if not child:
            try:
                work(theirs)
                theirs.sendall(b".")
            except BaseException as error:  # noqa: BLE001 - the parent reads it
                theirs.sendall(repr(error).encode())
            finally:
                signal.pause()
                os._exit(0)
        try:
            yield ours
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _said(sock: socket.socket) -> str:
    """What the child wrote up to its final full stop, or its error."""
    text = b""
    while not text.endswith((b".", b")")):
        text += sock.recv(4096)
    return text.removesuffix(b".").decode()


def test_a_reset_is_sent_while_a_child_lives(tier: Tier) -> None:
    """20 children; 3 on the quick tier."""
    for _ in range(tier.count(quick=3, exhaustive=20)):
        with (
            serve_tcp(HttpReply(b"no"), faults=["reset/pattern:up:end"]) as server,
            connect(server, b"begin ") as client,
        ):
            server.wait_for_connections(1)
            with _forked(lambda _: None) as child:
                assert _said(child) == ""
                client.sendall(b"end")
                assert observe(client, patient()).end is End.RESET
                assert server.connections[0].ended is Ended.RESET_BY_SERVER


def test_the_port_refuses_while_a_child_of_a_closed_server_lives() -> None:
    with serve_tcp(b"reply") as server, _forked(lambda _: None) as child:
        assert _said(child) == ""
        server.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port))


def test_the_parent_goes_on_serving(tier: Tier) -> None:
    """300 exchanges beside a living child; 20 on the quick tier."""
    with serve_tcp(b"reply") as server, _forked(lambda _: None) as child:
        assert _said(child) == ""
        for index in range(tier.count(quick=20, exhaustive=300)):
            with connect(server, b"?") as client:
                assert observe(client, patient()).data == b"reply"
            assert server.connections[index].received == b"?"


def test_a_child_that_uses_its_parents_server_is_told() -> None:
    with serve_tcp(b"reply") as server, connect(server):
        server.wait_for_connections(1)

        def work(say: socket.socket) -> None:
            for use in (
                lambda: server.connections,
                lambda: server.strike("reset"),
                server.start,
                server.findings,
            ):
                with pytest.raises(MisuseError, match="belongs to the parent process"):
                    use()
                say.sendall(b"x")
            server.close()  # nothing is left there to close, and a child may leave in peace

        with _forked(work) as child:
            assert _said(child) == "xxxx"
        assert len(server.connections) == 1


def test_a_child_can_make_a_server_of_its_own() -> None:
    def work(_: socket.socket) -> None:
        with serve_tcp(lambda peer: peer.send(b"child")) as own, connect(own) as client:
            assert observe(client, patient()).data == b"child"
            assert own.connections[0].sent == b"child"

    with serve_tcp(lambda peer: peer.send(b"parent")) as server:
        with connect(server) as client:
            assert observe(client, patient()).data == b"parent"
        with _forked(work) as child:
            assert _said(child) == ""
        with connect(server) as client:
            assert observe(client, patient()).data == b"parent"


def _work_of_the_process(said: multiprocessing.Queue[bytes]) -> None:
    with serve_tcp(b"child") as own, connect(own, b"?") as client:
        said.put(observe(client, patient()).data)


def test_a_forked_multiprocessing_worker_can_serve_too() -> None:
    context = multiprocessing.get_context("fork")
    said: multiprocessing.Queue[bytes] = context.Queue()
    with serve_tcp(b"parent") as server:
        process = context.Process(target=_work_of_the_process, args=(said,))
        process.start()
        assert said.get(timeout=10.0) == b"child"
        process.join(10.0)
        assert process.exitcode == 0
        with connect(server, b"?") as client:
            assert observe(client, patient()).data == b"parent"
    said.close()
    said.join_thread()
