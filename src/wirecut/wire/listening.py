"""One local address that can be open, refusing or full, and switched while it is in use.

What a client sees, on the same port all the time:

=============  ========================================================================
``OPEN``       its connect succeeds
``REFUSING``   its connect fails at once with ECONNREFUSED
``FULL``       its connect is not answered, and times out
=============  ========================================================================

Refusing is a kept address (:mod:`wirecut.wire.keeping`) on which nothing listens.

Full is ``listen(0)`` and one connection of our own, the *filler*, which nobody accepts: the
queue then holds backlog + 1 = 1 connections, and Linux ignores further SYNs.  A client
repeats an unanswered SYN after one second (RFC 6298 section 2), so it is served that much
later if the address is opened meanwhile.

On Unix-domain sockets there is no full: a connect waits, or fails with EAGAIN, by the
client's own choice of blocking or not.

Sources: RFC 9293 section 3.10.7.1 (RST for a closed port), listen(2), unix(7).
"""

from __future__ import annotations

import enum
import os
import socket
import sys
from socket import AddressFamily
from types import TracebackType
from typing import Final, Self, TypeAlias

from wirecut.deadline import DEFAULT_PATIENCE_SECONDS, Deadline
from wirecut.errors import MisuseError
from wirecut.validation import check_count
from wirecut.wire.closing import abort
from wirecut.wire.keeping import KeptPath, KeptPort, Prepare, new_socket
from wirecut.wire.kernel import require
from wirecut.wire.stream import wait_until_readable

__all__ = ["DEFAULT_BACKLOG", "ListenerState", "Listening"]

DEFAULT_BACKLOG: Final = 4096
"""With 1,024 a burst of 10,000 connects overflows the queue, and the clients that are left
out wait for their SYN's repetition: a test that takes a second now and then."""

_Socket: TypeAlias = socket.socket  # within Listening, "socket" is a property
_Accepted: TypeAlias = tuple[_Socket, tuple[str, int] | str]


class ListenerState(enum.Enum):
    """What a client that connects to the address meets."""

    OPEN = "open"
    REFUSING = "refusing"
    FULL = "full"
    CLOSED = "closed"


class Listening:
    """A local address of ours, refusing until it is opened; a context manager.

    A connection that has not been accepted when the address turns to refusing or is closed
    is reset, as when a server dies: accept first whatever shall live.  Accepted connections
    are the caller's, and none of the switches touches them.

    One thread at a time.  All methods are quick, and none waits for a client.
    """

    __slots__ = ("_address", "_backlog", "_early", "_filler", "_place", "_socket", "_state")

    _address: tuple[str, int] | str
    _place: KeptPort | KeptPath

    def __init__(  # noqa: PLR0913 - each is one independent choice with a default
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        path: str | os.PathLike[str] | None = None,
        backlog: int = DEFAULT_BACKLOG,
        receive_buffer_bytes: int | None = None,
        allow_remote: bool = False,
    ) -> None:
        """Take the address.

        Args:
            host: An IPv4 or IPv6 address literal; names mean different things on different
                machines.
            port: 0 takes a free one.
            path: A Unix-domain socket instead; the file must not exist, and is ours until
                :meth:`close` removes it.
            backlog: How many connections may wait to be accepted, at least 1; the kernel
                caps it (``net.core.somaxconn``).
            receive_buffer_bytes: ``SO_RCVBUF`` of accepted connections (Linux doubles it).
                A small one makes a client's write block early, which otherwise takes some
                4 MB.  It can only be set before the handshake, hence here.
            allow_remote: Whether ``host`` may be other than loopback, where anybody who can
                reach this machine can connect.

        Raises:
            MisuseError: An argument cannot be right, or the address is in use.
            CapabilityMissing: This machine has no IPv6, or no Unix-domain sockets.
        """
        self._state = ListenerState.CLOSED
        self._socket: _Socket | None = None
        self._filler: _Socket | None = None
        self._early: _Accepted | None = None
        self._backlog = check_count("backlog", backlog, minimum=1)
        if receive_buffer_bytes is not None:
            check_count("receive_buffer_bytes", receive_buffer_bytes, minimum=1)
        if path is None:
            check_count("port", port, maximum=65535)
            self._place = KeptPort(host, port, receive_buffer_bytes, allow_remote=allow_remote)
            self._address = (host, self._place.port)
        else:
            if port != 0 or receive_buffer_bytes is not None:
                raise MisuseError("path cannot be combined with port or receive_buffer_bytes")
            self._address = os.fspath(path)
            self._place = KeptPath(self._address)
        self._state = ListenerState.REFUSING

    @property
    def address(self) -> tuple[str, int] | str:
        """``(host, port)``, also on IPv6; the path of a Unix-domain socket."""
        return self._address

    @property
    def family(self) -> AddressFamily:
        """AF_INET, AF_INET6 or AF_UNIX."""
        return self._place.family

    @property
    def state(self) -> ListenerState:
        """What a client meets now."""
        return self._state

    @property
    def socket(self) -> _Socket | None:
        """The listening socket while OPEN, for a selector; else None.  It does not block.

        Accept through :meth:`accept`.  Unregister it *before* leaving OPEN.
        """
        return self._socket if self._state is ListenerState.OPEN else None

    def accept(self) -> _Accepted | None:
        """The next connection and the client's address; None if none waits.

        The socket is the caller's and does not block.  The address is ``(host, port)``,
        also on IPv6, and ``""`` for a client of a path, which has no name of its own.

        After :meth:`open` it is to be called until it gives None once: a connection can
        then be ready that a selector does not announce.

        Raises:
            OSError: Out of descriptors (``EMFILE``); the connection still waits.
        """
        if self._state is not ListenerState.OPEN or self._socket is None:
            return None
        if self._early is not None:
            early, self._early = self._early, None
            return early
        while True:
            try:
                return _accepted(*self._socket.accept())
            except BlockingIOError:
                return None
            except ConnectionAbortedError:  # reset while it waited; Linux does not tell
                continue

    def open(self, prepare: Prepare | None = None) -> None:
        """Let clients in; if open already, nothing happens.

        From FULL the same socket goes on, so no client is refused in between, and the
        filler is gone before anybody could accept it.

        Args:
            prepare: Called with a new TCP socket right before it listens.

        Raises:
            MisuseError: It is closed; or another program has taken the port, where ports
                cannot be held.
        """
        self._require_not_closed()
        if self._state is ListenerState.FULL:
            self._remove_filler()
        self._listen(self._backlog, prepare)
        self._state = ListenerState.OPEN

    def refuse(self) -> None:
        """Turn clients away with ECONNREFUSED; those not accepted yet are reset."""
        self._require_not_closed()
        self._state = ListenerState.REFUSING
        self._drop_clients()
        if self._socket is not None:
            listener, self._socket = self._socket, None
            self._place.release(listener)

    def fill(self) -> None:
        """Leave clients without an answer; those not accepted yet go on waiting.

        Raises:
            MisuseError: It is closed, or a path: only TCP ignores a connect.
            CapabilityMissing: This platform answers all the same ("full backlog").
        """
        self._require_not_closed()
        if isinstance(self._place, KeptPath):
            raise MisuseError(
                f"a Unix-domain socket cannot leave a connect unanswered ({self._address!r}); "
                "use a TCP address"
            )
        if self._state is ListenerState.FULL:
            return
        require("full backlog")
        listener = self._listen(0)
        self._state = ListenerState.FULL
        filler = self._filler = new_socket(self.family)
        filler.connect_ex(self._place.local_address)
        # The handshake is over when the call returns, unless the machine is so busy that
        # it defers its network interrupts.
        wait_until_readable(listener, Deadline.after(DEFAULT_PATIENCE_SECONDS), "the filler")
        if not _is_connected(filler):
            # Somebody else fills the queue.  Our SYN must not be repeated: it would come
            # in as a client as soon as there is room.
            self._drop_filler()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        early = (self._early[0],) if self._early is not None else ()
        sockets = (self._socket, self._filler, *early)
        own = tuple(sock.fileno() for sock in sockets if sock is not None)
        return own + self._place.descriptors

    def forked(self) -> None:
        """Close the descriptors in a forked child; the address stays the parent's."""
        self._state = ListenerState.CLOSED
        if self._early is not None:
            self._early[0].close()
        for sock in (self._socket, self._filler):
            if sock is not None:
                sock.close()
        self._place.forked()

    def close(self) -> None:
        """Give up the address; twice is fine.  Those not accepted yet are reset."""
        if self._state is ListenerState.CLOSED:
            return
        self._state = ListenerState.CLOSED
        self._drop_clients()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Listening {self._address!r} {self._state.value}>"

    def _require_not_closed(self) -> None:
        if self._state is ListenerState.CLOSED:
            raise MisuseError(f"the address {self._address!r} was closed: make a new one")

    def _listen(self, backlog: int, prepare: Prepare | None = None) -> _Socket:
        if self._socket is None:
            self._socket = self._place.listener(backlog, prepare)
        else:
            self._socket.listen(backlog)
        return self._socket

    def _drop_clients(self) -> None:
        self._drop_filler()
        if self._early is not None:
            abort(self._early[0])
            self._early = None

    def _drop_filler(self) -> None:
        if self._filler is not None:
            self._filler.close()
            self._filler = None

    def _remove_filler(self) -> None:
        """Take the filler out of the queue, of which it is the only member."""
        if self._filler is None or self._socket is None:
            return
        first, name = self._socket.accept()
        if name == self._filler.getsockname():
            first.close()
        else:
            # A client whose handshake ran on another core at the same microsecond: it has
            # the place, though both were told that they are connected.
            self._early = _accepted(first, name)
        self._drop_filler()


def _accepted(sock: _Socket, name: object) -> _Accepted:
    """A new connection, as the caller gets it; IPv6 names have four parts, we give two."""
    sock.setblocking(False)
    if isinstance(name, tuple):
        # Interned, as ten thousand connections come from one and the same host.
        return sock, (sys.intern(str(name[0])), int(name[1]))
    return sock, name if isinstance(name, str) else ""


def _is_connected(sock: _Socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
