"""What is remembered of a strike, on either side of the wire."""

from __future__ import annotations

from dataclasses import dataclass

from wirecut.faults.fault import Fault
from wirecut.wire.action import Direction

__all__ = ["Struck"]


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that struck.

    Attributes:
        fault: Which one.
        direction: The direction its moment lies in.
        count: Bytes on the wire in that direction at that moment.
        seconds: When, from the start of the server, or of the line that was dialed.
        unread_bytes: What had arrived from the other end and was not read.
    """

    fault: Fault
    direction: Direction
    count: int
    seconds: float
    unread_bytes: int
