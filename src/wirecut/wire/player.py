"""The blocking interpreter of actions: what faults do to a connection that we play ourselves.

It has a socket and a plan for each direction, asks a plan for one action at a time, and
executes it within the call that made it due; what has to wait makes that call wait.  The
server's loop is the other interpreter, and executes the same plans without waiting.

* Nothing happens between calls.  Input is looked at (``MSG_PEEK``) before it is taken, and no
  byte is taken that the caller has not asked for: a moment in the input comes when the caller
  reads as far.
* A fault that closes in good order sends its FIN at once and leaves the reading to the peer's
  end to :meth:`Player.finish`, so that one thread can play both ends.
* A call that ends by its deadline loses nothing: what was to be sent goes first the next time.
"""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Callable

from wirecut.deadline import Deadline, now
from wirecut.errors import ConnectionStruck, DeadlineExceeded, InternalError, PeerReset
from wirecut.wire.action import (
    Abort,
    Action,
    After,
    Close,
    Direction,
    Drain,
    Hold,
    Pass,
    PassEnd,
    Plan,
    ShutDownWriting,
    Transform,
    WaitUntilSent,
)
from wirecut.wire.inlet import Inlet
from wirecut.wire.outlet import Outlet
from wirecut.wire.stream import (
    RESET_ERRORS,
    drain,
    wait_for_time,
    wait_until_readable,
)

__all__ = ["Player"]


class _Way:
    """One direction: its plan, and what is still to be waited for."""

    __slots__ = ("busy_until", "direction", "gave_up", "held_until", "plan", "sent_by")

    def __init__(self, direction: Direction, plan: Plan) -> None:
        self.direction = direction
        self.plan = plan
        self.held_until = 0.0
        self.busy_until = 0.0
        self.sent_by: Deadline | None = None
        self.gave_up: str | None = None

    @property
    def is_held(self) -> bool:
        return self.held_until > 0.0 and self.held_until > now()


class Player:
    """Executes the actions of two plans on one connected socket; one thread at a time.

    Args:
        sock: A connected, non-blocking stream socket; owned from here on.
        up: The plan of the direction from client to server.
        down: The plan of the other one.
        outbound: The direction in which we send.
        patience_seconds: How long a bounded wait of a strike lasts, whoever's call it is in.
        note: Told of all bytes sent to, and taken from, the socket, with their direction.
        not_reached: Told that a strike had to be given up, with its direction and the bytes
            that are not on the wire; what it returns is the error's message.

    Attributes:
        aborted: Whether the connection was reset by us.
        inbox: Bytes that have passed all faults; the caller takes them from its front.
        input_ended: Whether the peer's end has passed all faults.
    """

    __slots__ = (
        "_closing",
        "_draining",
        "_finished",
        "_in",
        "_inlet",
        "_not_reached",
        "_out",
        "_outlet",
        "_patience_seconds",
        "_said",
        "aborted",
        "inbox",
        "input_ended",
        "sock",
    )

    def __init__(  # noqa: PLR0913 - made in one place, from checked settings
        self,
        sock: socket.socket,
        *,
        up: Plan,
        down: Plan,
        outbound: Direction,
        patience_seconds: float,
        note: Callable[[Direction, bytes], object],
        not_reached: Callable[[Direction, int], str],
    ) -> None:
        self.sock: socket.socket | None = sock
        self.aborted = False
        self.inbox = bytearray()
        self.input_ended = False
        ways = _Way(Direction.UP, up), _Way(Direction.DOWN, down)
        self._out, self._in = ways if outbound is Direction.UP else ways[::-1]
        self._patience_seconds = patience_seconds
        self._not_reached = not_reached
        self._finished = False
        self._said = bytearray()  # not passed yet
        self._outlet = Outlet(sock, lambda data: note(outbound, data))
        self._inlet = Inlet(sock, lambda data: note(outbound.opposite, data))
        self._closing = False
        self._draining: _Way | None = None

    @property
    def struck(self) -> bool:
        """Whether a fault has ended the connection, as far as the caller is concerned."""
        return self.sock is None or self._closing

    @property
    def fin(self) -> bool:
        """Whether our direction has ended, by the caller's will or a fault's."""
        return self._outlet.fin

    @property
    def peer_reset(self) -> bool:
        """Whether the peer was seen to have reset the connection."""
        return self._outlet.peer_reset

    def holds_for_ever(self, direction: Direction) -> bool:
        """Whether nothing will pass in this direction again."""
        way = self._out if direction is self._out.direction else self._in
        return way.held_until == math.inf

    # What the caller asks for.

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send bytes through the plan; returns when the kernel has all that is to be sent.

        Raises:
            ConnectionStruck: A fault had ended the connection, or our direction of it.
            PeerReset: The peer has reset it.
            DeadlineExceeded: It is held, the peer stopped reading, or a cut was not reached.
        """
        self._require_usable()
        if self.fin:
            raise ConnectionStruck("a fault has ended our direction of the connection")
        self._said += data
        self._run_out(deadline)

    def end(self, deadline: Deadline, *, longest_hold: float = math.inf) -> None:
        """End our direction, through the plan; nothing happens if it has ended.

        Args:
            deadline: When to give up.
            longest_hold: The point of time up to which a hold is waited for.

        Raises:
            ConnectionStruck, PeerReset, DeadlineExceeded: As :meth:`send`.
        """
        self._require_usable()
        self._finished = True
        self._run_out(deadline, longest_hold)

    def receive(
        self,
        is_met: Callable[[], bool],
        limit: Callable[[bytes], int],
        deadline: Deadline,
        what: str,
    ) -> None:
        """Read through the plan into the inbox, until that is enough or the input ends.

        Args:
            is_met: Whether the inbox holds enough.
            limit: How many of the bytes that it is shown may be taken, if all pass as they
                are; at least one.
            deadline: When to give up.
            what: What is waited for, to complete "gave up waiting for ...".

        Raises:
            ConnectionStruck: A fault has ended the connection before it was enough.
            PeerReset: The peer has.
            DeadlineExceeded: Not enough came.
        """
        way = self._in
        while self._runs and (way.plan.in_strike or not (is_met() or self.input_ended)):
            self._end_waiting(way, deadline)
            held = way.is_held
            looks = way.plan.in_strike or not held
            data, end = self._look(limit) if looks else (b"", False)
            action = way.plan.next(data, end=end, held=held)
            if action is not None:
                self._execute(way, action, deadline)
            elif held:
                wait_for_time(Deadline(way.held_until), deadline, what)
            else:
                wait_until_readable(self._socket, deadline, what)
        if not (is_met() or self.input_ended):
            self._require_usable()
        # N bytes read are the moment, so what strikes after the last of them does it now.
        self.act(way.direction, deadline)

    def act(self, direction: Direction, deadline: Deadline) -> None:
        """Execute what is due in one direction without more input, or waiting for a hold.

        Raises:
            PeerReset, DeadlineExceeded: As :meth:`send`.
        """
        if direction is self._out.direction:
            self._run_out(deadline, 0.0)
            return
        way = self._in
        while self._runs:
            self._end_waiting(way, deadline)
            data = self._look(lambda _: 0)[0] if way.plan.in_strike else b""
            action = way.plan.next(data, end=False, held=way.is_held)
            if action is None:
                return
            self._execute(way, action, deadline)

    def interrupt(self) -> None:
        """Forget what strikes under way have still to do: one comes that ends everything."""
        for way in (self._out, self._in):
            way.plan.interrupt()
            way.busy_until = 0.0
            way.sent_by = way.gave_up = None

    # How it ends.

    def finish(self) -> None:
        """Do what an orderly close has left: read to the peer's end, or the patience's."""
        if self.sock is None or self._draining is None:
            return
        deadline = Deadline.after(self._patience_seconds)
        with contextlib.suppress(DeadlineExceeded):
            drain(self.sock, deadline)
        way, self._draining = self._draining, None
        self.act(way.direction, deadline)

    def abort(self, deadline: Deadline) -> None:
        """Reset the connection when all that has passed is on the wire; closes the socket.

        Raises:
            DeadlineExceeded: The peer did not take it; the socket is closed nevertheless.
        """
        try:
            with contextlib.suppress(PeerReset):
                self._outlet.wait_until_sent(deadline)
        finally:
            self._abort()

    def give_up(self) -> None:
        """Close the socket at once: RST if something is unsent or unread, else FIN."""
        if self.sock is not None:
            self.sock = None
            self._outlet.give_up()

    # Executing.

    @property
    def _runs(self) -> bool:
        """Whether plans are still executed."""
        return self.sock is not None and self._draining is None

    @property
    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise ConnectionStruck("a fault has ended the connection")
        return self.sock

    def _require_usable(self) -> None:
        if self.struck:
            raise ConnectionStruck("a fault has ended the connection")

    def _run_out(self, deadline: Deadline, longest_hold: float = math.inf) -> None:
        """Execute the outbound plan until there is nothing left to pass."""
        way = self._out
        while self._runs and (way.plan.in_strike or not self.fin):
            self._end_waiting(way, deadline)
            held = way.is_held
            action = way.plan.next(self._said, end=self._finished, held=held)
            if action is not None:
                self._execute(way, action, deadline)
            elif held and way.held_until <= longest_hold and (self._said or self._finished):
                wait_for_time(
                    Deadline(way.held_until), deadline, "the end of a stall or a delay"
                )
            else:
                return

    def _execute(self, way: _Way, action: Action, deadline: Deadline) -> None:  # noqa: C901, PLR0912 - one case for each action
        match action:
            case Pass(count=count):
                self._forward(way, self._take(way, count), deadline)
            case Transform(take=take, give=give):
                self._take(way, take)
                self._forward(way, give, deadline)
            case PassEnd():
                if way is self._out:
                    self._outlet.end(deadline)
                else:
                    self.input_ended = True
            case Hold(direction=direction, seconds=seconds):
                until = math.inf if seconds is None else now() + seconds
                for one in (self._out, self._in):
                    if one.direction in direction:
                        one.held_until = max(one.held_until, until)
            case After(seconds=seconds):
                way.busy_until = now() + seconds
                self._end_waiting(way, deadline)
            case WaitUntilSent(bounded=bounded):
                way.sent_by = (
                    Deadline.after(self._patience_seconds) if bounded else Deadline.never()
                )
                self._end_waiting(way, deadline)
            case ShutDownWriting():
                self._closing = way.plan.in_strike  # FIN and no more, or a close's beginning
                self._outlet.end(deadline)
            case Drain():
                self._draining = way
            case Close():
                self.give_up()
            case Abort():
                self._abort()
            case _:
                raise InternalError(f"the player cannot execute {action}")

    def _end_waiting(self, way: _Way, deadline: Deadline) -> None:
        """Wait as the last action said; called again by whoever comes after a deadline."""
        if way.gave_up is not None:
            raise DeadlineExceeded(way.gave_up)
        if way is self._out and way.sent_by is None:
            self._outlet.flush(deadline)
        if way.sent_by is not None:
            bounded = way.sent_by.at != math.inf
            try:
                self._outlet.wait_until_sent(way.sent_by if bounded else deadline)
            except DeadlineExceeded:
                if not bounded:
                    raise
                # Never cut early: from here on nothing passes or strikes in this direction.
                way.gave_up = self._not_reached(way.direction, self._outlet.unsent)
                raise DeadlineExceeded(way.gave_up) from None
            way.sent_by = None
        if way.busy_until:
            wait_for_time(Deadline(way.busy_until), deadline, "a pause between two pieces")
            way.busy_until = 0.0

    def _look(self, limit: Callable[[bytes], int]) -> tuple[bytes, bool]:
        """The input that may be taken, and whether the stream ends there; takes nothing."""
        # A strike counts on all that it was shown when it began.
        least = self._inlet.shown if self._in.plan.in_strike else 0
        try:
            data, end = self._inlet.look(limit, at_least=least)
        except RESET_ERRORS as error:
            raise self._outlet.lost() from error
        if end and self.peer_reset:  # a write has met the reset, so no read reports it
            raise self._outlet.lost()
        return data, end

    def _take(self, way: _Way, count: int) -> bytes:
        """Take bytes from a plan's source, as they were looked at."""
        if way is self._in:
            return self._inlet.take(count)
        data = bytes(self._said[:count])
        del self._said[:count]
        return data

    def _forward(self, way: _Way, data: bytes, deadline: Deadline) -> None:
        if way is self._out:
            self._outlet.send(data, deadline)
        else:
            self.inbox += data

    def _abort(self) -> None:
        if self.sock is not None:
            self.sock = None
            self.aborted = True
            self._outlet.abort()
