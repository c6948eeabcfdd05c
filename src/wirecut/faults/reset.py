"""Cut the connection with a TCP reset.

The peer reads exactly the bytes that were passed, and then its read fails with
``ECONNRESET``.  An orderly close shows the same bytes followed by end-of-file, so a client
that treats the two alike, or that takes a truncated body for a whole one, is what this fault
is made to catch.

Linux keeps what the peer had already received, so the count is exact there; BSD, macOS and
Windows may discard it on RST, so the count is an upper bound.

Sources: RFC 9293 section 3.10.5 (ABORT: drop what is queued, send RST); socket(7), SO_LINGER.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.faults.fault import Fault
from wirecut.wire.action import (
    Abort,
    Action,
    Direction,
    Hold,
    ResetAttempt,
    View,
    WaitUntilSent,
)

__all__ = ["Reset"]


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Abort the connection: the peer reads what was passed, then gets ECONNRESET."""

    word: ClassVar[str] = "reset"
    peer_sees: ClassVar[str] = (
        "exactly the bytes that came before, then ECONNRESET from its next read (one that "
        "comes later sees end-of-file), or EPIPE or ECONNRESET from a write"
    )
    source: ClassVar[str] = "RFC 9293 section 3.10.5 (ABORT); socket(7), SO_LINGER"
    tcp_only: ClassVar[bool] = True
    works_at_connect: ClassVar[bool] = True

    def act(self, view: View) -> tuple[Action, ...]:
        """Wait until all that was passed is on the wire, since an abort drops the rest."""
        del view
        return (Hold(Direction.BOTH), WaitUntilSent(), Abort())

    def turn(self) -> ResetAttempt:
        """At ``connect`` the call itself fails with ECONNRESET."""
        return ResetAttempt()

    def ends(self, outbound: Direction) -> Direction:
        """Both directions."""
        del outbound
        return Direction.BOTH
