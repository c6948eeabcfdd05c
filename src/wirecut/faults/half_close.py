"""End our direction only, and go on reading.

The peer reads end-of-file but may go on sending, and is heard: its bytes and its own end
still arrive and are recorded.

Sources: RFC 9293 section 3.6, case 1 (half-closed connections); shutdown(2), SHUT_WR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.faults.fault import Fault
from wirecut.wire.action import Action, Direction, ShutDownWriting, View

__all__ = ["HalfClose"]


@dataclass(frozen=True, slots=True)
class HalfClose(Fault):
    """Send FIN, discard what we would have sent, keep reading."""

    word: ClassVar[str] = "half_close"
    peer_sees: ClassVar[str] = (
        "the bytes that came before, then end-of-file (FIN); what it sends is still read"
    )
    source: ClassVar[str] = "RFC 9293 section 3.6; shutdown(2), SHUT_WR"

    def act(self, view: View) -> tuple[Action, ...]:
        """One FIN; nothing else changes."""
        del view
        return (ShutDownWriting(),)

    def ends(self, outbound: Direction) -> Direction:
        """The direction in which we send."""
        return outbound
