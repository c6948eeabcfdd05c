"""Whom a fault strikes: which connections, or which exchange on each of them.

Connections are counted from 1 in the order in which they were accepted; exchanges (one
request and its response) from 1 on each connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from wirecut.errors import MisuseError
from wirecut.validation import check_count, is_count

__all__ = [
    "EVERY",
    "Every",
    "Exchange",
    "First",
    "Nth",
    "Selection",
    "covers",
    "every",
    "exchange",
    "first",
    "nth",
    "parse_selection",
]


@dataclass(frozen=True, slots=True)
class Every:
    """Every connection."""

    @property
    def text(self) -> str:
        """The selection as it is written."""
        return "every"

    def selects(self, number: int) -> bool:
        """Whether connection ``number`` (from 1) is struck."""
        return number >= 1


@dataclass(frozen=True, slots=True)
class First:
    """The first N connections, N >= 1."""

    count: int

    def __post_init__(self) -> None:
        check_count("first", self.count, minimum=1)

    @property
    def text(self) -> str:
        """The selection as it is written."""
        return f"first:{self.count}"

    def selects(self, number: int) -> bool:
        """Whether connection ``number`` (from 1) is struck."""
        return 1 <= number <= self.count


@dataclass(frozen=True, slots=True)
class Nth:
    """The one connection with this number, counted from 1 in the order of acceptance."""

    number: int

    def __post_init__(self) -> None:
        check_count("nth", self.number, minimum=1)

    @property
    def text(self) -> str:
        """The selection as it is written."""
        return f"nth:{self.number}"

    def selects(self, number: int) -> bool:
        """Whether connection ``number`` (from 1) is struck."""
        return number == self.number


@dataclass(frozen=True, slots=True)
class Exchange:
    """The exchange with this number, >= 1, on every connection.

    Offsets then count from the first byte of that exchange.
    """

    number: int

    def __post_init__(self) -> None:
        check_count("exchange", self.number, minimum=1)

    @property
    def text(self) -> str:
        """The selection as it is written."""
        return f"exchange:{self.number}"

    def selects(self, number: int) -> bool:
        """Whether connection ``number`` (from 1) can be struck: any can."""
        return number >= 1


Selection: TypeAlias = Every | First | Nth | Exchange

EVERY: Final = Every()
every: Final = EVERY


def first(count: int) -> First:
    """The first ``count`` connections, >= 1."""
    return First(count)


def nth(number: int) -> Nth:
    """The connection with this ``number``, from 1."""
    return Nth(number)


def exchange(number: int) -> Exchange:
    """The exchange with this ``number``, from 1, on every connection."""
    return Exchange(number)


def covers(one: Selection, other: Selection) -> bool:
    """Whether everything ``other`` selects is selected by ``one`` too."""
    match one, other:
        case Every(), _:
            return True
        case First(count=n), First(count=m) | Nth(number=m):
            return m <= n
        case _:
            return one == other


def parse_selection(text: str) -> Selection:
    """The selection that ``text`` names; the inverse of a selection's ``text``.

    Raises:
        MisuseError: There is no such selection; the message lists those there are.
    """
    word, _, number = text.partition(":")
    if text == "every":
        return EVERY
    if is_count(number):
        if word == "first":
            return First(int(number))
        if word == "nth":
            return Nth(int(number))
        if word == "exchange":
            return Exchange(int(number))
    raise MisuseError(
        f"unknown selection {text!r}; one of every, first:N, nth:K, exchange:K (from 1)"
    )
