"""What has happened to a server since one last looked, in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from wirecut.faults.delay import Delay
from wirecut.server.attempts import ConnectAttempt
from wirecut.server.journal import Connection, Ended
from wirecut.server.tcp import TcpServer

__all__ = ["Watcher"]

_PREVIEW_BYTES = 60


class Watcher:
    """Follows a server's journal; one thread at a time.

    Each call costs as much as there are open connections and delayed attempts, however many
    have ended.
    """

    __slots__ = (
        "_attempts",
        "_delayed",
        "_down",
        "_open",
        "_seen",
        "_server",
        "_struck",
        "_up",
    )

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._seen = 0
        self._attempts = 0
        self._delayed: dict[int, int] = {}
        self._open: dict[int, tuple[Connection, int]] = {}
        self._struck: Counter[str] = Counter()
        self._up = 0
        self._down = 0

    def has_news(self) -> bool:
        """Whether :meth:`news` would tell anything."""
        return (
            len(self._server.connections) > self._seen
            or bool(self._unseen(self._server.attempts))
            or any(
                one.ended is not Ended.OPEN or len(one.struck) > told
                for one, told in self._open.values()
            )
        )

    def news(self) -> list[Text]:
        """A line for each attempt and connection that came, was struck or ended since then."""
        # First: an attempt was seen before the connection that it has become.
        connections = self._server.connections
        lines = list(self._news_of(self._server.attempts))
        for connection in connections[self._seen :]:
            self._open[connection.index] = (connection, 0)
            lines.append(Text(f"connection {connection.index} from {_client(connection)}"))
        self._seen = len(connections)
        for index, (connection, told) in list(self._open.items()):
            ended = connection.ended  # first: what happened before it is then known too
            struck = connection.struck
            for one in struck[told:]:
                self._struck[one.fault.text] += 1
                where = f"after {one.count} bytes {one.direction.word}"
                lines.append(
                    Text(f"connection {index} struck by {one.fault} {where}", "yellow")
                )
            self._open[index] = (connection, len(struck))
            if ended is not Ended.OPEN:
                del self._open[index]
                lines.append(self._end(connection, ended))
        return lines

    def summary(self) -> list[Text]:
        """What there was in all."""
        count = self._seen
        s = "" if count == 1 else "s"
        tries = f"{self._attempts} attempt{'' if self._attempts == 1 else 's'} to connect, "
        tries = tries if self._attempts else ""
        lines = [Text(f"{tries}{count} connection{s}, {self._up} bytes up, {self._down} down")]
        lines += [Text(f"{text} struck {times}x") for text, times in self._struck.items()]
        lines += [
            Text(f"{fault} never struck")
            for fault in self._server.faults
            if not fault.address_state and not self._struck[fault.text]
        ]
        return lines

    def _unseen(self, attempts: Sequence[ConnectAttempt]) -> list[tuple[ConnectAttempt, int]]:
        """Each attempt of which there is something to tell, and how many strikes were told."""
        return [
            (attempts[index], told)
            for index, told in self._delayed.items()
            if len(attempts[index].struck) > told
        ] + [(attempt, -1) for attempt in attempts[self._attempts :]]

    def _news_of(self, attempts: Sequence[ConnectAttempt]) -> Iterator[Text]:
        for attempt, told in self._unseen(attempts):
            name = f"attempt {attempt.index}"
            if told < 0:
                yield Text(f"{name} to connect from {_address(attempt.client)}")
            for fault in attempt.struck[max(told, 0) :]:
                self._struck[fault.text] += 1
                yield Text(f"{name} struck by {fault}", "yellow")
            self._delayed.pop(attempt.index, None)
            # What is only delayed can be struck again.
            if attempt.struck and isinstance(attempt.struck[-1], Delay):
                self._delayed[attempt.index] = len(attempt.struck)
        self._attempts = len(attempts)

    def _end(self, connection: Connection, ended: Ended) -> Text:
        self._up += connection.received_count
        self._down += connection.sent_count
        received = connection.received
        first = received.partition(b"\n")[0][:_PREVIEW_BYTES].rstrip(b"\r")
        preview = f", began with {_text(first)}" if first else ""
        return Text(
            f"connection {connection.index} {ended.value}: {connection.received_count} bytes "
            f"up, {connection.sent_count} down{preview}"
        )


def _client(connection: Connection) -> str:
    client = connection.client
    if isinstance(client, str):
        return client or "an unnamed socket"
    return _address(client)


def _address(client: tuple[str, int]) -> str:
    host, port = client[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _text(data: bytes) -> str:
    """As a bytes literal's inside, so that no client can move the terminal's cursor."""
    return repr(data)[1:]
