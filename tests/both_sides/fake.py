"""The third interpreter: two lanes and some byte strings, without socket, clock or thread."""

from __future__ import annotations

from tests.both_sides.case import Case, Outcome, Split, split
from wirecut import End, Fault
from wirecut.faults.breaker import Breaker
from wirecut.faults.lane import Lane
from wirecut.http.framing import RequestFramer
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
    ShutDownWriting,
    Transform,
    WaitUntilSent,
)

__all__ = ["Fake"]

_ACTIONS_LIMIT = 20_000


class Fake:
    """Plays a case in no time: every wait is over at once, unless it is for ever.

    Attributes:
        stuck: Whether our side would wait for ever for something to hear.
        stalled: Whether something is held for ever.
    """

    def __init__(self, case: Case, outbound: Direction, how: Split) -> None:
        self.stuck = False
        self._case = case
        self._outbound = outbound
        self._struck: list[Fault] = []
        self._sent = bytearray()
        self._heard = bytearray()
        self._said = bytearray()
        self._finished = False
        self._arrived = bytearray()
        self._arrived_end = False
        self._fin = False
        self._input_ended = False
        self._end: End | None = None
        self._closing = False
        self._held: dict[Direction, bool] = {}
        self._actions = 0
        self._breaker = Breaker(
            case.faults_for(outbound),
            outbound=outbound,
            scan_requests=RequestFramer,
            on_strike=lambda fault, _direction, _count: self._struck.append(fault),
        )
        self._play(how)

    @property
    def stalled(self) -> bool:
        return any(self._held.values())

    @property
    def outcome(self) -> Outcome:
        """How the case came out."""
        end = self._end or (End.EOF if self._fin else End.OPEN)
        strikes = self._case.written(self._struck, self._outbound)
        return Outcome(bytes(self._sent), end, bytes(self._heard), strikes)

    def _play(self, how: Split) -> None:
        self._run()
        for piece in split(self._case.hears, how.hears):
            self._arrived += piece
            self._run()
        if self._case.hears:
            self._arrived_end = True
            self._run()
            if not self._input_ended:
                self.stuck = not (self._end or self._closing)
                return
        for piece in split(self._case.says, how.says):
            if self._end or self._closing or self._fin:
                return
            self._said += piece
            self._breaker.produced += len(piece)
            self._run()
        self._finished = self._case.ends
        self._run()

    def _run(self) -> None:
        while self._step(self._breaker.up) or self._step(self._breaker.down):
            self._actions += 1
            assert self._actions < _ACTIONS_LIMIT, "the lanes go on for ever"

    def _step(self, lane: Lane) -> bool:
        is_out = lane.direction is self._outbound
        if self._end is not None or (is_out and self._fin and not lane.in_strike):
            return False
        source, end = (
            (self._said, self._finished) if is_out else (self._arrived, self._arrived_end)
        )
        held = self._held.get(lane.direction, False)
        action = lane.next(source, end=end, held=held)
        if action is None:
            return False
        self._execute(lane, action, source)
        return True

    def _execute(  # noqa: C901 - one case for each action
        self, lane: Lane, action: Action, source: bytearray
    ) -> None:
        is_out = lane.direction is self._outbound
        sink = self._sent if is_out else self._heard
        match action:
            case Pass(count=count):
                assert 0 < count <= len(source)
                sink += source[:count]
                del source[:count]
            case Transform(take=take, give=give):
                assert take <= len(source)
                sink += give
                del source[:take]
            case PassEnd():
                assert not source
                if is_out:
                    self._fin = True
                else:
                    self._input_ended = True
            case Hold(direction=direction, seconds=None):
                for one in (Direction.UP, Direction.DOWN):
                    if one in direction:
                        self._held[one] = True
            case Hold() | After() | WaitUntilSent() | Drain():
                pass
            case ShutDownWriting():
                self._closing = lane.in_strike
                self._fin = True
                self._said.clear()
            case Close():
                self._end = End.EOF
            case Abort():
                # After both sides' FIN a reset leaves no trace.
                self._end = End.EOF if self._fin else End.RESET
