"""The pulled cable: cut at an exact byte, unacknowledged meanwhile, whole afterwards."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.privileged import every_host, needs
from tests.support import connected_pair, patient, running
from tests.tier import Tier
from wirecut.deadline import Deadline
from wirecut.errors import MisuseError
from wirecut.wire import (
    End,
    Observation,
    bytes_unacknowledged,
    observe,
    receive_exactly,
    send_exactly,
    shut_down_writing,
    wait_until_readable,
)
from wirecut.wire.action import Direction
from wirecut.wire.filters import detach_filter
from wirecut.wire.measuring import tcp_info
from wirecut.wire.packets import open_raw
from wirecut.wire.partition import LostSegment, Partition, quick_retransmission
from wirecut.wire.repair import die_silently

pytestmark = needs("raw packets", "packet filter", "tcp repair")

PAYLOAD = bytes(index * 7 % 251 for index in range(1000))
OFFSETS = range(0, 1000, 9)


@pytest.mark.slow
@every_host
def test_a_cut_way_up_delivers_exactly_so_much_and_all_of_it_when_healed(
    family: socket.AddressFamily, tier: Tier
) -> None:
    """112 offsets in the exhaustive tier."""
    with open_raw(family) as raw:
        for offset in tier.points(OFFSETS, quick=6):
            with connected_pair(family) as (ours, peer):
                partition = Partition(ours)
                partition.cut(Direction.UP, up_bytes=offset)
                send_exactly(peer, PAYLOAD, patient())
                assert tcp_info(ours).bytes_received == offset
                assert tcp_info(peer).unacknowledged_segments > 0
                assert bytes_unacknowledged(peer) > 0
                got = receive_exactly(ours, offset, patient())
                assert not readable(ours)
                # The other way goes on.
                send_exactly(ours, b"down", patient())
                assert receive_exactly(peer, 4, patient()) == b"down"
                partition.heal(raw)
                assert got + receive_exactly(ours, len(PAYLOAD) - offset, patient()) == PAYLOAD
                assert not detach_filter(ours)


@pytest.mark.slow
@every_host
def test_a_cut_way_down_shows_the_peer_so_much_and_acknowledges_nothing(
    family: socket.AddressFamily, tier: Tier
) -> None:
    """112 offsets in the exhaustive tier."""
    with open_raw(family) as raw:
        for offset in tier.points(OFFSETS, quick=6):
            with connected_pair(family) as (ours, peer):
                partition = Partition(ours)
                send_exactly(ours, PAYLOAD[:offset], patient())
                partition.cut(Direction.DOWN)
                send_exactly(peer, b"anybody?", patient())
                assert bytes_unacknowledged(peer) >= 8
                assert tcp_info(peer).unacknowledged_segments > 0
                assert receive_exactly(peer, offset, patient()) == PAYLOAD[:offset]
                assert not readable(peer)
                assert not readable(ours)
                partition.heal(raw)
                send_exactly(ours, PAYLOAD[offset:], patient())
                rest = receive_exactly(peer, len(PAYLOAD) - offset, patient())
                assert rest == PAYLOAD[offset:]
                assert receive_exactly(ours, 8, patient()) == b"anybody?"


@pytest.mark.slow
@every_host
def test_a_large_stream_cut_in_the_middle_of_a_segment_is_whole_when_healed(
    family: socket.AddressFamily,
) -> None:
    payload = PAYLOAD * 2000
    with connected_pair(family) as (ours, peer), open_raw(family) as raw:
        partition = Partition(ours)
        partition.cut(Direction.UP, up_bytes=100_001)
        with running(lambda _: send_exactly(peer, payload, patient())):
            got = receive_exactly(ours, 100_001, patient())
            assert not readable(ours)
            assert tcp_info(ours).bytes_received == 100_001
            partition.heal(raw)
            got += receive_exactly(ours, len(payload) - len(got), patient())
        assert got == payload


@pytest.mark.parametrize("direction", Direction.BOTH)
@every_host
def test_no_end_of_the_peers_crosses_a_cut(
    family: socket.AddressFamily, direction: Direction
) -> None:
    with connected_pair(family) as (ours, peer):
        Partition(ours).cut(direction)
        shut_down_writing(peer)
        assert observe(ours, Deadline.after(0.02)) == Observation(b"", End.OPEN)


def test_a_fin_in_one_segment_with_bytes_before_the_cut_does_not_end_the_stream_there() -> None:
    with connected_pair() as (ours, peer):
        partition = Partition(ours)
        partition.cut(Direction.UP, up_bytes=3)
        # Corked, so that the bytes and the FIN share a segment.
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        peer.sendall(b"abcdef")
        shut_down_writing(peer)
        assert observe(ours, Deadline.after(0.02)).end is End.OPEN
        partition.heal()
        # Nothing is unlearned by healing.
        seen = observe(ours, patient())
        assert seen == Observation(b"abcdef", End.EOF)


def test_a_peer_that_dies_behind_a_cut_is_not_heard_of() -> None:
    with connected_pair() as (ours, peer):
        Partition(ours).cut(Direction.BOTH)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        peer.close()
        assert observe(ours, Deadline.after(0.02)).end is End.OPEN


@every_host
def test_without_a_count_the_cut_is_at_what_has_arrived(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(b"abc")
        assert receive_exactly(ours, 3, patient()) == b"abc"
        Partition(ours).cut(Direction.UP)
        peer.sendall(b"def")
        assert not readable(ours)
        assert tcp_info(peer).unacknowledged_segments == 1


def test_what_has_arrived_before_a_cut_stays() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abcdef")
        wait_until_readable(ours, patient())
        Partition(ours).cut(Direction.UP, up_bytes=2)
        assert receive_exactly(ours, 6, patient()) == b"abcdef"


@pytest.mark.slow
def test_a_cut_can_be_moved_on() -> None:
    with connected_pair() as (ours, peer):
        partition = Partition(ours)
        partition.cut(Direction.UP, up_bytes=2)
        peer.sendall(b"abcdef")
        assert tcp_info(ours).bytes_received == 2
        partition.cut(Direction.UP, up_bytes=4)
        assert receive_exactly(ours, 4, patient()) == b"abcd"
        assert tcp_info(ours).bytes_received == 4


def test_only_a_way_up_can_be_cut_at_a_byte_to_come() -> None:
    with connected_pair() as (ours, _):
        partition = Partition(ours)
        with pytest.raises(MisuseError, match="up_bytes is for UP only, got 'both'"):
            partition.cut(Direction.BOTH, up_bytes=3)
        with pytest.raises(MisuseError, match="up_bytes must be >= 0, got -1"):
            partition.cut(Direction.UP, up_bytes=-1)
        partition.heal()


def test_a_socket_that_is_not_connected_cannot_be_cut() -> None:
    with socket.socket() as sock, pytest.raises(OSError, match=r"."):
        Partition(sock)


@every_host
def test_kicks_do_no_harm_to_a_connection_that_waits_for_nothing(
    family: socket.AddressFamily,
) -> None:
    with connected_pair(family) as (ours, peer), open_raw(family) as raw:
        Partition(ours).heal(raw)
        peer.sendall(b"abc")
        assert receive_exactly(ours, 3, patient()) == b"abc"
        ours.sendall(b"abc")
        assert receive_exactly(peer, 3, patient()) == b"abc"


@pytest.mark.slow
@every_host
def test_a_kick_takes_the_doublings_of_the_peers_patience_back(
    family: socket.AddressFamily,
) -> None:
    """After two repetitions the next one is 0.8 s away; kicked, at most 0.2 s."""
    with connected_pair(family) as (ours, peer), open_raw(family) as raw:
        partition = Partition(ours)
        partition.cut(Direction.BOTH)
        peer.sendall(b"abc")
        deadline = patient()
        while tcp_info(peer).backoff < 2:
            wait(0.01)
            deadline.require("two repetitions")
        raw.send(*(partition.kicks()[0],) * 16)
        assert tcp_info(peer).backoff == 0
        partition.heal(raw)
        assert receive_exactly(ours, 3, patient()) == b"abc"


def test_a_partitioned_end_can_die_without_a_word() -> None:
    with connected_pair() as (ours, peer):
        Partition(ours).cut(Direction.BOTH)
        die_silently(ours)
        assert observe(peer, Deadline.after(0.02)) == Observation(b"", End.OPEN)


@pytest.mark.slow
@every_host
def test_one_chosen_segment_is_lost_once(family: socket.AddressFamily, tier: Tier) -> None:
    for _ in range(tier.count(quick=2, exhaustive=100)):
        with connected_pair(family) as (ours, peer), LostSegment(ours, 4) as lost:
            for part in (b"abc", b"defg", b"hij"):
                peer.sendall(part)
            wait_until_readable(ours, patient())
            segment = lost.seen()
            assert segment is not None
            assert segment.payload == b"defg"
            assert lost.fileno() == -1
            assert not detach_filter(ours)
            assert lost.seen() is None
            assert tcp_info(ours).bytes_received == 3
            assert receive_exactly(ours, 10, patient()) == b"abcdefghij"
            assert tcp_info(peer).unacknowledged_segments == 0


def test_a_segment_that_never_comes_is_waited_for_until_the_end() -> None:
    with connected_pair() as (ours, peer):
        with LostSegment(ours, 100) as lost:
            peer.sendall(b"abc")
            assert receive_exactly(ours, 3, patient()) == b"abc"
            assert lost.seen() is None
            assert lost.fileno() >= 0
        assert not detach_filter(ours)
        lost.close()


def test_the_machines_own_settings_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wirecut.wire.partition.inside_lab", lambda: False)
    with (
        pytest.raises(MisuseError, match="only in a private one: run this under `wirecut lab"),
        quick_retransmission(),
    ):
        pass


@pytest.mark.slow
@needs("user namespaces")
def test_in_a_private_network_a_long_partition_heals_in_milliseconds() -> None:
    """And the settings are put back."""
    script = """
        import sys
        from wirecut.lab import run_in_lab
        run_in_lab([sys.executable, "-B", "-c", sys.argv[1]], quiet=True)
    """
    inside = """
        import select, socket
        from pathlib import Path
        from tests.support import connected_pair, patient
        from wirecut.deadline import now
        from wirecut.wire import receive_exactly
        from wirecut.wire.action import Direction
        from wirecut.wire.measuring import tcp_info
        from wirecut.wire.packets import open_raw
        from wirecut.wire.partition import Partition, quick_retransmission
        least = Path("/proc/sys/net/ipv4/tcp_rto_min_us")
        before = least.read_text()
        with quick_retransmission():
            assert least.read_text() != before
            for family in (socket.AF_INET, socket.AF_INET6):
                with connected_pair(family) as (ours, peer), open_raw(family) as raw:
                    partition = Partition(ours)
                    partition.cut(Direction.BOTH)
                    peer.sendall(b"abc")
                    while tcp_info(peer).backoff < 5:
                        select.select([], [], [], 0.01)
                    start = now()
                    partition.heal(raw)
                    assert receive_exactly(ours, 3, patient()) == b"abc"
                    print(f"{(now() - start) * 1000:.1f}")
        assert least.read_text() == before
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), textwrap.dedent(inside)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Half of the partition's length, 60 ms or so, would be the repetition's own time.
    assert [float(line) < 50 for line in done.stdout.split()] == [True, True]


def readable(sock: socket.socket) -> bool:
    """Whether there is something now: on loopback what arrives has arrived."""
    return bool(select.select([sock], [], [], 0)[0])


def wait(seconds: float) -> None:
    """Let the kernel's timers run: nothing tells when a segment is repeated."""
    select.select([], [], [], seconds)
