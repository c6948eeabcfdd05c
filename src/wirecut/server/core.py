"""A server without its public face: connections, what they report, and how it all ends.

One instance serves one address.  Apart from :meth:`Core.shut_down` and :meth:`Core.catch_up`
everything runs under the loop's lock.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator, Sequence

from wirecut.deadline import Deadline, now
from wirecut.errors import HandlerStuck, MisuseError, UnmetExpectation
from wirecut.faults import at
from wirecut.faults.blackhole import Blackhole
from wirecut.faults.fault import Fault
from wirecut.faults.plan import check_plan
from wirecut.faults.reset import Reset
from wirecut.faults.scan import RequestScanner
from wirecut.http.framing import RequestFramer
from wirecut.script.machine import Machine, Silent
from wirecut.server.attempts import Attempts
from wirecut.server.behaviour import Behaviours
from wirecut.server.findings import unreached_behaviours, unstruck
from wirecut.server.journal import Ended, Record, Struck
from wirecut.server.link import Link
from wirecut.server.loop import Loop, release
from wirecut.server.losing import begin_losing
from wirecut.server.severing import heal
from wirecut.server.waiting import Waiting
from wirecut.server.worker import Handling
from wirecut.wire.action import Direction
from wirecut.wire.listening import ListenerState, Listening

__all__ = ["Core", "open_cores"]

# How many connections one turn accepts before those that are open have theirs.
_ACCEPTS_PER_TURN = 256
_ACCEPT_AGAIN_SECONDS = 0.1

# They are held: one that is forgotten must not vanish before somebody can say so, as its
# lease would never be given back.
_open: set[Core] = set()


def open_cores() -> tuple[Core, ...]:
    """The servers of this process that were not closed."""
    return tuple(_open)


class Core:
    """The machinery of one server; the ``Host`` of its connections.

    Args:
        listening: The address, which it owns from here on.
        loop: A loop on which the caller has taken a lease; given back by the end.
        behaviours: What each connection does.
        faults: What may strike.
        greeting: Sent at accept.
        patience_seconds: How long an internal wait lasts.
        journal_limit_bytes: What the journal keeps at each end of a stream.
        optional: Whether an unmet plan is no finding.
    """

    def __init__(  # noqa: PLR0913 - made in one place, from checked settings
        self,
        listening: Listening,
        loop: Loop,
        behaviours: Behaviours,
        faults: Sequence[Fault],
        *,
        greeting: bytes,
        patience_seconds: float,
        journal_limit_bytes: int,
        optional: bool,
    ) -> None:
        self.listening = listening
        self.loop = loop
        self.faults = list(faults)
        self.patience_seconds = patience_seconds
        self.scan_requests: Callable[[], RequestScanner] = RequestFramer
        self.records: list[Record] = []
        self.links: dict[int, Link] = {}
        self.waiting = Waiting(loop)
        self.attempts = Attempts(self)
        self.closed = False
        self.is_forked = False
        self.behaviours = behaviours
        self._greeting = greeting
        self._limit = journal_limit_bytes
        self._optional = optional
        self._handlings: set[Handling] = set()
        self._errors: list[BaseException] = []
        self._unmet: list[UnmetExpectation] = []
        self._started = now()
        self._is_watching = False
        with loop.lock:
            self.open()
            loop.servers.add(self)
            _open.add(self)

    def __repr__(self) -> str:
        return f"<TcpServer {self.listening.address!r}>"

    # What the server's user asks for.

    def open(self) -> None:
        """Serve, or be what a fault at ``connect`` says."""
        state = next((fault for fault in self.faults if fault.address_state), None)
        if self.attempts.are_events:
            state = None
        if isinstance(state, Blackhole):
            self.listening.fill()
        elif state is None and self.listening.state is not ListenerState.OPEN:
            self.listening.open(self.attempts.prepare)
            self.attempts.open()
            self._watch()

    def refuse(self) -> None:
        """Refuse new connections."""
        self._leave_open()
        self.listening.refuse()

    def stop(self) -> None:
        """Refuse new connections and close those that are open."""
        self.refuse()
        for link in tuple(self.links.values()):
            link.end(Ended.STOPPED)

    def strike(self, fault: Fault, index: int | None) -> None:
        """Let a fault strike a connection now."""
        if index is None and len(self.links) != 1:
            raise MisuseError(
                f"strike needs on=connection: {len(self.links)} connections are open"
            )
        link = self.links.get(next(iter(self.links)) if index is None else index)
        if link is None:
            raise MisuseError(f"connection {index} has ended, so nothing can strike it")
        link.strike(fault)
        link.pump()

    def add(self, fault: Fault) -> None:
        """Add a fault for the connections to come and for those that are open."""
        check_plan([*self.faults, fault])
        self.faults.append(fault)
        self.attempts.open()
        if fault.at_connect:
            return
        for link in tuple(self.links.values()):
            if fault.on.selects(link.record.index + 1):
                link.add(fault)
                link.pump()

    def heal(self, index: int | None) -> None:
        """Put the cable of one connection, or of all, back."""
        heal(tuple(self.links.values()), index)

    def catch_up(self) -> None:
        """Handle all that the kernel has delivered; any thread."""
        self.check_process()
        if not self.closed:
            self.loop.catch_up(self._concerns)

    def _concerns(self, callback: object) -> bool:
        owner = getattr(callback, "__self__", None)
        return (
            owner is self
            or owner is self.attempts
            or (isinstance(owner, Link) and owner.host is self)
        )

    def check_process(self) -> None:
        """Refuse to work in a forked child."""
        if self.is_forked:
            raise MisuseError(
                f"{self!r} belongs to the parent process, and a forked child cannot use it: "
                "read its journal in the parent, or make a server in the child"
            )

    # How it ends.

    def findings(self) -> list[BaseException]:
        """What went otherwise than planned so far."""
        found: list[BaseException] = [*self._errors]
        if not self._optional:
            found += self._unmet
            found += unreached_behaviours(self.behaviours.given, self.records)
            told = {fault for record in self.records for fault, _ in record.unreached}
            told |= {fault for attempt in self.attempts.records for fault in attempt.struck}
            faults = [one for one in self.faults if one not in told]
            found += unstruck(faults, self.records, self.attempts.records)
        return found

    def shut_down(self) -> list[BaseException]:
        """Give up everything; what went otherwise than planned.  Any thread; twice is fine."""
        if self.is_forked:
            return []  # all that a child had of it was closed when it was forked
        self.catch_up()
        with self.loop.lock:
            if self.closed:
                return []
            self.closed = True
            try:
                self._leave_open()
            finally:
                self.listening.close()
                for link in tuple(self.links.values()):
                    link.end(Ended.STOPPED)
                self.waiting.changed()  # whoever waits for this server waits in vain
        try:
            stuck = self._join_handlers(Deadline.after(self.patience_seconds))
        finally:
            _open.discard(self)
            self.loop.servers.discard(self)
            release()
        return [*stuck, *self.findings()]

    def _join_handlers(self, deadline: Deadline) -> list[HandlerStuck]:
        with self.loop.lock:
            while not deadline.expired and any(one.is_running for one in self._handlings):
                self.loop.changed.wait(deadline.timeout())
            return [
                HandlerStuck(
                    f"a handler did not return within {self.patience_seconds:g} s after its "
                    f"server was closed; its thread {one.name} is abandoned at\n{one.stack()}"
                )
                for one in self._handlings
                if one.is_running
            ]

    # What the loop and the connections tell.

    def on_event(self, _mask: int) -> None:
        """Connections wait to be accepted."""
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                accepted = self.listening.accept()
            except OSError as error:
                self._cannot_accept(error)
                return
            except Exception as error:  # noqa: BLE001 - a patched socket module must not end the loop
                self.fail(error)
                return
            if accepted is None:
                return
            sock, client = accepted
            record = Record(len(self.records), client, self.seconds())
            self.records.append(record)
            machine, faults = self.behaviours.for_connection(record.index) or self._too_many()
            chosen = (
                *faults,
                *(
                    one
                    for one in self.faults
                    if not one.at_connect and one.on.selects(record.index + 1)
                ),
            )
            self.attempts.accepted(sock, client, chosen)
            link = self.links[record.index] = Link(self, sock, record, machine, chosen)
            if isinstance(machine, Handling):
                machine.attach(link)
                self._handlings.add(machine)
            self.waiting.changed()
            begin_losing(link, chosen)
            link.start(self._greeting)

    def _cannot_accept(self, error: OSError) -> None:
        """Out of descriptors or memory: say so, and try again a little later.

        The connection stays in the queue, so the listener stays readable, and without a
        pause a level-triggered loop would spin.
        """
        if not any(isinstance(one, MisuseError) for one in self._errors):
            self._errors.append(
                MisuseError(
                    f"{self!r} cannot accept connection {len(self.records)}: {error.strerror}; "
                    "raise the limit on open descriptors (ulimit -n) or use fewer connections"
                )
            )
            self.waiting.changed()
        self._unwatch()
        self.loop.call_at(now() + _ACCEPT_AGAIN_SECONDS, self._accept_again)

    def _accept_again(self) -> None:
        if self.listening.socket is not None and not self.is_forked:
            self._watch()
            self.on_event(0)

    def _too_many(self) -> tuple[Machine, tuple[Fault, ...]]:
        """No behaviour is left: reset the connection, and fail the test."""
        given = self.behaviours.given
        self._errors.append(
            UnmetExpectation(
                f"connection {len(self.records) - 1} came, but only {given} behaviours were "
                "given, one per connection; end the list with forever(...) to serve more"
            )
        )
        return Silent(), (Reset(at=at.up(0), optional=True),)

    def seconds(self) -> float:
        """Seconds since the server's start."""
        return now() - self._started

    def note(self, record: Record, direction: Direction, data: bytes | memoryview) -> None:
        """Bytes were read or sent."""
        record.note(direction, data, self.seconds(), self._limit)
        self.waiting.changed()

    def struck(self, record: Record, struck: Struck) -> None:
        """A fault struck."""
        record.struck = (*record.struck, struck)
        link = self.links.get(record.index)
        if link is not None and isinstance(link.machine, Handling):
            link.machine.notify()
        self.waiting.changed()

    def not_reached(self, record: Record, fault: Fault, unsent_bytes: int) -> None:
        """A cut was not reached, because the client does not read."""
        why = (
            f"{fault} was not reached on connection {record.index} within "
            f"{self.patience_seconds:g} s: the client does not read, and {unsent_bytes} bytes "
            "before the cut are not on the wire"
        )
        record.unreached = (*record.unreached, (fault, why))
        self._unmet.append(UnmetExpectation(why))
        self.waiting.changed()

    def report(self, error: BaseException, record: Record) -> None:
        """Something failed that the test must know of."""
        error.add_note(f"on connection {record.index} of {self!r}")
        self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Something failed that the test must know of, on no connection."""
        self._errors.append(error)
        self.waiting.changed()

    def ended(self, link: Link, machine: Machine | None, ended: Ended, reason: str) -> None:
        """A connection gives up its socket."""
        record = link.record
        record.ended_seconds = self.seconds()
        if record.ended is Ended.OPEN:
            record.ended = ended
        self.links.pop(record.index, None)
        unmet = machine.unmet() if machine is not None else None
        if unmet is not None and not any(
            one.fault.ends(Direction.DOWN) for one in record.struck
        ):
            self._unmet.append(UnmetExpectation(f"connection {record.index}: {unmet}"))
        if isinstance(machine, Handling):
            machine.lose(reason)
        self.waiting.changed()

    def handler_done(self, handling: Handling) -> None:
        """A handler has returned."""
        self._handlings.discard(handling)
        self.loop.changed.notify_all()

    # What the process asks for.

    def descriptors(self) -> Iterator[int]:
        """The file descriptors that it holds."""
        yield from self.listening.descriptors
        yield from self.attempts.descriptors
        for link in tuple(self.links.values()):
            if link.sock is not None:
                yield link.sock.fileno()

    def forked(self) -> None:
        """Close all descriptors in a forked child, and touch nothing else."""
        self.is_forked = True
        _open.discard(self)
        self.listening.forked()
        self.attempts.forked()
        for link in self.links.values():
            if link.sock is not None:
                link.sock.close()

    def _leave_open(self) -> None:
        self.attempts.close()
        self._unwatch()

    def _unwatch(self) -> None:
        listener = self.listening.socket
        if listener is not None and self._is_watching:
            self._is_watching = False
            self.loop.unwatch(listener.fileno())

    def _watch(self) -> None:
        listener = self.listening.socket
        if listener is not None and not self._is_watching:
            self._is_watching = True
            self.loop.watch(listener.fileno(), selectors.EVENT_READ, self.on_event)
