"""Say that the destination cannot be reached, as a router on the way would.

The SYN is answered by an ICMP error, and ``connect()`` fails with what the kernel makes of it:

============  ==============  ============
why           IPv4            IPv6
============  ==============  ============
net           ENETUNREACH     ENETUNREACH
host          EHOSTUNREACH    EHOSTUNREACH
prohibited    EHOSTUNREACH    EACCES
port          ECONNREFUSED    ECONNREFUSED
============  ==============  ============

A client that connects without blocking and waits in poll or select, as one with a timeout
does, may be woken on IPv4 in the microsecond before the error can be read, and then takes
the connect for done: Linux fills the socket's error queue first (``tcp_v4_err()``).  That is
so with any router's error; it was seen in 14 of 474,000 attempts on a virtual machine with
two processors, and never on IPv6 (426,000) or in a blocking ``connect()``.

Sources: RFC 792 and RFC 1812 section 5.2.7.1 (IPv4), RFC 4443 section 3.1 (IPv6), RFC 1122
section 4.2.3.9 (what TCP does with them), icmp(7).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_choice
from wirecut.wire.action import BlockAttempt, Direction

__all__ = ["Unreachable"]


@dataclass(frozen=True, slots=True)
class Unreachable(Fault):
    """Answer the client's SYN by an ICMP error.

    Attributes:
        why: ``host``, ``net``, ``prohibited`` or ``port``.

    Raises:
        MisuseError: It is none of them.
    """

    why: str = "host"
    at: Moment = field(default=at.connect, kw_only=True)

    word: ClassVar[str] = "unreachable"
    peer_sees: ClassVar[str] = (
        "EHOSTUNREACH, ENETUNREACH, EACCES or ECONNREFUSED from connect(), within 50 ms"
    )
    source: ClassVar[str] = "RFC 1122 section 4.2.3.9; RFC 792, RFC 4443 section 3.1; icmp(7)"
    tcp_only: ClassVar[bool] = True
    connect_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("why", self.why, ("host", "net", "prohibited", "port"))
        Fault.__post_init__(self)

    def turn(self) -> BlockAttempt:
        """The error that says why."""
        return BlockAttempt(self.why)

    def ends(self, outbound: Direction) -> Direction:
        """Both directions: there is no connection."""
        del outbound
        return Direction.BOTH
