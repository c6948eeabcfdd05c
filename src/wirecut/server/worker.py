"""Handlers: user code that plays the server's side of a connection, on a worker thread.

A handler is called with a :class:`Peer`, whose calls hand over to the loop.  When a fault
ends the connection, the handler's next call raises :class:`ConnectionStruck`; that, the
peer's end and its reset end a handler quietly.  Anything else reaches the test.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from wirecut.deadline import Deadline
from wirecut.errors import ConnectionStruck, DeadlineExceeded, PeerClosed, PeerReset
from wirecut.faults.fault import Fault
from wirecut.faults.text import as_fault
from wirecut.script.machine import Output
from wirecut.server.journal import Ended
from wirecut.server.loop import at_end, at_fork
from wirecut.validation import check_count
from wirecut.wire.action import Direction

if TYPE_CHECKING:
    from wirecut.server.link import Link

__all__ = ["Handler", "Handling", "Peer"]

# How much a handler may leave unread, or unsent, before the other side has to wait.
_HIGH_WATER_BYTES: Final = 1 << 20


class Handling:
    """A handler at work on one connection: the machine that the loop drives."""

    __slots__ = ("_changed", "_handler", "done", "inbox", "is_ended", "link", "lost", "thread")

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.link: Link | None = None
        self.inbox = bytearray()
        self.is_ended = False
        self.lost: Exception | None = None
        self.done = False
        self.thread: threading.Thread | None = None
        self._changed: threading.Condition | None = None

    def attach(self, link: Link) -> None:
        """The connection that it plays; before :meth:`begin`."""
        self.link = link
        self._changed = threading.Condition(link.host.loop.lock)

    @property
    def full(self) -> bool:
        """Whether the client has to wait until the handler has read."""
        return len(self.inbox) >= _HIGH_WATER_BYTES

    def begin(self) -> Sequence[Output]:
        """Start the handler on a worker."""
        _workers.submit(self)
        return ()

    def receive(self, data: bytes) -> Sequence[Output]:
        """Bytes for the handler."""
        self.inbox += data
        self.notify()
        return ()

    def receive_end(self) -> Sequence[Output]:
        """The client has ended its stream."""
        self.is_ended = True
        self.notify()
        return ()

    def unmet(self) -> str | None:
        """Never anything: what a handler has not done is its own business."""
        return None

    def lose(self, reason: str) -> None:
        """The connection is gone; the handler's next call says so."""
        if reason == "reset":
            self.lost = PeerReset("the client has reset the connection")
        elif reason == "torn":
            self.lost = PeerReset("a third party has reset the connection")
        elif reason == "struck":
            self.lost = ConnectionStruck("a fault has ended the connection")
        else:
            self.lost = ConnectionStruck("the server has closed the connection")
        self.notify()

    def make_room(self) -> None:
        """The connection has moved on; a handler that waits to send looks again."""
        if self.link is not None and self.link.backlog < _HIGH_WATER_BYTES:
            self.notify()

    def notify(self) -> None:
        """Something has changed; under the lock."""
        if self._changed is not None:
            self._changed.notify_all()

    def wait(self, ready: Callable[[], bool], direction: Direction, what: str) -> Link:
        """Wait, under the lock, until ``ready``, the connection's end, or the patience's."""
        link, changed = self.link, self._changed
        if link is None or changed is None:
            raise ConnectionStruck("the handler has no connection")
        deadline = Deadline.after(link.host.patience_seconds)
        while not ready():
            if self.lost is not None:
                raise self.lost
            if link.is_closing or (direction is Direction.DOWN and link.is_struck):
                raise ConnectionStruck("a fault has ended the connection")
            interpreter = link.interpreter
            stalled = interpreter is not None and interpreter.holds_for_ever(direction)
            if stalled:
                changed.wait()
                deadline = Deadline.after(link.host.patience_seconds)
            elif not changed.wait(deadline.remaining()) and deadline.expired:
                raise DeadlineExceeded(
                    f"a handler gave up waiting for {what} after "
                    f"{link.host.patience_seconds:g} s (patience_seconds)"
                )
        return link

    def run(self) -> None:
        """The handler, from its start to its end; on a worker, without the lock."""
        link = self.link
        if link is None:
            return
        self.thread = threading.current_thread()
        error: BaseException | None = None
        try:
            self._handler(Peer(self))
        except (ConnectionStruck, PeerClosed, PeerReset):
            pass
        except BaseException as raised:  # noqa: BLE001 - pytest.fail() must reach the test too
            error = raised
        with link.host.loop.lock:
            self.done = True
            if error is not None:
                link.host.report(error, link.record)
                link.end(Ended.RESET_BY_SERVER)
            else:
                link.finish()
                link.pump()
            link.host.handler_done(self)

    @property
    def is_running(self) -> bool:
        """Whether another thread than this one is still in the handler."""
        return not self.done and self.thread is not threading.current_thread()

    @property
    def name(self) -> str:
        """The name of its thread."""
        return repr(self.thread.name) if self.thread is not None else "(not started)"

    def stack(self) -> str:
        """Where its thread is now."""
        thread = self.thread
        frame = sys._current_frames().get(thread.ident or 0) if thread else None  # noqa: SLF001 - the documented way to another thread's stack
        return "".join(traceback.format_stack(frame)) if frame is not None else "(no stack)\n"


class Peer:
    """The client, as a handler sees it; for the handler's own thread."""

    __slots__ = ("_handling",)

    def __init__(self, handling: Handling) -> None:
        self._handling = handling

    @property
    def address(self) -> tuple[str, int] | str:
        """The client's address."""
        link = self._handling.link
        client = link.record.client if link is not None else ""
        return client if isinstance(client, tuple | str) else ""

    def recv(self, max_bytes: int = 65536) -> bytes:
        """At least one byte and at most ``max_bytes`` (>= 1), or b"" at the client's end.

        Raises:
            ConnectionStruck: A fault has ended the connection, or the server was closed.
            PeerReset: The client has reset it.
            DeadlineExceeded: Nothing came within the patience.
        """
        check_count("max_bytes", max_bytes, minimum=1)
        handling = self._handling
        with self._lock():
            link = handling.wait(
                lambda: bool(handling.inbox) or handling.is_ended, Direction.UP, "input"
            )
            return self._take(link, min(max_bytes, len(handling.inbox)))

    def recv_exactly(self, count: int) -> bytes:
        """Exactly ``count`` bytes (>= 0).

        Raises:
            PeerClosed: The client ended its stream before.
            ConnectionStruck, PeerReset, DeadlineExceeded: As :meth:`recv`.
        """
        check_count("count", count)
        parts = []
        left = count
        while left:
            part = self.recv(left)
            if not part:
                raise PeerClosed(f"the client ended its stream {left} bytes before {count}")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def recv_until(self, terminator: bytes) -> bytes:
        """All bytes up to and including ``terminator``; what follows stays for later.

        Raises:
            PeerClosed: The client ended its stream before.
            ConnectionStruck, PeerReset, DeadlineExceeded: As :meth:`recv`.
        """
        handling = self._handling
        with self._lock():
            seen = 0
            while True:
                found = handling.inbox.find(terminator, max(0, seen - len(terminator) + 1))
                if found >= 0:
                    return self._take(handling.link, found + len(terminator))
                seen = len(handling.inbox)
                if handling.is_ended:
                    raise PeerClosed(f"the client ended its stream before {terminator!r}")
                before = seen
                handling.wait(
                    lambda before=before: len(handling.inbox) > before or handling.is_ended,  # type: ignore[misc] # mypy cannot type a lambda's default
                    Direction.UP,
                    repr(terminator),
                )

    def send(self, data: bytes) -> None:
        """Send bytes, through the connection's faults; waits while 1 MiB is unsent.

        Raises:
            ConnectionStruck, PeerReset, DeadlineExceeded: As :meth:`recv`.
        """
        handling = self._handling
        with self._lock():
            link = handling.wait(self._can_send, Direction.DOWN, "room")
            link.say(bytes(data))
            link.pump()

    def strike(self, fault: Fault | str) -> None:
        """Let a fault strike this connection now, whatever its moment says."""
        handling = self._handling
        effect = as_fault(fault)
        with self._lock():
            if handling.link is not None:
                handling.link.strike(effect)
                handling.link.pump()

    def close(self) -> None:
        """Close in good order: FIN after what was sent, then read to the client's end."""
        link = self._handling.link
        with self._lock():
            if link is not None:
                link.finish()
                link.pump()

    def _can_send(self) -> bool:
        handling = self._handling
        link = handling.link
        return (
            link is not None
            and handling.lost is None
            and not link.is_struck
            and link.backlog < _HIGH_WATER_BYTES
        )

    def _take(self, link: Link | None, count: int) -> bytes:
        handling = self._handling
        was_full = handling.full
        data = bytes(handling.inbox[:count])
        del handling.inbox[:count]
        if was_full and link is not None:
            link.pump()
        return data

    def _lock(self) -> threading.RLock:
        link = self._handling.link
        if link is None:
            raise ConnectionStruck("the handler has no connection")
        return link.host.loop.lock


Handler: TypeAlias = Callable[[Peer], object]


class _Worker:
    """A thread that runs one handler after the other."""

    def __init__(self, number: int) -> None:
        self.wanted = threading.Semaphore(0)
        self.job: Handling | None = None
        self.thread = threading.Thread(
            target=self._run, name=f"wirecut-worker-{number}", daemon=True
        )
        self.thread.start()

    @property
    def is_free(self) -> bool:
        """Whether no handler keeps it."""
        job = self.job
        return job is None or job.done

    def _run(self) -> None:
        while True:
            self.wanted.acquire()
            if self.job is None:
                return
            self.job.run()
            self.job = None
            if not _workers.idle(self):
                return


class _Workers:
    """The threads of the process that run handlers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._number = 0
        self._ending = False

    def submit(self, job: Handling) -> None:
        with self._lock:
            self._ending = False
            if self._idle:
                worker = self._idle.pop()
            else:
                self._number += 1
                worker = _Worker(self._number)
                self._all.add(worker)
            worker.job = job
        worker.wanted.release()

    def idle(self, worker: _Worker) -> bool:
        """A worker has nothing to do; whether it shall wait for more."""
        with self._lock:
            if self._ending:
                self._all.discard(worker)
                return False
            self._idle.append(worker)
            return True

    def end(self) -> None:
        """End the free threads now, and busy ones when their handler returns."""
        with self._lock:
            self._ending = True
            self._idle.clear()
            free = [worker for worker in self._all if worker.is_free]
            self._all.difference_update(free)
        for worker in free:
            worker.wanted.release()
        for worker in free:
            if worker.thread is not threading.current_thread():
                worker.thread.join()

    def forked(self) -> None:
        """In a forked child none of the threads exists."""
        self.__init__()  # type: ignore[misc] # the one place where "as new" is meant literally


_workers: Final = _Workers()
at_end(_workers.end)
at_fork(_workers.forked)
