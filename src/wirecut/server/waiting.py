"""Waiting for something to happen to a server, from a thread or from a coroutine.

Every change of a server counts up a version.  A wait asks its condition, and if it does not
hold, sleeps until the version has moved on: no poll, and no change can be missed in between.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from wirecut.deadline import Deadline
from wirecut.errors import DeadlineExceeded, MisuseError
from wirecut.server.loop import Loop

__all__ = ["Waiting"]


class Waiting:
    """The waits on one server."""

    __slots__ = ("_asleep", "_loop", "_version", "_watchers")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._version = 0
        self._asleep = 0
        self._watchers: list[Callable[[], object]] = []

    def changed(self) -> None:
        """Something has changed; under the lock."""
        self._version += 1
        if self._asleep:
            self._loop.changed.notify_all()
        for watcher in self._watchers:
            watcher()

    def wait(self, condition: Callable[[], bool], deadline: Deadline) -> None:
        """Wait on this thread.

        Raises:
            DeadlineExceeded: The condition did not hold in time.
            MisuseError: An event loop runs in this thread, and would stand still.
        """
        if _runner() is not None:
            raise MisuseError(
                "a blocking wait would stop the event loop that runs in this thread: await "
                "wait_for_async() or wait_for_connections_async() instead"
            )
        while True:
            version = self._version
            if condition():
                return
            with self._loop.lock:
                self._asleep += 1
                try:
                    while self._version == version:
                        if deadline.expired:
                            raise _too_late()
                        self._loop.changed.wait(deadline.timeout())
                finally:
                    self._asleep -= 1

    async def wait_async(self, condition: Callable[[], bool], deadline: Deadline) -> None:
        """Wait in a coroutine, on asyncio or trio.

        Raises:
            DeadlineExceeded: The condition did not hold in time.
            MisuseError: Neither of the two runs it.
        """
        make = _runner()
        if make is None:
            raise MisuseError("wait_for_async() runs on asyncio or trio; use wait_for()")
        wake, sleep, forget = make()
        with self._loop.lock:
            self._watchers.append(wake)
        try:
            while not condition():
                if deadline.expired:
                    raise _too_late()
                await sleep(deadline.timeout())
                forget()
        finally:
            with self._loop.lock:
                self._watchers.remove(wake)


_Sleep = Callable[[float | None], Awaitable[object]]
_Signal = tuple[Callable[[], object], _Sleep, Callable[[], None]]


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("gave up waiting: the condition did not come true in time")


def _runner() -> Callable[[], _Signal] | None:
    """What makes a signal for the event loop that runs in this thread, if one does."""
    trio = sys.modules.get("trio")
    if trio is not None and _runs(trio.lowlevel.current_trio_token):
        return _trio_signal
    return _asyncio_signal if _runs(asyncio.get_running_loop) else None


def _runs(current: Callable[[], object]) -> bool:
    """Whether there is a current loop; both libraries raise RuntimeError if not."""
    try:
        current()
    except RuntimeError:
        return False
    return True


def _asyncio_signal() -> _Signal:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    async def sleep(seconds: float | None) -> None:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return

    return lambda: loop.call_soon_threadsafe(event.set), sleep, event.clear


def _trio_signal() -> _Signal:
    trio = sys.modules["trio"]
    token = trio.lowlevel.current_trio_token()
    event = trio.Event()

    async def sleep(seconds: float | None) -> None:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            await event.wait()

    def forget() -> None:
        # Trio's events cannot be cleared.
        nonlocal event
        event = trio.Event()

    # The event is looked up when it is set: forget() replaces it.
    return lambda: token.run_sync_soon(lambda: event.set()), sleep, forget  # noqa: PLW0108
