"""Limit the rate, from the moment on.

Bytes go on in steps of about ten milliseconds' worth, at least one byte, each step followed
by the time it is worth; so the rate is an upper bound over any span longer than a step.

Source: the shape of a slow link, RFC 6349 section 3 (bottleneck bandwidth).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_count
from wirecut.wire.action import Action, After, Again, Pass, View, WaitUntilSent

__all__ = ["Throttle"]

# Long enough that the timer's own lateness (well under a millisecond) does not show in the
# rate, short enough that a client sees a stream and not a row of bursts.
_STEP_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """Pass at most so many bytes a second.

    Attributes:
        bytes_per_second: The rate, >= 1.

    Raises:
        MisuseError: The rate is not a whole number >= 1.
    """

    bytes_per_second: int = 1024
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "throttle"
    peer_sees: ClassVar[str] = "every byte, at no more than the given rate"
    source: ClassVar[str] = "RFC 6349 section 3 (bottleneck bandwidth)"
    needs_bytes: ClassVar[bool] = True
    acts_on_bytes: ClassVar[bool] = True
    paces: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("bytes_per_second", self.bytes_per_second, minimum=1)
        Fault.__post_init__(self)

    def act(self, view: View) -> tuple[Action, ...]:
        """One step and its time; ask again."""
        step = min(view.waiting, max(1, int(self.bytes_per_second * _STEP_SECONDS)))
        if not step:
            return (Again(),)
        wait = After(step / self.bytes_per_second)
        return (Pass(step), WaitUntilSent(bounded=False), wait, Again())
