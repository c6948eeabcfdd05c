"""Stop, without a word: no byte, no FIN, no RST.

``stall:down`` sends nothing more but still reads, so what the client does in its despair is
recorded.  ``stall:up`` reads nothing more, so the client's writes fill the buffers and block.
``stall`` does both.  With ``seconds`` the connection comes back to life, and nothing is lost.

Sources: RFC 9293 section 3.8.6 (a receiver may close its window for ever).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wirecut.errors import MisuseError
from wirecut.faults.fault import Fault
from wirecut.validation import check_choice, check_seconds
from wirecut.wire.action import Action, Direction, Hold, View

__all__ = ["Stall"]

_DIRECTIONS = {"both": Direction.BOTH, "up": Direction.UP, "down": Direction.DOWN}


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Let nothing pass.

    Attributes:
        direction: ``both``, ``up`` (we read nothing more) or ``down`` (we send nothing more).
        seconds: How long, > 0; None for ever.

    Raises:
        MisuseError: An unknown direction, or a time that is not a positive number.
    """

    direction: str = "both"
    seconds: float | None = None

    word: ClassVar[str] = "stall"
    peer_sees: ClassVar[str] = (
        "silence: its reads wait (down), its writes fill the buffers and then wait (up), until "
        "its own timeout"
    )
    source: ClassVar[str] = "RFC 9293 section 3.8.6 (managing the window)"

    def __post_init__(self) -> None:
        check_choice("direction", self.direction, tuple(_DIRECTIONS))
        if self.seconds is not None:
            object.__setattr__(self, "seconds", check_seconds("seconds", self.seconds))
            if not self.seconds:
                raise MisuseError(
                    f"seconds must be > 0, or None for ever, got {self.seconds!r}"
                )
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """Hold, for the time given or for ever."""
        del view
        return (Hold(_DIRECTIONS[self.direction], self.seconds),)

    def ends(self, outbound: Direction) -> Direction | None:
        """The held directions, if for ever."""
        del outbound
        return _DIRECTIONS[self.direction] if self.seconds is None else None
