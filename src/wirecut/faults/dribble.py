"""Send in tiny segments, from the moment on.

Each piece is on the wire before the next is handed to the kernel, so a peer that reads at
once sees every piece by itself; one that reads late may find several together, since TCP
is a stream.  A benign fault: every byte arrives, and a correct client notices nothing.

Source: RFC 9293 section 3.7.4 and 3.8.6.2 (small segments, silly window syndrome).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_count, check_seconds
from wirecut.wire.action import Action, After, Again, Pass, View, WaitUntilSent

__all__ = ["Dribble"]


@dataclass(frozen=True, slots=True)
class Dribble(Fault):
    """Pass the stream in pieces.

    Attributes:
        size_bytes: Length of a piece, >= 1.
        seconds: Pause after each piece, >= 0.

    Raises:
        MisuseError: A value is out of its range.
    """

    size_bytes: int = 1
    seconds: float = 0.0
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "dribble"
    peer_sees: ClassVar[str] = "every byte, in pieces of the given size, one segment each"
    source: ClassVar[str] = "RFC 9293 section 3.7.4 and 3.8.6.2 (small segments)"
    needs_bytes: ClassVar[bool] = True
    acts_on_bytes: ClassVar[bool] = True
    paces: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("size_bytes", self.size_bytes, minimum=1)
        object.__setattr__(self, "seconds", check_seconds("seconds", self.seconds))
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """One piece on the wire, the pause, ask again."""
        piece = min(view.waiting, self.size_bytes)
        if not piece:
            return (Again(),)
        pause = (After(self.seconds),) if self.seconds else ()
        return (Pass(piece), WaitUntilSent(bounded=False), *pause, Again())
