"""What the fixture ``wire`` of the pytest plugin gives to a test.

It knows nothing of pytest: it opens, remembers what it has opened, closes it in reverse
order, and can say what happened and what was found.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from wirecut.deadline import DEFAULT_PATIENCE_SECONDS
from wirecut.dialing import Line, dial
from wirecut.dialing.dialer import Address
from wirecut.errors import MisuseError
from wirecut.faults import Fault
from wirecut.report import Event, Stream, Talk, Transfer, mask_secrets, render_talk
from wirecut.server import Behaviour, Connection, Struck, TcpServer, serve_tcp
from wirecut.server.core import Core
from wirecut.server.tcp import JOURNAL_LIMIT_BYTES

__all__ = ["Wire"]

_FIRST_CONNECTIONS = 8
_LAST_CONNECTIONS = 4

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_NO_PROXY: Final = ("NO_PROXY", "no_proxy")


class Wire:
    """Opens servers and lines for one test and closes them when it is over.

    Any thread may call it.  In a forked child it does nothing: what it has opened is the
    parent's.

    Args:
        patience_seconds: The patience of what it opens, unless a call says otherwise.
        before_first_use: Called once, before the first server is started.
    """

    def __init__(
        self,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
        before_first_use: Callable[[], object] | None = None,
    ) -> None:
        self.patience_seconds = patience_seconds
        self._before_first_use = before_first_use
        self._opened: list[TcpServer | Line] = []
        self._told: set[tuple[type[BaseException], str]] = set()
        self._is_over = False
        self._process = os.getpid()

    # What it opens: a method for each kind.

    def tcp(  # noqa: PLR0913 - serve_tcp's settings
        self,
        behaviour: Behaviour = None,
        *,
        faults: Iterable[Fault | str] | Fault | str = (),
        greeting: bytes = b"",
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | os.PathLike[str] | None = None,
        patience_seconds: float | None = None,
        receive_buffer_bytes: int | None = None,
        journal_limit_bytes: int = JOURNAL_LIMIT_BYTES,
        allow_remote: bool = False,
        optional: bool = False,
    ) -> TcpServer:
        """Start a TCP server, closed after the test; see :func:`wirecut.serve_tcp`.

        Raises:
            MisuseError: An argument cannot be right, or the test is over.
            CapabilityMissing: This platform cannot do what a fault needs.
        """
        self._require_not_over()
        call, self._before_first_use = self._before_first_use, None
        if call is not None:
            call()
        server = serve_tcp(
            behaviour,
            faults=faults,
            greeting=greeting,
            host=host,
            port=port,
            path=path,
            patience_seconds=self._patience(patience_seconds),
            receive_buffer_bytes=receive_buffer_bytes,
            journal_limit_bytes=journal_limit_bytes,
            allow_remote=allow_remote,
            optional=optional,
        )
        self._opened.append(server)
        return server

    def dial(
        self,
        address: Address,
        *,
        faults: Iterable[Fault | str] | Fault | str = (),
        patience_seconds: float | None = None,
        receive_buffer_bytes: int | None = None,
        allow_remote: bool = False,
    ) -> Line:
        """Connect to a server; see :func:`wirecut.dial`.

        A line that is still open after the test is given up without waiting for the other
        end, so that faults at ``up.end`` need an ``end()`` or ``close()`` in the test.

        Raises:
            OSError: What connect() says, such as ``ConnectionRefusedError``.
            DeadlineExceeded: The connect was not answered.
            MisuseError: An argument cannot be right, or the test is over.
        """
        self._require_not_over()
        line = dial(
            address,
            faults=faults,
            patience_seconds=self._patience(patience_seconds),
            receive_buffer_bytes=receive_buffer_bytes,
            allow_remote=allow_remote,
        )
        self._opened.append(line)
        return line

    # What it has to tell.

    def findings(self) -> list[BaseException]:
        """What went otherwise than planned so far, in the order of opening."""
        found: list[BaseException] = []
        for server in self._servers:
            found += server.findings()
        self._told.update(map(_key, found))
        return found

    def transcript(self) -> str:
        """What passed on each connection; empty if nothing was opened.

        Secrets are masked, what is long is cut: the whole is in ``server.connections``.
        """
        if self._is_elsewhere:
            return ""
        return "\n".join(line for one in self._opened for line in _lines_of(one))

    # How it ends.

    def shut_down(self) -> list[BaseException]:
        """Close everything, the last opened first; what went otherwise than planned.

        Nothing can be opened any more.  A second call finds nothing.
        """
        self._is_over = True
        if self._is_elsewhere:
            return []
        found: list[BaseException] = []
        for one in reversed(self._opened):
            # Nothing that one of them raises may keep the others open.
            try:
                found += one.shut_down()
            except BaseException as error:  # noqa: BLE001 - it is among what was found
                found.append(error)
        return found

    def untold(self, found: Iterable[BaseException]) -> list[BaseException]:
        """Those that :meth:`findings` has not given yet, whatever reason it gave."""
        return [one for one in found if _key(one) not in self._told]

    @property
    def _is_elsewhere(self) -> bool:
        """Whether this is a forked child."""
        return self._process != os.getpid()

    @property
    def _servers(self) -> list[TcpServer]:
        if self._is_elsewhere:
            return []
        return [one for one in self._opened if isinstance(one, TcpServer)]

    def _require_not_over(self) -> None:
        if self._is_over:
            raise MisuseError(
                "wire belongs to a test that is over: ask for the fixture in each test, and "
                "use wirecut.serve_tcp() in fixtures of a wider scope"
            )

    def _patience(self, seconds: float | None) -> float:
        return self.patience_seconds if seconds is None else seconds


def finding_line(finding: BaseException) -> str:
    """A finding for a report: its type, what it says and its notes, secrets masked."""
    notes = "".join(f" ({note})" for note in getattr(finding, "__notes__", ()))
    text = f"{type(finding).__name__}: {finding}{notes}"
    return mask_secrets(text.encode(errors="backslashreplace")).decode()


def close_leaked(opened: Iterable[Core | Line]) -> list[str]:
    """Close what a test has left open by other means than ``wire``; a sentence for each."""
    sentences = []
    for one in opened:
        method = "wire.dial" if isinstance(one, Line) else "wire.tcp"
        found = "".join(f"; it found: {finding_line(finding)}" for finding in one.shut_down())
        sentences.append(
            f"{one!r} was opened by this test and left open: use {method}(...), a with "
            f"statement, or close(){found}"
        )
    return sorted(sentences)


def proxies_avoided(environment: Mapping[str, str]) -> dict[str, str]:
    """What lets clients that read the environment reach loopback directly.

    Both spellings get all entries of both, because where both are set a client reads one.
    """
    given = ",".join(environment.get(name, "") for name in _NO_PROXY).split(",")
    entries = dict.fromkeys(entry.strip() for entry in given if entry.strip())
    # An asterisk means "no proxy at all" only if it stands alone.
    merged = "*" if "*" in entries else ",".join(entries | dict.fromkeys(_LOOPBACK))
    return dict.fromkeys(_NO_PROXY, merged)


def _key(finding: BaseException) -> tuple[type[BaseException], str]:
    # "reset/down:5 never struck: connection 0 is still open" reads otherwise after closing.
    return type(finding), str(finding).partition(": ")[0]


def _lines_of(opened: TcpServer | Line) -> Iterator[str]:
    if isinstance(opened, Line):
        yield render_talk(_talk_of_line(opened))
    else:
        yield from _server_lines(opened)


def _server_lines(server: TcpServer) -> Iterator[str]:
    faults = ", ".join(fault.text for fault in server.faults)
    connections = server.connections
    count = len(connections)
    number = f"{count} connection{'' if count == 1 else 's'}" if count else "no connection"
    yield f"{server!r}{', ' if faults else ''}{faults}: {number}"
    last = max(_FIRST_CONNECTIONS, count - _LAST_CONNECTIONS)
    for connection in connections[:_FIRST_CONNECTIONS]:
        yield render_talk(_talk(connection))
    if last > _FIRST_CONNECTIONS:
        yield f"... {last - _FIRST_CONNECTIONS:,} more connections ..."
    for connection in connections[last:]:
        yield render_talk(_talk(connection))


def _talk(connection: Connection) -> Talk:
    events = _strikes(connection.struck)
    ended_seconds = connection.ended_seconds
    if ended_seconds is not None:
        events.append(Event(ended_seconds, connection.ended.value))
    client = connection.client
    name = client if isinstance(client, str) else f"{client[0]} port {client[1]}"
    title = f"connection {connection.index}{' from ' if name else ''}{name}"
    return Talk(
        title if ended_seconds is not None else f"{title}, still open",
        Stream(connection.received, connection.received_left_out),
        Stream(connection.sent, connection.sent_left_out),
        tuple(Transfer(x.seconds, x.direction, x.size_bytes) for x in connection.segments),
        tuple(events),
    )


def _talk_of_line(line: Line) -> Talk:
    state = "closed" if line.closed else "still open"
    events = tuple(_strikes(line.struck))
    return Talk(f"{line!r}, {state}", Stream(line.sent), Stream(line.received), events=events)


def _strikes(struck: Iterable[Struck]) -> list[Event]:
    return [
        Event(
            one.seconds,
            f"struck by {one.fault.text} at {one.count:,} bytes {one.direction.word}"
            + (f", {one.unread_bytes:,} more had arrived" if one.unread_bytes else ""),
        )
        for one in struck
    ]
