"""The loop's interpreter of actions: what faults do to one served connection.

It stands between a connection's socket and its behaviour, asks each lane for one action at a
time, and executes it without waiting.  An action that has to wait makes its lane busy until
an event or a timer comes.  Runs under the loop's lock.
"""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from wirecut.deadline import now
from wirecut.errors import CapabilityMissing, InternalError
from wirecut.faults.breaker import Breaker
from wirecut.faults.fault import Fault
from wirecut.faults.lane import Due, Lane
from wirecut.faults.partition import partitions_of
from wirecut.server.journal import Ended, Record, Struck
from wirecut.server.loop import Timer
from wirecut.server.losing import Losing
from wirecut.server.severing import Severed, fault_added, interfere
from wirecut.wire.action import (
    Abort,
    Action,
    After,
    Close,
    DieSilently,
    Direction,
    Drain,
    ForgeReset,
    Hold,
    LoseNext,
    Pass,
    PassEnd,
    Sever,
    ShutDownWriting,
    Transform,
    WaitUntilSent,
)
from wirecut.wire.kernel import bytes_unread, notify_when_all_sent

if TYPE_CHECKING:
    from wirecut.server.link import Link

__all__ = ["Interpreter"]

_PEEK_BYTES: Final = 65536
# How many actions one turn executes before other connections have theirs.
_TURN_ACTIONS: Final = 256


class Interpreter:
    """Executes the actions of one connection's two lanes."""

    __slots__ = (
        "_again",
        "_breaker",
        "_busy",
        "_draining",
        "_hold_down",
        "_hold_up",
        "_link",
        "_owed",
        "_said",
        "_timers",
        "_waiting",
        "closing",
        "losing",
        "partitions",
        "severed",
    )

    def __init__(self, link: Link, faults: Sequence[Fault]) -> None:
        self._link = link
        self.partitions = partitions_of(faults)
        self.closing = False
        self._said: bytearray | None = None
        self._hold_up = self._hold_down = 0.0
        self.severed: Severed | None = None
        self.losing: Losing | None = None
        self._busy: tuple[Lane, ...] = ()
        self._waiting: tuple[Lane, ...] = ()
        self._timers: tuple[Timer, ...] = ()
        self._draining: Lane | None = None
        self._owed: Fault | None = None
        self._again: Timer | None = None
        self._breaker: Breaker | None = self._new_breaker(faults)

    # What the connection tells and asks.

    def say(self, data: bytes) -> None:
        """The behaviour has bytes to send."""
        if self._breaker is not None:
            self._breaker.produced += len(data)
            if self._said is None:
                self._said = bytearray()
            self._said += data

    def strike(self, fault: Fault) -> None:
        """Let a fault strike at the next :meth:`run`, whatever is held."""
        breaker = self._need_breaker()
        lane = breaker.up if self._link.fin else breaker.down
        if fault.ends(Direction.DOWN) is Direction.BOTH:
            # It ends all that other strikes wait for.
            for one in (breaker.up, breaker.down):
                one.interrupt()
            for timer in self._timers:
                timer.cancel()
            self._timers = self._waiting = self._busy = ()
            self._draining = None
        lane.strike(fault)

    def strike_here(self, fault: Fault) -> None:
        """Let a fault strike when all that was said so far has passed."""
        if self._link.fin or self.holds_for_ever(Direction.DOWN):
            self.strike(fault)
        else:
            breaker = self._need_breaker()
            breaker.down.arm(fault, Due.MARK, breaker.produced)

    def add(self, fault: Fault) -> None:
        """Place a fault."""
        self._need_breaker().add(fault)
        self.partitions = (*self.partitions, *partitions_of([fault]))
        fault_added(self._link, fault)

    @property
    def said(self) -> int:
        """Bytes of the behaviour that no fault has let pass yet."""
        return len(self._said or b"")

    @property
    def waits_until_sent(self) -> bool:
        """Whether to be told when nothing unsent is left."""
        return bool(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether a strike is at work, or its cut was not reached: it alone may end then."""
        return bool(self._busy) or self._owed is not None

    def holds_for_ever(self, direction: Direction) -> bool:
        """Whether nothing will pass in this direction again."""
        until = self._hold_up if direction is Direction.UP else self._hold_down
        return until == math.inf or self._is_severed(direction)

    def reads(self, behaviour_reads: bool) -> bool:  # noqa: FBT001 - "whether" in both
        """Whether input shall be announced, given whether the behaviour would take it."""
        if self._draining is not None:
            return True
        if self._breaker is None or self._is_held(Direction.UP):
            return False
        return behaviour_reads and self._breaker.up not in self._busy

    def leave(self, record: Record) -> None:
        """Leave in the journal what is known of the exchanges, and drop the plan."""
        breaker, self._breaker, self._said = self._breaker, None, None
        if breaker is not None:
            record.exchanges = breaker.exchanges
            record.problem = breaker.problem
            breaker.release()

    def run(self) -> None:
        """Execute all that can be executed now."""
        if self._owed is not None and not self._link.unsent():
            self._owed = None
        if self._draining is not None:
            self._drain(self._draining)
        if self._waiting and self._link.all_sent():
            if self._link.sock is not None:
                with contextlib.suppress(CapabilityMissing):
                    notify_when_all_sent(self._link.sock, False)
            self._busy = tuple(lane for lane in self._busy if lane not in self._waiting)
            self._waiting = ()
        elif self._waiting:
            self._link.notice_reset()
        budget = _TURN_ACTIONS
        while budget > 0 and self._breaker is not None and self._link.sock is not None:
            # Up first, and again after down: what strikes when a request has been read
            # must come before the answer to it.
            left = self._run_lane(self._breaker.up, budget)
            if self._breaker is not None and left > 0:
                left = self._run_lane(self._breaker.down, left)
            if left == budget:
                return
            budget = left
        if budget <= 0 and (self._again is None or self._again.callback is None):
            self._again = self._link.later(0.0, self._link.pump)

    # Executing.

    def _run_lane(self, lane: Lane, budget: int) -> int:
        """Execute one lane's actions until it waits; returns the budget that is left."""
        link = self._link
        while budget > 0 and link.sock is not None and lane not in self._busy:
            held = self._is_held(lane.direction)
            if lane.direction is Direction.UP:
                looks = not lane.is_blind and (lane.in_strike or not held)
                waiting, end = self._peek(reads=looks)
                if link.sock is None:
                    break
            elif link.fin and not lane.in_strike:
                break  # what a strike does after its FIN must still be done
            else:
                waiting, end = self._said if self._said is not None else b"", link.finished
            action = lane.next(waiting, end=end, held=held)
            if action is None:
                break
            budget -= 1
            self._execute(lane, action)
        return budget

    def _peek(self, *, reads: bool) -> tuple[bytes | bytearray, bool]:
        """What waits in the kernel and whether the stream ends there; takes nothing."""
        link = self._link
        if link.up_end or not reads or self._draining is not None:
            return b"", link.up_end
        if getattr(link.machine, "full", False):
            return b"", False
        data = link.read(_PEEK_BYTES, socket.MSG_PEEK, noted=False)
        return (b"", False) if data is None else (data, not data)

    def _execute(self, lane: Lane, action: Action) -> None:  # noqa: C901, PLR0912 - one case for each action
        link = self._link
        match action:
            case Pass(count=count):
                self._forward(lane, self._take(lane, count))
            case Transform(take=take, give=give):
                self._take(lane, take)
                self._forward(lane, give)
            case PassEnd():
                if lane.direction is Direction.UP:
                    link.peer_ended()
                else:
                    link.end_down()
            case Hold(direction=direction, seconds=seconds):
                self._hold(direction, seconds)
            case After(seconds=seconds):
                self._busy = (*self._busy, lane)
                self._later(seconds, lane)
            case WaitUntilSent(bounded=bounded):
                if not link.all_sent():
                    self._busy = (*self._busy, lane)
                    self._waiting = (*self._waiting, lane)
                    if bounded:
                        self._later(link.host.patience_seconds, lane, give_up=True)
            case ShutDownWriting():
                self.closing = lane.in_strike  # FIN and no more, or the first part of a close
                self._said = None
                link.end_down()
                self._owe_the_end(lane)
            case Drain():
                self._busy = (*self._busy, lane)
                self._draining = lane
                self._later(link.host.patience_seconds, lane)
                self._drain(lane)
            case Close():
                link.close()
            case Abort():
                link.end(Ended.RESET_BY_SERVER, "struck")
            case DieSilently():
                link.end(Ended.VANISHED, "struck")
            case ForgeReset() | Sever() | LoseNext():
                interfere(link, action)
            case _:
                raise InternalError(f"the loop cannot execute {action}")

    def _owe_the_end(self, lane: Lane) -> None:
        """FIN follows what has passed; if that is not all sent by the deadline, say so.

        No event tells: after shutdown(SHUT_WR) epoll reports "writable" all the time.
        """
        link, fault = self._link, lane.current
        if fault is None or link.sock is None or not link.unsent():
            return
        self._owed = fault

        def look() -> None:
            if self._owed is not None and link.unsent():
                link.host.not_reached(link.record, fault, link.unsent())
            link.pump()

        link.later(link.host.patience_seconds, look)

    def _take(self, lane: Lane, count: int) -> bytes:
        """Take bytes from a lane's source, as they were looked at."""
        if not count:
            return b""
        if lane.direction is Direction.UP:
            data = self._link.read(count)
            if self._link.sock is None:
                return b""
            if data is None or len(data) != count:
                raise InternalError(f"{count} bytes were seen, {data!r} were read")
            return data
        if self._said is None:
            raise InternalError(f"{count} bytes are to pass, but nothing was said")
        data = bytes(self._said[:count])
        del self._said[:count]
        return data

    def _forward(self, lane: Lane, data: bytes) -> None:
        if data:
            link = self._link
            (link.deliver if lane.direction is Direction.UP else link.emit)(data)

    def _hold(self, direction: Direction, seconds: float | None) -> None:
        until = math.inf if seconds is None else now() + seconds
        if Direction.UP in direction:
            self._hold_up = max(self._hold_up, until)
        if Direction.DOWN in direction:
            self._hold_down = max(self._hold_down, until)
        if seconds is not None:
            self._link.later(seconds, self._link.pump)
        if self._hold_up == self._hold_down == math.inf and self._breaker is not None:
            self._forget_plan(self._breaker)

    def _forget_plan(self, breaker: Breaker) -> None:
        """Nothing will pass or strike by itself any more: keep no memory for it.

        What a strike has still to do is part of it and must not be lost.
        """
        if not breaker.up.in_strike and not breaker.down.in_strike:
            self.leave(self._link.record)
            self._link.silence()

    def _is_held(self, direction: Direction) -> bool:
        until = self._hold_up if direction is Direction.UP else self._hold_down
        return (until > 0.0 and until > now()) or self._is_severed(direction)

    def _is_severed(self, direction: Direction) -> bool:
        return self.severed is not None and direction in self.severed.direction

    def _later(self, seconds: float, lane: Lane, *, give_up: bool = False) -> None:
        def go_on() -> None:
            if give_up:
                self._give_up(lane)
                return
            if self._draining is lane:
                if self._owed is not None and self._link.unsent():
                    return  # to close now would cut early
                self._draining = None
            self._busy = tuple(one for one in self._busy if one is not lane)
            self._link.pump()

        self._timers = tuple(timer for timer in self._timers if timer.callback is not None)
        self._timers = (*self._timers, self._link.later(seconds, go_on))

    def _give_up(self, lane: Lane) -> None:
        """The peer did not take what comes before the cut: never cut early, but say so.

        The lane stays busy, so nothing passes or strikes in it any more.
        """
        if lane in self._waiting and lane.current is not None:
            self._waiting = tuple(one for one in self._waiting if one is not lane)
            link = self._link
            link.host.not_reached(link.record, lane.current, link.unsent())
            link.pump()

    def _drain(self, lane: Lane) -> None:
        data = self._link.read(_PEEK_BYTES, noted=False)
        while data:
            data = self._link.read(_PEEK_BYTES, noted=False)
        if data is not None:
            self._link.up_end = True
            self._draining = None
            self._busy = tuple(one for one in self._busy if one is not lane)

    def _new_breaker(self, faults: Sequence[Fault]) -> Breaker:
        return Breaker(
            faults,
            outbound=Direction.DOWN,
            scan_requests=self._link.host.scan_requests,
            on_strike=self._struck,
        )

    def _need_breaker(self) -> Breaker:
        record = self._link.record
        if self._breaker is None:
            self._breaker = self._new_breaker(())
        if not self._breaker.up.consumed and not self._breaker.down.consumed:
            self._breaker.skip(record.count(Direction.UP), record.count(Direction.DOWN))
        return self._breaker

    def _struck(self, fault: Fault, direction: Direction, count: int) -> None:
        link = self._link
        unread = 0
        with contextlib.suppress(CapabilityMissing, OSError):
            unread = bytes_unread(link.sock) if link.sock is not None else 0
        if fault.ends(Direction.DOWN) is not None:
            link.record.unread_bytes = unread
        link.host.struck(
            link.record, Struck(fault, direction, count, link.host.seconds(), unread)
        )
