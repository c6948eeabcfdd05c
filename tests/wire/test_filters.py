"""Packet filters: run step by step against their meaning, and by the kernel."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.privileged import every_host, needs
from tests.support import connected_pair, patient
from wirecut.errors import MisuseError
from wirecut.wire import receive_exactly
from wirecut.wire.bpf import (
    Instruction,
    Program,
    assemble,
    go_to,
    if_equal,
    take_all,
    take_nothing,
)
from wirecut.wire.filters import (
    DROP_ALL,
    DROP_ALL_WITHOUT_MARK,
    MARK,
    attach_filter,
    cut_connections_from,
    detach_filter,
    drop_from,
    drop_segment_with,
    drop_segments_past,
    only_port,
)
from wirecut.wire.segments import Flags, Segment, sequence_after

NUMBERS = 1 << 32
ALL = NUMBERS - 1
MASKS = {0x30: 1, 0x28: 2, 0x20: 4, 0x48: 2}
ARITHMETIC: dict[int, Callable[[int, int, int], int]] = {
    0x54: lambda a, _x, k: a & k,
    0x74: lambda a, _x, k: a >> k,
    0x1C: lambda a, x, _k: a - x,
    0x0C: lambda a, x, _k: a + x,
    0x84: lambda a, _x, _k: -a,
}
CONDITIONS: dict[int, Callable[[int, int, int], bool]] = {
    0x15: lambda a, _x, k: a == k,
    0x35: lambda a, _x, k: a >= k,
    0x45: lambda a, _x, k: bool(a & k),
    0x2D: lambda a, x, _k: a > x,
    0x3D: lambda a, x, _k: a >= x,
}


def run(program: Program, packet: bytes) -> int:
    """What the program makes of the packet: an interpreter by the kernel's documentation."""
    a = x = at = 0
    memory = [0] * 16
    steps = program.steps
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code in MASKS:
            start = k + (x if code == 0x48 else 0)
            if start + MASKS[code] > len(packet):
                return 0
            a = int.from_bytes(packet[start : start + MASKS[code]], "big")
        elif code in ARITHMETIC:
            a = ARITHMETIC[code](a, x, k) % NUMBERS
        elif code in CONDITIONS:
            at += yes if CONDITIONS[code](a, x, k) else no
        elif code in {0x06, 0x16}:
            return k if code == 0x06 else a
        elif code == 0x05:
            at += k
        elif code == 0x02:
            memory[k] = a
        elif code == 0xB1:
            x = (packet[k] & 0xF) * 4
        else:
            a = {0x80: len(packet), 0x60: memory[k % 16], 0x00: k}.get(code, a)
            x = {0x01: k, 0x61: memory[k % 16], 0x07: a}.get(code, x)
            assert code in {0x80, 0x60, 0x00, 0x01, 0x61, 0x07}


def segment(  # noqa: PLR0913 - the parts of a segment
    sequence: int,
    payload: int = 0,
    flags: Flags = Flags.ACK,
    *,
    options: int = 12,
    port: int = 4000,
    urgent_pointer: int = 0,
) -> Segment:
    return Segment(
        source="127.0.0.1",
        source_port=port,
        destination="127.0.0.1",
        destination_port=80,
        sequence=sequence % NUMBERS,
        flags=flags,
        urgent_pointer=urgent_pointer,
        options=bytes(options),
        payload=bytes(payload),
    )


def passed(program: Program, given_segment: Segment) -> int | None:
    """How many bytes of payload TCP gets; None if the segment is dropped."""
    data = given_segment.encode()
    header = len(data) - len(given_segment.payload)
    result = run(program, data)
    if result == 0:
        return None
    # The kernel never cuts into the TCP header.
    return min(max(result, header), len(data)) - header


numbers = st.integers(0, ALL)
flags_of_data = st.sampled_from([Flags.ACK, Flags.ACK | Flags.PSH, Flags.ACK | Flags.FIN])


@given(
    cut=numbers,
    before=st.integers(-70_000, 70_000),
    payload=st.integers(0, 65_000),
    flags=flags_of_data,
    options=st.sampled_from([0, 12, 40]),
)
def test_nothing_passes_from_a_number_on_wherever_the_numbers_wrap(
    cut: int, before: int, payload: int, flags: Flags, options: int
) -> None:
    found = passed(drop_from(cut), segment(cut - before, payload, flags, options=options))
    if Flags.FIN in flags:
        assert found == (payload if before > payload else None)
    else:
        assert found == max(0, min(payload, before))


@pytest.mark.parametrize("flag", [Flags.FIN, Flags.RST, Flags.SYN])
def test_no_end_passes_at_the_cut(flag: Flags) -> None:
    assert passed(drop_from(100), segment(100, 0, flag)) is None
    assert passed(drop_from(100), segment(99, 0, flag)) == 0


@given(number=numbers, before=st.integers(-70_000, 70_000), payload=st.integers(0, 65_000))
def test_only_the_segment_with_the_byte_is_dropped(
    number: int, before: int, payload: int
) -> None:
    found = passed(drop_segment_with(number), segment(number - before, payload))
    assert (found is None) == (0 <= before < payload)
    assert found in {None, payload}


@given(
    number=numbers,
    before=st.integers(-70_000, 70_000),
    payload=st.integers(0, 65_000),
    flags=st.sampled_from([Flags.ACK, Flags.ACK | Flags.PSH, Flags.ACK | Flags.FIN]),
    options=st.sampled_from([0, 12, 40]),
)
def test_a_segment_with_a_byte_or_later_ones_is_dropped_whole(
    number: int, before: int, payload: int, flags: Flags, options: int
) -> None:
    sent = segment(number - before, payload, flags, options=options)
    found = passed(drop_segments_past(number), sent)
    has_something = payload > 0 or Flags.FIN in flags
    assert found == (None if has_something and payload > before else payload)


@pytest.mark.parametrize("flags", [Flags.ACK, Flags.RST, Flags.RST | Flags.ACK])
def test_what_has_no_bytes_is_not_lost(flags: Flags) -> None:
    assert passed(drop_segments_past(100), segment(150, 0, flags)) == 0


def test_an_end_is_lost_after_the_byte_and_not_in_its_place() -> None:
    assert passed(drop_segments_past(100), segment(100, 0, Flags.FIN)) == 0
    assert passed(drop_segments_past(100), segment(101, 0, Flags.FIN)) is None


@given(losses=st.dictionaries(st.integers(1, 65535), numbers, max_size=40), number=numbers)
def test_a_listener_loses_each_clients_own_segment(losses: dict[int, int], number: int) -> None:
    cut_port = next(port for port in range(1, 65535) if port not in losses)
    program = cut_connections_from({cut_port: number}, losses)
    for port, loss in losses.items():
        assert passed(program, segment(loss - 3, 10, port=port)) is None
        assert passed(program, segment(loss - 3, 3, port=port)) == 3
    assert passed(program, segment(number - 3, 10, port=cut_port)) == 3


@given(cuts=st.dictionaries(st.integers(1, 65535), numbers, max_size=40), number=numbers)
def test_a_listener_cuts_each_client_at_its_own_number(
    cuts: dict[int, int], number: int
) -> None:
    program = cut_connections_from(cuts)
    for port, cut in cuts.items():
        near = segment(cut - 3, 10, port=port)
        assert passed(program, near) == 3
        far = segment(number, 10, port=port)
        assert passed(program, far) == passed(drop_from(cut), far)
    stranger = next(port for port in range(1, 65535) if port not in cuts)
    assert passed(program, segment(number, 10, port=stranger)) == 10


def test_a_listener_with_as_many_cuts_as_allowed_is_a_program_the_kernel_takes() -> None:
    program = cut_connections_from({port: port * 65_537 % NUMBERS for port in range(1, 1025)})
    assert passed(program, segment(1024 * 65_537 - 2, 10, port=1024)) == 2
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        attach_filter(sock, program)


@pytest.mark.parametrize("flags", [Flags.SYN, Flags.SYN | Flags.ACK, Flags.SYN | Flags.ECE])
def test_a_listener_takes_only_marked_syns(flags: Flags) -> None:
    program = cut_connections_from({})
    assert passed(program, segment(1, 0, flags)) is None
    assert passed(program, segment(1, 0, flags, urgent_pointer=MARK)) == 0
    assert passed(program, segment(1, 0, flags, urgent_pointer=MARK + 1)) is None
    assert passed(program, segment(1, 0, Flags.ACK)) == 0
    assert passed(program, segment(1, 0, Flags.RST)) == 0


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_raw_socket_gets_one_port_only(family: socket.AddressFamily) -> None:
    ipv4 = family == socket.AF_INET
    for port, taken in ((80, True), (81, False)):
        packet = segment(1, 5).encode_with_ip() if ipv4 else segment(1, 5).encode()
        assert run(only_port(family, port), packet) == (ALL if taken else 0)
    longer = bytes([0x47]) + segment(1).encode_with_ip()[1:20] + bytes(8) + segment(1).encode()
    if ipv4:
        assert run(only_port(family, 80), longer) == ALL
    packet = segment(1, port=7).encode_with_ip() if ipv4 else segment(1, port=7).encode()
    for port, taken in ((7, True), (8, False)):
        assert run(only_port(family, 80, source=port), packet) == (ALL if taken else 0)


@pytest.mark.parametrize(
    ("flags", "urgent_pointer", "taken"),
    [
        (Flags.SYN, 0, True),
        (Flags.SYN | Flags.ECE | Flags.CWR, 0, True),
        (Flags.SYN, MARK, False),
        (Flags.SYN | Flags.ACK, 0, False),
        (Flags.ACK, 0, False),
        (Flags.RST, 0, False),
    ],
)
def test_an_attempt_is_a_syn_of_somebody_elses(
    flags: Flags, urgent_pointer: int, *, taken: bool
) -> None:
    program = only_port(socket.AF_INET6, 80, new_attempts=True)
    packet = segment(1, 0, flags, urgent_pointer=urgent_pointer).encode()
    assert run(program, packet) == (ALL if taken else 0)


def test_all_or_all_without_the_mark_can_be_dropped() -> None:
    assert passed(DROP_ALL, segment(1, 5)) is None
    assert passed(DROP_ALL_WITHOUT_MARK, segment(1, 5)) is None
    assert passed(DROP_ALL_WITHOUT_MARK, segment(1, 5, urgent_pointer=MARK)) == 5


def test_a_program_is_what_the_kernel_documents() -> None:
    program = assemble(if_equal(7, yes="end"), take_nothing(), "end", take_all())
    assert program.encoded == struct.pack(
        "=HBBIHBBIHBBI", 0x15, 1, 0, 7, 0x06, 0, 0, 0, 0x06, 0, 0, ALL
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            (go_to("nowhere"), take_nothing()),
            "a label must stand after .*, got 'nowhere'",
        ),
        (("back", take_nothing(), go_to("back")), "a label must stand after the jump"),
        ((take_nothing(),) * 4097, "lines must have <= 4096 instructions, got 4097"),
        (
            (if_equal(1, no="far"), *(take_nothing(),) * 256, "far", take_nothing()),
            "a condition reaches 255 steps, got 256",
        ),
    ],
    ids=["no label", "backwards", "too long", "too far"],
)
def test_what_the_kernel_would_refuse_is_refused_with_a_reason(
    lines: tuple[Instruction | str, ...], message: str
) -> None:
    with pytest.raises(MisuseError, match=message):
        assemble(*lines)


def test_a_long_way_can_be_gone() -> None:
    program = assemble(go_to("far"), *(take_nothing(),) * 256, "far", take_all())
    assert run(program, b"") == ALL


def test_detaching_says_whether_there_was_a_filter() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        assert not detach_filter(sock)
        attach_filter(sock, DROP_ALL)
        assert detach_filter(sock)
        assert not detach_filter(sock)
    assert not detach_filter(sock)


@needs("packet filter")
@every_host
def test_the_kernel_agrees_on_a_connection(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        attach_filter(ours, DROP_ALL)
        peer.sendall(b"abc")
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(3)
        assert detach_filter(ours)
        assert receive_exactly(ours, 3, patient()) == b"abc"


def test_numbers_wrap() -> None:
    assert sequence_after(ALL, 1) == 0
    assert sequence_after(0, -1) == ALL
