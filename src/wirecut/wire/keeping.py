"""Keep a local address, whether or not anything listens on it.

A client that connects to a kept address without a listener gets ECONNREFUSED, for as long
as it is kept; no other program can take it.

**Ports, on Linux.**  A *holder* socket is bound and never listens, and a SYN to such a port
is answered by RST.  Listeners come and go beside it, bound with ``SO_REUSEADDR``, which
sockets may share as long as none of them listens.  While there is no listener the holder
has the option off, so that nobody else's ``SO_REUSEADDR`` gets in either.  Port 0 is bound
*without* the option: with it, the kernel may hand out a port that another holder shares.

**Ports, elsewhere** (no capability "held ports"): the holder makes way for the listener and
is bound anew afterwards, so the port is nobody's for a moment at each switch.

**Paths.**  The file of a Unix-domain socket that nobody listens on refuses, and keeps
others from binding.  A path is reopened by renaming a new, listening socket over it, so
that a client never finds the file missing.

Sources: socket(7) ``SO_REUSEADDR``, ip(7), unix(7), rename(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Callable
from typing import Final, TypeAlias

from wirecut.errors import CapabilityMissing, MisuseError

__all__ = ["KeptPath", "KeptPort", "Prepare", "new_socket"]

Prepare: TypeAlias = Callable[[socket.socket], object]
"""What is done to a bound socket right before it listens."""

# Given at creation it costs no further system call.
_SOCK_NONBLOCK: Final[int] = getattr(socket, "SOCK_NONBLOCK", 0)
_HOLDS_PORTS = sys.platform == "linux"
# It is what lets us bind a port that has connections in TIME_WAIT; but on Windows it lets
# anybody bind a port that is in use.
_REUSES_ADDRESSES: Final = sys.platform != "win32"

# sun_path has 108 bytes on Linux and 104 on the BSDs, one of them for the final zero; one
# more is for the name under which a reopened path is prepared.
_LONGEST_PATH_BYTES: Final = 106 if sys.platform == "linux" else 102

# What an Ethernet link announces (1,500 bytes less the IPv4 and TCP headers).
_SMALL_SEGMENT_BYTES: Final = 1460

_NOT_ABOUT_THE_ADDRESS: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to recognise it
_IPV6_LOOPBACK: Final = bytes(15) + b"\x01"


def new_socket(family: socket.AddressFamily) -> socket.socket:
    """A non-blocking stream socket."""
    sock = socket.socket(family, socket.SOCK_STREAM | _SOCK_NONBLOCK)
    if not _SOCK_NONBLOCK:
        sock.setblocking(False)
    return sock


class KeptPort:
    """A TCP port that stays ours while listeners come and go."""

    __slots__ = ("_holder", "_host", "_receive_buffer_bytes", "family", "port")

    def __init__(
        self, host: str, port: int, receive_buffer_bytes: int | None, *, allow_remote: bool
    ) -> None:
        """Take the port; 0 takes a free one.

        Raises:
            MisuseError: ``host`` is no address literal, not loopback, or the port is in use.
        """
        self.family, loopback = _read_host(host)
        if not (loopback or allow_remote):
            raise MisuseError(
                f"host must be a loopback address, got {host!r}: "
                "allow_remote=True lets other machines connect"
            )
        self._host = host
        self._receive_buffer_bytes = receive_buffer_bytes
        self._holder: socket.socket | None = None
        self.port = port
        self._hold()

    @property
    def local_address(self) -> tuple[str, int]:
        """Where this machine reaches the port: "any address" is not one to connect to."""
        return _LOOPBACK_OF.get(self._host, self._host), self.port

    def listener(self, backlog: int, prepare: Prepare | None = None) -> socket.socket:
        """A new socket that listens on the port, for the caller to release."""
        if self._holder is not None:
            if _HOLDS_PORTS:
                _set_reuse(self._holder, on=True)
            else:
                self._holder.close()
                self._holder = None
        return self._bind(reuse=True, backlog=backlog, prepare=prepare)

    def release(self, listener: socket.socket) -> None:
        """Close a listener and keep the port."""
        if self._holder is not None:
            # Still before the port is free to take.
            _set_reuse(self._holder, on=False)
        listener.close()
        if self._holder is None:
            self._hold()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        return (self._holder.fileno(),) if self._holder is not None else ()

    def forked(self) -> None:
        """Close the descriptor in a forked child; the port stays the parent's."""
        self.close()

    def close(self) -> None:
        """Give the port up."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def _hold(self) -> None:
        any_port = self.port == 0
        holder = self._bind(reuse=not any_port)
        if any_port:
            self.port = holder.getsockname()[1]
        elif _HOLDS_PORTS:
            _set_reuse(holder, on=False)
        self._holder = holder

    def _bind(
        self, *, reuse: bool, backlog: int | None = None, prepare: Prepare | None = None
    ) -> socket.socket:
        sock = None
        try:
            sock = new_socket(self.family)
            if reuse and _REUSES_ADDRESSES:
                _set_reuse(sock, on=True)
            sock.bind((self._host, self.port))
            if backlog is not None:
                # Inherited too: what is sent byte by byte shall leave byte by byte.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._receive_buffer_bytes is not None:
                    # Accepted sockets inherit it; the handshake already announces it.
                    size = self._receive_buffer_bytes
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
                    _announce_small_segments(sock)
                if prepare is not None:
                    prepare(sock)
                sock.listen(backlog)
        except OSError as error:
            if sock is not None:
                sock.close()
            raise _explain_port(error, self._host, self.port) from error
        return sock


def _announce_small_segments(listener: socket.socket) -> None:
    """Keep a client's send buffer from growing with loopback's huge segments.

    Linux sizes it by the segment that the other side announces (``tcp_sndbuf_expand``): with
    loopback's 64 KiB it takes megabytes, however small our window is, and a write of 200 KB
    never blocks.
    """
    if hasattr(socket, "TCP_MAXSEG"):
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SMALL_SEGMENT_BYTES)


class KeptPath:
    """A Unix-domain socket's path that stays ours while listeners come and go."""

    __slots__ = ("_bound", "_file", "_path", "family")

    def __init__(self, path: str) -> None:
        """Create the socket file.

        Raises:
            MisuseError: The file exists, cannot be made, or its name is too long.
            CapabilityMissing: There are no Unix-domain sockets in this Python.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise CapabilityMissing("'unix sockets' are not available here: use a TCP address")
        self.family = socket.AF_UNIX
        self._path = path
        length = len(os.fsencode(path))
        if not path or "\0" in path:
            raise MisuseError(f"path must be the name of a file, got {path!r}")
        if length > _LONGEST_PATH_BYTES:
            raise MisuseError(
                f"path must have at most {_LONGEST_PATH_BYTES} bytes, got {length}: {path!r}"
            )
        # Bound now and listened on by the first listener(); None after that.
        self._bound: socket.socket | None = self._bind(path)
        self._file = _identity(path)

    def listener(self, backlog: int, prepare: Prepare | None = None) -> socket.socket:
        """A socket that listens on the path, for the caller to release."""
        del prepare  # what is prepared is TCP's
        if self._bound is not None:
            sock, self._bound = self._bound, None
            sock.listen(backlog)
            return sock
        prepared = f"{self._path}~"
        sock = self._bind(prepared)
        # Listening before it gets the name: there is no moment of refusing.
        sock.listen(backlog)
        self._file = _identity(prepared)
        os.replace(prepared, self._path)  # noqa: PTH105 - a str all the way
        return sock

    def release(self, listener: socket.socket) -> None:
        """Close a listener and leave its file, which refuses from now on."""
        listener.close()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        return (self._bound.fileno(),) if self._bound is not None else ()

    def forked(self) -> None:
        """Close the descriptor in a forked child; the file stays the parent's."""
        if self._bound is not None:
            self._bound.close()
            self._bound = None

    def close(self) -> None:
        """Remove the file, if it is still the one we made."""
        if self._bound is not None:
            self._bound.close()
            self._bound = None
        with contextlib.suppress(FileNotFoundError):
            if _identity(self._path) == self._file:
                os.unlink(self._path)  # noqa: PTH108 - a str all the way

    def _bind(self, path: str) -> socket.socket:
        sock = new_socket(self.family)
        try:
            sock.bind(path)
        except OSError as error:
            sock.close()
            raise _explain_path(error, path) from error
        return sock


def _explain_path(error: OSError, path: str) -> MisuseError:
    if error.errno in _NOT_ABOUT_THE_ADDRESS:
        raise error
    if error.errno == errno.EADDRINUSE:
        return MisuseError(f"path {path!r} exists already: remove it or take another")
    return MisuseError(f"path {path!r} cannot be used: {error}")


def _explain_port(error: OSError, host: str, port: int) -> MisuseError:
    """What to raise for a port that cannot be taken: one sentence with the way out."""
    if error.errno in _NOT_ABOUT_THE_ADDRESS:
        raise error
    message = f"port {port} on {host} cannot be used: {error}"
    match error.errno:
        case errno.EADDRINUSE if port:
            message = f"port {port} on {host} is in use: port=0 takes a free one"
        case errno.EACCES:
            message = f"port {port} on {host} needs privileges: port=0 takes a free one"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT if host == "::1":
            message = "'ipv6 loopback' is not available here: switch IPv6 on or use 127.0.0.1"
            return CapabilityMissing(message)
        case errno.EADDRNOTAVAIL:
            message = f"host {host!r} is not an address of this machine"
    return MisuseError(message)


def _read_host(host: str) -> tuple[socket.AddressFamily, bool]:
    """The family of an address literal, and whether it is loopback."""
    if host == "127.0.0.1":
        return socket.AF_INET, True
    # A zone (fe80::1%eth0) is not part of the address.
    literal = host.partition("%")[0] if isinstance(host, str) else ""
    with contextlib.suppress(OSError):
        packed = socket.inet_pton(socket.AF_INET, literal)
        return socket.AF_INET, packed.startswith(b"\x7f")  # 127.0.0.0/8, RFC 1122 3.2.1.3
    with contextlib.suppress(OSError):
        packed = socket.inet_pton(socket.AF_INET6, literal)
        return socket.AF_INET6, packed == _IPV6_LOOPBACK
    raise MisuseError(f"host must be an address such as 127.0.0.1 or ::1, got {host!r}")


def _set_reuse(sock: socket.socket, *, on: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, on)


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - a str all the way
    return found.st_dev, found.st_ino
