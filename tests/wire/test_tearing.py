"""Resets by a third party, and the numbers they are made of."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from tests.privileged import TCP_HOSTS, every_host, needs
from tests.support import connected_pair, patient
from tests.tier import Tier
from wirecut.deadline import Deadline
from wirecut.wire import (
    End,
    Observation,
    TcpState,
    bytes_unsent,
    observe,
    receive_exactly,
    tcp_state,
    tearing,
    wait_until_readable,
)
from wirecut.wire.filters import detach_filter
from wirecut.wire.measuring import tcp_info
from wirecut.wire.packets import open_raw
from wirecut.wire.repair import die_silently, read_numbers
from wirecut.wire.segments import sequence_after
from wirecut.wire.tearing import Resets, resets_of, tear

pytestmark = needs("raw packets", "packet filter", "tcp repair")

PAYLOAD = bytes(range(256)) * 2


@every_host
def test_the_peer_reads_exactly_what_was_sent_and_then_a_reset(
    family: socket.AddressFamily, tier: Tier
) -> None:
    with open_raw(family) as raw:
        for cut in tier.points(range(300), quick=30):
            with connected_pair(family) as (ours, peer):
                ours.sendall(PAYLOAD[:cut])
                tear(ours, raw, both=False)
                assert observe(peer, patient()) == Observation(PAYLOAD[:cut], End.RESET)
                # Nobody has told us.
                assert tcp_state(ours) is TcpState.ESTABLISHED


@every_host
def test_both_ends_read_what_had_arrived_and_then_a_reset(
    family: socket.AddressFamily, tier: Tier
) -> None:
    with open_raw(family) as raw:
        for cut in tier.points(range(300), quick=30):
            with connected_pair(family) as (ours, peer):
                peer.sendall(PAYLOAD[: cut // 2])
                ours.sendall(PAYLOAD[:cut])
                tear(ours, raw, both=True)
                assert observe(peer, patient()) == Observation(PAYLOAD[:cut], End.RESET)
                assert observe(ours, patient()) == Observation(PAYLOAD[: cut // 2], End.RESET)


@pytest.mark.parametrize("off", [-1, 1])
@every_host
def test_control_a_number_that_is_off_by_one_kills_nobody(
    family: socket.AddressFamily, off: int, tier: Tier
) -> None:
    with open_raw(family) as raw:
        for _ in range(tier.count(quick=10, exhaustive=300)):
            with connected_pair(family) as (ours, peer):
                ours.sendall(b"before")
                resets = resets_of(ours)
                raw.send(
                    *(
                        replace(segment, sequence=sequence_after(segment.sequence, off))
                        for segment in (resets.to_peer, resets.to_us)
                    )
                )
                ours.sendall(b" after")
                peer.sendall(b"hello")
                assert receive_exactly(peer, 12, patient()) == b"before after"
                assert receive_exactly(ours, 5, patient()) == b"hello"


@every_host
def test_nothing_moves_the_number_while_both_ends_are_torn(
    family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer sends between our asking for the number and the RST."""
    with connected_pair(family) as (ours, peer), open_raw(family) as raw:

        def resets_then_input(sock: socket.socket) -> Resets:
            resets = resets_of(sock)
            peer.sendall(b"late")
            return resets

        monkeypatch.setattr(tearing, "resets_of", resets_then_input)
        peer.sendall(b"early")
        tear(ours, raw, both=True)
        assert observe(ours, patient()) == Observation(b"early", End.RESET)
        with pytest.raises(ConnectionResetError):
            peer.send(b"x")


@every_host
def test_a_tear_leaves_no_filter(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, _), open_raw(family) as raw:
        tear(ours, raw, both=True)
        assert not detach_filter(ours)


def test_a_connection_that_has_ended_cannot_be_torn() -> None:
    with connected_pair() as (ours, _), open_raw(socket.AF_INET) as raw:
        tear(ours, raw, both=True)
        with pytest.raises(OSError, match=r"not connected|not permitted"):
            tear(ours, raw, both=True)
        assert not detach_filter(ours)


def test_a_reset_is_for_what_is_on_the_wire_not_for_what_is_queued() -> None:
    with connected_pair(peer_buffer=4096) as (ours, peer), open_raw(socket.AF_INET) as raw:
        ours.setblocking(False)
        accepted = ours.send(bytes(1 << 17))
        unsent = bytes_unsent(ours)
        assert 0 < unsent < accepted
        tear(ours, raw, both=False)
        assert observe(peer, patient()) == Observation(bytes(accepted - unsent), End.RESET)


@every_host
def test_both_ends_know_the_same_numbers(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        ours.sendall(b"12345")
        peer.sendall(b"678")
        wait_until_readable(ours, patient())
        wait_until_readable(peer, patient())
        mine, theirs = read_numbers(ours), read_numbers(peer)
        assert (mine.write, mine.receive) == (theirs.receive, theirs.write)
        peer.sendall(b"9")
        assert receive_exactly(ours, 4, patient()) == b"6789"
        assert read_numbers(ours).receive == sequence_after(mine.receive, 1)


@every_host
def test_asking_for_the_numbers_sends_nothing(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        before = segments_seen(peer)
        read_numbers(ours)
        assert segments_seen(peer) == before


def segments_seen(sock: socket.socket) -> int:
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)
    return int.from_bytes(raw[140:144], "little")


def test_asking_for_the_numbers_does_not_keep_the_next_listener_from_the_port() -> None:
    """Repair takes SO_REUSEADDR from the connection, and that would block the port."""
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        client.connect(address)
        ours, _ = listener.accept()
        with ours, socket.socket() as second:
            read_numbers(ours)
            listener.close()
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            second.bind(address)
            second.listen()


@every_host
def test_a_silent_death_is_not_noticed_until_the_peer_sends(
    family: socket.AddressFamily,
) -> None:
    with connected_pair(family) as (ours, peer):
        ours.sendall(b"last words")
        die_silently(ours)
        assert ours.fileno() == -1
        assert observe(peer, Deadline.after(0.02)) == Observation(b"last words", End.OPEN)
        assert tcp_state(peer) is TcpState.ESTABLISHED
        peer.sendall(b"anybody?")
        assert observe(peer, patient()) == Observation(b"", End.RESET)


def test_only_a_connection_can_die_silently() -> None:
    with socket.socket() as listener:
        listener.bind((TCP_HOSTS[socket.AF_INET], 0))
        listener.listen()
        with pytest.raises(OSError, match=r"."):
            die_silently(listener)
        assert listener.fileno() >= 0


def test_the_kernels_counts_are_told() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"four")
        assert receive_exactly(ours, 4, patient()) == b"four"
        info = tcp_info(ours)
        assert info.bytes_received == 4
        assert info.bytes_unsent == info.unacknowledged_segments == info.backoff == 0
