"""Make a connection: a blocking connect, bounded by a deadline.

Sources: connect(2) (``EINPROGRESS``, ``SO_ERROR``), RFC 1122 section 3.2.1.3 and RFC 4291
section 2.5.3 (what loopback is).
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Final

from wirecut.deadline import Deadline
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.validation import check_count
from wirecut.wire.keeping import new_socket
from wirecut.wire.kernel import set_no_delay
from wirecut.wire.stream import wait_until_writable

__all__ = ["connect_to"]

_UNDER_WAY: Final = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}


def connect_to(
    address: tuple[str, int] | str,
    deadline: Deadline,
    *,
    receive_buffer_bytes: int | None = None,
    allow_remote: bool = False,
) -> socket.socket:
    """A new connected, non-blocking socket, without Nagle's delay; the caller's.

    Args:
        address: ``(host, port)``, or the path of a Unix-domain socket.
        deadline: When to give up.
        receive_buffer_bytes: ``SO_RCVBUF``, which can only be set before the handshake.
        allow_remote: Whether the host may be a name, or an address that is not loopback.

    Raises:
        OSError: What connect() says, such as ``ConnectionRefusedError``.
        DeadlineExceeded: There was no answer.
        MisuseError: The address cannot be right, or is not loopback.
        CapabilityMissing: Python has no Unix-domain sockets here.
    """
    family, target = _target(address, allow_remote=allow_remote)
    sock = new_socket(family)
    try:
        if receive_buffer_bytes is not None:
            check_count("receive_buffer_bytes", receive_buffer_bytes, minimum=1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        set_no_delay(sock)
        error = sock.connect_ex(target)
        if error in _UNDER_WAY and not isinstance(address, str):
            wait_until_writable(sock, deadline, f"an answer from {address!r}")
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except BaseException:
        sock.close()
        raise
    if error:
        sock.close()
        raise OSError(error, f"{os.strerror(error)}: {address!r}")
    return sock


def _target(
    address: tuple[str, int] | str, *, allow_remote: bool
) -> tuple[socket.AddressFamily, tuple[str, int] | str]:
    if isinstance(address, str):
        if not hasattr(socket, "AF_UNIX"):
            raise CapabilityMissing(
                f"'unix sockets' is not available here: use a TCP address, not {address!r}"
            )
        return socket.AF_UNIX, address
    if not (isinstance(address, tuple) and len(address) == 2 and isinstance(address[0], str)):  # noqa: PLR2004 - (host, port)
        raise MisuseError(f"address must be (host, port) or a path, got {address!r}")
    host, port = address
    check_count("port", port, minimum=1, maximum=65535)
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        if not allow_remote:
            raise MisuseError(
                f"host must be a loopback address such as 127.0.0.1 or ::1, got {host!r}: "
                "allow_remote=True connects to whatever it means on this machine"
            ) from None
        family, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return family, (str(target[0]), port)
    if not (literal.is_loopback or allow_remote):
        raise MisuseError(
            f"host must be a loopback address, got {host!r}: allow_remote=True connects to "
            "other machines"
        )
    return (socket.AF_INET if literal.version == 4 else socket.AF_INET6), address  # noqa: PLR2004 - IPv4
