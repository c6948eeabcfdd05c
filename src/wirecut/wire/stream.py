"""Send and receive on one connected socket, each call bounded by one deadline.

What a caller can rely on, with any stream socket (TCP or Unix-domain, blocking or not):

* The deadline bounds the waiting of the whole call.  It is a point, so a peer that sends
  one byte now and then cannot stretch it, which a timeout per read allows.
* What has already arrived is delivered even when the deadline has passed; a call that would
  have to wait raises :class:`~wirecut.errors.DeadlineExceeded`.
* The peer's reset is :class:`~wirecut.errors.PeerReset`, on either side of the wire.  Other
  failures of the network (``ETIMEDOUT``, ``EHOSTUNREACH``) stay the ``OSError`` they are.
* No call closes the socket, and none changes whether it blocks.
* One thread at a time per direction of a socket; no state is shared between sockets.

On Windows there is no ``MSG_DONTWAIT``: give a non-blocking socket there, or a long send
may outlive its deadline.

Sources: poll(2), recv(2) (``MSG_PEEK``, ``MSG_DONTWAIT``), send(2) (``MSG_NOSIGNAL``).
"""

from __future__ import annotations

import select
import socket
from typing import Final

from wirecut.deadline import Deadline
from wirecut.errors import MisuseError, PeerClosed, PeerReset, UnmetExpectation
from wirecut.validation import check_count

__all__ = [
    "DEFAULT_LIMIT_BYTES",
    "RESET_ERRORS",
    "drain",
    "receive_exactly",
    "receive_until",
    "receive_up_to",
    "send_exactly",
    "wait_for_hangup",
    "wait_for_time",
    "wait_until_readable",
    "wait_until_writable",
]

DEFAULT_LIMIT_BYTES: Final = 1 << 20
"""Where :func:`receive_until` stops looking: longer than any line or head that is one."""

RESET_ERRORS: Final = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
"""What a connection that the peer has reset raises; the last is Windows' name for it."""

# Without MSG_DONTWAIT a blocking socket could block after all, when poll() was too hopeful
# (poll(2), BUGS), or for the part of a send that does not fit.  MSG_NOSIGNAL matters to
# programs that have given SIGPIPE its default action back: they would be killed.
_NO_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)
_SEND_FLAGS: Final[int] = _NO_WAIT | getattr(socket, "MSG_NOSIGNAL", 0)

_CHUNK_BYTES: Final = 1 << 16
_LONGEST_POLL_SECONDS: Final = 86_400.0  # poll() takes a C int of milliseconds

_HAS_POLL: Final = hasattr(select, "poll")
_READABLE: Final = 1  # POLLIN
_WRITABLE: Final = 4  # POLLOUT
_HANGUP_ONLY: Final = 0  # poll() reports POLLERR and POLLHUP whatever was asked for


def wait_until_readable(sock: socket.socket, deadline: Deadline, what: str = "input") -> None:
    """Return when a read would not block: bytes, the end, or an error are there.

    Args:
        sock: A connected or a listening socket.
        deadline: When to give up.
        what: What is waited for, to complete "gave up waiting for ...".

    Raises:
        DeadlineExceeded: Nothing came.
    """
    while not _poll(sock, _READABLE, deadline):
        deadline.require(what)


def wait_until_writable(
    sock: socket.socket, deadline: Deadline, what: str = "room to send"
) -> None:
    """Return when a write would not block, or would fail.

    With :func:`~wirecut.wire.notify_when_all_sent` on, that is when nothing unsent is left.

    Raises:
        DeadlineExceeded: The peer took nothing.
    """
    while not _poll(sock, _WRITABLE, deadline):
        deadline.require(what)


def wait_for_hangup(sock: socket.socket, deadline: Deadline) -> bool:
    """Wait until both directions are finished or reset; False if the deadline comes first.

    Bytes and a mere FIN do not end the wait.  Where there is no poll(2) (Windows) it does
    not wait, and returns False.
    """
    if not _HAS_POLL:
        return False
    while not _poll(sock, _HANGUP_ONLY, deadline):
        if deadline.expired:
            return False
    return True


def wait_for_time(point: Deadline, deadline: Deadline, what: str) -> None:
    """Wait until a point in time has come, whatever happens to any socket.

    Raises:
        DeadlineExceeded: The deadline comes first, and has come.
    """
    first = Deadline(min(point.at, deadline.at))
    # Nobody can write to it, so this is a wait for the clock alone, on every platform.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as idle:
        while not first.expired:
            _poll(idle, _READABLE, first)
    if deadline.at < point.at:
        deadline.require(what)


def send_exactly(
    sock: socket.socket, data: bytes | bytearray | memoryview, deadline: Deadline
) -> None:
    """Hand all of ``data`` to the kernel.

    That is not yet delivery: see :func:`~wirecut.wire.bytes_unsent`.

    Raises:
        PeerReset: The peer reset the connection; how much it took is not known.
        DeadlineExceeded: The peer stopped reading.
    """
    with memoryview(data).cast("B") as view:
        total = len(view)
        sent = 0
        while sent < total:
            wait_until_writable(sock, deadline, f"room to send ({sent} of {total} bytes sent)")
            try:
                sent += sock.send(view[sent:], _SEND_FLAGS)
            except BlockingIOError:
                continue
            except RESET_ERRORS as error:
                message = f"the peer reset the connection ({sent} of {total} bytes sent)"
                raise PeerReset(message) from error


def receive_up_to(sock: socket.socket, count: int, deadline: Deadline) -> bytes:
    """One read: what has arrived, at least one and at most ``count`` bytes.

    Returns:
        The bytes; ``b""`` is the peer's end.

    Raises:
        PeerReset: The peer reset the connection.
        DeadlineExceeded: Nothing came.
    """
    check_count("count", count, minimum=1)
    return _read(sock, count, deadline, "input")


def receive_exactly(sock: socket.socket, count: int, deadline: Deadline) -> bytes:
    """``count`` bytes, and not one more is taken from the socket.

    Raises:
        PeerClosed: The peer ended its stream before; the message says how many came.
        PeerReset: The peer reset the connection before.
        DeadlineExceeded: The rest did not come; what had come is lost to the caller.
    """
    check_count("count", count)
    received = bytearray()
    while len(received) < count:
        progress = f"{count} bytes ({len(received)} arrived)"
        chunk = _read(sock, min(count - len(received), _CHUNK_BYTES), deadline, progress)
        if not chunk:
            raise PeerClosed(f"the peer closed before {progress}")
        received += chunk
    return bytes(received)


def receive_until(
    sock: socket.socket,
    terminator: bytes,
    deadline: Deadline,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
) -> bytes:
    """Everything through the first ``terminator``, and not one byte beyond it.

    The bytes are looked at before they are taken (``MSG_PEEK``), so what follows is still
    in the kernel: a reset that comes next discards it unread, and the next read gets it.

    Args:
        sock: A connected socket.
        terminator: At least one byte; found wherever the segments split it.
        deadline: When to give up.
        limit_bytes: The longest result, terminator included; no byte beyond it is taken.

    Raises:
        PeerClosed: The peer ended its stream before.
        PeerReset: The peer reset the connection before.
        DeadlineExceeded: The terminator did not come.
        UnmetExpectation: ``limit_bytes`` came without one.
    """
    if not terminator:
        raise MisuseError("terminator must have at least one byte, got b''")
    check_count("limit_bytes", limit_bytes, minimum=len(terminator))
    received = bytearray()
    while len(received) < limit_bytes:
        progress = f"{terminator!r} ({len(received)} bytes arrived)"
        room = min(limit_bytes - len(received), _CHUNK_BYTES)
        seen = _read(sock, room, deadline, progress, socket.MSG_PEEK)
        if not seen:
            raise PeerClosed(f"the peer closed before {progress}")
        before = len(received)
        # The match may have begun in what was taken earlier, and it ends in what is seen
        # now: nothing seen in front of its end can belong to anybody else.
        search_from = max(0, before - len(terminator) + 1)
        received += seen
        found = received.find(terminator, search_from)
        end = len(received) if found < 0 else found + len(terminator)
        receive_exactly(sock, end - before, deadline)
        if found >= 0:
            return bytes(received[:end])
    raise UnmetExpectation(f"no {terminator!r} in the first {limit_bytes} bytes")


def drain(sock: socket.socket, deadline: Deadline) -> int:
    """Read and discard until the peer ends its stream, by FIN or by RST.

    Returns:
        How many bytes were discarded.

    Raises:
        DeadlineExceeded: The peer did not end, whether it was silent or kept sending.
    """
    buffer = bytearray(_CHUNK_BYTES)
    discarded = 0
    while True:
        what = f"the peer's end ({discarded} bytes discarded)"
        wait_until_readable(sock, deadline, what)
        try:
            count = sock.recv_into(buffer, 0, _NO_WAIT)
        except BlockingIOError:
            continue
        except RESET_ERRORS:
            return discarded
        if not count:
            return discarded
        discarded += count
        # Somebody who never stops sending is always readable, and would never be waited for.
        deadline.require(f"the peer's end ({discarded} bytes discarded)")


def _read(
    sock: socket.socket, count: int, deadline: Deadline, what: str, flags: int = 0
) -> bytes:
    while True:
        wait_until_readable(sock, deadline, what)
        try:
            return sock.recv(count, _NO_WAIT | flags)
        except BlockingIOError:
            continue
        except RESET_ERRORS as error:
            raise PeerReset(f"the peer reset the connection before {what}") from error


def _poll(sock: socket.socket, events: int, deadline: Deadline) -> bool:
    """Wait once; True if something is to be done, False at the deadline or before it."""
    seconds = min(deadline.remaining(), _LONGEST_POLL_SECONDS)
    if _HAS_POLL:
        poller = select.poll()
        poller.register(sock, events)
        return bool(poller.poll(seconds * 1000))  # rounded up, so no spinning at the end
    # The third set is where Winsock reports a connect that failed.
    reading = [sock] if events == _READABLE else []
    writing = [sock] if events == _WRITABLE else []
    return any(select.select(reading, writing, writing, seconds))
