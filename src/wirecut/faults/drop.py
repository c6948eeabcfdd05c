"""Lose the bytes right after the moment; what follows moves up.

TCP itself never does this: it is what a broken proxy, a wrong buffer size or a lost chunk
looks like to the application.

Source: RFC 9293 section 3.7 (TCP delivers every byte, in order: this breaks the promise).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_count
from wirecut.wire.action import Action, Again, Transform, View

__all__ = ["Drop"]


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """Take bytes out of the stream.

    Attributes:
        size_bytes: How many, >= 1.

    Raises:
        MisuseError: It is not a whole number >= 1.
    """

    size_bytes: int = 1
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "drop"
    peer_sees: ClassVar[str] = "the stream with that many bytes missing"
    source: ClassVar[str] = "RFC 9293 section 3.7 (reliable, in-order delivery)"
    needs_bytes: ClassVar[bool] = True
    acts_on_bytes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("size_bytes", self.size_bytes, minimum=1)
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """Take what has come; ask again for the rest."""
        size = min(view.waiting, self.size_bytes - view.done)
        again = () if view.done + size == self.size_bytes or view.end else (Again(),)
        return (Transform(size, b""), *again)
