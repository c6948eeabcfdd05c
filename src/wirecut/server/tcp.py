"""A TCP server in the background that answers what the test wants and remembers it all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from wirecut.deadline import DEFAULT_PATIENCE_SECONDS, Deadline
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.faults.fault import Fault
from wirecut.faults.plan import check_length, check_plan
from wirecut.faults.text import as_fault, as_faults
from wirecut.server.address import url_of
from wirecut.server.attempts import ConnectAttempt
from wirecut.server.behaviour import Behaviour, Behaviours
from wirecut.server.core import Core
from wirecut.server.findings import raise_findings
from wirecut.server.journal import Connection, Connections
from wirecut.server.loop import lease, release
from wirecut.validation import check_count, check_seconds
from wirecut.wire.kernel import require
from wirecut.wire.listening import Listening

__all__ = ["TcpServer", "serve_tcp"]

JOURNAL_LIMIT_BYTES: Final = 1 << 20


class TcpServer:
    """A server that runs from its making to :meth:`close`; made by :func:`serve_tcp`.

    A context manager whose exit closes it and raises what it found.  All methods may be
    called from any thread, also from a handler; none may be called in a forked child.
    """

    __slots__ = ("__weakref__", "_core")

    def __init__(self, core: Core) -> None:
        self._core = core

    # Where it is.

    @property
    def address(self) -> tuple[str, int] | str:
        """``(host, port)``, also on IPv6; the path of a Unix-domain socket."""
        return self._core.listening.address

    @property
    def host(self) -> str:
        """The address literal; the path of a Unix-domain socket."""
        address = self.address
        return address if isinstance(address, str) else address[0]

    @property
    def port(self) -> int:
        """The port, 1 to 65535.

        Raises:
            MisuseError: A Unix-domain socket has none.
        """
        address = self.address
        if isinstance(address, str):
            raise MisuseError(f"a Unix-domain socket has no port, got address {address!r}")
        return address[1]

    @property
    def url(self) -> str:
        """``http://host:port``, with an IPv6 address in brackets; also for plain TCP."""
        return self.url_for()

    def url_for(
        self,
        *,
        scheme: str = "http",
        host: str | None = None,
        path: str = "",
        userinfo: str = "",
    ) -> str:
        """A URL of this server, or a DSN: ``url_for(scheme="redis", path="0")``.

        Args:
            scheme: Such as ``http`` or ``redis``.
            host: Another name for this machine; the server's own address if left out.
            path: What follows the port, with or without its leading slash.
            userinfo: ``user`` or ``user:password``.
        """
        name = host if host is not None else self.host
        return url_of(scheme, name, self.port, userinfo=userinfo, path=path)

    # What it remembers.

    @property
    def connections(self) -> Connections:
        """All connections so far, in the order in which they were accepted.

        Never behind what a client has observed: reading it, and any attribute of a
        connection, first handles all that the kernel has delivered to this server.
        """
        self._core.catch_up()
        return Connections(tuple(self._core.records), self._core.catch_up)

    @property
    def attempts(self) -> tuple[ConnectAttempt, ...]:
        """The attempts to connect, in order, where a fault at ``connect`` is an event.

        Empty without such a fault: there is then nothing that sees an attempt before the
        connection is accepted.
        """
        self._core.catch_up()
        return tuple(self._core.attempts.records)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What may strike, in the order given."""
        return tuple(self._core.faults)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._core.closed

    def findings(self) -> list[BaseException]:
        """What went otherwise than planned so far: errors of handlers, plans not met."""
        self._core.catch_up()
        with self._core.loop.lock:
            return self._core.findings()

    # What it does.

    def strike(self, fault: Fault | str, *, on: Connection | None = None) -> None:
        """Let a fault strike now, whatever its moment says.

        Args:
            fault: The effect.
            on: The connection; the one that is open if there is just one.

        Raises:
            MisuseError: The connection has ended, or it is not clear which one is meant.
        """
        effect = self._fault(fault)
        if effect.connect_only:
            raise MisuseError(
                f"{effect} cannot strike a connection: use server.refusing(), server.stop() or "
                "server.add()"
            )
        with self._running() as core:
            core.strike(effect, on.index if on is not None else None)

    def add(self, fault: Fault | str) -> None:
        """Add a fault for all connections to come, and for those that are open.

        On an open connection it counts from that connection's first byte too; if the moment
        has passed, it strikes at the next chance.

        Raises:
            MisuseError: It, or an earlier fault, can then never strike.
        """
        effect = self._fault(fault)
        if effect.address_state:
            raise MisuseError(
                f"{effect} cannot be added to a running server: use server.refusing() or "
                "server.stop()"
            )
        with self._running() as core:
            core.add(effect)

    def heal(self, *, on: Connection | None = None) -> None:
        """Put the cable back that a ``partition`` has pulled; TCP recovers what was lost.

        Args:
            on: The connection; all that are partitioned if left out.

        Raises:
            MisuseError: Nothing is partitioned.
        """
        with self._running() as core:
            core.heal(on.index if on is not None else None)

    def start(self) -> None:
        """Serve on the same port again; if it serves already, nothing happens."""
        with self._running() as core:
            core.open()

    def stop(self) -> None:
        """Close all connections and refuse new ones, as a server that was stopped does."""
        with self._running() as core:
            core.stop()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse new connections (ECONNREFUSED) for a while; open ones go on."""
        with self._running() as core:
            core.refuse()
        try:
            yield
        finally:
            if not self.closed:
                self.start()

    def wait_for(
        self, condition: Callable[[Self], object], *, timeout_seconds: float | None = None
    ) -> None:
        """Wait until ``condition(server)`` is true; it is asked again after every change.

        Args:
            condition: Called on this thread.
            timeout_seconds: How long; the server's patience if left out.

        Raises:
            DeadlineExceeded: It did not come true in time.
            MisuseError: An event loop runs in this thread; await :meth:`wait_for_async`.
        """
        self._core.waiting.wait(lambda: self._holds(condition), self._deadline(timeout_seconds))

    async def wait_for_async(
        self, condition: Callable[[Self], object], *, timeout_seconds: float | None = None
    ) -> None:
        """As :meth:`wait_for`, on asyncio or trio."""
        deadline = self._deadline(timeout_seconds)
        await self._core.waiting.wait_async(lambda: self._holds(condition), deadline)

    def wait_for_connections(self, count: int, *, timeout_seconds: float | None = None) -> None:
        """Wait until so many connections have been accepted."""
        check_count("count", count)
        self.wait_for(lambda s: len(s.connections) >= count, timeout_seconds=timeout_seconds)

    async def wait_for_connections_async(
        self, count: int, *, timeout_seconds: float | None = None
    ) -> None:
        """As :meth:`wait_for_connections`, on asyncio or trio."""
        check_count("count", count)
        await self.wait_for_async(
            lambda s: len(s.connections) >= count, timeout_seconds=timeout_seconds
        )

    # How it ends.

    def close(self) -> None:
        """Give up the address, all connections and timers, wait for handlers, and tell.

        Afterwards nothing of this server is left.  A second call does nothing.

        Raises:
            HandlerStuck: A handler did not return within the patience; it is abandoned.
            UnmetExpectation: A fault, a script's step or a behaviour was not reached.
            BaseException: What a handler raised.  Several findings come as a group.
        """
        raise_findings(repr(self), self._core.shut_down())

    def shut_down(self) -> list[BaseException]:
        """As :meth:`close`, but returns what it found instead of raising it."""
        return self._core.shut_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        found = self._core.shut_down()
        if value is None:
            raise_findings(repr(self), found)
            return
        for finding in found:
            value.add_note(f"{self!r}: {type(finding).__name__}: {finding}")

    def __repr__(self) -> str:
        return repr(self._core)

    @contextlib.contextmanager
    def _running(self) -> Iterator[Core]:
        """The core, up to date and under the lock, if this server can still be used."""
        core = self._core
        core.catch_up()
        with core.loop.lock:
            if core.closed:
                raise MisuseError(f"{self!r} was closed: make a new server")
            yield core

    def _holds(self, condition: Callable[[Self], object]) -> bool:
        if self.closed:
            raise MisuseError(f"{self!r} was closed while it was waited for")
        return bool(condition(self))

    def _deadline(self, seconds: float | None) -> Deadline:
        return Deadline.after(self._core.patience_seconds if seconds is None else seconds)

    def _fault(self, fault: Fault | str) -> Fault:
        effect = as_fault(fault)
        _check_address(self.address, [effect])
        _check_capabilities([effect])
        return effect


def serve_tcp(  # noqa: PLR0913 - independent settings, each with a default
    behaviour: Behaviour = None,
    *,
    faults: Iterable[Fault | str] | Fault | str = (),
    greeting: bytes = b"",
    host: str = "127.0.0.1",
    port: int = 0,
    path: str | os.PathLike[str] | None = None,
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    receive_buffer_bytes: int | None = None,
    journal_limit_bytes: int = JOURNAL_LIMIT_BYTES,
    allow_remote: bool = False,
    optional: bool = False,
) -> TcpServer:
    """Start a TCP server in the background; use it as a context manager, or close it.

    Args:
        behaviour: What it does with its connections: bytes to answer the first input with, a
            :class:`~wirecut.script.Script`, a function of a ``Peer``, a fault, a list with
            one of these per connection, or None to read and remember only.
        faults: What strikes, on top of any behaviour; values or texts.
        greeting: Sent as soon as a connection is accepted.
        host: The address to bind, an IPv4 or IPv6 literal.
        port: The port, 0 to take a free one.
        path: A Unix-domain socket instead.
        patience_seconds: How long any internal wait lasts before it is given up.
        receive_buffer_bytes: The size of accepted connections' receive buffers (SO_RCVBUF);
            a small one makes a client's write block early.
        journal_limit_bytes: How much of each end of a stream the journal keeps.
        allow_remote: Allow an address that is not loopback: anybody can then connect.
        optional: Whether plans that are not met shall not fail the test.

    Raises:
        MisuseError: An argument cannot be right, or a fault can never strike.
        CapabilityMissing: This platform cannot do what a fault needs.
    """
    behaviours = Behaviours(behaviour)
    chosen = as_faults(faults)
    check_plan(chosen)
    if not isinstance(greeting, bytes):
        raise MisuseError(f"greeting must be bytes, got {greeting!r}")
    if behaviours.reply_bytes is not None:
        check_length(chosen, len(greeting) + behaviours.reply_bytes)
    check_seconds("patience_seconds", patience_seconds)
    check_count("journal_limit_bytes", journal_limit_bytes, minimum=1)
    listening = Listening(
        host,
        port,
        path=path,
        receive_buffer_bytes=receive_buffer_bytes,
        allow_remote=allow_remote,
    )
    try:
        _check_address(listening.address, [*chosen, *behaviours.faults])
        _check_capabilities([*chosen, *behaviours.faults])
        loop = lease()
    except BaseException:
        listening.close()
        raise
    try:
        core = Core(
            listening,
            loop,
            behaviours,
            chosen,
            greeting=greeting,
            patience_seconds=patience_seconds,
            journal_limit_bytes=journal_limit_bytes,
            optional=optional,
        )
    except BaseException:
        listening.close()
        release()
        raise
    return TcpServer(core)


def _check_capabilities(faults: Iterable[Fault]) -> None:
    for fault in faults:
        for name in fault.needs:
            try:
                require(name)
            except CapabilityMissing as missing:
                raise CapabilityMissing(f"{fault} cannot be used here: {missing}") from None


def _check_address(address: tuple[str, int] | str, faults: Iterable[Fault]) -> None:
    if isinstance(address, str):
        for fault in faults:
            if fault.tcp_only or (fault.at_connect and not fault.address_state):
                what = fault.word if fault.tcp_only else "to choose among attempts"
                raise MisuseError(
                    f"{fault} has no meaning on a Unix-domain socket ({address!r}): "
                    f"{what} is TCP's; use a TCP address"
                )
