"""Packet filters: tiny programs that decide in the kernel which segments a socket gets.

On a TCP socket, IPv4 or IPv6, offset 0 is the TCP header.  A program's result is how much
of the segment the socket gets: 0 drops it, and a smaller number than its length cuts its
end off, before TCP looks at it.  So the peer's bytes past the cut were never received and
are not acknowledged: the peer repeats them, which is what makes a partition heal.  What a
listener has is inherited by the connections it accepts.

Sequence numbers are compared modulo 2**32 (RFC 9293 section 3.4): ``a`` is at or after
``b`` if ``a - b``, taken as an unsigned number, is below 2**31.

Sources: socket(7) ``SO_ATTACH_FILTER``, Linux ``tcp_filter()`` and ``sk_clone_lock()``.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wirecut.wire.bpf import (
    Instruction,
    Program,
    add_x,
    and_bits,
    assemble,
    copy_to_x,
    go_to,
    if_above_x,
    if_any_bit,
    if_at_least,
    if_at_least_x,
    if_equal,
    keep,
    load,
    load_byte,
    load_half,
    load_half_past_x,
    load_length,
    load_word,
    load_x,
    load_x_ip_header_length,
    negate,
    recall,
    recall_x,
    shift_right,
    subtract_x,
    take_all,
    take_first_a,
    take_nothing,
)

__all__ = [
    "DROP_ALL",
    "DROP_ALL_WITHOUT_MARK",
    "MARK",
    "attach_filter",
    "cut_connections_from",
    "detach_filter",
    "drop_from",
    "drop_segment_with",
    "drop_segments_past",
    "only_port",
]

MARK: Final = 0x7763
"""The urgent pointer of segments of ours that a gate's filter shall let pass.

Without the URG flag it means nothing to TCP (RFC 9293 section 3.1), and senders leave it 0.
"""

_SO_ATTACH_FILTER: Final = 26  # include/uapi/asm-generic/socket.h; Python has no names
_SO_DETACH_FILTER: Final = 27

_HALF_THE_NUMBERS: Final = 1 << 31

# The TCP header: offsets of its fields, and flags (RFC 9293 section 3.1).
_SOURCE_PORT: Final = 0
_DESTINATION_PORT: Final = 2
_SEQUENCE: Final = 4
_DATA_OFFSET: Final = 12
_FLAGS: Final = 13
_URGENT_POINTER: Final = 18
_FIN: Final = 0x01
_SYN: Final = 0x02
_RST: Final = 0x04

_HEADER_LENGTH_TO_X: Final = (
    load_byte(_DATA_OFFSET),
    and_bits(0xF0),  # in words of four bytes, in the upper half of the byte
    shift_right(2),
    copy_to_x(),
)

_CUT_FROM_X: Final[tuple[Instruction | str, ...]] = (
    load_word(_SEQUENCE),
    subtract_x(),
    keep(0),
    if_at_least(_HALF_THE_NUMBERS, yes="before"),
    # At the cut or after it: at most an acknowledgement.
    load_byte(_FLAGS),
    if_any_bit(_FIN | _SYN | _RST, yes="gone"),
    load(0),
    keep(0),
    *_HEADER_LENGTH_TO_X,
    go_to("trim"),
    "before",
    recall(0),
    negate(),
    keep(0),  # how many bytes may still arrive
    *_HEADER_LENGTH_TO_X,
    load_byte(_FLAGS),
    if_any_bit(_FIN, no="trim"),
    load_length(),
    subtract_x(),
    copy_to_x(),
    recall(0),
    if_above_x(no="gone"),
    take_all(),
    "trim",
    recall(0),
    add_x(),
    take_first_a(),
    "gone",
    take_nothing(),
)

_LOSE_PAST_X: Final[tuple[Instruction | str, ...]] = (
    load_word(_SEQUENCE),
    subtract_x(),
    keep(0),  # where the segment begins, seen from the byte in X
    *_HEADER_LENGTH_TO_X,
    load_length(),
    subtract_x(),
    keep(1),  # the length of the payload
    if_equal(0, no="measured"),
    load_byte(_FLAGS),
    if_any_bit(_FIN, no="spare"),  # an acknowledgement
    "measured",
    recall(1),
    recall_x(0),
    add_x(),
    if_equal(0, yes="spare"),
    if_at_least(_HALF_THE_NUMBERS, yes="spare"),
    take_nothing(),
    "spare",
    take_all(),
)


def attach_filter(sock: socket.socket, program: Program) -> None:
    """Put ``program`` in front of ``sock``, in place of any other, from the next packet on.

    Raises:
        OSError: The kernel refuses it.
    """
    code = ctypes.create_string_buffer(program.encoded, len(program.encoded))
    count = len(program.encoded) // 8
    # struct sock_fprog: the kernel copies the instructions before the call returns.
    sock.setsockopt(
        socket.SOL_SOCKET,
        _SO_ATTACH_FILTER,
        struct.pack("@HP", count, ctypes.addressof(code)),
    )


def detach_filter(sock: socket.socket) -> bool:
    """Take the filter away; False if there was none, or the socket is closed.

    Raises:
        OSError: The kernel refuses it.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EBADF}:
            return False
        raise
    return True


DROP_ALL: Final = assemble(take_nothing())
"""Nothing arrives."""

DROP_ALL_WITHOUT_MARK: Final = assemble(
    load_half(_URGENT_POINTER),
    if_equal(MARK, no="drop"),
    take_all(),
    "drop",
    take_nothing(),
)
"""Nothing arrives at this TCP socket but what we make ourselves."""


def only_port(
    family: socket.AddressFamily,
    port: int,
    *,
    new_attempts: bool = False,
    source: int | None = None,
) -> Program:
    """For a raw TCP socket: only segments to ``port``, which would else be all of loopback's.

    A raw socket's data starts at the IP header on IPv4, and at the TCP header on IPv6.

    Args:
        family: AF_INET or AF_INET6.
        port: The destination port.
        new_attempts: Only SYNs without ACK, and none that carries :data:`MARK`.
        source: Only from this port.
    """
    start = load_x_ip_header_length() if family == socket.AF_INET else load_x(0)
    lines: list[Instruction | str] = [
        start,
        load_half_past_x(_DESTINATION_PORT),
        if_equal(port, no="drop"),
    ]
    if source is not None:
        lines += [load_half_past_x(_SOURCE_PORT), if_equal(source, no="drop")]
    if new_attempts:
        lines += [
            load_half_past_x(_DATA_OFFSET),  # data offset and flags are one half word
            and_bits(_SYN | 0x10),
            if_equal(_SYN, no="drop"),
            load_half_past_x(_URGENT_POINTER),
            if_equal(MARK, yes="drop"),
        ]
    return assemble(*lines, take_all(), "drop", take_nothing())


def cut_connections_from(
    cuts: Mapping[int, int], losses: Mapping[int, int] = MappingProxyType({})
) -> Program:
    """For a listener: drop SYNs without :data:`MARK`, and cut connections from a number on.

    The connections inherit it, so that a cut holds from their first segment, before anybody
    could accept them.

    Args:
        cuts: By the client's port, the sequence number of the first byte that shall not
            arrive; see :func:`drop_from`.
        losses: The same for :func:`drop_segments_past`.
    """
    rules: list[Instruction | str] = []
    for numbers, label in ((cuts, "cut"), (losses, "lose")):
        for port, sequence in numbers.items():
            other = f"not {label} {port}"
            rules += [if_equal(port, no=other), load_x(sequence), go_to(label), other]
    return assemble(
        load_byte(_FLAGS),
        if_any_bit(_SYN, no="connection"),
        load_half(_URGENT_POINTER),
        if_equal(MARK, no="drop"),
        take_all(),
        "drop",
        take_nothing(),
        "connection",
        load_half(_SOURCE_PORT),
        *rules,
        take_all(),
        "cut",
        *_CUT_FROM_X,
        "lose",
        *_LOSE_PAST_X,
    )


def drop_from(sequence: int) -> Program:
    """For a connection: no byte of the peer's arrives from this sequence number on.

    A segment that has earlier bytes too is cut short, and acknowledgements of what we send
    pass, so the other direction goes on.  FIN and RST after the cut do not arrive either.  A
    segment with a FIN cannot be cut short, for it would end the stream at the cut: all of
    it is dropped if its FIN is at the cut or after it.
    """
    return assemble(load_x(sequence), *_CUT_FROM_X)


def drop_segments_past(sequence: int) -> Program:
    """For a connection: no segment arrives that holds the byte with this number, or later ones.

    Unlike :func:`drop_from` it drops a segment with earlier bytes whole, as a network would.
    Acknowledgements pass, and a RST; a FIN without bytes only up to that number.
    """
    return assemble(load_x(sequence), *_LOSE_PAST_X)


def drop_segment_with(sequence: int) -> Program:
    """For a connection: segments that hold the byte with this number do not arrive.

    A filter has no memory, so repetitions do not arrive either until it is detached.
    """
    return assemble(
        *_HEADER_LENGTH_TO_X,
        load_length(),
        subtract_x(),
        keep(0),  # the length of the payload
        load_word(_SEQUENCE),
        copy_to_x(),
        load(sequence),
        subtract_x(),  # how far into the segment the byte is, if it is in it
        recall_x(0),
        if_at_least_x(yes="pass"),
        take_nothing(),
        "pass",
        take_all(),
    )
