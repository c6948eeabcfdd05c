"""The pulled cable, through the real server: exact, silent, and whole when it is healed."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest

from tests.privileged import needs
from tests.server.kernel_state import state_of
from tests.server.talking import HOSTS, connect, descriptors, has_ended, has_struck, numbered
from tests.support import PATIENCE, patient
from tests.tier import Tier
from wirecut import (
    Deadline,
    End,
    Ended,
    MisuseError,
    Observation,
    Partition,
    Peer,
    TcpServer,
    at,
    forever,
    nth,
    observe,
    serve_tcp,
)
from wirecut.deadline import now
from wirecut.wire import abort, bytes_unacknowledged, receive_exactly, send_exactly
from wirecut.wire.filters import detach_filter
from wirecut.wire.measuring import tcp_info
from wirecut.wire.packets import RawSocket
from wirecut.wire.partition import Partition as Cut

pytestmark = needs("raw packets", "packet filter", "tcp repair")

PAYLOAD = numbered(1200)
OFFSETS = range(0, 1100, 10)


def received(server: TcpServer, index: int = 0) -> bytes:
    return server.connections[index].received


def is_silent(client: socket.socket) -> bool:
    """Nothing comes, not even an end; the deadline has to."""
    return observe(client, Deadline.after(0.002)) == Observation(b"", End.OPEN)


def is_unacknowledged(client: socket.socket) -> bool:
    """Whether the client's kernel still holds bytes that nobody has acknowledged."""
    return bytes_unacknowledged(client) > 0 and tcp_info(client).unacknowledged_segments > 0


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["same", "both"])
@pytest.mark.parametrize("host", HOSTS)
def test_up_exactly_so_many_bytes_arrive_and_the_rest_once_it_is_healed(
    host: str, direction: str, tier: Tier
) -> None:
    """110 offsets in the exhaustive tier; the client sends before it can be accepted."""
    for offset in tier.points(OFFSETS, quick=5):
        fault = Partition(direction, at=at.up(offset))
        with serve_tcp(host=host, faults=[fault]) as server, connect(server, PAYLOAD) as client:
            server.wait_for(has_struck())
            assert received(server) == PAYLOAD[:offset]
            assert is_unacknowledged(client)
            assert bytes_unacknowledged(client) == len(PAYLOAD) - offset
            assert server.connections[0].struck[0].count == offset
            assert is_silent(client)
            server.heal()
            server.wait_for(lambda s: s.connections[0].received_count == len(PAYLOAD))
            assert received(server) == PAYLOAD


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["same", "both"])
@pytest.mark.parametrize("host", HOSTS)
def test_down_exactly_so_many_bytes_arrive_and_the_rest_once_it_is_healed(
    host: str, direction: str, tier: Tier
) -> None:
    """110 offsets in the exhaustive tier; what the client says meanwhile is not lost."""
    for offset in tier.points(OFFSETS, quick=5):
        fault = Partition(direction, at=at.down(offset))
        with (
            serve_tcp(greeting=PAYLOAD, host=host, faults=[fault]) as server,
            connect(server) as client,
        ):
            got = receive_exactly(client, offset, patient())
            server.wait_for(has_struck())
            assert server.connections[0].sent == PAYLOAD[:offset]
            send_exactly(client, b"anybody?", patient())
            assert is_unacknowledged(client)
            assert is_silent(client)
            assert received(server) == b""
            server.heal()
            got += receive_exactly(client, len(PAYLOAD) - offset, patient())
            assert got == PAYLOAD
            server.wait_for(lambda s: s.connections[0].received == b"anybody?")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["up:7", "down:7"])
@pytest.mark.parametrize("direction", ["same", "both"])
@pytest.mark.parametrize("host", HOSTS)
def test_it_heals_by_itself_after_its_seconds_and_not_before(
    host: str, direction: str, moment: str
) -> None:
    with serve_tcp(
        PAYLOAD, host=host, faults=[f"partition:{direction}:0.05/{moment}"]
    ) as server:
        begun = now()
        with connect(server, PAYLOAD) as client:
            assert observe(client, patient()) == Observation(PAYLOAD, End.EOF)
            assert now() - begun >= 0.05 or moment == "up:7"
            server.wait_for(lambda s: s.connections[0].received_count == len(PAYLOAD))
            assert now() - begun >= 0.05
        assert received(server) == PAYLOAD


def test_up_the_way_down_goes_on() -> None:
    with (
        serve_tcp(b"reply", faults=["partition/up:3"]) as server,
        connect(server, b"hello") as client,
    ):
        assert receive_exactly(client, 5, patient()) == b"reply"
        assert received(server) == b"hel"
        server.heal()


@pytest.mark.parametrize("when", ["pattern:up:l", "request.end/exchange:1", "up:4/exchange:2"])
def test_at_a_moment_that_is_found_on_the_way_nothing_more_reaches_the_behaviour(
    when: str,
) -> None:
    """Bytes that came in the same segment were acknowledged, and wait."""
    sent = b"GET /l HTTP/1.1\r\nHost: a\r\n\r\n" * 3
    ends = {"pattern:up:l": 6, "request.end/exchange:1": 28, "up:4/exchange:2": 32}
    with serve_tcp(faults=[f"partition/{when}"]) as server, connect(server, sent):
        server.wait_for(has_struck())
        assert received(server) == sent[: ends[when]]
        server.heal()
        server.wait_for(lambda s: s.connections[0].received == sent)


@pytest.mark.parametrize("fault", ["partition/up:5", "partition/up:0", "partition/accept"])
def test_a_partition_that_is_a_behaviour_is_exact_too(fault: str) -> None:
    with serve_tcp([b"reply", fault, forever(None)]) as server:
        with connect(server, b"first") as client:
            assert observe(client, patient()).data == b"reply"
        with connect(server, PAYLOAD):
            server.wait_for(has_struck(1))
            assert received(server, 1) == PAYLOAD[: 5 if "5" in fault else 0]
            server.heal()
            server.wait_for(lambda s: s.connections[1].received == PAYLOAD)
        with connect(server, PAYLOAD):
            server.wait_for(lambda s: len(s.connections) > 2 and received(s, 2) == PAYLOAD)


def test_one_of_many_is_cut_and_healed_by_name() -> None:
    with (
        serve_tcp(faults=[Partition(at=at.up(2), on=nth(2))]) as server,
        connect(server, b"one") as first_one,
        connect(server, b"two") as second,
        connect(server, b"three"),
    ):
        server.wait_for(lambda s: len(s.connections) == 3 and has_struck(1)(s))
        server.wait_for(lambda s: received(s, 0) == b"one" and received(s, 2) == b"three")
        assert received(server, 1) == b"tw"
        assert is_unacknowledged(second)
        assert not is_unacknowledged(first_one)
        with pytest.raises(
            MisuseError, match=r"^nothing to heal: connection 0 is not partitioned$"
        ):
            server.heal(on=server.connections[0])
        server.heal(on=server.connections[1])
        server.wait_for(lambda s: received(s, 1) == b"two")


def test_heal_without_a_partition_is_one_sentence() -> None:
    sentence = "^nothing to heal: no connection is partitioned$"
    with serve_tcp(b"reply", faults=["partition/up:3/optional"]) as server:
        with pytest.raises(MisuseError, match=sentence):
            server.heal()
        with connect(server, b"12") as client:
            assert observe(client, patient()).data == b"reply"
            with pytest.raises(MisuseError, match=sentence):
                server.heal()


def test_twice_is_a_sentence_too_and_the_timer_of_a_healed_one_is_gone() -> None:
    with (
        serve_tcp(faults=["partition:same:0.05/up:3"]) as server,
        connect(server, b"hello") as client,
    ):
        server.wait_for(has_struck())
        server.heal()
        with pytest.raises(MisuseError, match=r"^nothing to heal"):
            server.heal()
        server.wait_for(lambda s: received(s) == b"hello")
        # Beyond its time.
        assert observe(client, Deadline.after(0.06)) == Observation(b"", End.OPEN)
        assert not server.findings()


def _has_received(count: int) -> Callable[[TcpServer], bool]:
    return lambda s: len(s.connections) > 0 and received(s) == PAYLOAD[:count]


@pytest.mark.slow
def test_two_partitions_up_cut_one_after_the_other() -> None:
    """The second is prepared before the first is healed, so that no byte slips through."""
    with (
        serve_tcp(faults=["partition/up:100", "partition/up:700"]) as server,
        connect(server, PAYLOAD) as client,
    ):
        for end in (100, 700):
            server.wait_for(_has_received(end))
            assert is_unacknowledged(client)
            assert bytes_unacknowledged(client) == len(PAYLOAD) - end
            server.heal()
        server.wait_for(lambda s: received(s) == PAYLOAD)


def test_the_end_of_one_partition_leaves_the_other_one_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    healed: list[int | None] = []
    real = Cut.heal

    def heal(cut: Cut, raw: RawSocket | None = None, *, up_bytes: int | None = None) -> None:
        healed.append(up_bytes)
        real(cut, raw, up_bytes=up_bytes)

    monkeypatch.setattr(Cut, "heal", heal)
    with (
        serve_tcp(PAYLOAD, faults=["partition/up:3", "partition:same:0.02/down:9"]) as server,
        connect(server, b"hello") as client,
    ):
        assert receive_exactly(client, len(PAYLOAD), patient()) == PAYLOAD
        assert len(server.connections[0].struck) == 2
        assert received(server) == b"hel"
        assert is_unacknowledged(client)
        assert healed == []
        server.heal()
        server.wait_for(lambda s: received(s) == b"hello")


def test_a_stall_outlives_a_partition() -> None:
    with (
        serve_tcp(PAYLOAD, faults=["stall:up/up:3", "partition/down:9"]) as server,
        connect(server, b"hello") as client,
    ):
        server.wait_for(lambda s: s.connections and len(s.connections[0].struck) == 2)
        server.heal()
        assert receive_exactly(client, len(PAYLOAD), patient()) == PAYLOAD
        assert received(server) == b"hel"


def test_what_comes_after_a_partition_still_strikes() -> None:
    with (
        serve_tcp(PAYLOAD, faults=["partition/down:9", "reset/down:20"]) as server,
        connect(server, b"?") as client,
    ):
        server.wait_for(has_struck())
        server.heal()
        assert observe(client, patient()) == Observation(PAYLOAD[:20], End.RESET)


def test_it_can_be_added_and_strikes_open_connections_at_their_byte() -> None:
    with serve_tcp() as server, connect(server, b"hello") as client:
        server.wait_for(lambda s: s.connections and received(s) == b"hello")
        server.add("partition/up:8")
        client.sendall(b" world")
        server.wait_for(has_struck())
        assert received(server) == b"hello wo"
        assert bytes_unacknowledged(client) == 3
        with connect(server, PAYLOAD):
            server.wait_for(has_struck(1))
            assert received(server, 1) == PAYLOAD[:8]
            server.heal()
            server.wait_for(lambda s: received(s, 1) == PAYLOAD)
        server.wait_for(lambda s: received(s) == b"hello world")


def test_it_can_strike_now() -> None:
    with serve_tcp(greeting=PAYLOAD) as server, connect(server) as client:
        assert receive_exactly(client, len(PAYLOAD), patient()) == PAYLOAD
        server.strike("partition:both")
        client.sendall(b"anybody?")
        assert is_unacknowledged(client)
        assert received(server) == b""
        server.heal()
        server.wait_for(lambda s: received(s) == b"anybody?")


@pytest.mark.slow
def test_a_handler_waits_without_limit_while_it_is_cut_off() -> None:
    heard: list[bytes] = []

    def handler(peer: Peer) -> None:
        heard.append(peer.recv_exactly(5))
        peer.send(b"ok")

    with (
        serve_tcp(handler, faults=["partition/up:3"], patience_seconds=0.3) as server,
        connect(server, b"hello") as client,
    ):
        server.wait_for(has_struck(), timeout_seconds=PATIENCE)
        assert observe(client, Deadline.after(0.35)) == Observation(b"", End.OPEN)
        server.heal()  # from here on its patience counts
        assert receive_exactly(client, 2, patient()) == b"ok"
    assert heard == [b"hello"]


@pytest.mark.parametrize("fault", ["partition/up:3", "partition/down:3", "partition:both/up:3"])
def test_the_clients_end_does_not_get_through_and_is_met_after_healing(fault: str) -> None:
    with serve_tcp(greeting=b"hello", faults=[fault]) as server:
        with connect(server, b"hello") as client:
            server.wait_for(has_struck())
            abort(client)
        assert server.connections[0].ended is Ended.OPEN
        server.heal()
        with connect(server):
            server.wait_for_connections(2)


@pytest.mark.parametrize("fault", ["partition/up:3", "partition/down:3", "partition:both/up:3"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_server_that_closes_meanwhile_leaves_nothing(host: str, fault: str) -> None:
    """The client reads the end, and no kernel goes on repeating what nobody hears."""
    before = descriptors(), threading.active_count()
    with (
        serve_tcp(greeting=b"hello", host=host, faults=[fault]) as server,
        connect(server, b"hello") as client,
    ):
        ours, theirs = (server.host, server.port), client.getsockname()[:2]
        server.wait_for(has_struck())
        assert state_of(ours, theirs) == "ESTABLISHED"
        server.close()
        assert observe(client, patient()).end in (End.EOF, End.RESET, End.FIN_THEN_RESET)
    assert (descriptors(), threading.active_count()) == before
    # What the client's end has acknowledged has arrived.
    assert state_of(ours, theirs) in ("FIN_WAIT2", "TIME_WAIT", None)


def test_a_prepared_cut_that_nothing_has_reached_ends_with_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filtered: list[bool] = []

    def detach(sock: socket.socket) -> bool:
        filtered.append(detach_filter(sock))
        return filtered[-1]

    monkeypatch.setattr("wirecut.server.severing.detach_filter", detach)
    with serve_tcp(b"reply", faults=["partition/up:100/optional"]) as server:
        with connect(server, b"?") as client:
            assert observe(client, patient()).data == b"reply"
        server.wait_for(has_ended())
    assert filtered == [True]


def test_a_healed_connection_has_no_filter_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_socks: list[socket.socket] = []
    real = Cut.__init__

    def make(cut: Cut, sock: socket.socket) -> None:
        cut_socks.append(sock)
        real(cut, sock)

    monkeypatch.setattr(Cut, "__init__", make)
    with serve_tcp(faults=["partition/up:3"]) as server, connect(server, b"hello"):
        server.wait_for(has_struck())
        server.heal()
        server.wait_for(lambda s: received(s) == b"hello")
        (sock,) = cut_socks
        assert not detach_filter(sock)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_no_part_in_it() -> None:
    with (
        serve_tcp(faults=["partition/up:3/nth:1", "reset/connect/nth:2"]) as server,
        connect(server, b"hello"),
    ):
        server.wait_for(has_struck())
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            try:
                server.heal()
            except BaseException as error:  # noqa: BLE001 - the parent reads it
                os.write(writes, type(error).__name__.encode())
            finally:
                os.close(writes)
                signal.pause()
                os._exit(0)
        try:
            os.close(writes)
            assert os.read(reads, 100) == b"MisuseError"
            with pytest.raises(ConnectionResetError):
                socket.create_connection((server.host, server.port), PATIENCE)
            assert received(server) == b"hel"
            server.heal()
            server.wait_for(lambda s: received(s) == b"hello")
        finally:
            os.close(reads)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
