"""What a connection needs of its server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from wirecut.faults.fault import Fault
from wirecut.faults.scan import RequestScanner
from wirecut.script.machine import Machine
from wirecut.server.journal import Ended, Record, Struck
from wirecut.server.loop import Loop
from wirecut.wire.action import Direction

if TYPE_CHECKING:
    from wirecut.server.link import Link
    from wirecut.server.worker import Handling

__all__ = ["Host"]


class Host(Protocol):
    """A server, as its connections see it; every call is made under the loop's lock."""

    patience_seconds: float
    """How long an internal wait lasts before it is given up."""

    @property
    def loop(self) -> Loop:
        """The loop that serves it."""
        ...

    @property
    def scan_requests(self) -> Callable[[], RequestScanner]:
        """Makes the scanner that frames a client's requests."""
        ...

    def seconds(self) -> float:
        """Seconds since the server's start."""
        ...

    def note(self, record: Record, direction: Direction, data: bytes | memoryview) -> None:
        """Bytes were read (UP) or sent (DOWN)."""
        ...

    def struck(self, record: Record, struck: Struck) -> None:
        """A fault struck."""
        ...

    def not_reached(self, record: Record, fault: Fault, unsent_bytes: int) -> None:
        """The peer did not take what comes before a fault's cut, within the patience."""
        ...

    def report(self, error: BaseException, record: Record) -> None:
        """Something failed that the test must know of."""
        ...

    def ended(self, link: Link, machine: Machine | None, ended: Ended, reason: str) -> None:
        """The connection gives up its socket: ``struck``, ``reset``, ``torn``, or plainly."""
        ...

    def handler_done(self, handling: Handling) -> None:
        """A handler has returned."""
        ...
