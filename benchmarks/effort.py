"""How much a run does: everything, a short look, or just enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FULL", "QUICK", "SMOKE", "Effort"]


@dataclass(frozen=True, slots=True)
class Effort:
    """The sizes of one run.

    Attributes:
        name: How the run is called in its report.
        rounds: How often each subject has its turn.
        tests: Tests in a generated suite.
        slow_tests: The same, for servers whose stop takes half a second.
        requests: Keep-alive requests per turn.
        resets: Connections that are reset per turn.
        stalled: Connections that stall at the same time.
        starts: Servers started and stopped per turn.
        slow_starts: The same, for servers whose stop takes half a second.
    """

    name: str
    rounds: int
    tests: int
    slow_tests: int
    requests: int
    resets: int
    stalled: int
    starts: int
    slow_starts: int


FULL: Final = Effort("full", 7, 300, 20, 8_000, 20_000, 10_000, 2_000, 6)
QUICK: Final = Effort("quick", 3, 100, 5, 2_000, 5_000, 2_000, 500, 2)
SMOKE: Final = Effort("smoke", 1, 4, 3, 20, 50, 50, 5, 1)
