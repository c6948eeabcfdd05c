"""Resets that neither end has sent, and deaths without a word, through the real server."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.privileged import needs
from tests.server.talking import HOSTS, connect, has_ended, has_struck, numbered
from tests.support import patient
from tests.tier import Tier
from wirecut import (
    ConnectionStruck,
    Deadline,
    End,
    Ended,
    ForgedReset,
    MisuseError,
    Observation,
    Peer,
    PeerReset,
    Vanish,
    at,
    dial,
    observe,
    serve_tcp,
)
from wirecut.wire import TcpState, abort, tcp_state, wait_until_readable
from wirecut.wire.packets import RawSocket, open_raw
from wirecut.wire.partition import Partition
from wirecut.wire.tearing import tear

pytestmark = needs("raw packets", "packet filter", "tcp repair")

PAYLOAD = numbered(300)


@pytest.mark.parametrize("ends_told", ["both", "client"])
@pytest.mark.parametrize("host", HOSTS)
def test_the_client_reads_exactly_so_many_bytes_and_then_a_reset(
    host: str, ends_told: str, tier: Tier
) -> None:
    """300 of 300 in the exhaustive tier.

    That a number which is off by one kills nobody is held in tests/wire/test_tearing.py.
    """
    for count in tier.points(range(300), quick=12):
        fault = ForgedReset(ends_told, at=at.down(count))
        with (
            serve_tcp(PAYLOAD, host=host, faults=[fault]) as server,
            connect(server, b"?") as client,
        ):
            assert observe(client, patient()) == Observation(PAYLOAD[:count], End.RESET)
            connection = server.connections[0]
            assert connection.sent == PAYLOAD[:count]
            assert [one.fault for one in connection.struck] == [fault]
            told = ends_told == "both"
            assert connection.ended is (Ended.RESET_BY_THIRD_PARTY if told else Ended.OPEN)


@pytest.mark.parametrize("host", HOSTS)
def test_it_strikes_after_exactly_so_many_bytes_of_the_client(host: str, tier: Tier) -> None:
    """300 of 300 in the exhaustive tier; how often the client's bytes come is its affair."""
    for count in tier.points(range(1, 301), quick=12):
        with (
            serve_tcp(host=host, faults=[ForgedReset(at=at.up(count))]) as server,
            connect(server, PAYLOAD) as client,
        ):
            assert observe(client, patient()) == Observation(b"", End.RESET)
            assert server.connections[0].received == PAYLOAD[:count]
            assert server.connections[0].ended is Ended.RESET_BY_THIRD_PARTY


@pytest.mark.parametrize("host", HOSTS)
def test_our_own_kernel_has_got_a_reset_too(
    host: str, monkeypatch: pytest.MonkeyPatch, tier: Tier
) -> None:
    """300 of 300 in the exhaustive tier."""
    states: list[tuple[TcpState, Observation]] = []

    def tear_and_look(sock: socket.socket, raw: RawSocket, *, both: bool) -> None:
        tear(sock, raw, both=both)
        states.append((tcp_state(sock), observe(sock, patient())))

    monkeypatch.setattr("wirecut.server.severing.tear", tear_and_look)
    count = tier.count(quick=12, exhaustive=300)
    with serve_tcp(PAYLOAD, host=host, faults=["forged_reset/down:7"]) as server:
        for _ in range(count):
            with connect(server, b"?") as client:
                assert observe(client, patient()) == Observation(PAYLOAD[:7], End.RESET)
    assert states == [(TcpState.CLOSE, Observation(b"", End.RESET))] * count


@pytest.mark.parametrize("host", HOSTS)
def test_a_handler_is_told_as_if_the_peer_had_reset(host: str, tier: Tier) -> None:
    met: list[str] = []

    def handler(peer: Peer) -> None:
        peer.recv()  # a reset right after the handshake would race the client's connect()
        peer.send(PAYLOAD)
        try:
            peer.recv()
        except PeerReset as reset:
            met.append(str(reset))
            raise

    count = tier.count(quick=12, exhaustive=300)
    with serve_tcp(handler, host=host, faults=["forged_reset/down:9"]) as server:
        for index in range(count):
            with connect(server, b"?") as client:
                assert observe(client, patient()) == Observation(PAYLOAD[:9], End.RESET)
            server.wait_for(has_ended(index))
    assert met == ["a third party has reset the connection"] * count


def test_a_server_in_the_dark_believes_in_the_connection_until_it_is_stopped() -> None:
    with serve_tcp(PAYLOAD, faults=["forged_reset:client/down:9"]) as server:
        with connect(server, b"?") as client:
            assert observe(client, patient()).end is End.RESET
        assert server.connections[0].ended is Ended.OPEN
        server.stop()
        stopped = server.connections[0]
        assert stopped.ended is Ended.STOPPED


@pytest.mark.parametrize("effect", ["forged_reset", "forged_reset:client", "vanish"])
def test_it_can_strike_now(effect: str) -> None:
    with serve_tcp(greeting=PAYLOAD) as server, connect(server) as client:
        server.wait_for(lambda s: s.connections and s.connections[0].sent_count == 300)
        server.strike(effect)
        seen = observe(client, Deadline.after(0.02) if effect == "vanish" else patient())
        assert seen == Observation(PAYLOAD, End.OPEN if effect == "vanish" else End.RESET)
        assert len(server.connections[0].struck) == 1


@pytest.mark.parametrize("effect", ["forged_reset/down:3", "partition/down:3"])
def test_a_client_that_resets_in_the_same_moment_is_no_error(
    effect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the connection has no numbers any more."""

    def too_late(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            abort(client)
            return real(*args, **options)

        return call

    monkeypatch.setattr("wirecut.server.severing.open_raw", too_late(open_raw))
    monkeypatch.setattr(Partition, "__init__", too_late(Partition.__init__))
    with serve_tcp(PAYLOAD, faults=[effect]) as server, connect(server) as client:
        client.sendall(b"?")
        server.wait_for(has_ended())
        assert server.connections[0].ended is Ended.RESET_BY_CLIENT
        assert not server.findings()


@pytest.mark.parametrize("host", HOSTS)
def test_who_vanishes_sends_nothing_and_answers_by_reset_later(host: str, tier: Tier) -> None:
    met: list[str] = []

    def handler(peer: Peer) -> None:
        peer.send(PAYLOAD)
        try:
            peer.recv()
        except ConnectionStruck as struck:
            met.append(str(struck))
            raise

    counts = tier.points(range(300), quick=6)
    for count in counts:
        fault = Vanish(at=at.down(count))
        with serve_tcp(handler, host=host, faults=[fault]) as server, connect(server) as client:
            server.wait_for(has_struck())
            server.wait_for(has_ended())
            assert server.connections[0].ended is Ended.VANISHED
            # The end never comes, so the deadline has to.
            assert observe(client, Deadline.after(0.005)) == Observation(
                PAYLOAD[:count], End.OPEN
            )
            assert tcp_state(client) is TcpState.ESTABLISHED
            client.sendall(b"anybody?")
            wait_until_readable(client, patient())
            assert observe(client, patient()) == Observation(b"", End.RESET)
    assert met == ["a fault has ended the connection"] * len(counts)


@pytest.mark.parametrize(
    "fault", ["forged_reset/up:1", "forged_reset/down:1", "partition/up:1", "vanish/up:1"]
)
def test_a_line_is_the_other_end_and_says_so(fault: str) -> None:
    with serve_tcp(b"reply") as server:
        with pytest.raises(MisuseError, match=r"done to a server's end of a connection, and"):
            dial(server.address, faults=[fault])
        with dial(server.address) as line, pytest.raises(MisuseError, match="server's end"):
            line.strike(fault)


@pytest.mark.parametrize("fault", ["forged_reset", "vanish", "partition", "reset/connect"])
def test_a_path_has_no_third_party(fault: str, tmp_path: object) -> None:
    with pytest.raises(MisuseError, match=r"has no meaning on a Unix-domain socket .* TCP's"):
        serve_tcp(path=f"{tmp_path}/s", faults=[fault])
