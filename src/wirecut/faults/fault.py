"""What every fault has: an effect, a moment, a selection.

An effect is a subclass in a file of its own.  It says what to do as a pure function of what
waits, and describes itself for ``wirecut explain`` and the reference.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from wirecut.errors import MisuseError
from wirecut.faults.at import (
    Accept,
    Connect,
    Moment,
    Offset,
    Pattern,
    RequestEnd,
    StreamEnd,
    request,
)
from wirecut.faults.selection import EVERY, Exchange, Selection
from wirecut.wire.action import Action, Direction, Turn, View

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What, when and whom, as one frozen value.

    Attributes:
        at: The moment at which it strikes.
        on: The connections, or the exchange, that it strikes.
        optional: Whether it may stay unstruck without failing the test.

    Raises:
        MisuseError: The effect does not go with the moment, or the moment not with the
            selection.
    """

    at: Moment = request.end
    on: Selection = EVERY
    optional: bool = False

    word: ClassVar[str] = ""
    """The effect's name in the text form."""
    peer_sees: ClassVar[str] = ""
    """What the peer observes, in a sentence."""
    source: ClassVar[str] = ""
    """Where the behaviour is defined: RFC section or manual page."""
    needs_bytes: ClassVar[bool] = False
    """Whether it needs a byte right after the moment to act on."""
    acts_on_bytes: ClassVar[bool] = False
    """Whether it acts on the bytes of one direction, so that the moment must have one."""
    paces: ClassVar[bool] = False
    """Whether it stays in force to the end of the stream, and changes no byte of it."""
    stops_arrival: ClassVar[bool] = False
    """Whether no byte after the moment arrives, so that it cannot wait for one."""
    tcp_only: ClassVar[bool] = False
    """Whether it has no meaning on a Unix-domain socket."""
    connect_only: ClassVar[bool] = False
    """Whether it happens at ``connect`` and nowhere else."""
    works_at_connect: ClassVar[bool] = False
    """Whether it can happen at ``connect``, too."""
    is_state_for_all: ClassVar[bool] = False
    """Whether the address itself can be in this state, for every connection."""
    capabilities: ClassVar[tuple[str, ...]] = ()
    """What the machine must be able to do for it, by name, on a connection."""

    def __post_init__(self) -> None:
        self._check_types()
        if self.at_connect != self.connect_only and not self.works_at_connect:
            self._misplaced()
        if self.acts_on_bytes and isinstance(self.at, Accept):
            raise MisuseError(
                f"{self.word} acts on the bytes of one direction, and accept has none; write "
                f"{self.word}/up:0 or {self.word}/down:0"
            )
        if self.needs_bytes and isinstance(self.at, StreamEnd):
            raise MisuseError(
                f"{self.word} needs a byte after the moment, and after {self.at.text} there "
                f"is none; write {self.at.direction.word}:N"
            )
        if isinstance(self.on, Exchange) and not isinstance(
            self.at, Offset | Pattern | RequestEnd
        ):
            raise MisuseError(
                f"{self.on.text} goes with a moment inside an exchange (up:N, down:N, pattern, "
                f"request.end), not with {self.at.text}"
            )

    @property
    def at_connect(self) -> bool:
        """Whether it strikes before there is a connection."""
        return isinstance(self.at, Connect)

    @property
    def address_state(self) -> bool:
        """Whether it is a state of the address, rather than an event that can be counted."""
        return self.at_connect and self.is_state_for_all and self.on == EVERY

    @property
    def needs(self) -> tuple[str, ...]:
        """What the machine must be able to do, as names of capabilities."""
        if self.address_state or not self.at_connect:
            return self.capabilities
        return (*self.capabilities, "raw packets", "packet filter")

    def _check_types(self) -> None:
        if not isinstance(self.at, Moment):
            raise MisuseError(f"at must be a moment such as at.down(117), got {self.at!r}")
        if not isinstance(self.on, Selection):
            raise MisuseError(f"on must be a selection such as first(2), got {self.on!r}")
        if not isinstance(self.optional, bool):
            raise MisuseError(f"optional must be True or False, got {self.optional!r}")

    def _misplaced(self) -> None:
        if self.connect_only:
            raise MisuseError(
                f"{self.word} happens at connect, got {self.at.text}; write {self.word}/connect"
            )
        raise MisuseError(
            f"{self.word} needs a connection, and at connect there is none yet; the faults at "
            "connect are refuse, blackhole, unreachable, reset and delay, and the earliest "
            f"moment for {self.word} is accept"
        )

    def act(self, view: View) -> tuple[Action, ...]:
        """What to do now; called at the moment, and once more after each ``Again``."""
        raise NotImplementedError(view)

    def turn(self) -> Turn:
        """What to do with one attempt to connect, for an effect that works at ``connect``."""
        raise NotImplementedError

    @property
    def window_bytes(self) -> int:
        """How many bytes of ``View.head`` and ``View.taken`` the effect looks at."""
        return 0

    def ends(self, outbound: Direction) -> Direction | None:
        """The directions in which nothing can strike after it, None if all goes on.

        Args:
            outbound: The direction in which the side that applies it sends.
        """
        del outbound
        return None

    @property
    def text(self) -> str:
        """The text form, which :func:`wirecut.parse_fault` reads back."""
        words = [":".join((self.word, *self._parameters())), self.at.text]
        if self.on != EVERY:
            words.append(self.on.text)
        if self.optional:
            words.append("optional")
        return "/".join(words)

    def __str__(self) -> str:
        return self.text

    def _parameters(self) -> tuple[str, ...]:
        """The effect's own values as text, without the trailing ones that are defaults."""
        words: list[str] = []
        kept = 0
        for field in parameter_fields(type(self)):
            value = getattr(self, field.name)
            words.append(_word(value))
            if value != field.default:
                kept = len(words)
        return tuple(words[:kept])


def parameter_fields(effect: type[Fault]) -> tuple[dataclasses.Field[object], ...]:
    """The fields that an effect adds to those every fault has."""
    common = {field.name for field in dataclasses.fields(Fault)}
    return tuple(field for field in dataclasses.fields(effect) if field.name not in common)


def _word(value: object) -> str:
    # repr of a float may have an exponent and a sign ("1e+16"), which a shell or pytest -k
    # might not take; the decimal notation of the same shortest digits reads back exactly.
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
