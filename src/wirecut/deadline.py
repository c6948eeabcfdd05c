"""A point in time that is handed down every call.

A timeout that is re-armed for each partial read grows without bound when the peer is slow;
a deadline does not.

The clock is ``time.perf_counter``: monotonic, on Linux the same as ``time.monotonic``, and left
alone by time-machine, of which some versions change the latter in place.  It is taken before
anything can patch it: freezegun replaces it in every module that holds it by name.  A frozen
clock would turn every bounded wait here into an endless one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wirecut.errors import DeadlineExceeded
from wirecut.validation import check_seconds

__all__ = ["DEFAULT_PATIENCE_SECONDS", "Deadline", "now"]

DEFAULT_PATIENCE_SECONDS: Final = 5.0
"""How long any internal wait lasts before it is reported, unless the user says otherwise."""


def now(_clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds on the monotonic clock; the default argument keeps the real clock (see above)."""
    return _clock()


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock.

    Attributes:
        at: Seconds on that clock; infinity for a deadline that never comes.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that is ``seconds`` (>= 0) from now.

        Raises:
            MisuseError: ``seconds`` is negative, or not a number.
        """
        return cls(now() + check_seconds("seconds", seconds, infinite=True))

    @classmethod
    def never(cls) -> Deadline:
        """A deadline that never comes."""
        return cls(math.inf)

    @property
    def expired(self) -> bool:
        """Whether the point has passed."""
        return now() >= self.at

    def remaining(self) -> float:
        """Seconds left, never below zero; infinity if it never comes."""
        return max(0.0, self.at - now())

    def timeout(self) -> float | None:
        """What a selector or a lock takes: seconds left, or None for "for ever"."""
        return None if self.at == math.inf else self.remaining()

    def require(self, what: str) -> None:
        """Raise if the point has passed.

        Args:
            what: What was waited for, as it completes "gave up waiting for ...".

        Raises:
            DeadlineExceeded: The point has passed.
        """
        if self.expired:
            raise DeadlineExceeded(f"gave up waiting for {what}")
