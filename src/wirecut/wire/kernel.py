"""What the kernel can be asked about a connection, and what this platform can promise.

The questions are Linux's (``SIOCOUTQNSD``, ``SIOCOUTQ``, ``FIONREAD``, ``TCP_INFO``,
``TCP_NOTSENT_LOWAT``).  Where one does not exist the call raises
:class:`~wirecut.errors.CapabilityMissing`, and :data:`CAPABILITIES` says so beforehand:
each is a sentence about the platform that its probe has tried on loopback, not a guess
from the platform's name.

On a Unix-domain socket ``send()`` puts the bytes straight into the peer's queue, so there
nothing is ever unsent or unacknowledged.

Sources: tcp(7), ioctl_tty(2), Linux ``include/uapi/linux/sockios.h`` and ``tcp.h``.
"""

from __future__ import annotations

import enum
import functools
import os
import select
import socket
import struct
import sys
import tempfile
from contextlib import ExitStack, closing
from typing import Final

from wirecut.errors import CapabilityMissing, InternalError, MisuseError
from wirecut.wire.capability import (
    LOOPBACK,
    PROBE_PATIENCE_SECONDS,
    Capability,
    loopback_pair,
)
from wirecut.wire.closing import abort
from wirecut.wire.privileges import PRIVILEGES

if sys.platform != "win32":
    import fcntl
    import termios

__all__ = [
    "CAPABILITIES",
    "Capability",
    "TcpState",
    "available",
    "bytes_unacknowledged",
    "bytes_unread",
    "bytes_unsent",
    "notify_when_all_sent",
    "require",
    "set_no_delay",
    "tcp_state",
    "why_missing",
]

_LINUX: Final = sys.platform == "linux"

_SIOCOUTQNSD: Final = 0x894B  # Python has no name for it; the same on every architecture
_TCP_NOTSENT_LOWAT: Final[int] = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if _LINUX else -1)

_PROBE_PATIENCE_SECONDS: Final = PROBE_PATIENCE_SECONDS
_LOOPBACK: Final = LOOPBACK


_why_missing: dict[str, str] = {}  # by name, what the probe ran into


class TcpState(enum.IntEnum):
    """The states of RFC 9293 section 3.3.2, as Linux numbers them (``tcp_states.h``)."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECEIVED = 12


def bytes_unsent(sock: socket.socket) -> int:
    """Bytes that ``send()`` accepted and that are not on the wire yet.

    A reset drops them.  When it is 0, all has left for the peer; on loopback it has then
    also arrived, and the peer reads it even after a reset.

    Raises:
        CapabilityMissing: The kernel cannot be asked ("exact cuts").
    """
    if not _is_tcp(sock):
        return 0
    if sys.platform != "linux":
        raise _missing("exact cuts")
    return _ask(sock, _SIOCOUTQNSD)


def bytes_unacknowledged(sock: socket.socket) -> int:
    """Bytes that ``send()`` accepted and the peer's kernel has not acknowledged yet.

    On a real link only this says that they have arrived.  It can lag behind by the 20 to
    70 ms of a delayed acknowledgement (RFC 9293 section 3.8.6.3).

    Raises:
        CapabilityMissing: The kernel cannot be asked ("exact cuts").
    """
    if not _is_tcp(sock):
        return 0
    if sys.platform != "linux":
        raise _missing("exact cuts")
    return _ask(sock, termios.TIOCOUTQ)  # SIOCOUTQ has the number of the terminals' TIOCOUTQ


def bytes_unread(sock: socket.socket) -> int:
    """Bytes that have arrived and were not read yet.

    Raises:
        CapabilityMissing: On Windows, where Python cannot ask.
    """
    if sys.platform == "win32":
        raise CapabilityMissing("bytes_unread is not available on Windows: peek instead")
    return _ask(sock, termios.FIONREAD)


def tcp_state(sock: socket.socket) -> TcpState:
    """The state of the connection, as our kernel sees it.

    A connection that both sides have closed is CLOSE: its TIME_WAIT is no longer ours.

    Raises:
        MisuseError: It is not a TCP socket.
        CapabilityMissing: There is no ``TCP_INFO`` with Linux's numbers ("tcp state").
    """
    if not _is_tcp(sock):
        raise MisuseError(f"sock must be a TCP socket, got {sock!r}")
    if sys.platform != "linux":
        raise _missing("tcp state")
    return TcpState(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0])


def notify_when_all_sent(sock: socket.socket, on: bool) -> None:  # noqa: FBT001 - a switch
    """Whether "writable" shall mean that nothing unsent is left, instead of some room.

    Switch it on after the last send before a cut and off again: it costs a third of the
    throughput.  Every selector then reports the socket writable exactly when
    :func:`bytes_unsent` has become 0, which replaces polling.

    Raises:
        CapabilityMissing: ``TCP_NOTSENT_LOWAT`` is unknown ("wait until sent as an event").
    """
    if not _is_tcp(sock):
        return
    if _TCP_NOTSENT_LOWAT < 0:
        raise _missing("wait until sent as an event")
    # 0 is "no own value": back to the system's tcp_notsent_lowat.
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, 1 if on else 0)


def set_no_delay(sock: socket.socket) -> None:
    """Send small segments at once (RFC 9293 section 3.7.4, Nagle off); only TCP has it."""
    if _is_tcp(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@functools.cache
def available(name: str) -> bool:
    """Whether this process has the capability; tried once, then remembered.

    Raises:
        MisuseError: There is no capability of that name.
    """
    try:
        return _find(name).probe()
    except (OSError, CapabilityMissing) as error:
        _why_missing[name] = str(error)
        return False


def require(name: str) -> None:
    """Return if this process has the capability.

    Raises:
        CapabilityMissing: It has not; the message says what is missing and the way out.
        MisuseError: There is no capability of that name.
    """
    if not available(name):
        raise _missing(name)


def why_missing(name: str) -> str:
    """What the probe of a missing capability ran into; empty if into nothing, or not missing.

    Raises:
        MisuseError: There is no capability of that name.
    """
    return "" if available(name) else _why_missing.get(name, "")


def _find(name: str) -> Capability:
    for capability in CAPABILITIES:
        if capability.name == name:
            return capability
    known = ", ".join(capability.name for capability in CAPABILITIES)
    raise MisuseError(f"name must be one of {known}, got {name!r}")


def _missing(name: str) -> CapabilityMissing:
    capability = _find(name)
    why = f"; tried: {reason}" if (reason := _why_missing.get(name)) else ""
    return CapabilityMissing(
        f"{name!r} is not available here ({capability.summary}): {capability.how_to_get}{why}"
    )


def _is_tcp(sock: socket.socket) -> bool:
    # A tuple: a set would hash these, which takes enumerations a call of Python each.
    return sock.family in (socket.AF_INET, socket.AF_INET6)


def _ask(sock: socket.socket, request: int) -> int:
    if sys.platform == "win32":
        raise InternalError("there is no ioctl on Windows")
    answer: int = struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0]
    return answer


def _probe_exact_cuts() -> bool:
    # Nobody reads, and the peer's window is smaller than what we send.
    with loopback_pair(peer_buffer=4096) as (ours, _peer):
        before = bytes_unsent(ours)
        ours.setblocking(False)
        accepted = ours.send(bytes(1 << 17))
        return before == 0 < bytes_unsent(ours) < accepted


def _probe_notsent_event() -> bool:
    with loopback_pair(peer_buffer=4096) as (ours, peer):
        ours.setblocking(False)
        left = ours.send(bytes(1 << 15))
        notify_when_all_sent(ours, on=True)
        writable_too_early = bool(select.select([], [ours], [], 0)[1])
        while left:
            left -= len(peer.recv(left))
        return not writable_too_early and bool(
            select.select([], [ours], [], _PROBE_PATIENCE_SECONDS)[1]
        )


def _probe_received_data_survives() -> bool:
    with loopback_pair() as (ours, peer):
        ours.sendall(b"kept")
        abort(ours)
        select.select([peer], [], [], _PROBE_PATIENCE_SECONDS)
        return peer.recv(4) == b"kept"


def _probe_tcp_state() -> bool:
    with loopback_pair() as (ours, _peer):
        return tcp_state(ours) is TcpState.ESTABLISHED


def _probe_full_backlog() -> bool:
    with ExitStack() as cleanup:
        sockets = [cleanup.enter_context(closing(socket.socket())) for _ in range(3)]
        listener, filler, client = sockets
        listener.bind((_LOOPBACK, 0))
        listener.listen(0)
        for sock in (filler, client):
            sock.setblocking(False)
        filler.connect_ex(listener.getsockname())
        if not select.select([listener], [], [], _PROBE_PATIENCE_SECONDS)[0]:
            return False
        # On loopback a handshake that is answered is over before connect_ex() returns.
        client.connect_ex(listener.getsockname())
        return not select.select([], [client], [], 0)[1]


def _probe_held_ports() -> bool:
    with ExitStack() as cleanup:
        sockets = [cleanup.enter_context(closing(socket.socket())) for _ in range(4)]
        holder, listener, thief, client = sockets
        holder.bind((_LOOPBACK, 0))
        address = holder.getsockname()
        for sock in (holder, listener):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
        client.settimeout(_PROBE_PATIENCE_SECONDS)
        client.connect(address)
        listener.close()
        try:
            thief.bind(address)
        except OSError:
            return True
        return False


def _probe_ipv6_loopback() -> bool:
    with loopback_pair("::1"):
        return True


def _probe_unix_sockets() -> bool:
    if not hasattr(socket, "AF_UNIX"):
        return False
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(socket.socket(socket.AF_UNIX)) as listener,
        closing(socket.socket(socket.AF_UNIX)) as client,
    ):
        path = os.path.join(folder, "s")  # noqa: PTH118 - bind() takes a str
        listener.bind(path)
        listener.listen()
        client.connect(path)
        return True


_USE_LINUX: Final = "run this on Linux, for instance in a container"

CAPABILITIES: Final = (
    Capability(
        "exact cuts",
        "the kernel says how many bytes are not sent yet, so a cut after k bytes delivers k",
        f"{_USE_LINUX}; elsewhere a cut delivers at most k bytes",
        _probe_exact_cuts,
    ),
    Capability(
        "wait until sent as an event",
        "a selector reports when the last byte has left, so nothing polls",
        f"{_USE_LINUX}, or on macOS",
        _probe_notsent_event,
    ),
    Capability(
        "received data survives a reset",
        "a peer that is reset can still read what had arrived before",
        f"{_USE_LINUX}; elsewhere a reset may discard bytes that the peer has not read",
        _probe_received_data_survives,
    ),
    Capability(
        "tcp state",
        "the kernel tells the state of a connection",
        _USE_LINUX,
        _probe_tcp_state,
    ),
    Capability(
        "full backlog",
        "a full accept queue leaves new connects unanswered, so that they time out",
        _USE_LINUX,
        _probe_full_backlog,
    ),
    Capability(
        "held ports",
        "a port stays ours while nothing listens on it",
        f"{_USE_LINUX}; elsewhere another program may take the port at that moment",
        _probe_held_ports,
    ),
    Capability(
        "ipv6 loopback",
        "::1 can be listened on",
        "switch IPv6 on (net.ipv6.conf.lo.disable_ipv6=0), or use 127.0.0.1",
        _probe_ipv6_loopback,
    ),
    Capability(
        "unix sockets",
        "Python offers Unix-domain stream sockets",
        "use a TCP address; Python has none on Windows",
        _probe_unix_sockets,
    ),
    *PRIVILEGES,
)
