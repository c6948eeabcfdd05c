"""Die without a word: the server's end is gone, and no packet says so.

What a host that lost its power looks like: what the client sends is not acknowledged, and it
waits until its own timeout or its kernel's.

Sources: RFC 9293 section 3.5.1 (half-open connections); Linux, TCP_REPAIR, with which a
socket is closed without a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.faults.fault import Fault
from wirecut.wire.action import Action, DieSilently, Direction, Hold, View, WaitUntilSent

__all__ = ["Vanish"]


@dataclass(frozen=True, slots=True)
class Vanish(Fault):
    """Give up the connection without any packet."""

    word: ClassVar[str] = "vanish"
    peer_sees: ClassVar[str] = (
        "exactly the bytes that came before, then silence; what it sends later is answered "
        "by RST, since the host itself is still there"
    )
    source: ClassVar[str] = "RFC 9293 section 3.5.1 (half-open connections)"
    tcp_only: ClassVar[bool] = True
    capabilities: ClassVar[tuple[str, ...]] = ("tcp repair",)

    def act(self, view: View) -> tuple[Action, ...]:
        """Wait until all that was passed is on the wire, then vanish."""
        del view
        return (Hold(Direction.BOTH), WaitUntilSent(), DieSilently())

    def ends(self, outbound: Direction) -> Direction:
        """Both directions."""
        del outbound
        return Direction.BOTH
