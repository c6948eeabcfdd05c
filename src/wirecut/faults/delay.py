"""Stand still for a while, then go on as if nothing had been.

Source: the time is measured on the monotonic clock, from the moment on; nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.faults.fault import Fault
from wirecut.validation import check_seconds
from wirecut.wire.action import Action, After, Direction, Hold, View

__all__ = ["Delay"]


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Hold both directions for a time.

    Attributes:
        seconds: How long, >= 0.  The peer waits at least that long.

    Raises:
        MisuseError: The time is negative or not a number.
    """

    seconds: float = 1.0

    word: ClassVar[str] = "delay"
    peer_sees: ClassVar[str] = "a pause of at least that long, then everything as usual"
    source: ClassVar[str] = "RFC 9293 section 3.8 (data may be delayed, not lost)"
    works_at_connect: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", check_seconds("seconds", self.seconds))
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """Hold both directions."""
        del view
        return (Hold(Direction.BOTH, self.seconds),)

    def turn(self) -> After:
        """At ``connect`` the attempt is answered that much later."""
        return After(self.seconds)
