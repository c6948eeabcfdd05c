"""Swallow connection attempts: the client's ``connect()`` waits until its own timeout.

The listener's accept queue is kept full, so the kernel drops every further SYN without an
answer, as a firewall or a dead host would.  Works without privileges on Linux.  A client
without a timeout gives up when its kernel does (tcp(7), tcp_syn_retries: minutes).

Source: listen(2), backlog; RFC 9293 section 3.8.1 (retransmission of a SYN).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.wire.action import Direction, DropAttempt

__all__ = ["Blackhole"]


@dataclass(frozen=True, slots=True)
class Blackhole(Fault):
    """No answer to a SYN, ever."""

    at: Moment = field(default=at.connect, kw_only=True)

    word: ClassVar[str] = "blackhole"
    peer_sees: ClassVar[str] = "no answer: connect() waits until the client's own timeout"
    source: ClassVar[str] = "listen(2), backlog; RFC 9293 section 3.8.1"
    tcp_only: ClassVar[bool] = True
    connect_only: ClassVar[bool] = True
    is_state_for_all: ClassVar[bool] = True

    def turn(self) -> DropAttempt:
        """Every SYN of the attempt."""
        return DropAttempt()

    def ends(self, outbound: Direction) -> Direction:
        """Both directions: there is no connection."""
        del outbound
        return Direction.BOTH
