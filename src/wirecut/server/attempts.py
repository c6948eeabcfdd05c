"""Attempts to connect, where a gate in front of the listener makes each of them an event.

Without a fault that needs it there is no gate, and an attempt is only seen once it has been
accepted.  With it, the faults at ``connect`` are chosen and counted like all others: the
attempts are numbered from 1 in the order in which their first SYN came.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from wirecut.deadline import now
from wirecut.errors import InternalError
from wirecut.faults.fault import Fault
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition, partitions_of, up_bytes_of
from wirecut.server.loop import Timer
from wirecut.server.losing import Losing, lose_ahead
from wirecut.server.severing import cut_ahead
from wirecut.wire.action import (
    After,
    BlockAttempt,
    DropAttempt,
    RefuseAttempt,
    ResetAttempt,
)
from wirecut.wire.filters import DROP_ALL, attach_filter
from wirecut.wire.gate import Attempt, Postponed, SynGate
from wirecut.wire.segments import Unreachable

if TYPE_CHECKING:
    from wirecut.server.core import Core

__all__ = ["Attempts", "ConnectAttempt"]

_Client: TypeAlias = tuple[str, int]


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
    client: _Client
    seconds: float
    struck: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What is done to a way up from the first moment: nothing, a cut, or a lost segment."""

    up_bytes: int | None = None
    loses: bool = False


def _ahead_of(faults: Sequence[Fault]) -> _Ahead:
    lost = lose_ahead(faults)
    if lost is not None:
        return _Ahead(lost, loses=True)
    return _Ahead(up_bytes_of(partitions_of(faults)))


class Attempts:
    """The gate of one server, and what it has decided; under the loop's lock."""

    __slots__ = ("_core", "_gate", "_passed", "_timers", "records")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._gate: SynGate | None = None
        self._timers: list[Timer] = []
        # Who was let pass and is not accepted yet, in order, with what was prepared.
        self._passed: dict[_Client, _Ahead] = {}
        self.records: list[ConnectAttempt] = []

    @property
    def are_events(self) -> bool:
        """Whether a fault chooses among attempts, so that all faults at connect must."""
        return any(one.at_connect and not one.address_state for one in self._core.faults)

    @property
    def needs_gate(self) -> bool:
        """Whether a fault is about single attempts, or about a connection's first bytes."""
        core = self._core
        return self.are_events or any(
            isinstance(one, Lose | Partition) and one.up_bytes is not None
            for one in (*core.faults, *core.behaviours.faults)
        )

    def prepare(self, listener: socket.socket) -> None:
        """Let nobody in between the moment a socket listens and that in which it has a gate.

        Who comes then is not seen, and comes again a second later.
        """
        if self.needs_gate:
            attach_filter(listener, DROP_ALL)

    def open(self) -> None:
        """Put the gate in front of the listener, if a fault needs it and there is none.

        Raises:
            OSError: Out of descriptors; the address then refuses.
        """
        listening = self._core.listening
        listener, address = listening.socket, listening.address
        if listener is None or isinstance(address, str) or self._gate is not None:
            return
        if not self.needs_gate:
            return
        try:
            # Loopback or not was decided when the address was bound.
            self._gate = SynGate(listener, address, allow_remote=True)
        except BaseException:
            self._core.refuse()
            raise
        self._core.loop.watch(self._gate.fileno(), selectors.EVENT_READ, self.on_event)

    def close(self) -> None:
        """Take the gate away, before its listener is closed; what is delayed is forgotten."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._passed.clear()
        if self._gate is not None:
            self._core.loop.unwatch(self._gate.fileno())
            self._gate.close()
            self._gate = None

    def accepted(self, sock: socket.socket, client: object, faults: Sequence[Fault]) -> None:
        """A connection was accepted, and has inherited what the gate has prepared for it.

        Args:
            sock: Our end.
            client: The client's host and port.
            faults: What may strike it.  Who gives up between being let pass and being
                accepted makes the gate miscount; it is put right here.
        """
        prepared, ahead = _Ahead(), _ahead_of(faults)
        if self._gate is not None and isinstance(client, tuple):
            self._gate.accepted(client)
            if client in self._passed:
                while (first := next(iter(self._passed))) != client:
                    del self._passed[first]  # accepted in the order of being let pass
                prepared = self._passed.pop(client)
        if prepared == ahead:
            return
        with contextlib.suppress(OSError):  # it may have ended already
            cut_ahead(sock, ahead.up_bytes, loses=ahead.loses)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        gate = self._gate.descriptors if self._gate is not None else ()
        return (*gate, *(fd for losing in self._losings for fd in losing.descriptors))

    def forked(self) -> None:
        """Close the descriptors in a forked child."""
        if self._gate is not None:
            self._gate.forked()
        for losing in self._losings:
            losing.forked()

    @property
    def _losings(self) -> list[Losing]:
        interpreters = [link.interpreter for link in self._core.links.values()]
        return [one.losing for one in interpreters if one is not None and one.losing]

    def on_event(self, _mask: int) -> None:
        """Clients try to connect."""
        self._guarded(self._look)

    def _look(self) -> None:
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
        place = len(self._core.records) + len(self._passed)
        chosen = [one for one in self._core.faults if one.on.selects(place + 1)]
        ahead = _ahead_of([*self._core.behaviours.faults_of(place), *chosen])
        self._passed[attempt.client] = ahead
        gate.let_pass(attempt, up_bytes=ahead.up_bytes, loses=ahead.loses)

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
        self._timers.append(
            self._core.loop.call_at(now() + seconds, lambda: self._guarded(work))
        )

    def _guarded(self, work: Callable[[], object]) -> None:
        """An exception reaches the test; never the loop."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall know
            self._core.fail(error)
