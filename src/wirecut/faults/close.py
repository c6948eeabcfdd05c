"""Close the connection in good order, at a moment when the peer does not expect it.

The peer reads the bytes that were passed, then end-of-file, and never a reset: closing a
socket with unread input would send RST instead of FIN, so input is read and discarded until
the peer ends its side too (or the patience ends).

Sources: RFC 9293 section 3.6 (closing) and 3.6.1 SHLD-3 (a close with unread input resets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.faults.fault import Fault
from wirecut.wire.action import (
    Action,
    Direction,
    Drain,
    Hold,
    ShutDownWriting,
    View,
)
from wirecut.wire.action import Close as CloseSocket

__all__ = ["Close"]


@dataclass(frozen=True, slots=True)
class Close(Fault):
    """Send FIN, discard what still arrives, close; never a reset."""

    word: ClassVar[str] = "close"
    peer_sees: ClassVar[str] = (
        "the bytes that came before, then end-of-file (FIN), as from a server that closed too "
        "early; its writes still succeed and are discarded"
    )
    source: ClassVar[str] = "RFC 9293 section 3.6 and 3.6.1 (SHLD-3)"

    def act(self, view: View) -> tuple[Action, ...]:
        """FIN first, then read to the peer's end, so that no RST can replace the FIN."""
        del view
        return (Hold(Direction.BOTH), ShutDownWriting(), Drain(), CloseSocket())

    def ends(self, outbound: Direction) -> Direction:
        """Both directions."""
        del outbound
        return Direction.BOTH
