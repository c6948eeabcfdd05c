"""What the kernel counts for one connection (``TCP_INFO``).

Sources: Linux ``include/uapi/linux/tcp.h``, RFC 4898 (the counters of bytes).
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Final

from wirecut.wire.kernel import require

__all__ = ["TcpInfo", "segments_dropped", "tcp_info"]

# struct tcp_info as far as tcpi_notsent_bytes; what is skipped is padding here.
_TCP_INFO: Final = struct.Struct("@2xBxB19xI92xQQ8xI")

_SO_MEMINFO: Final = 55  # include/uapi/asm-generic/socket.h; Python has no name
_MEMORY: Final = struct.Struct("@32xI")  # SK_MEMINFO_DROPS is the ninth


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """What our kernel knows about one connection, at one moment.

    Attributes:
        retransmits: How often in a row the first unacknowledged segment was repeated.
        backoff: How often the time until its next repetition was doubled.
        unacknowledged_segments: Segments sent and not acknowledged.
        bytes_acknowledged: Bytes of ours that the peer's kernel has (the SYN counts too, at
            the end that dialled).
        bytes_received: Bytes of the peer's that have arrived, in order (its FIN counts too).
        bytes_unsent: Bytes that ``send()`` accepted and that were not sent yet.
    """

    retransmits: int
    backoff: int
    unacknowledged_segments: int
    bytes_acknowledged: int
    bytes_received: int
    bytes_unsent: int


def tcp_info(sock: socket.socket) -> TcpInfo:
    """What the kernel counts for a TCP connection, at either end.

    Raises:
        CapabilityMissing: There is no ``TCP_INFO`` with Linux's numbers ("tcp state").
        OSError: It is no TCP socket.
    """
    require("tcp state")
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    return TcpInfo(*_TCP_INFO.unpack(raw))


def segments_dropped(sock: socket.socket) -> int:
    """How many segments were dropped right before TCP, most of all by the socket's filter.

    Raises:
        OSError: The kernel has no ``SO_MEMINFO`` (Linux before 4.12).
    """
    raw = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMORY.size)
    dropped: int = _MEMORY.unpack(raw)[0]
    return dropped
