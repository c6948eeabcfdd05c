"""A conversation planned in advance: steps that expect, send, repeat and strike.

How the peer splits its bytes into segments never changes what a script does: every step that
reads takes the shortest prefix that satisfies it and leaves the rest to the next step.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

from wirecut.errors import MisuseError, UnmetExpectation
from wirecut.faults.fault import Fault
from wirecut.faults.text import as_fault
from wirecut.script.machine import Fail, Finish, Output, Say, StrikeNow
from wirecut.validation import check_count

__all__ = [
    "AwaitEnd",
    "Expect",
    "Match",
    "Repeat",
    "Script",
    "ScriptRun",
    "Send",
    "Step",
    "Strike",
    "Until",
]

LIMIT_BYTES: Final = 1 << 20
"""How much a step reads before it says that what it waits for does not come."""

Run: TypeAlias = Generator[Output | None, None, None]


@dataclass(frozen=True, slots=True)
class Expect:
    """Read exactly these bytes; anything else fails the test at the first wrong byte."""

    data: bytes

    def __post_init__(self) -> None:
        _check_bytes("Expect", self.data)

    def run(self, inbox: _Inbox) -> Run:
        """Wait for the bytes."""
        while True:
            got = bytes(inbox.data[: len(self.data)])
            wrong = next(
                (at for at, (a, b) in enumerate(zip(got, self.data, strict=False)) if a != b),
                None,
            )
            if wrong is not None:
                raise UnmetExpectation(
                    f"expected {self.data!r}, got {bytes(inbox.data[:200])!r}: byte {wrong} "
                    f"is {got[wrong : wrong + 1]!r}, not {self.data[wrong : wrong + 1]!r}"
                )
            if len(got) == len(self.data):
                inbox.take(len(got))
                return
            yield None


@dataclass(frozen=True, slots=True)
class Until:
    """Read up to and including this terminator."""

    terminator: bytes

    def __post_init__(self) -> None:
        _check_bytes("Until", self.terminator)

    def run(self, inbox: _Inbox) -> Run:
        """Wait for the terminator."""
        searched = 0
        while True:
            index = inbox.data.find(self.terminator, searched, LIMIT_BYTES)
            if index >= 0:
                inbox.take(index + len(self.terminator))
                return
            searched = max(0, len(inbox.data) - len(self.terminator) + 1)
            inbox.check_room(f"the terminator {self.terminator!r}", LIMIT_BYTES)
            yield None


@dataclass(frozen=True, slots=True)
class Match:
    """Read the shortest prefix that this regular expression matches as a whole.

    Attributes:
        pattern: A pattern over bytes, as :func:`re.compile` takes it.
    """

    pattern: bytes
    limit_bytes: ClassVar[int] = 65536

    def __post_init__(self) -> None:
        _check_bytes("Match", self.pattern)
        try:
            empty = re.fullmatch(self.pattern, b"")
        except re.error as error:
            raise MisuseError(
                f"Match({self.pattern!r}) is no regular expression: {error}"
            ) from None
        if empty:
            raise MisuseError(
                f"Match({self.pattern!r}) matches no bytes at all, so it would never read any"
            )

    def run(self, inbox: _Inbox) -> Run:
        """Wait for a match."""
        pattern = re.compile(self.pattern, re.DOTALL)
        tried = 0
        while True:
            while tried <= min(len(inbox.data), self.limit_bytes):
                if pattern.fullmatch(inbox.data, 0, tried):
                    inbox.take(tried)
                    return
                tried += 1
            inbox.check_room(f"a match of {self.pattern!r}", self.limit_bytes)
            yield None


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes."""

    data: bytes

    def __post_init__(self) -> None:
        _check_bytes("Send", self.data)

    def run(self, inbox: _Inbox) -> Run:
        """Say them."""
        del inbox
        yield Say(self.data)


@dataclass(frozen=True, slots=True)
class Strike:
    """Let a fault, or what its text names, strike here; its own moment does not matter."""

    fault: Fault | str

    def __post_init__(self) -> None:
        fault = as_fault(self.fault)
        if fault.connect_only:
            raise MisuseError(
                f"Strike({fault.text!r}) cannot be a step: {fault.word} happens at connect, "
                "and a script runs on a connection"
            )
        object.__setattr__(self, "fault", fault)

    def run(self, inbox: _Inbox) -> Run:
        """Strike."""
        del inbox
        yield StrikeNow(as_fault(self.fault))


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Wait for the client's end of stream; a byte before it fails the test."""

    def run(self, inbox: _Inbox) -> Run:
        """Wait for the end."""
        while not inbox.ended or inbox.data:
            if inbox.data:
                raise UnmetExpectation(f"expected the end, got {bytes(inbox.data[:200])!r}")
            yield None


@dataclass(frozen=True, slots=True, init=False)
class Repeat:
    """Do some steps several times.

    Attributes:
        steps: What is repeated, at least one step.
        times: How often, >= 1; None until the client ends its stream, which is then fine
            between two rounds and unmet within one.
    """

    steps: tuple[Step, ...]
    times: int | None = None

    def __init__(self, *steps: Step, times: int | None = None) -> None:
        _check_steps("Repeat", steps)
        if times is not None:
            check_count("times", times, minimum=1)
        elif not _reads(steps):
            raise MisuseError("Repeat without times must read something, or it never ends")
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "times", times)

    def run(self, inbox: _Inbox) -> Run:
        """Round after round."""
        done = 0
        while self.times is None or done < self.times:
            if self.times is None:
                inbox.at = self
                while not inbox.data and not inbox.ended:
                    yield None
                if inbox.ended and not inbox.data:
                    return
            for step in self.steps:
                inbox.at = step
                yield from step.run(inbox)
            done += 1


Step: TypeAlias = Expect | Until | Match | Send | Strike | AwaitEnd | Repeat


class _Inbox:
    """What has come and was not taken by a step yet."""

    __slots__ = ("at", "data", "ended")

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False
        self.at: Step | None = None

    def take(self, count: int) -> None:
        del self.data[:count]

    def check_room(self, what: str, limit_bytes: int) -> None:
        if len(self.data) >= limit_bytes:
            raise UnmetExpectation(f"expected {what} within {limit_bytes} bytes")


@dataclass(frozen=True, slots=True, init=False)
class Script:
    """A whole conversation: its steps, and then an orderly close.

    A value: each connection runs it from the beginning.

    Attributes:
        steps: What happens, in order; at least one step.

    Raises:
        MisuseError: There is no step, or something that is none.
    """

    steps: tuple[Step, ...] = field(default=())

    def __init__(self, *steps: Step) -> None:
        _check_steps("Script", steps)
        object.__setattr__(self, "steps", steps)

    def machine(self) -> ScriptRun:
        """A fresh run for one connection."""
        return ScriptRun(self)


class ScriptRun:
    """One connection's run of a script."""

    __slots__ = ("_done", "_inbox", "_run", "_script")

    def __init__(self, script: Script) -> None:
        self._script = script
        self._inbox = _Inbox()
        self._done = False
        self._run = self._steps()

    def begin(self) -> Sequence[Output]:
        """Run up to the first step that waits."""
        return self._advance()

    def receive(self, data: bytes) -> Sequence[Output]:
        """Run on with these bytes; what comes after the last step is ignored."""
        if self._done:
            return ()
        self._inbox.data += data
        return self._advance()

    def receive_end(self) -> Sequence[Output]:
        """Run on; a step that still waits will never be done."""
        if self._done:
            return ()
        self._inbox.ended = True
        outputs = self._advance()
        return outputs if self._done else (*outputs, Finish())

    def unmet(self) -> str | None:
        """The step at which the script stands."""
        if self._done or self._inbox.at is None:
            return None
        seen = bytes(self._inbox.data[:200])
        return f"the script waits at {self._inbox.at!r}" + (f" with {seen!r}" if seen else "")

    def _steps(self) -> Run:
        for step in self._script.steps:
            self._inbox.at = step
            yield from step.run(self._inbox)

    def _advance(self) -> Sequence[Output]:
        outputs: list[Output] = []
        try:
            for output in self._run:
                if output is None:
                    return outputs
                outputs.append(output)
        except UnmetExpectation as unmet:
            self._done = True
            where = f"at {self._inbox.at!r}: {unmet}"
            return [*outputs, Fail(UnmetExpectation(f"the script failed {where}"))]
        self._done = True
        return [*outputs, Finish()]


def _reads(steps: Sequence[Step]) -> bool:
    """Whether some step takes a byte or waits for the end, each time it is done."""
    return any(
        _reads(step.steps)
        if isinstance(step, Repeat)
        else isinstance(step, Expect | Until | Match | AwaitEnd)
        for step in steps
    )


def _check_bytes(what: str, value: object) -> None:
    if not isinstance(value, bytes) or not value:
        raise MisuseError(f"{what} takes bytes, at least one, got {value!r}")


def _check_steps(what: str, steps: tuple[object, ...]) -> None:
    if not steps:
        raise MisuseError(f"{what} needs at least one step")
    for step in steps:
        if not isinstance(step, Expect | Until | Match | Send | Strike | AwaitEnd | Repeat):
            raise MisuseError(f"{what} takes steps such as Expect(b'...'), got {step!r}")
