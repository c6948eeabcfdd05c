"""What ``TCP_REPAIR`` offers: a connection's sequence numbers, and a death without a packet.

Repair is how a live connection is moved between machines: while it is on, the kernel tells
the numbers it would use next, and closing the socket sends nothing.  It is on only for as
long as a call here takes, and it is left with -1, since leaving it with 0 sends a window
probe.  Data that arrives meanwhile is received as always.

It needs CAP_NET_ADMIN (capability "tcp repair").

Sources: Linux ``include/uapi/linux/tcp.h``, ``do_tcp_setsockopt()``, ``__tcp_close()``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from wirecut.wire.closing import close_now

__all__ = ["Numbers", "die_silently", "read_numbers"]

_TCP_REPAIR: Final = 19
_TCP_REPAIR_QUEUE: Final = 20
_TCP_QUEUE_SEQ: Final = 21

_ON: Final = 1
_OFF_WITHOUT_PROBE: Final = -1
_NO_QUEUE: Final = 0
_RECEIVE_QUEUE: Final = 1
_SEND_QUEUE: Final = 2


@dataclass(frozen=True, slots=True)
class Numbers:
    """The next sequence numbers of one end of a connection.

    Attributes:
        write: Of the next byte that ``send()`` will accept.
        receive: Of the next byte expected from the peer, which is what we acknowledge.
    """

    write: int
    receive: int


def read_numbers(sock: socket.socket) -> Numbers:
    """The numbers of our end of a live connection.

    Raises:
        PermissionError: There is no CAP_NET_ADMIN.
        OSError: It is no connected TCP socket.
    """
    sock.getpeername()  # the kernel would also make numbers up for a new socket
    with _repairing(sock):
        found = []
        for queue in (_SEND_QUEUE, _RECEIVE_QUEUE):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
            found.append(sock.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ) % (1 << 32))
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, _NO_QUEUE)
    return Numbers(*found)


def die_silently(sock: socket.socket) -> None:
    """Close ``sock`` without FIN or RST, as when the machine loses power.

    The peer notices nothing.  What it sends later meets a machine that knows of no such
    connection, as after a reboot, and is answered by RST.  For a peer that shall never hear
    anything again, cut the connection instead (:class:`~wirecut.wire.partition.Partition`).

    Raises:
        PermissionError: There is no CAP_NET_ADMIN; ``sock`` is as it was.
        OSError: It is no connected TCP socket.
    """
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _ON)
    close_now(sock)


@contextmanager
def _repairing(sock: socket.socket) -> Iterator[None]:
    # Repair takes SO_REUSEADDR away from the socket when it is left, and a connection
    # without it keeps the next listener from binding the port.
    reuse = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _ON)
    try:
        yield
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF_WITHOUT_PROBE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
