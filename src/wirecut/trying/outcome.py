"""What a client did when it met a fault, as values, and what to think of it.

An error is the right answer to a broken connection and never a finding.  What is one: data
that is wrong or cut short and was taken for good, a crash, and a client that hangs.
"""

from __future__ import annotations

import enum
import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from wirecut.faults.at import Accept
from wirecut.faults.fault import Fault
from wirecut.faults.reset import Reset

__all__ = [
    "Raised",
    "Ran",
    "Row",
    "Verdict",
    "classify",
    "describe_exception",
    "is_racy",
    "qualified_name",
]


class Verdict(enum.Enum):
    """What a client made of it."""

    OK = "ok"
    ERROR = "error"
    TRUNCATED = "truncated"
    WRONG = "wrong"
    CRASHED = "crashed"
    HANGS = "hangs"

    @property
    def is_finding(self) -> bool:
        """Whether the client should not have done that, whatever it met."""
        return self not in {Verdict.OK, Verdict.ERROR}


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain.

    Attributes:
        name: Its class, as it is imported: ``httpx.ReadError``, ``ConnectionResetError``.
        message: Its text; some clients leave it empty.
        errno_name: Such as ``ECONNRESET``; the number differs from platform to platform.
    """

    name: str
    message: str
    errno_name: str | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a client, as it was observed.

    Attributes:
        seconds: How long it took.
        has_ended: Whether it came back before the deadline.
        result: What it returned or printed; None if it raised.
        raised: The exception and its causes, outermost first; empty if it returned.
        exit_code: A command's; negative for the signal that killed it.
        last_line: The last line that a command wrote to its standard error.
        errors: All that a command wrote there.
    """

    seconds: float
    has_ended: bool = True
    result: bytes | None = None
    raised: tuple[Raised, ...] = ()
    exit_code: int | None = None
    last_line: str = ""
    errors: str = ""

    @property
    def errno_name(self) -> str | None:
        """The first errno in the chain of causes."""
        return next((one.errno_name for one in self.raised if one.errno_name), None)


@dataclass(frozen=True, slots=True)
class Row:
    """What one client did under one fault.

    Attributes:
        fault: Which; None for the run without any.
        verdict: What to think of it.
        ran: What it did.
        connections: How many connections it made; more than one if it tried again.
        attempts: How often it tried to connect, where a fault made each try an event; else 0.
        has_struck: Whether the fault struck; a state of the address always has.
        expected_bytes: How long the whole reply is; None where it cannot be compared.
    """

    fault: Fault | None
    verdict: Verdict
    ran: Ran
    connections: int
    attempts: int
    has_struck: bool
    expected_bytes: int | None


def classify(ran: Ran, expected: bytes | None) -> Verdict:
    """What to think of a run.

    Args:
        ran: What was observed.
        expected: What a healthy run returns or prints; None if that differs from run to run.
    """
    if not ran.has_ended:
        return Verdict.HANGS
    if ran.exit_code is not None and ran.exit_code < 0:
        return Verdict.CRASHED
    if ran.raised or ran.exit_code:
        return Verdict.ERROR
    if expected is None or ran.result is None or ran.result == expected:
        return Verdict.OK
    return Verdict.TRUNCATED if expected.startswith(ran.result) else Verdict.WRONG


def is_racy(fault: Fault | None) -> bool:
    """Whether what a client sees depends on who is quicker.

    A reset at accept may arrive before the client's ``connect()`` has returned.
    """
    return isinstance(fault, Reset) and isinstance(fault.at, Accept)


def describe_exception(error: BaseException) -> tuple[Raised, ...]:
    """The exception, its causes, its context and its group's members, each once.

    Some clients keep the errno only deep in this chain, and behind a ``from None``.
    """
    return tuple(
        Raised(qualified_name(type(one)), str(one), _errno_name(one)) for one in _chain(error)
    )


def qualified_name(kind: type) -> str:
    """A class by the shortest name under which it can be imported; builtins without module."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    parts = kind.__module__.split(".")
    for length in range(1, len(parts)):
        module = ".".join(parts[:length])
        if getattr(sys.modules.get(module), kind.__qualname__, None) is kind:
            return f"{module}.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inside = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [
            cause for cause in (*inside, one.__cause__, one.__context__) if cause is not None
        ]


def _errno_name(error: BaseException) -> str | None:
    if not isinstance(error, OSError) or error.errno is None:
        return None
    return errno.errorcode.get(error.errno)
