"""Attempts to connect, where a gate in front of the listener makes each of them an event.

Without a fault that needs it there is no gate, and an attempt is only seen once it has been
accepted.  With it, the faults at ``connect`` are chosen and counted like all others: the
attempts are numbered from 1 in the order in which their first SYN came.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wirecut.deadline import now
from wirecut.errors import InternalError
from wirecut.faults.at import Offset
from wirecut.faults.fault import Fault
from wirecut.faults.partition import Partition
from wirecut.server.loop import Timer
from wirecut.wire.action import (
    After,
    BlockAttempt,
    Direction,
    DropAttempt,
    RefuseAttempt,
    ResetAttempt,
)
from wirecut.wire.gate import Attempt, Postponed, SynGate
from wirecut.wire.segments import Unreachable

if TYPE_CHECKING:
    from wirecut.server.core import Core

__all__ = ["Attempts", "ConnectAttempt", "needs_gate"]


@dataclass(frozen=True, slots=True)
class ConnectAttempt:
    """One ``connect()`` of a client, as the gate has seen it.

    Attributes:
        index: Its place among the attempts, from 0.
        client: The client's host and port.
        seconds: When its first SYN came, from the server's start.
        struck: The faults that struck it, in order; empty if it was let pass.
    """

    index: int
    client: tuple[str, int]
    seconds: float
    struck: tuple[Fault, ...]


def needs_gate(fault: Fault) -> bool:
    """Whether a fault is about single attempts, or about a connection's very first bytes."""
    return (fault.at_connect and not fault.address_state) or _cut_up(fault) is not None


class Attempts:
    """The gate of one server, and what it has decided; under the loop's lock."""

    __slots__ = ("_core", "_gate", "_timers", "records")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._gate: SynGate | None = None
        self._timers: list[Timer] = []
        self.records: list[ConnectAttempt] = []

    def open(self, listener: socket.socket) -> None:
        """Put the gate in front of a listener, if a fault needs it and there is none."""
        address = self._core.listening.address
        wanted = any(needs_gate(fault) for fault in self._core.faults)
        if wanted and self._gate is None and isinstance(address, tuple):
            # Loopback or not was decided when the address was bound.
            self._gate = SynGate(listener, address, allow_remote=True)
            self._core.loop.watch(self._gate.fileno(), selectors.EVENT_READ, self.on_event)

    def close(self) -> None:
        """Take the gate away, before its listener is closed; what is delayed is forgotten."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._gate is not None:
            self._core.loop.unwatch(self._gate.fileno())
            self._gate.close()
            self._gate = None

    def accepted(self, client: object) -> None:
        """A connection was accepted, and has inherited what the gate has prepared for it."""
        if self._gate is not None and isinstance(client, tuple):
            self._gate.accepted(client)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        return self._gate.descriptors if self._gate is not None else ()

    def forked(self) -> None:
        """Close the descriptors in a forked child."""
        if self._gate is not None:
            self._gate.forked()

    def on_event(self, _mask: int) -> None:
        """Clients try to connect."""
        if self._gate is None:
            return
        for attempt in self._gate.attempts():
            number = len(self.records) + 1
            self.records.append(
                ConnectAttempt(number - 1, attempt.client, self._core.seconds(), ())
            )
            faults = [
                fault
                for fault in self._core.faults
                if fault.at_connect and fault.on.selects(number)
            ]
            self._decide(attempt, number - 1, iter(faults))
            self._core.waiting.changed()

    def _decide(self, attempt: Attempt, index: int, faults: Iterator[Fault]) -> None:
        """Let the faults strike until one of them has answered, or none is left."""
        gate = self._gate
        if gate is None:
            return
        for fault in faults:
            self._strike(index, fault)
            match fault.turn():
                case After(seconds=seconds):
                    self._later(seconds, lambda: self._decide(attempt, index, faults))
                case RefuseAttempt():
                    gate.refuse(attempt)
                case ResetAttempt():
                    gate.reset(attempt)
                case DropAttempt():
                    gate.drop(attempt)
                case BlockAttempt(why=why):
                    for postponed in gate.unreachable(attempt, Unreachable(why)):
                        self._send_later(gate, postponed)
                case turn:
                    raise InternalError(f"the gate cannot execute {turn}")
            return
        gate.let_pass(attempt, up_bytes=self._up_bytes())

    def _up_bytes(self) -> int | None:
        """Where a partition will cut the connection that this attempt becomes."""
        number = len(self._core.records) + 1
        cuts = [
            cut
            for fault in self._core.faults
            if fault.on.selects(number) and (cut := _cut_up(fault)) is not None
        ]
        return min(cuts, default=None)

    def _strike(self, index: int, fault: Fault) -> None:
        old = self.records[index]
        self.records[index] = ConnectAttempt(
            old.index, old.client, old.seconds, (*old.struck, fault)
        )
        self._core.waiting.changed()  # also when it strikes after a delay, on a timer

    def _send_later(self, gate: SynGate, postponed: Postponed) -> None:
        self._later(postponed.seconds, lambda: gate.send(postponed))

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.callback is not None]
        self._timers.append(self._core.loop.call_at(now() + seconds, work))


def _cut_up(fault: Fault) -> int | None:
    """After how many bytes up a partition cuts, if that is known beforehand."""
    if isinstance(fault, Partition) and fault.direction in ("same", "up"):
        match fault.at:
            case Offset(direction=Direction.UP, count=count):
                return count
    return None
