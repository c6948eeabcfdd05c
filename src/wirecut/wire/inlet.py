"""What has arrived, looked at before it is taken.

Nothing is taken that was not decided to be taken: what lies beyond a cut stays in the kernel,
where a reset discards it unread.

Source: recv(2) (``MSG_PEEK``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from wirecut.deadline import Deadline
from wirecut.wire.stream import receive_exactly

__all__ = ["Inlet"]

_PEEK_BYTES: Final = 1 << 16


class Inlet:
    """The receiving half of a connected, non-blocking socket; one thread at a time.

    Args:
        sock: The socket; stays the caller's.
        note: Told of all bytes that were taken.

    Attributes:
        shown: How many of the bytes that were last looked at have not been taken.
    """

    __slots__ = ("_note", "_sock", "shown")

    def __init__(self, sock: socket.socket, note: Callable[[bytes], object]) -> None:
        self.shown = 0
        self._sock = sock
        self._note = note

    def look(self, limit: Callable[[bytes], int], *, at_least: int = 0) -> tuple[bytes, bool]:
        """The bytes that may be taken, and whether the stream ends here; never waits.

        Args:
            limit: How many of the bytes that it is given may be.
            at_least: How many are shown all the same.

        Raises:
            ConnectionResetError: The peer has reset the connection.
        """
        try:
            data = self._sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return b"", False
        if not data:
            return b"", True
        data = data[: max(limit(data), at_least)]
        self.shown = len(data)
        return data, False

    def take(self, count: int) -> bytes:
        """Take bytes that were looked at."""
        if not count:
            return b""
        data = receive_exactly(self._sock, count, Deadline.after(0.0))
        self.shown -= count
        self._note(data)
        return data
