"""The one background thread, and the one place where served sockets are touched.

A level-triggered loop over :mod:`selectors` (epoll on Linux).  A server is only a listener on
it.  Nothing polls: what has to wait is an event of a socket or a timer.

**Thread rule.**  All state of the loop, of its servers and of their connections belongs to
whoever holds ``Loop.lock``.  The background thread holds it while it handles events and not
while it waits for them, so any other thread can take it and do a piece of the loop's work
itself.  Starting and stopping a server, and reading the journal, need no hand-over between
threads, which is what makes them quick.  No user code runs under the lock.

**Fork.**  A child holds our descriptors, and the connections behind them would live on in
it: it closes them at once, without touching the selector that it shares with its parent.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import socket
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from wirecut.deadline import now
from wirecut.errors import MisuseError

__all__ = [
    "Loop",
    "Served",
    "Timer",
    "at_end",
    "at_fork",
    "lease",
    "lease_held",
    "leased",
    "own_descriptors",
    "release",
    "shared_loop",
]

# How many turns reading the journal takes at most.  Each moves up to 64 KiB of a connection,
# so this is more than any socket buffer holds; it only ends the wait for a client that never
# stops sending.
_CATCH_UP_TURNS: Final = 1024


class Served(Protocol):
    """What the loop must know of a server."""

    def descriptors(self) -> Iterable[int]:
        """The file descriptors it holds."""
        ...

    def forked(self) -> None:
        """The process is a forked child: close all descriptors, touch nothing else."""
        ...


class Timer:
    """A callback at a time; cancelled by :meth:`cancel`, from any thread under the lock."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call back; twice is fine."""
        self.callback = None


class Loop:
    """Events of sockets and timers, handled by one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.servers: weakref.WeakSet[Served] = weakref.WeakSet()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._woken)
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._wakes_at = float("inf")
        self._ending = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the background thread."""
        self._thread = threading.Thread(target=self._run, name="wirecut-loop", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread and give up all descriptors; every server must have closed."""
        with self.lock:
            self._ending = True
            self.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The loop's own descriptors that are sockets."""
        return (self._wake_reader.fileno(), self._wake_writer.fileno())

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call back with the events of a descriptor that is not watched yet."""
        self._selector.register(fd, events, callback)

    def rewatch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Change the events of a descriptor that is watched."""
        self._selector.modify(fd, events, callback)

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor; must come before it is closed."""
        self._selector.unregister(fd)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back at a point of the monotonic clock."""
        timer = Timer(when, callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        if when < self._wakes_at:
            self.wake()
        return timer

    def wake(self) -> None:
        """End the thread's present wait for events."""
        with contextlib.suppress(BlockingIOError):  # a byte that is not read yet wakes too
            self._wake_writer.send(b"\0")

    def catch_up(self, concerns: Callable[[object], bool]) -> None:
        """Handle all that the kernel has delivered to the callbacks that ``concerns`` names.

        And what is due: a connection whose turn was over has left the rest to a timer.
        """
        with self.lock:
            if self._ending:  # another thread has closed the last server meanwhile
                return
            for _ in range(_CATCH_UP_TURNS):
                # The wake byte is the thread's own: taken here, it could be gone before the
                # thread has seen it, and epoll_wait(2) would go on waiting past a new timer.
                events = [
                    event
                    for event in self._selector.select(0)
                    if event[0].fileobj is not self._wake_reader
                ]
                self._handle(events)
                due = bool(self._timers) and self._timers[0][0] <= now()
                if due:
                    self._run_timers()
                if not due and not any(concerns(key.data) for key, _ in events):
                    return

    def _run(self) -> None:
        timeout: float | None = None
        while True:
            events = self._selector.select(timeout)
            with self.lock:
                self._wakes_at = float("-inf")
                self._handle(events)
                if self._ending:
                    return
                del events  # they name connections that may be over
                timeout = self._run_timers()

    def _handle(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, mask in events:
            key.data(mask)

    def _run_timers(self) -> float | None:
        """Call back what is due; the seconds until the next one, None if there is none."""
        timers = self._timers
        while timers:
            when, _, timer = timers[0]
            if timer.callback is None:
                heapq.heappop(timers)
                continue
            wait = when - now()
            if wait > 0:
                self._wakes_at = when
                return wait
            heapq.heappop(timers)
            callback, timer.callback = timer.callback, None
            callback()
        self._wakes_at = float("inf")
        return None

    def _woken(self, _mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass

    def forked(self) -> None:
        """Give up everything in a forked child, without touching the shared selector."""
        for server in tuple(self.servers):
            server.forked()
        self._wake_reader.close()
        self._wake_writer.close()
        self._selector.close()


class _Shared:
    """The process's loop while somebody needs it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.loop: Loop | None = None
        self.leases = 0
        self.at_end: list[Callable[[], None]] = []
        self.at_fork: list[Callable[[], None]] = []


_shared = _Shared()


def shared_loop() -> Loop:
    """The running loop.

    Raises:
        MisuseError: No lease is held, so there is none.
    """
    loop = _shared.loop
    if loop is None:
        raise MisuseError("the loop is not running: the server was closed, or never started")
    return loop


def lease() -> Loop:
    """Start the loop if need be, and keep it until as many calls of :func:`release`."""
    with _shared.lock:
        if _shared.loop is None:
            loop = Loop()
            loop.start()
            _shared.loop = loop
        _shared.leases += 1
        return _shared.loop


def release() -> None:
    """Give back a lease; with the last one the loop and all idle workers end."""
    with _shared.lock:
        _shared.leases -= 1
        if _shared.leases > 0 or _shared.loop is None:
            return
        loop, _shared.loop = _shared.loop, None
        for callback in _shared.at_end:
            callback()
        loop.end()


def at_end(callback: Callable[[], None]) -> None:
    """Call this whenever the last lease was given back."""
    _shared.at_end.append(callback)


def at_fork(callback: Callable[[], None]) -> None:
    """Call this in every forked child, before anything else runs in it."""
    _shared.at_fork.append(callback)


def lease_held() -> bool:
    """Whether somebody keeps the loop running."""
    return _shared.leases > 0


def own_descriptors() -> tuple[int, ...]:
    """The descriptors of sockets that the loop itself holds, empty when it is not running."""
    loop = _shared.loop
    return loop.descriptors if loop is not None else ()


@contextlib.contextmanager
def leased() -> Iterator[Loop]:
    """A lease for the time of a ``with`` block."""
    loop = lease()
    try:
        yield loop
    finally:
        release()


def _before_fork() -> None:
    _shared.lock.acquire()
    if _shared.loop is not None:
        _shared.loop.lock.acquire()


def _after_fork_in_parent() -> None:
    if _shared.loop is not None:
        _shared.loop.lock.release()
    _shared.lock.release()


def _after_fork_in_child() -> None:
    loop = _shared.loop
    _shared.lock = threading.RLock()
    _shared.loop = None
    _shared.leases = 0
    if loop is not None:
        loop.lock.release()
        loop.forked()
    for callback in _shared.at_fork:
        callback()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
