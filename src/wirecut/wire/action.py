"""What an interpreter can be told to do to one connection: the vocabulary of every fault.

An effect is a pure function from a :class:`View` to a tuple of these values.  It holds no
socket and no clock.  Exactly two interpreters execute them, the server's loop and the
blocking player, so whatever an effect says means the same on either side of the wire.

Actions of one strike run in order.  While one of them waits, nothing passes in the strike's
own direction; the other direction goes on unless it is held.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol, TypeAlias

__all__ = [
    "Abort",
    "Action",
    "After",
    "Again",
    "BlockAttempt",
    "Close",
    "DieSilently",
    "Direction",
    "Drain",
    "DropAttempt",
    "ForgeReset",
    "Hold",
    "LoseNext",
    "Pass",
    "PassEnd",
    "Plan",
    "RefuseAttempt",
    "ResetAttempt",
    "Sever",
    "ShutDownWriting",
    "Transform",
    "Turn",
    "View",
    "WaitUntilSent",
]


class Direction(enum.Flag):
    """Which way bytes go: up is client to server, down is server to client."""

    UP = enum.auto()
    DOWN = enum.auto()
    BOTH = UP | DOWN

    @property
    def word(self) -> str:
        """The direction in text: ``up``, ``down`` or ``both``."""
        return {Direction.UP: "up", Direction.DOWN: "down"}.get(self, "both")

    @property
    def opposite(self) -> Direction:
        """The other way; both for both."""
        return self if self is Direction.BOTH else Direction.BOTH ^ self


@dataclass(frozen=True, slots=True)
class View:
    """What an effect may look at when it is asked what to do.

    Attributes:
        direction: The direction the strike is in, UP or DOWN.
        waiting: How many bytes wait right after the moment.
        head: The first of them, at most the effect's ``window_bytes``.
        end: Whether the stream ends after them.
        done: How many bytes this strike has passed or taken so far.
        taken: Those bytes, at most the effect's ``window_bytes``.
    """

    direction: Direction
    waiting: int
    head: bytes = b""
    end: bool = False
    done: int = 0
    taken: bytes = b""


@dataclass(frozen=True, slots=True)
class Pass:
    """Let the first ``count`` waiting bytes go on; cut short at the next moment."""

    count: int


@dataclass(frozen=True, slots=True)
class Transform:
    """Take ``take`` waiting bytes away and let ``give`` go on in their place."""

    take: int
    give: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """Let nothing go on in ``direction``: for ``seconds``, or for ever.

    Unlike :class:`After` it does not make the rest of its strike wait.
    """

    direction: Direction
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class WaitUntilSent:
    """Go on when the kernel has put all that was passed on the wire (SIOCOUTQNSD is 0).

    Attributes:
        bounded: Whether giving up after the patience ends the strike as "not reached".  An
            effect that merely paces the stream waits as long as the peer makes it wait.
    """

    bounded: bool = True


@dataclass(frozen=True, slots=True)
class ShutDownWriting:
    """Send FIN after what was passed; what would follow is discarded."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Read and discard until the peer ends its stream, bounded by the patience."""


@dataclass(frozen=True, slots=True)
class Close:
    """Give up the socket without resetting it."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Linger zero and close: what the kernel still holds is dropped and RST goes out."""


@dataclass(frozen=True, slots=True)
class After:
    """Go on ``seconds`` later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Again:
    """Ask this effect again when there is more to pass: it stays in force."""


@dataclass(frozen=True, slots=True)
class ForgeReset:
    """Reset the connection by segments that neither end has sent; wait until sent before.

    Attributes:
        both: Whether both ends are told, or the peer only.
    """

    both: bool


@dataclass(frozen=True, slots=True)
class Sever:
    """Let no packet through in ``direction``: nothing arrives, nothing is acknowledged.

    Attributes:
        direction: UP, DOWN or BOTH.
        seconds: For how long; None until somebody heals it.
    """

    direction: Direction
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LoseNext:
    """Lose the client's next segment with bytes once, unless one was lost right here before."""


@dataclass(frozen=True, slots=True)
class DieSilently:
    """Give up the socket without any packet."""


@dataclass(frozen=True, slots=True)
class PassEnd:
    """Let the end of the stream go on: to the behaviour, or as FIN to the peer."""


Action: TypeAlias = (
    Pass
    | Transform
    | Hold
    | WaitUntilSent
    | ShutDownWriting
    | Drain
    | Close
    | Abort
    | After
    | Again
    | PassEnd
    | ForgeReset
    | Sever
    | LoseNext
    | DieSilently
)


@dataclass(frozen=True, slots=True)
class RefuseAttempt:
    """Answer a SYN by RST: ``connect()`` fails with ECONNREFUSED."""


@dataclass(frozen=True, slots=True)
class ResetAttempt:
    """Answer a SYN by SYN, then RST: ``connect()`` fails with ECONNRESET."""


@dataclass(frozen=True, slots=True)
class DropAttempt:
    """Leave a SYN and its repetitions without an answer."""


@dataclass(frozen=True, slots=True)
class BlockAttempt:
    """Answer a SYN by an ICMP error.

    Attributes:
        why: ``net``, ``host``, ``prohibited`` or ``port``.
    """

    why: str


Turn: TypeAlias = RefuseAttempt | ResetAttempt | DropAttempt | BlockAttempt | After
"""What a fault at ``connect`` does with one attempt; ``After`` lets it go on later."""


class Plan(Protocol):
    """What an interpreter asks, one direction of one connection at a time."""

    @property
    def in_strike(self) -> bool:
        """Whether actions of a strike are still to be handed out."""
        ...

    def next(
        self, waiting: bytes | bytearray | memoryview, *, end: bool, held: bool = False
    ) -> Action | None:
        """The one action to execute now, or None until there is more to pass.

        Args:
            waiting: The bytes that wait, from the first that has not passed.  While a strike
                is under way, none of those shown before may be missing.
            end: Whether the stream ends after them.
            held: Whether nothing may pass or strike by itself.

        Must not be called while an action that waits is still being executed.
        """
        ...

    def interrupt(self) -> None:
        """Drop what is left of the present strike."""
        ...
