"""Taking turns, ratios with their spread, and the rows of the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Ratio", "Row", "Table", "alternate", "quantity", "times_less", "times_more"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two subjects compared.

    Attributes:
        best: The ratio of each side's best turn, which is the one least disturbed.
        low: The lowest ratio of two turns of the same round.
        high: The highest one.
    """

    best: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_short(self.best)} ({_short(self.low)} to {_short(self.high)})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        against: The peer, or what is measured if there is none.
        ours: Our best turn, with its unit.
        theirs: The peer's best turn; empty if there is no peer.
        ratio: How the two compare, greater is better for us; None if there is no peer.
        target: What the ratio, or our own number, is held to; empty if to nothing.
        met: Whether it is; None without a target.
    """

    against: str
    ours: str
    theirs: str = ""
    ratio: Ratio | None = None
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What one benchmark has found.

    Attributes:
        title: What was measured, and in which unit.
        rows: Its lines.
        notes: Sentences that belong to it, such as why a line is missing.
    """

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def alternate(turns: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let each subject have its turn in each round; the order changes from round to round.

    Whatever slows the machine for a while then slows all of them.
    """
    results: dict[str, list[float]] = {name: [] for name in turns}
    names = list(turns)
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            results[name].append(turns[name]())
    return results


def times_less(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """How many times less we take than the peer: for times, where the least is best."""
    pairs = [their / our for our, their in zip(ours, theirs, strict=True)]
    return Ratio(min(theirs) / min(ours), min(pairs), max(pairs))


def times_more(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """How many times more we do than the peer: for rates, where the most is best."""
    pairs = [our / their for our, their in zip(ours, theirs, strict=True)]
    return Ratio(max(ours) / max(theirs), min(pairs), max(pairs))


def quantity(value: float, unit: str) -> str:
    """A number to three digits, with its unit."""
    return f"{_short(value)} {unit}"


def _short(value: float) -> str:
    if value >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    return f"{value:.3g}"
