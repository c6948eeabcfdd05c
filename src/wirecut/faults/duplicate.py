"""Send the bytes right after the moment twice.

They pass as they come; when the last of them has passed, all of them are sent once more, and
the stream goes on.

Source: RFC 9293 section 3.7 (TCP delivers every byte once: this breaks the promise).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_count
from wirecut.wire.action import Action, Again, Pass, Transform, View

__all__ = ["Duplicate"]


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """Repeat bytes of the stream.

    Attributes:
        size_bytes: How many, >= 1; fewer if the stream ends before.

    Raises:
        MisuseError: It is not a whole number >= 1.
    """

    size_bytes: int = 1
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "duplicate"
    peer_sees: ClassVar[str] = "the stream with that many bytes repeated"
    source: ClassVar[str] = "RFC 9293 section 3.7 (reliable, in-order delivery)"
    needs_bytes: ClassVar[bool] = True
    acts_on_bytes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("size_bytes", self.size_bytes, minimum=1)
        Fault.__post_init__(self)

    @property
    def window_bytes(self) -> int:
        """The bytes to repeat."""
        return self.size_bytes

    def act(self, view: View) -> tuple[Action, ...]:
        """Pass what has come; right after the last of it, or at the end, the copy."""
        size = min(view.waiting, self.size_bytes - view.done)
        passed = (Pass(size),) if size else ()
        if view.done + size == self.size_bytes or view.end:
            return (*passed, Transform(0, view.taken + view.head[:size]))
        return (*passed, Again())
