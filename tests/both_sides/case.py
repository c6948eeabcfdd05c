"""A case that must come out the same whoever executes it, and what it comes out as.

Our side first hears all that the observer says, to its end, and then says its own part.  The
directions are written ``{out}``, in which our side sends, and ``{in_}``; which of them is up
depends on who plays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wirecut import ConnectionStruck, DeadlineExceeded, End, Fault, PeerReset
from wirecut.faults import as_fault
from wirecut.wire.action import Direction

__all__ = ["Case", "Heard", "Outcome", "Side", "Split", "play", "split"]


@dataclass(frozen=True)
class Outcome:
    """What the observer sees, what our side hears, and what strikes.

    Attributes:
        data: Every byte that reaches the observer.
        end: What comes after them.
        heard: Every byte that reaches our side.
        strikes: The faults that struck, in order, as they are written in the case.
    """

    data: bytes
    end: End
    heard: bytes = b""
    strikes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        faults: Texts with ``{out}`` and ``{in_}`` for the directions.
        says: What our side says after it has heard the observer's end.
        ends: Whether it then ends its direction.
        hears: What the observer says, and then its end; nothing at all if it is empty.
        expected: How it must come out; None where only agreement is asked for.
    """

    faults: tuple[str, ...]
    says: bytes = b""
    ends: bool = True
    hears: bytes = b""
    expected: Outcome | None = None

    def faults_for(self, outbound: Direction) -> tuple[Fault, ...]:
        """The faults, for a side that sends in this direction."""
        words = {"out": outbound.word, "in_": outbound.opposite.word}
        return tuple(as_fault(text.format(**words)) for text in self.faults)

    def written(self, struck: Sequence[Fault], outbound: Direction) -> tuple[str, ...]:
        """Faults of :meth:`faults_for` as they are written in the case."""
        texts = dict(zip(self.faults_for(outbound), self.faults, strict=True))
        return tuple(texts[fault] for fault in struck)

    def __str__(self) -> str:
        plain = [text.format(out="out", in_="in") for text in self.faults]
        return "+".join(plain) or "no fault"


@dataclass(frozen=True)
class Split:
    """How the two streams are segmented; each size is repeated to the end of its stream."""

    says: int = 1 << 16
    hears: int = 1 << 16

    def __str__(self) -> str:
        return "whole" if self.says > 1 << 10 else f"by {self.says}"


def split(data: bytes, size: int) -> list[bytes]:
    """The data in pieces of one size; the last one may be shorter."""
    return [data[start : start + size] for start in range(0, len(data), size)]


class Side(Protocol):
    """What a handler's ``Peer`` and a dialed ``Line`` have in common."""

    def recv(self, max_bytes: int = ...) -> bytes:
        """Some bytes."""

    def send(self, data: bytes) -> None:
        """Send bytes."""


@dataclass
class Heard:
    """What our side heard, and whether it came to the end of its part."""

    data: bytearray = field(default_factory=bytearray)
    finished: bool = False


def play(side: Side, case: Case, how: Split, heard: Heard) -> None:
    """Our side's part up to its end: the same code on both sides of the wire."""
    try:
        if case.hears:
            while part := side.recv(how.hears):
                heard.data += part
        for piece in split(case.says, how.says):
            side.send(piece)
        heard.finished = True
    except (ConnectionStruck, DeadlineExceeded, PeerReset):
        pass
