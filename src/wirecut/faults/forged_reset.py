"""Reset a connection by segments that neither end has sent.

What a middlebox does that tears down a flow it does not like: the client reads what had been
sent, then gets ECONNRESET, and the server, if it is told too, gets the same.  A server that
is not told believes in the connection until it sends something.

The number of a RST must be exactly the next one that its receiver expects; one that is off
by one only makes the receiver ask back (RFC 5961 section 3.2, challenge ACK).

Sources: RFC 9293 section 3.10.7.4 (RST in ESTABLISHED), RFC 5961 section 3.2, RFC 3360.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.faults.fault import Fault
from wirecut.validation import check_choice
from wirecut.wire.action import Action, Direction, ForgeReset, Hold, View, WaitUntilSent

__all__ = ["ForgedReset"]


@dataclass(frozen=True, slots=True)
class ForgedReset(Fault):
    """Let a third party reset the connection.

    Attributes:
        ends_told: ``both``, or ``client`` to leave the server in the dark.

    Raises:
        MisuseError: It is neither.
    """

    ends_told: str = "both"

    word: ClassVar[str] = "forged_reset"
    peer_sees: ClassVar[str] = (
        "exactly the bytes that came before, then ECONNRESET; the server did not send it, and "
        "gets ECONNRESET too unless it is left in the dark"
    )
    source: ClassVar[str] = "RFC 9293 section 3.10.7.4; RFC 5961 section 3.2"
    tcp_only: ClassVar[bool] = True
    capabilities: ClassVar[tuple[str, ...]] = ("raw packets", "packet filter", "tcp repair")

    def __post_init__(self) -> None:
        check_choice("ends_told", self.ends_told, ("both", "client"))
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """Wait until all that was passed is on the wire: its end is the RST's number."""
        del view
        return (
            Hold(Direction.BOTH),
            WaitUntilSent(),
            ForgeReset(both=self.ends_told == "both"),
        )

    def ends(self, outbound: Direction) -> Direction:
        """Both directions."""
        del outbound
        return Direction.BOTH
