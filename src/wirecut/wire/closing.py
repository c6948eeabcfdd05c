"""The ways to end a connection, each of which the peer can tell from the others.

===========================  ==========================================================
:func:`shut_down_writing`    FIN; the peer reads EOF, and we still read what it sends
:func:`close_orderly`        FIN, read to the peer's end, close: EOF and nothing else
:func:`close_now`            FIN, or RST if input is unread or still arrives
:func:`abort`                RST; what the kernel still held for the peer is dropped
===========================  ==========================================================

All but the first take the socket over: its descriptor is closed when they return or raise.
They close the descriptor itself, since ``sock.close()`` waits for every ``makefile()``
object to be closed too.  A socket that is closed already is left as it is.

On Unix-domain sockets there is no RST; the peer of an aborted one reads EOF (or ECONNRESET
if we had input unread).  A descriptor that a forked child also holds is not closed by
closing ours: no RST goes out until the child is gone.

Sources: RFC 9293 section 3.10.5 (ABORT), RFC 2525 section 2.17 (why closing with unread
input resets), socket(7) ``SO_LINGER``.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
from typing import Final

from wirecut.deadline import Deadline
from wirecut.wire.stream import RESET_ERRORS, drain

__all__ = ["abort", "close_now", "close_orderly", "shut_down_writing"]

# struct linger, on, zero seconds.  Winsock declares both fields unsigned short, others int.
_LINGER_ZERO: Final = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)

# The peer has gone: ENOTCONN after its RST was seen, EINVAL for the same on macOS.
_PEER_HAS_GONE: Final = (errno.ENOTCONN, errno.EINVAL)


def abort(sock: socket.socket) -> None:
    """Reset the connection (RST), at once and whatever is queued; closes ``sock``.

    Bytes that ``send()`` accepted and the kernel has not yet sent are lost; wait for
    :func:`~wirecut.wire.bytes_unsent` to be 0 first if the peer shall read them.
    """
    # macOS refuses options on a connection that the peer has reset; there is then nothing
    # left to reset, only a descriptor to give up.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    close_now(sock)


def shut_down_writing(sock: socket.socket) -> None:
    """Send FIN after what was sent; ``sock`` stays open for reading.

    Quiet if the peer has gone: then there is nobody to tell.

    Raises:
        OSError: The socket is closed, or was never connected to anything.
    """
    try:
        sock.shutdown(socket.SHUT_WR)
    except RESET_ERRORS:
        pass
    except OSError as error:
        if error.errno not in _PEER_HAS_GONE:
            raise


def close_orderly(sock: socket.socket, deadline: Deadline) -> int:
    """FIN, then read and discard until the peer ends too, then close: never RST.

    A plain close would reset if input were unread or came later, and the peer might lose
    bytes that it had not read yet.

    Returns:
        How many bytes of the peer's were discarded.

    Raises:
        DeadlineExceeded: The peer did not end.  ``sock`` is closed nevertheless, so that
            anything the peer sends from now on is answered by RST.
    """
    try:
        shut_down_writing(sock)
        return drain(sock, deadline)
    finally:
        close_now(sock)


def close_now(sock: socket.socket) -> None:
    """Give up the descriptor: FIN, or RST if the peer's input is unread or still comes."""
    descriptor = sock.detach()
    if descriptor >= 0:
        socket.close(descriptor)
