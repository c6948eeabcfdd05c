"""Faults placed at run time: strike now, add, stop, start."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.server.talking import connect, has_ended, has_struck, numbered
from tests.support import PATIENCE, patient
from wirecut import End, Ended, HttpReply, MisuseError, TcpServer, observe, serve_tcp
from wirecut.wire import receive_exactly

_EFFECTS = pytest.mark.parametrize(
    ("effect", "end", "ended"),
    [
        ("reset", End.RESET, Ended.RESET_BY_SERVER),
        ("close", End.EOF, Ended.CLOSED_BY_SERVER),
    ],
)


@_EFFECTS
@pytest.mark.parametrize("state", ["idle", "stalled", "throttled", "delayed"])
def test_a_strike_ends_a_connection_whatever_it_does(
    state: str, effect: str, end: End, ended: Ended
) -> None:
    faults = {
        "idle": [],
        "stalled": ["stall/up:1"],
        "throttled": ["throttle:1/down:0"],
        "delayed": ["delay:1000/down:0"],
    }[state]
    reply = None if state == "idle" else numbered(1000)
    with serve_tcp(reply, faults=faults) as server, connect(server, b"?") as client:
        assert server.connections[0].received == b"?"
        if faults:
            server.wait_for(has_struck())
        server.strike(effect, on=server.connections[0])
        seen = observe(client, patient())
        assert seen.end is end
        assert seen.data == (reply or b"")[: len(seen.data)]
        assert len(seen.data) < 1000
        assert server.connections[0].ended is ended
        assert server.connections[0].struck[-1].fault.word == effect


def test_a_strike_without_a_connection_named_takes_the_only_one() -> None:
    with serve_tcp() as server:
        with pytest.raises(MisuseError, match="0 connections are open"):
            server.strike("reset")
        with connect(server) as client:
            server.strike("reset")
            assert observe(client, patient()).end is End.RESET
        with connect(server), connect(server):
            with pytest.raises(MisuseError, match="2 connections are open"):
                server.strike("reset")
            with pytest.raises(MisuseError, match="connection 0 has ended"):
                server.strike("reset", on=server.connections[0])


def test_a_strike_leaves_other_connections_alone() -> None:
    with (
        serve_tcp(HttpReply(b"on")) as server,
        connect(server) as one,
        connect(server) as other,
    ):
        server.strike("reset", on=server.connections[0])
        assert observe(one, patient()).end is End.RESET
        other.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert receive_exactly(other, 15, patient()) == b"HTTP/1.1 200 OK"


def test_a_stall_can_be_struck_and_ended_by_a_later_strike() -> None:
    with serve_tcp(b"reply") as server, connect(server) as client:
        server.strike("stall")
        client.sendall(b"?")
        assert server.connections[0].received == b""
        server.strike("reset")
        assert observe(client, patient()).end is End.RESET
        assert server.connections[0].unread_bytes == 1


def test_an_added_fault_counts_from_the_first_byte_of_an_open_connection() -> None:
    with serve_tcp(HttpReply(b"0123456789")) as server, connect(server) as client:
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        size = len(HttpReply(b"0123456789").rendered)
        client.sendall(request)
        receive_exactly(client, size, patient())
        server.add(f"reset/down:{size + 5}")
        client.sendall(request)
        seen = observe(client, patient())
        assert (len(seen.data), seen.end) == (5, End.RESET)
        assert server.connections[0].sent_count == size + 5


def test_an_added_fault_whose_moment_has_passed_strikes_at_the_next_chance() -> None:
    with serve_tcp() as server, connect(server, b"12345") as client:
        assert server.connections[0].received == b"12345"
        server.add("reset/up:3")
        assert observe(client, patient()).end is End.RESET


def test_an_added_fault_strikes_the_connections_to_come() -> None:
    with serve_tcp(b"reply") as server:
        with connect(server, b"?") as client:
            assert observe(client, patient()).end is End.EOF
        server.add("reset/down:2")
        with connect(server, b"?") as client:
            seen = observe(client, patient())
            assert (seen.data, seen.end) == (b"re", End.RESET)


def test_a_fault_that_was_added_and_never_struck_is_a_finding() -> None:
    server = serve_tcp()
    with connect(server, b"123"):
        server.add("reset/up:10")
        assert server.connections[0].received == b"123"
    server.wait_for(has_ended())
    (finding,) = server.shut_down()
    assert str(finding) == (
        "reset/up:10 never struck: connection 0 was closed by client after 3 bytes up"
    )


def test_a_stopped_server_closes_and_refuses_and_starts_again() -> None:
    with serve_tcp(b"reply") as server:
        address = server.address
        with connect(server) as client:
            server.wait_for_connections(1)
            server.stop()
            assert observe(client, patient()).end is not End.OPEN
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port))
        server.stop()
        server.start()
        server.start()
        with connect(server, b"?") as client:
            assert observe(client, patient()).data == b"reply"
        assert server.address == address


def test_it_serves_again_after_refusing_even_if_the_block_fails() -> None:
    with serve_tcp(b"reply") as server:
        with pytest.raises(ZeroDivisionError), server.refusing():  # noqa: PT012 - the block is what fails
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((server.host, server.port))
            raise ZeroDivisionError
        with connect(server, b"?") as client:
            assert observe(client, patient()).data == b"reply"


_BAD: list[tuple[Callable[[TcpServer], object], str]] = [
    (
        lambda s: s.strike("refuse/connect"),
        "refuse/connect cannot strike a connection: use server.refusing",
    ),
    (lambda s: s.add("refuse/connect"), "cannot be added to a running server"),
    (lambda s: s.add("blackhole/connect"), "cannot be added to a running server"),
    (lambda s: s.add("rest/up:1"), "did you mean reset"),
    (lambda s: s.strike(1), "got 1"),  # type: ignore[arg-type] # what is tested
    (lambda s: s.add("reset/up:200"), "can never strike: reset/up:100/optional comes first"),
    (lambda s: s.wait_for_connections(-1), "count must be >= 0, got -1"),
    (lambda s: s.wait_for(lambda _: True, timeout_seconds=-1), "must be >= 0 seconds"),
]


@pytest.mark.parametrize(("use", "sentence"), _BAD)
def test_what_cannot_be_right_is_one_sentence(
    use: Callable[[TcpServer], object], sentence: str
) -> None:
    with serve_tcp(faults=["reset/up:100/optional"]) as server:
        with pytest.raises(MisuseError, match=sentence) as caught:
            use(server)
        assert "\n" not in str(caught.value)
        assert [fault.text for fault in server.faults] == ["reset/up:100/optional"]


@pytest.mark.parametrize("effect", ["reset", "close"])
def test_a_strike_from_another_thread_wakes_a_client_that_waits(effect: str) -> None:
    with serve_tcp() as server, connect(server) as client:
        client.settimeout(PATIENCE)
        server.wait_for_connections(1)
        server.strike(effect)
        assert observe(client, patient()).end is not End.OPEN
