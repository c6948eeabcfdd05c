"""One test body for both tiers: the quick one by default, the exhaustive one on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Tier"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tier:
    """How much of a space a test walks in this run.

    Attributes:
        exhaustive: Whether the whole of it was asked for (``--exhaustive``).
    """

    exhaustive: bool

    def count(self, *, quick: int, exhaustive: int) -> int:
        """How often to repeat: ``exhaustive`` times on that tier, else ``quick`` times."""
        return exhaustive if self.exhaustive else quick

    def points(self, space: Sequence[T], *, quick: int) -> Sequence[T]:
        """The points of ``space`` to visit: all of them, or ``quick`` evenly spaced ones.

        The subset is the same on every run, in order, without duplicates, and holds the first
        and the last point, since that is where off-by-one errors live.

        Args:
            space: Every point there is.
            quick: How many of them the quick tier visits; at least 2.
        """
        if quick < 2:
            raise ValueError(f"quick must be >= 2, to hold both ends, got {quick!r}")
        if self.exhaustive or len(space) <= quick:
            return space
        last = len(space) - 1
        return [space[index * last // (quick - 1)] for index in range(quick)]
