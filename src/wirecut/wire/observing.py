"""Read a stream to its end, and say how it ended.

What the four ends are, and how Linux shows them (each looks like another one to a reader
who only knows ``recv``):

==========================  ===========================================================
:attr:`End.EOF`             ``recv`` gives ``b""``, and no error is pending
:attr:`End.RESET`           ``recv`` raises ECONNRESET (once; then it gives ``b""``)
:attr:`End.FIN_THEN_RESET`  ``recv`` gives ``b""``, and the pending error is EPIPE
:attr:`End.OPEN`            none of these by the deadline
==========================  ===========================================================

The order matters: read to the end, then ``SO_ERROR``.  Fetching ``SO_ERROR`` clears it,
after which ``recv`` would report a reset as ``b""``.

Sources: RFC 9293 section 3.6 (half-closed connections) and 3.10.7.4 (a RST in CLOSE_WAIT),
Linux ``tcp_reset()``, socket(7) ``SO_ERROR``.
"""

from __future__ import annotations

import enum
import errno
import socket
from dataclasses import dataclass
from typing import Final

from wirecut.deadline import Deadline
from wirecut.errors import DeadlineExceeded, PeerReset
from wirecut.validation import check_seconds
from wirecut.wire.stream import receive_up_to, wait_for_hangup

__all__ = ["End", "Observation", "observe"]

_READ_BYTES: Final = 1 << 18
_AFTER_A_FIN: Final = frozenset({errno.EPIPE, errno.ECONNRESET})


class End(enum.Enum):
    """How a stream ended, as its reader can tell."""

    EOF = "eof"
    RESET = "reset"
    FIN_THEN_RESET = "fin then reset"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a peer delivered.

    Attributes:
        data: Every byte, in order.
        end: What came after them.
    """

    data: bytes
    end: End


def observe(
    sock: socket.socket, deadline: Deadline, *, settle_seconds: float = 0.0
) -> Observation:
    """Read until the stream ends or the deadline comes; never raises for either.

    Exact on Linux.  Elsewhere the kernel may discard received bytes when a reset arrives,
    and a FIN followed by a reset may show as a mere EOF.

    Args:
        sock: A connected socket.  It stays the caller's and open; afterwards its pending
            error has been fetched.  The caller should not have shut down writing first:
            a RST that comes after both sides' FIN leaves no trace, and the end is EOF.
        deadline: When to stop, with :attr:`End.OPEN`; one that has passed allows one look.
        settle_seconds: How long to wait after an EOF for a RST that may still be under way
            (within the deadline).  Zero is right if the peer's ``close()`` has returned
            before the call: on loopback its RST is then there.

    Returns:
        What was read.  A reset that the caller has already met on this socket, in a send or
        a read of its own, cannot be seen a second time and shows as EOF.

    Raises:
        MisuseError: ``settle_seconds`` is not a time span.
        OSError: The network broke the connection, not the peer (``ETIMEDOUT``).
    """
    check_seconds("settle_seconds", settle_seconds, infinite=True)
    data = bytearray()
    while True:
        try:
            chunk = receive_up_to(sock, _READ_BYTES, deadline)
        except PeerReset:
            return Observation(bytes(data), End.RESET)
        except DeadlineExceeded:
            return Observation(bytes(data), End.OPEN)
        if not chunk:
            break
        data += chunk
        # A peer that never stops sending never makes a read wait.
        if deadline.expired:
            return Observation(bytes(data), End.OPEN)
    if settle_seconds:
        settled = min(Deadline.after(settle_seconds).at, deadline.at)
        wait_for_hangup(sock, Deadline(settled))
    return Observation(bytes(data), _kind_of_end(sock))


def _kind_of_end(sock: socket.socket) -> End:
    """Which end it was that ``recv`` has just reported as ``b""``."""
    pending = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    # A RST in CLOSE_WAIT leaves EPIPE; one in LAST_ACK, when the caller has answered the
    # FIN, ECONNRESET.  Other errors can be soft ones (ICMP) of a connection that lives.
    return End.FIN_THEN_RESET if pending in _AFTER_A_FIN else End.EOF
