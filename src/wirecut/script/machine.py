"""Behaviours as machines: bytes and ends in, things to say out; no socket, no clock.

A machine is one connection's behaviour.  It is driven by whoever holds the connection, and
what it puts out goes through the faults of that connection before any of it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from wirecut.faults.fault import Fault

__all__ = ["Answer", "Fail", "Finish", "Machine", "Output", "Say", "Silent", "StrikeNow"]


@dataclass(frozen=True, slots=True)
class Say:
    """Send these bytes, after what was said before."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more will be said: FIN, read to the peer's end, close."""


@dataclass(frozen=True, slots=True)
class StrikeNow:
    """Let this fault strike after what was said before, whatever its moment says."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Fail:
    """The peer did not do what was planned: abort, and tell the test."""

    error: Exception


Output: TypeAlias = Say | Finish | StrikeNow | Fail


class Machine(Protocol):
    """One connection's behaviour."""

    def begin(self) -> Sequence[Output]:
        """The connection was accepted."""
        ...

    def receive(self, data: bytes) -> Sequence[Output]:
        """Bytes have come, at least one; how they are split is the peer's choice."""
        ...

    def receive_end(self) -> Sequence[Output]:
        """The peer has ended its stream; nothing more will come."""
        ...

    def unmet(self) -> str | None:
        """What of the plan is still to be done, or None; asked when the connection is over."""
        ...


class Answer:
    """Wait for the first input, say one thing, finish."""

    __slots__ = ("_data", "_done")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._done = False

    def begin(self) -> Sequence[Output]:
        """Nothing."""
        return ()

    def receive(self, data: bytes) -> Sequence[Output]:
        """The answer, once."""
        del data
        if self._done:
            return ()
        self._done = True
        return (Say(self._data), Finish())

    def receive_end(self) -> Sequence[Output]:
        """Finish, also without ever having been asked."""
        return () if self._done else (Finish(),)

    def unmet(self) -> str | None:
        """Never anything: who is not asked need not answer."""
        return None


class Silent:
    """Read, say nothing, finish when the peer does."""

    __slots__ = ()

    def begin(self) -> Sequence[Output]:
        """Nothing."""
        return ()

    def receive(self, data: bytes) -> Sequence[Output]:
        """Nothing."""
        del data
        return ()

    def receive_end(self) -> Sequence[Output]:
        """Finish."""
        return (Finish(),)

    def unmet(self) -> str | None:
        """Never anything."""
        return None
