"""How late the machine is: what a thread notices that does nothing but wait."""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from types import TracebackType
from typing import Final, Self

from tests.support import PATIENCE
from wirecut.deadline import now

__all__ = ["Scheduling"]

_TICK_SECONDS: Final = 0.002


class Scheduling:
    """Waits again and again for a moment that has come, and remembers how late it woke."""

    def __init__(self) -> None:
        self._waits: deque[tuple[float, float]] = deque(maxlen=10_000)
        self._woken = threading.Condition()
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="test-scheduling")

    def late(self, begun: float, ended: float) -> float:
        """By how many seconds it was late, all in all, in its waits within that time."""
        with self._woken:
            # The wait that was under way then may not be over yet.
            assert self._woken.wait_for(
                lambda: bool(self._waits) and self._waits[-1][1] >= ended, PATIENCE
            )
            return sum(
                woke - slept - _TICK_SECONDS
                for slept, woke in self._waits
                if woke >= begun and slept <= ended
            )

    def _run(self) -> None:
        while True:
            begun = now()
            if select.select([self._stopped], [], [], _TICK_SECONDS)[0]:
                return
            with self._woken:
                self._waits.append((begun, now()))
                self._woken.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.send(b"x")
        self._thread.join(PATIENCE)
        self._stop.close()
        self._stopped.close()
