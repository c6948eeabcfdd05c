"""What a client is tried with: one correct reply, and a fault at each telling moment of it.

Every fault of the list can be noticed by a correct client, so wrong data that a client takes
for good is the client's doing.  (A flipped bit in the middle of a body cannot be noticed
without a checksum, and is not in the list.)  Some need what not every machine, or user, may
do; those are left out where it is missing, and told.
"""

from __future__ import annotations

from typing import Final

from wirecut.errors import CapabilityMissing
from wirecut.faults import at
from wirecut.faults.blackhole import Blackhole
from wirecut.faults.close import Close
from wirecut.faults.corrupt import Corrupt
from wirecut.faults.delay import Delay
from wirecut.faults.dribble import Dribble
from wirecut.faults.drop import Drop
from wirecut.faults.duplicate import Duplicate
from wirecut.faults.fault import Fault
from wirecut.faults.forged_reset import ForgedReset
from wirecut.faults.garbage import Garbage
from wirecut.faults.half_close import HalfClose
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition
from wirecut.faults.plan import check_length
from wirecut.faults.refuse import Refuse
from wirecut.faults.reset import Reset
from wirecut.faults.selection import first
from wirecut.faults.stall import Stall
from wirecut.faults.throttle import Throttle
from wirecut.faults.unreachable import Unreachable
from wirecut.faults.vanish import Vanish
from wirecut.http.fixed import HttpReply
from wirecut.wire.kernel import available, require

__all__ = ["REPLY", "check_faults", "missing_for", "telling_faults"]

REPLY: Final = HttpReply(
    b"".join(b"line %d of 8\n" % number for number in range(1, 9)), keep_alive=False
)
"""The reply; the connection is closed after it, so that a client may also read to the end."""


def telling_faults(reply: HttpReply = REPLY) -> tuple[Fault, ...]:
    """Every effect, at the moments of this reply at which clients differ."""
    data = reply.rendered
    body = len(data) - len(reply.body)
    # In the middle of a header line: a client that takes end-of-file for the end of the
    # headers then knows of no Content-Length, and a body of nothing looks whole to it.
    mid_head = at.down(data.index(b"Content-Length") + 7)
    mid_body = at.down(body + len(reply.body) // 2)
    return (
        Refuse(),
        Refuse(on=first(1)),
        Blackhole(),
        Unreachable(),
        Delay(0.2, at=at.connect),
        Reset(at=at.connect),
        Reset(at=at.accept),
        Reset(at=at.request.end),
        Reset(at=at.down(0)),
        Reset(at=mid_head),
        Reset(at=mid_body),
        Close(at=at.request.end),
        Close(at=mid_head),
        Close(at=mid_body),
        HalfClose(at=mid_body),
        Stall(at=at.request.end),
        Stall("down", at=mid_body),
        Delay(0.2, at=at.request.end),
        Throttle(512),
        Dribble(),
        Corrupt(),
        Drop(at=mid_body),
        Duplicate(),
        Garbage(),
        ForgedReset(at=mid_body),
        Partition(at=mid_body),
        Lose(),
        Vanish(at=mid_body),
    )


def missing_for(fault: Fault) -> tuple[str, ...]:
    """The capabilities that a fault needs and this process has not, by name."""
    return tuple(name for name in fault.needs if not available(name))


def check_faults(faults: tuple[Fault, ...], reply: HttpReply = REPLY) -> None:
    """Refuse faults that cannot strike this reply, or not on this machine.

    Raises:
        MisuseError: An offset lies past the reply's end.
        CapabilityMissing: A fault needs what is missing here; the message has the way out.
    """
    for fault in faults:
        check_length([fault], len(reply.rendered))
        for name in missing_for(fault):
            try:
                require(name)
            except CapabilityMissing as missing:
                raise CapabilityMissing(f"{fault} cannot be tried here: {missing}") from None
