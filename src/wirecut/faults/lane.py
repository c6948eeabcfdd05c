"""One direction of one connection, and the faults in it, without a socket or a clock.

A lane is asked for one action at a time.  It counts what passes, lets nothing pass beyond
the next moment, and at a moment hands out the actions of the effect that strikes there.

Two counts matter.  *Consumed* bytes were taken from the source (the client's stream where we
read, the behaviour's output where we write), *emitted* bytes went on to the sink.  They
differ once an effect has dropped or inserted some.  An offset counts bytes on the wire, so it
is measured in consumed bytes on the side where we read and in emitted bytes on the side where
we write.  Patterns and requests are found in what is consumed.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from wirecut.errors import InternalError
from wirecut.faults.fault import Fault
from wirecut.wire.action import (
    Abort,
    Action,
    Again,
    Direction,
    Hold,
    Pass,
    PassEnd,
    Transform,
    View,
    WaitUntilSent,
)

__all__ = ["Due", "Lane"]

# What a reset is made of, and most of a stall.
_BLIND: Final = (Hold, WaitUntilSent, Abort)

Buffer: TypeAlias = bytes | bytearray | memoryview
Scan: TypeAlias = Callable[[bytes], None]


class Due(enum.Enum):
    """How the place of an armed fault is measured."""

    NOW = enum.auto()
    AT_ONCE = enum.auto()
    OFFSET = enum.auto()
    MARK = enum.auto()
    END = enum.auto()


class _Armed:
    """A fault with its place in this lane."""

    __slots__ = ("done", "due", "fault", "order", "position", "taken", "told_end")

    def __init__(self, fault: Fault, due: Due, position: int, order: int) -> None:
        self.fault = fault
        self.due = due
        self.position = position
        self.order = order
        self.done = 0
        self.taken = b""
        self.told_end = False


class Lane:
    """The plan of one direction; not thread-safe, its interpreter owns it.

    Args:
        direction: UP or DOWN.
        outbound: Whether the side that runs it sends in this direction.
        on_strike: Called with the fault and the lane's count when a fault strikes.
    """

    __slots__ = (
        "_armed",
        "_current",
        "_front",
        "_in_force",
        "_inserted_here",
        "_on_strike",
        "_queue",
        "_scanned",
        "consumed",
        "direction",
        "emitted",
        "end_passed",
        "outbound",
        "scanners",
    )

    def __init__(
        self, direction: Direction, *, outbound: bool, on_strike: Callable[[Fault, int], None]
    ) -> None:
        self.direction = direction
        self.outbound = outbound
        self.consumed = 0
        self.emitted = 0
        self.end_passed = False
        self.scanners: list[Scan] = []
        self._on_strike = on_strike
        self._armed: list[_Armed] = []
        self._current: _Armed | None = None
        # Bytes that an effect has inserted: they pass before those of the source, and what
        # comes later in the order of moments may act on them too.
        self._front = bytearray()
        self._inserted_here = 0
        self._in_force: list[_Armed] = []
        self._queue: deque[Action] = deque()
        self._scanned = 0

    @property
    def count(self) -> int:
        """Bytes on the wire in this direction: what offsets are compared with."""
        return self.emitted if self.outbound else self.consumed

    @property
    def inserted(self) -> int:
        """Bytes that an effect has inserted and that have not passed yet."""
        return len(self._front)

    @property
    def scan_position(self) -> int:
        """The byte of the source, from its beginning, that a scanner is fed next."""
        return max(self._scanned, self.consumed)

    @property
    def in_strike(self) -> bool:
        """Whether actions of a strike are still to be handed out."""
        return bool(self._queue)

    @property
    def is_blind(self) -> bool:
        """Whether the next action is settled, whatever waits: nobody need look at it."""
        return bool(self._queue) and isinstance(self._queue[0], _BLIND)

    @property
    def current(self) -> Fault | None:
        """The fault that struck last."""
        return self._current.fault if self._current else None

    def release(self) -> None:
        """Let go of whoever is told of strikes: the connection is over.

        They refer to each other, and would otherwise wait for the garbage collector.
        """
        self._on_strike = _nobody
        self.scanners.clear()

    def interrupt(self) -> None:
        """Drop what is left of the present strike."""
        self._queue.clear()

    def arm(self, fault: Fault, due: Due, position: int = 0, order: int = 0) -> None:
        """Place a fault.

        Args:
            fault: What strikes.
            due: How its place is measured.
            position: Its place, in bytes.
            order: What decides between equal places, the lowest first; among equals it is
                the order in which they were armed.  What strikes at the place itself comes
                before what waits for the byte after it, because that byte may come later.
        """
        self._armed.append(_Armed(fault, due, position, order))
        self._armed.sort(key=lambda one: (one.position, self._waits(one), one.order))

    def strike(self, fault: Fault) -> None:
        """Let a fault strike now: before all that is armed, and even while held."""
        self.arm(fault, Due.NOW)

    def next(self, waiting: Buffer, *, end: bool, held: bool = False) -> Action | None:
        """The one action to execute now, or None until there is more to pass.

        Args:
            waiting: The bytes that wait, from the first that has not passed.
            end: Whether the stream ends after them.
            held: Whether nothing may pass or strike.  What is left of a strike goes on all
                the same, and so does one that was asked for by :meth:`strike`.

        Must not be called while an action that waits is still being executed.
        """
        while True:
            action = self._step(waiting, end=end, held=held)
            if not isinstance(action, Again):
                return action

    def _step(  # noqa: PLR0911 - a list of decisions, of which the first that applies counts
        self, waiting: Buffer, *, end: bool, held: bool
    ) -> Action | None:
        """One decision; ``Again`` stands for "decided, ask once more"."""
        if self._queue:
            return self._from_queue(waiting)
        # Also while held: what a strike takes then must have been scanned.
        if self.scanners:
            self._scan(waiting)
        size = len(self._front) + len(waiting)
        due = next(
            (armed for armed in self._armed if self._is_due(armed, size, end, held)), None
        )
        if due is not None:
            return self._strike(due, waiting, end=end)
        if held:
            return None
        visible = self._visible(len(waiting))
        if self._in_force:
            top = self._in_force[-1]
            at_end = end and not size
            if visible or (at_end and not top.told_end):
                self._in_force.pop()
                top.told_end = at_end
                return self._begin(top, waiting, end=end)
        elif visible:
            return self._pass(visible)
        if not end or size or self.end_passed:
            return None
        last = next((armed for armed in self._armed if armed.due is Due.END), None)
        if last is not None:
            return self._strike(last, waiting, end=end)
        self.end_passed = True
        return PassEnd()

    def _strike(self, armed: _Armed, waiting: Buffer, *, end: bool) -> Again:
        self._armed.remove(armed)
        self._on_strike(armed.fault, self.count)
        if armed.fault.paces:
            # In its turn, after those in force that have bytes to change.
            self._stay(armed)
            return Again()
        return self._begin(armed, waiting, end=end)

    def _begin(self, armed: _Armed, waiting: Buffer, *, end: bool) -> Again:
        """Ask an effect what to do; its actions are handed out one by one."""
        visible = self._visible(len(waiting))
        view = View(
            direction=self.direction,
            waiting=visible,
            head=self._head(waiting, min(visible, armed.fault.window_bytes)),
            end=end
            and visible == len(self._front) + len(waiting)
            and self._sees_end(len(waiting)),
            done=armed.done,
            taken=armed.taken,
        )
        self._current = armed
        self._queue.extend(armed.fault.act(view))
        return Again()

    def _from_queue(self, waiting: Buffer) -> Action:
        """The next action of the present strike, counted."""
        action = self._queue.popleft()
        armed = self._current
        if armed is None:
            raise InternalError(f"{action} belongs to no strike")
        match action:
            case Pass(count=count):
                passed = self._pass(count)
                taken = len(passed.give) if isinstance(passed, Transform) else passed.count
                if taken < count:
                    self._queue.appendleft(Pass(count - taken))
                if isinstance(passed, Transform):
                    self._note(armed, passed.give, taken)
                else:
                    self._note(armed, waiting, taken)
                return passed
            case Transform(take=0, give=give):
                # Inserted right here; what was inserted here before comes first.
                self._front[self._inserted_here : self._inserted_here] = give
                self._inserted_here += len(give)
                return Again()
            case Transform(take=take, give=give):
                self._note(armed, self._head(waiting, take), take)
                from_source = max(0, take - len(self._front))
                del self._front[:take]
                return self._passed(Transform(from_source, give))
            case Again():
                self._stay(armed)
                return action
            case _:
                return action

    def _stay(self, armed: _Armed) -> None:
        """Keep an effect in force: the last one is asked first.

        One that only paces the stream would never let those below it have their bytes.
        """
        if armed.fault.paces:
            below = sum(one.fault.paces for one in self._in_force)
            self._in_force.insert(below, armed)
        else:
            self._in_force.append(armed)

    def _head(self, waiting: Buffer, count: int) -> bytes:
        """The first ``count`` bytes that wait, inserted ones included."""
        front = bytes(self._front[:count])
        return front + bytes(waiting[: count - len(front)])

    @staticmethod
    def _note(armed: _Armed, data: Buffer, count: int) -> None:
        """Remember what a strike has passed or taken, as far as its effect looks."""
        room = min(count, armed.fault.window_bytes - len(armed.taken))
        armed.taken += bytes(data[:room])
        armed.done += count

    def _pass(self, count: int) -> Pass | Transform:
        """Let ``count`` bytes go on, or fewer: inserted bytes go by themselves."""
        if not self._front:
            self._passed(Pass(count))
            return Pass(count)
        give = bytes(self._front[:count])
        del self._front[:count]
        transform = Transform(0, give)
        self._passed(transform)
        return transform

    def _passed(self, action: Action) -> Action:
        self._inserted_here = 0
        match action:
            case Pass(count=count):
                self.consumed += count
                self.emitted += count
            case Transform(take=take, give=give):
                self.consumed += take
                self.emitted += len(give)
        return action

    def _scan(self, waiting: Buffer) -> None:
        start = max(0, self._scanned - self.consumed)
        if start < len(waiting):
            self._scanned = self.consumed + len(waiting)
            data = bytes(waiting[start:])
            for scan in tuple(self.scanners):
                scan(data)

    def _is_due(self, armed: _Armed, size: int, end: bool, held: bool) -> bool:  # noqa: FBT001 - in the order of next()
        if armed.due is Due.NOW:
            return True
        if held or armed.due is Due.END or (armed.fault.needs_bytes and not size):
            return False
        if armed.due is Due.AT_ONCE:
            return True
        if armed.due is Due.MARK:
            return self.consumed >= armed.position
        if self.count < armed.position:
            return False
        # Where we read, N bytes read are the moment.  Where we write, and before the very
        # first byte, there must be something to go on with, or the end.
        return bool(size or end) or not self._waits(armed)

    def _waits(self, armed: _Armed) -> bool:
        """Whether it strikes with the byte after its place, not at the place itself."""
        if armed.due is Due.OFFSET and self.outbound:
            return True
        if armed.due is Due.OFFSET and not armed.position:
            return not armed.fault.stops_arrival
        return armed.due in (Due.OFFSET, Due.MARK) and armed.fault.needs_bytes

    def _visible(self, waiting: int) -> int:
        """How many of the bytes that wait lie before the next moment."""
        size = len(self._front) + waiting
        return min((self._room(armed, size) for armed in self._armed), default=size)

    def _room(self, armed: _Armed, size: int) -> int:
        """How many of ``size`` waiting bytes lie before this moment."""
        if armed.due is Due.OFFSET and self.outbound:
            return min(size, max(0, armed.position - self.emitted))
        if armed.due in (Due.OFFSET, Due.MARK):
            source = armed.position - self.consumed
            return min(size, len(self._front) + source) if source > 0 else 0
        return size

    def _sees_end(self, waiting: int) -> bool:
        """Whether the end that has come would be met before another moment.

        What strikes at the end without needing a byte comes first, whether or not the end
        is known by the time the last bytes pass.
        """
        return all(
            armed.fault.needs_bytes or self._is_beyond(armed, waiting) for armed in self._armed
        )

    def _is_beyond(self, armed: _Armed, waiting: int) -> bool:
        size = len(self._front) + waiting
        return self._room(armed, size + 1) > size


def _nobody(_fault: Fault, _count: int) -> None:
    """Nobody is told of strikes any more."""
