"""What a client is tried with: one correct reply, and a fault at each telling moment of it.

Every fault of the list can be noticed by a correct client, so wrong data that a client takes
for good is the client's doing.  (A flipped bit in the middle of a body cannot be noticed
without a checksum, and is not in the list.)
"""

from __future__ import annotations

from typing import Final

from wirecut.faults import at
from wirecut.faults.blackhole import Blackhole
from wirecut.faults.close import Close
from wirecut.faults.corrupt import Corrupt
from wirecut.faults.delay import Delay
from wirecut.faults.dribble import Dribble
from wirecut.faults.drop import Drop
from wirecut.faults.duplicate import Duplicate
from wirecut.faults.fault import Fault
from wirecut.faults.garbage import Garbage
from wirecut.faults.half_close import HalfClose
from wirecut.faults.plan import check_length
from wirecut.faults.refuse import Refuse
from wirecut.faults.reset import Reset
from wirecut.faults.stall import Stall
from wirecut.faults.throttle import Throttle
from wirecut.http.fixed import HttpReply

__all__ = ["REPLY", "check_faults", "telling_faults"]

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
        Blackhole(),
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
    )


def check_faults(faults: tuple[Fault, ...], reply: HttpReply = REPLY) -> None:
    """Refuse faults that cannot strike this reply.

    Raises:
        MisuseError: An offset lies past the reply's end.
    """
    for fault in faults:
        check_length([fault], len(reply.rendered))
