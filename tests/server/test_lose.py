"""A lost segment, through the real server: lost once, repeated, and nothing missing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.privileged import needs, without_privileges
from tests.server.talking import HOSTS, connect, descriptors, has_ended, has_struck, numbered
from tests.support import patient
from tests.tier import Tier
from wirecut import (
    End,
    Lose,
    MisuseError,
    Observation,
    TcpServer,
    at,
    forever,
    nth,
    observe,
    serve_tcp,
)
from wirecut.deadline import now
from wirecut.wire import abort, receive_exactly
from wirecut.wire.filters import detach_filter, only_port
from wirecut.wire.packets import RawSocket, open_raw

privileged = needs("raw packets", "packet filter", "tcp repair")

LEAST_SECONDS = 0.19  # the kernel's clock has ticks


def families(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def captured(server: TcpServer) -> Iterator[RawSocket]:
    family = families(server.host)
    with open_raw(family, only_port(family, server.port)) as raw:
        yield raw


def payloads(raw: RawSocket) -> list[bytes]:
    """The payloads that came to the server's port, lost or not."""
    found = []
    while (segment := raw.receive()) is not None:
        if segment.payload:
            found.append(segment.payload)
    return found


@privileged
@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_its_segment_is_lost_once_also_if_it_comes_right_after_connect(
    host: str, tier: Tier
) -> None:
    """100 of 100 in the exhaustive tier."""
    for index in range(tier.count(quick=3, exhaustive=100)):
        place = index * 7 % 12
        with (
            serve_tcp(b"reply", host=host, faults=[Lose(at=at.up(place))]) as server,
            captured(server) as raw,
        ):
            begun = now()
            with connect(server, b"hello, world") as client:
                assert observe(client, patient()) == Observation(b"reply", End.EOF)
                assert now() - begun >= LEAST_SECONDS
            assert payloads(raw) == [b"hello, world"] * 2
            record = server.connections[0]
            assert record.received == b"hello, world"
            assert [one.count for one in record.struck] == [place]


@privileged
@pytest.mark.parametrize("host", HOSTS)
def test_control_without_the_fault_nothing_is_repeated(host: str) -> None:
    with serve_tcp(b"reply", host=host) as server, captured(server) as raw:
        with connect(server, b"hello, world") as client:
            assert observe(client, patient()) == Observation(b"reply", End.EOF)
        assert payloads(raw) == [b"hello, world"]


def _has_connections(count: int) -> Callable[[TcpServer], bool]:
    return lambda server: len(server.connections) >= count


@privileged
@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_it_is_prepared_before_the_client_is_let_in(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has to be put right at accept, when bytes may have come already."""

    def put_right(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("wirecut.server.attempts.cut_ahead", put_right)
    with serve_tcp([None, "lose/up:2", None], host=host) as server:
        for index in range(3):
            with connect(server, b"hello"):
                server.wait_for(_has_connections(index + 1))
                if index == 1:
                    server.wait_for(has_struck(1))


@privileged
@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_segments_before_it_arrive_at_once(host: str, tier: Tier) -> None:
    for _ in range(tier.count(quick=2, exhaustive=100)):
        with (
            serve_tcp(host=host, faults=["lose/up:5"]) as server,
            captured(server) as raw,
            connect(server) as client,
        ):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(b"abc")
            server.wait_for(lambda s: s.connections and s.connections[0].received == b"abc")
            begun = now()
            client.sendall(b"defg")
            server.wait_for(has_struck())
            assert now() - begun >= LEAST_SECONDS
            server.wait_for(lambda s: s.connections[0].received == b"abcdefg")
            assert payloads(raw) == [b"abc", b"defg", b"defg"]


@privileged
@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("place", [0, 50_001, 1_900_000])
def test_a_large_upload_is_whole_and_in_order(host: str, place: int) -> None:
    data = numbered(2_000_000)
    with (
        serve_tcp(
            host=host, faults=[Lose(at=at.up(place))], journal_limit_bytes=len(data)
        ) as server,
        connect(server, data) as client,
    ):
        client.shutdown(socket.SHUT_WR)
        server.wait_for(lambda s: s.connections[0].received_count == len(data))
        assert server.connections[0].received == data
        assert server.connections[0].struck[0].count == place


@privileged
@pytest.mark.slow
def test_two_on_one_connection_are_lost_one_after_the_other() -> None:
    with (
        serve_tcp(faults=["lose/up:9", "lose/up:2"]) as server,
        captured(server) as raw,
        connect(server, b"hello, world"),
    ):
        server.wait_for(lambda s: s.connections and len(s.connections[0].struck) == 2)
        server.wait_for(lambda s: s.connections[0].received == b"hello, world")
        assert payloads(raw) == [b"hello, world"] * 3


@privileged
def test_one_of_many_is_struck_and_the_others_are_not_late() -> None:
    with serve_tcp([b"one", "lose/up:1", forever(b"more")]) as server, captured(server) as raw:
        for reply in (b"one", b"", b"more"):
            with connect(server, b"hello") as client:
                if reply:
                    assert receive_exactly(client, len(reply), patient()) == reply
                else:
                    server.wait_for(has_struck(1))
        assert payloads(raw) == [b"hello"] * 4


@privileged
def test_by_its_number_it_is_another_connections_affair() -> None:
    with (
        serve_tcp(b"reply", faults=[Lose(at=at.up(2), on=nth(2))]) as server,
        captured(server) as raw,
    ):
        for _ in range(3):
            with connect(server, b"hello") as client:
                assert observe(client, patient()).data == b"reply"
        assert payloads(raw) == [b"hello"] * 4
        assert [len(one.struck) for one in server.connections] == [0, 1, 0]


@privileged
@pytest.mark.parametrize("number", [1, 2])
def test_who_gives_up_before_being_accepted_takes_no_loss_along(number: int) -> None:
    with (
        serve_tcp(faults=[Lose(at=at.up(2), on=nth(number))]) as server,
        captured(server) as raw,
    ):
        with server._core.loop.lock, socket.socket() as gone:
            gone.setblocking(False)
            gone.connect_ex((server.host, server.port))
        server.wait_for(lambda s: len(s.attempts) == 1)
        with connect(server) as one, connect(server) as two:
            server.wait_for(_has_connections(2))
            one.sendall(b"first")
            two.sendall(b"second")
            server.wait_for(has_struck(number - 1))
            server.wait_for(
                lambda s: [c.received for c in s.connections] == [b"first", b"second"]
            )
        assert sorted(payloads(raw)) == sorted(
            [b"first", b"second", b"first" if number == 1 else b"second"]
        )


@privileged
def test_added_to_an_open_connection_it_counts_from_the_first_byte() -> None:
    with serve_tcp() as server, captured(server) as raw, connect(server, b"abc") as client:
        server.wait_for(lambda s: s.connections and s.connections[0].received == b"abc")
        server.add("lose/up:3")
        client.sendall(b"def")
        server.wait_for(has_struck())
        server.wait_for(lambda s: s.connections[0].received == b"abcdef")
        assert payloads(raw) == [b"abc", b"def", b"def"]


@privileged
def test_struck_by_hand_the_next_segment_is_lost() -> None:
    with serve_tcp() as server, captured(server) as raw, connect(server, b"abc") as client:
        server.wait_for(lambda s: s.connections and s.connections[0].received == b"abc")
        server.strike("lose")
        client.sendall(b"def")
        server.wait_for(lambda s: s.connections[0].received == b"abcdef")
        assert payloads(raw) == [b"abc", b"def", b"def"]


@privileged
def test_a_segment_that_never_comes_is_said_and_the_end_gets_through() -> None:
    server = serve_tcp(b"reply", faults=["lose/up:9"])
    with connect(server, b"hello") as client:
        assert observe(client, patient()) == Observation(b"reply", End.EOF)
    server.wait_for(has_ended())
    (finding,) = server.shut_down()
    assert "lose/up:9" in str(finding)


@privileged
def test_a_client_that_resets_meanwhile_is_no_error() -> None:
    before = descriptors()
    with serve_tcp(faults=["lose/up:9/optional"]) as server:
        for _ in range(5):
            with connect(server, b"hello") as client:
                abort(client)
        server.wait_for(lambda s: len(s.connections) == 5 and all(map(_is_over, s.connections)))
    assert descriptors() == before


def _is_over(connection: object) -> bool:
    return getattr(connection, "ended_seconds", None) is not None


@privileged
def test_nothing_is_left_open_and_the_filter_is_gone() -> None:
    before = descriptors()
    with serve_tcp(faults=["lose/up:0"]) as server, connect(server, b"hello"):
        server.wait_for(has_struck())
        (link,) = server._core.links.values()
        assert link.sock is not None
        assert not detach_filter(link.sock)
        assert link.interpreter is not None
        assert link.interpreter.losing is not None
        assert link.interpreter.losing.descriptors == ()
    with serve_tcp(faults=["lose/up:9/optional"]) as server, connect(server, b"hello"):
        server.wait_for(lambda s: s.connections and s.connections[0].received == b"hello")
    assert descriptors() == before


@privileged
def test_a_partition_by_hand_on_a_connection_that_lies_in_wait_is_a_sentence() -> None:
    server = serve_tcp(faults=["lose/up:9/optional"])
    with connect(server, b"hello"):
        server.wait_for(lambda s: s.connections and s.connections[0].received == b"hello")
        server.strike("partition")
        server.wait_for(has_ended())
    (finding,) = server.shut_down()
    assert isinstance(finding, MisuseError)
    assert "lose and partition both need the connection's packet filter" in str(finding)


@pytest.mark.slow
def test_without_the_privilege_it_fails_at_construction_with_its_sentence() -> None:
    code = """if True:
        import wirecut
        try:
            wirecut.serve_tcp(faults=["lose/up:3"])
        except wirecut.CapabilityMissing as error:
            print(error)
        with wirecut.serve_tcp(b"reply") as server:
            print(server.port > 0)
    """
    done = without_privileges(code)
    assert done.returncode == 0, done.stderr
    first_line, last_line = done.stdout.splitlines()
    assert "lose/up:3" in first_line or "packet" in first_line
    assert "wirecut lab" in first_line
    assert last_line == "True"
