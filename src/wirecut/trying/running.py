"""Try one client with one fault after another, each against a server of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wirecut.faults.fault import Fault
from wirecut.http.fixed import HttpReply
from wirecut.server.tcp import TcpServer, serve_tcp
from wirecut.trying.calling import call_watched
from wirecut.trying.clients import Client
from wirecut.trying.command import check_command, run_watched
from wirecut.trying.outcome import Ran, Row, Verdict, classify
from wirecut.trying.trials import REPLY

__all__ = ["ClientRun", "CommandRun", "Runner", "TrialFailed", "try_faults"]

_JOURNAL_LIMIT_BYTES: Final = 1 << 16


class Runner(Protocol):
    """What is tried."""

    @property
    def name(self) -> str:
        """What it is called in a table."""
        ...

    @property
    def returns_body(self) -> bool:
        """Whether what it returns is the reply's body; else a healthy run says what it is."""
        ...

    def run(self, server: TcpServer, timeout_seconds: float) -> Ran:
        """Run it once against a server, no longer than the timeout."""
        ...


@dataclass(frozen=True, slots=True)
class ClientRun:
    """A client in this process.

    Attributes:
        client: Which.
        client_timeout_seconds: The timeout it is given.
    """

    client: Client
    client_timeout_seconds: float = 1.0
    returns_body: bool = True

    @property
    def name(self) -> str:
        """The client's name."""
        return self.client.name

    def run(self, server: TcpServer, timeout_seconds: float) -> Ran:
        """One GET; if it hangs, its connections are taken away."""
        url = server.url
        return call_watched(
            lambda: self.client.get(url, self.client_timeout_seconds),
            timeout_seconds,
            server.shut_down,
        )


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A command.

    Attributes:
        words: Its words, with ``{url}``, or ``{host}`` and ``{port}``.

    Raises:
        MisuseError: The command would not know where to connect.
    """

    words: tuple[str, ...]
    returns_body: bool = False

    def __post_init__(self) -> None:
        check_command(self.words)

    @property
    def name(self) -> str:
        """The command as it was given."""
        return " ".join(self.words)

    def run(self, server: TcpServer, timeout_seconds: float) -> Ran:
        """Run it once; if it hangs, it is killed."""
        return run_watched(self.words, server, timeout_seconds)


class TrialFailed(Exception):
    """The run without a fault did not go well, so no other would mean anything.

    Attributes:
        row: What it did.
    """

    def __init__(self, message: str, row: Row) -> None:
        super().__init__(message)
        self.row = row


def try_faults(
    runner: Runner,
    faults: Sequence[Fault],
    *,
    reply: HttpReply = REPLY,
    timeout_seconds: float = 5.0,
) -> Iterator[Row]:
    """Run it without a fault and then once per fault; a row as soon as each is done.

    Args:
        runner: A client or a command.
        faults: What strikes, one per run.
        reply: What the server answers.
        timeout_seconds: How long one run may take.

    Raises:
        TrialFailed: The run without a fault failed, hung, or made no connection.
        MisuseError: The command cannot be started.
    """
    healthy = _run_once(runner, None, reply, timeout_seconds, None)
    expected = _expected(runner, healthy, reply, timeout_seconds)
    verdict = classify(healthy.ran, expected)
    length = None if expected is None else len(expected)
    healthy = dataclasses.replace(healthy, verdict=verdict, expected_bytes=length)
    if verdict is not Verdict.OK or not healthy.connections:
        raise TrialFailed(_complaint(runner, healthy, timeout_seconds), healthy)
    yield healthy
    for fault in faults:
        yield _run_once(runner, fault, reply, timeout_seconds, expected)


def _expected(
    runner: Runner, healthy: Row, reply: HttpReply, timeout_seconds: float
) -> bytes | None:
    """What a run that goes well returns; None if two such runs print different things."""
    if runner.returns_body:
        return reply.body
    if classify(healthy.ran, None) is not Verdict.OK:
        return None
    again = _run_once(runner, None, reply, timeout_seconds, None)
    return healthy.ran.result if again.ran.result == healthy.ran.result else None


def _run_once(
    runner: Runner,
    fault: Fault | None,
    reply: HttpReply,
    timeout_seconds: float,
    expected: bytes | None,
) -> Row:
    with serve_tcp(
        reply,
        faults=() if fault is None else fault,
        journal_limit_bytes=_JOURNAL_LIMIT_BYTES,
        optional=True,
    ) as server:
        ran = runner.run(server, timeout_seconds)
        connections, attempts = server.connections, server.attempts
        struck = any(one.struck for one in (*connections, *attempts))
        count = len(connections)
    return Row(
        fault,
        classify(ran, expected),
        ran,
        connections=count,
        attempts=len(attempts),
        has_struck=fault is None or fault.address_state or struck,
        expected_bytes=None if expected is None else len(expected),
    )


def _complaint(runner: Runner, healthy: Row, timeout_seconds: float) -> str:
    ran = healthy.ran
    start = f"{runner.name!r} failed without any fault"
    match healthy.verdict:
        case Verdict.HANGS:
            return f"{start}: it did not end within {timeout_seconds:g} s"
        case Verdict.OK:
            return f"{runner.name!r} ended well, but made no connection to the server"
        case Verdict.ERROR if ran.raised:
            return f"{start}: {ran.raised[0].name}: {ran.raised[0].message}"
        case Verdict.ERROR | Verdict.CRASHED:
            return f"{start}: exit code {ran.exit_code}"
        case _:
            return f"{start}: it returned {ran.result!r}"
