"""What has been decided to be sent, on its way to the kernel and to the wire.

Unlike :func:`~wirecut.wire.send_exactly` it keeps what a deadline has cut off, and sends it
first the next time; and it knows when the last byte has left, which is what an exact cut
waits for.

Sources: tcp(7) (``SIOCOUTQNSD``), send(2) (``MSG_NOSIGNAL``), shutdown(2).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Final

from wirecut.deadline import Deadline
from wirecut.errors import CapabilityMissing, PeerReset
from wirecut.wire.closing import abort, close_now, shut_down_writing
from wirecut.wire.kernel import TcpState, bytes_unsent, notify_when_all_sent, tcp_state
from wirecut.wire.stream import RESET_ERRORS, wait_until_writable

__all__ = ["Outlet"]

_WRITE_BYTES: Final = 1 << 18
_SEND_FLAGS: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)


class Outlet:
    """The sending half of a connected, non-blocking socket; one thread at a time.

    Args:
        sock: The socket; the caller's, until :meth:`give_up` or :meth:`abort` closes it.
        note: Told of all bytes that the kernel has taken.

    Attributes:
        fin: Whether the end was decided; it is sent when all bytes before it have been.
        peer_reset: Whether the peer was seen to have reset the connection.
    """

    __slots__ = ("_fin_sent", "_note", "_pending", "_sock", "fin", "peer_reset")

    def __init__(self, sock: socket.socket, note: Callable[[bytes], object]) -> None:
        self.fin = False
        self.peer_reset = False
        self._fin_sent = False
        self._sock = sock
        self._note = note
        self._pending = bytearray()

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Give the kernel what was left before, and these bytes.

        Raises:
            PeerReset: The peer has reset the connection.
            DeadlineExceeded: The peer stopped reading; the rest goes first the next time.
        """
        self._pending += data
        self.flush(deadline)

    def flush(self, deadline: Deadline) -> None:
        """Give the kernel what was left before, the end included.

        Raises:
            PeerReset, DeadlineExceeded: As :meth:`send`.
        """
        while self._pending:
            what = f"room to send ({len(self._pending)} bytes are left)"
            wait_until_writable(self._sock, deadline, what)
            data = bytes(self._pending[:_WRITE_BYTES])
            try:
                sent = self._sock.send(data, _SEND_FLAGS)
            except BlockingIOError:
                continue
            except RESET_ERRORS as error:
                raise self.lost() from error
            self._note(data[:sent])
            del self._pending[:sent]
        if self.fin and not self._fin_sent:
            self._fin_sent = True
            shut_down_writing(self._sock)

    def end(self, deadline: Deadline) -> None:
        """FIN after all that was sent.

        Raises:
            PeerReset, DeadlineExceeded: As :meth:`send`.
        """
        self.fin = True
        self.flush(deadline)

    def lost(self) -> PeerReset:
        """The peer has reset the connection: forget what was to be sent; what to raise."""
        self.peer_reset = True
        self._pending.clear()
        return PeerReset("the peer has reset the connection")

    @property
    def unsent(self) -> int:
        """Bytes that are not on the wire; without "exact cuts", not in the kernel."""
        unsent = len(self._pending)
        with contextlib.suppress(CapabilityMissing):
            unsent += bytes_unsent(self._sock)
        return unsent

    def wait_until_sent(self, deadline: Deadline) -> None:
        """Wait until all is on the wire; without "exact cuts", until the kernel has it.

        Raises:
            PeerReset: The peer has reset the connection, so what is left never will be.
            DeadlineExceeded: The peer does not read.
        """
        self.flush(deadline)
        if not self.unsent:
            return
        with contextlib.suppress(CapabilityMissing):
            notify_when_all_sent(self._sock, True)
        try:
            while self.unsent:
                wait_until_writable(self._sock, deadline, "the last byte to be on the wire")
                # A reset makes it writable too, and what is unsent stays so.
                if self.unsent and tcp_state(self._sock) is TcpState.CLOSE:
                    raise self.lost()
        finally:
            with contextlib.suppress(CapabilityMissing, OSError):
                notify_when_all_sent(self._sock, False)

    def abort(self) -> None:
        """Close the socket with RST; what is not on the wire is lost."""
        abort(self._sock)

    def give_up(self) -> None:
        """Close the socket at once: with RST if something is unsent or unread, else FIN."""
        if self.unsent:
            abort(self._sock)
        else:
            close_now(self._sock)
