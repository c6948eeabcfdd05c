"""Segments as values, and raw sockets that send and see them."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.privileged import TCP_HOSTS, every_host, needs
from tests.support import connected_pair, patient
from wirecut.errors import MisuseError
from wirecut.wire import packets, wait_until_readable
from wirecut.wire.bpf import Program
from wirecut.wire.filters import attach_filter, only_port
from wirecut.wire.packets import open_raw
from wirecut.wire.segments import Flags, Segment, Unreachable, UnreachableError, checksum

ports = st.integers(0, 65535)
numbers = st.integers(0, (1 << 32) - 1)
hosts = st.sampled_from([("127.0.0.1", "127.0.0.2"), ("::1", "::1")])
segments = st.builds(
    lambda pair, **rest: Segment(source=pair[0], destination=pair[1], **rest),
    pair=hosts,
    source_port=ports,
    destination_port=ports,
    sequence=numbers,
    acknowledgement=numbers,
    flags=st.integers(0, 255).map(Flags),
    window=ports,
    urgent_pointer=ports,
    options=st.integers(0, 10).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
    payload=st.binary(max_size=200),
)


@given(segment=segments)
def test_what_is_written_is_read(segment: Segment) -> None:
    encoded = segment.encode()
    assert Segment.parse(encoded, segment.source, segment.destination) == segment
    if segment.family == socket.AF_INET:
        assert Segment.parse_ipv4(segment.encode_with_ip()) == segment


@given(segment=segments)
def test_a_checksum_makes_the_sum_come_out_even(segment: Segment) -> None:
    """RFC 1071: over all, with the checksum in its place, it is zero."""
    body = segment.encode()
    family = segment.family
    pseudo = b"".join(
        socket.inet_pton(family, host) for host in (segment.source, segment.destination)
    )
    assert checksum(pseudo + struct.pack("!II", len(body), 6) + body) == 0
    if family == socket.AF_INET:
        assert checksum(segment.encode_with_ip()[:20]) == 0
        message = UnreachableError(segment, Unreachable.HOST).encode()
        assert checksum(message) == 0


@given(data=st.binary(max_size=60))
def test_bytes_that_are_no_segment_are_none_or_one_and_never_an_error(data: bytes) -> None:
    for found in (Segment.parse(data, "::1", "::1"), Segment.parse_ipv4(data)):
        assert found is None or len(found.encode()) >= 20


def test_the_end_of_a_segment_counts_its_syn_and_its_fin() -> None:
    def end(flags: Flags, payload: bytes) -> int:
        return Segment(
            source="::1",
            source_port=1,
            destination="::1",
            destination_port=2,
            sequence=(1 << 32) - 1,
            flags=flags,
            payload=payload,
        ).end

    assert end(Flags.ACK, b"") == (1 << 32) - 1
    assert end(Flags.SYN, b"") == 0
    assert end(Flags.ACK | Flags.FIN, b"ab") == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"destination": "::1"}, "source and destination must be of one family"),
        ({"source_port": 65536}, "source_port must be <= 65535, got 65536"),
        ({"sequence": -1}, "sequence must be >= 0, got -1"),
        ({"acknowledgement": 1 << 32}, "acknowledgement must be <= 4294967295"),
        ({"options": b"abc"}, r"options must be 0, 4, \.\.\. 40 bytes, got 3"),
    ],
)
def test_an_impossible_segment_cannot_be_made(wrong: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {
        "source": "127.0.0.1",
        "source_port": 1,
        "destination": "127.0.0.1",
        "destination_port": 2,
        "sequence": 3,
    }
    with pytest.raises(MisuseError, match=message):
        Segment(**(fields | wrong))  # type: ignore[arg-type]


@needs("raw packets")
@every_host
def test_a_segment_of_a_connection_is_seen_as_it_was_sent(
    family: socket.AddressFamily,
) -> None:
    with connected_pair(family) as (ours, peer):
        (host, port), (peer_host, peer_port) = (
            ours.getsockname()[:2],
            peer.getsockname()[:2],
        )
        with open_raw(family, only_port(family, port), host=host) as raw:
            assert raw.receive() is None
            peer.sendall(b"hello")
            wait_until_readable(raw.socket, patient())
            seen = raw.receive()
            assert seen is not None
            assert (seen.source, seen.source_port) == (peer_host, peer_port)
            assert (seen.destination, seen.destination_port) == (host, port)
            assert seen.payload == b"hello"
            assert seen.flags == Flags.PSH | Flags.ACK


@needs("raw packets")
@every_host
def test_a_raw_socket_does_not_see_other_ports(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer), connected_pair(family) as (_, other):
        port = ours.getsockname()[1]
        with open_raw(family, only_port(family, port)) as raw, open_raw(family) as blind:
            other.sendall(b"not for you")
            assert raw.receive() is None
            peer.sendall(b"for you")
            wait_until_readable(raw.socket, patient())
            assert blind.receive() is None


@needs("raw packets")
@every_host
def test_what_came_before_the_filter_was_there_is_not_received(
    family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected_pair(family) as (ours, peer):

        def late(sock: socket.socket, program: Program) -> None:
            peer.sendall(b"too early")
            wait_until_readable(sock, patient())
            attach_filter(sock, program)

        monkeypatch.setattr(packets, "attach_filter", late)
        with open_raw(family, only_port(family, ours.getsockname()[1])) as raw:
            assert raw.receive() is None


@needs("raw packets")
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.77"])
def test_a_segment_may_come_from_any_loopback_address(source: str) -> None:
    with open_raw(socket.AF_INET, only_port(socket.AF_INET, 9)) as raw:
        sent = Segment(
            source=source,
            source_port=1234,
            destination="127.0.0.1",
            destination_port=9,
            sequence=5,
            flags=Flags.ACK,
            payload=b"odd",
        )
        raw.send(sent)
        wait_until_readable(raw.socket, patient())
        assert raw.receive() == sent


@needs("raw packets")
@pytest.mark.parametrize(
    ("family", "host", "message"),
    [
        (socket.AF_INET, "192.0.2.1", "a packet's addresses must be loopback"),
        (socket.AF_INET6, "2001:db8::1", "a packet's addresses must be loopback"),
        (socket.AF_INET, "::1", "no address of this raw socket's family"),
    ],
)
def test_no_packet_leaves_loopback(
    family: socket.AddressFamily, host: str, message: str
) -> None:
    """The addresses are those of RFC 5737 and 3849, which nobody has."""
    ours = TCP_HOSTS[socket.AF_INET6 if ":" in host else socket.AF_INET]
    for source, destination in ((ours, host), (host, ours)):
        about = Segment(
            source=source,
            source_port=1,
            destination=destination,
            destination_port=2,
            sequence=3,
        )
        with open_raw(family) as raw:
            for packet in (about, UnreachableError(about, Unreachable.HOST)):
                with pytest.raises(MisuseError, match=message):
                    raw.send(packet)


@needs("raw packets")
@every_host
def test_a_closed_raw_socket_leaves_no_descriptor(family: socket.AddressFamily) -> None:
    host = TCP_HOSTS[family]
    about = Segment(
        source=host, source_port=9, destination=host, destination_port=9, sequence=3
    )
    before = set(Path("/proc/self/fd").iterdir())
    with open_raw(family) as raw:
        raw.send(UnreachableError(about, Unreachable.PORT))
        assert len(raw.descriptors) == 2
        assert all(os.get_inheritable(fd) is False for fd in raw.descriptors)
    raw.close()
    assert raw.fileno() == -1
    assert set(Path("/proc/self/fd").iterdir()) == before


@needs("raw packets")
def test_an_address_that_is_not_ours_leaves_no_descriptor_either() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="assign"):
        open_raw(socket.AF_INET, host="192.0.2.1")
    assert set(Path("/proc/self/fd").iterdir()) == before
