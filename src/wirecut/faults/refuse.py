"""Refuse connections: the client's ``connect()`` fails with ECONNREFUSED.

The port is bound but nobody listens, so every SYN is answered by RST, and no other program
can take the port meanwhile.

Source: RFC 9293 section 3.10.7.1 (a segment for a CLOSED port is answered by RST).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.wire.action import Direction, RefuseAttempt

__all__ = ["Refuse"]


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """Nobody listens on the port, and nobody else can."""

    at: Moment = field(default=at.connect, kw_only=True)

    word: ClassVar[str] = "refuse"
    peer_sees: ClassVar[str] = "ECONNREFUSED from connect(), at once"
    source: ClassVar[str] = "RFC 9293 section 3.10.7.1 (CLOSED state)"
    connect_only: ClassVar[bool] = True
    is_state_for_all: ClassVar[bool] = True

    def turn(self) -> RefuseAttempt:
        """Every SYN of the attempt."""
        return RefuseAttempt()

    def ends(self, outbound: Direction) -> Direction:
        """Both directions: there is no connection."""
        del outbound
        return Direction.BOTH
