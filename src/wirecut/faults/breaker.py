"""The faults of one connection: two lanes, and the moments that lie in both.

A moment inside an exchange is found by framing the client's requests; the breaker turns it
into an offset of the lane in which its fault strikes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from wirecut.errors import InternalError
from wirecut.faults.at import Accept, Connect, Offset, Pattern, RequestEnd, StreamEnd
from wirecut.faults.fault import Fault
from wirecut.faults.lane import Due, Lane
from wirecut.faults.scan import PatternScanner, RequestMark, RequestScanner
from wirecut.faults.selection import Exchange
from wirecut.wire.action import Action, Direction, View

__all__ = ["Breaker"]

OnStrike: TypeAlias = Callable[[Fault, Direction, int], None]


@dataclass(frozen=True, slots=True)
class _ExchangeStart(Fault):
    """No fault at all: the place in the client's stream where an exchange begins.

    The bytes before it must have reached the behaviour, and its answers the lane down,
    before an offset down from the beginning of this exchange can be told.
    """

    number: int

    def act(self, view: View) -> tuple[Action, ...]:
        """Nothing: the breaker acts when it is told of the strike."""
        del view
        return ()


class Breaker:
    """Places faults in the two lanes of a connection; not thread-safe.

    Args:
        faults: What strikes this connection, in the order given by the user.
        outbound: The direction in which our side sends.
        scan_requests: Makes the scanner that frames the client's requests.
        on_strike: Called with each fault that strikes, its direction, and the bytes on the
            wire in that direction.
    """

    __slots__ = (
        "_given",
        "_in_exchange",
        "_on_strike",
        "_request_end",
        "_scan_requests",
        "_scanner",
        "down",
        "exchanges",
        "produced",
        "up",
    )

    def __init__(
        self,
        faults: Iterable[Fault],
        *,
        outbound: Direction,
        scan_requests: Callable[[], RequestScanner],
        on_strike: OnStrike,
    ) -> None:
        self._on_strike = on_strike
        self._scan_requests = scan_requests
        self._scanner: RequestScanner | None = None
        # Each with its place in the order given, which decides between equal moments.
        self._given = 0
        self._request_end: list[tuple[int, Fault]] = []
        self._in_exchange: list[tuple[int, int, Fault]] = []
        self.exchanges = 0
        self.produced = 0
        self.up = Lane(
            Direction.UP, outbound=outbound is Direction.UP, on_strike=self._struck_up
        )
        self.down = Lane(
            Direction.DOWN, outbound=outbound is Direction.DOWN, on_strike=self._struck_down
        )
        for fault in faults:
            self.add(fault)

    @property
    def problem(self) -> str | None:
        """Why the requests cannot be framed, or None."""
        return self._scanner.problem if self._scanner else None

    def lane(self, direction: Direction) -> Lane:
        """The lane of one direction, UP or DOWN."""
        return self.up if direction is Direction.UP else self.down

    def release(self) -> None:
        """The connection is over: nothing is told any more."""
        self.up.release()
        self.down.release()

    def skip(self, up: int, down: int) -> None:
        """Begin in the middle of a connection: so many bytes have passed already."""
        self.up.consumed = self.up.emitted = up
        self.down.consumed = self.down.emitted = self.produced = down

    def add(self, fault: Fault) -> None:
        """Place a fault; one whose moment has passed strikes at the next chance.

        Raises:
            InternalError: It is a fault at ``connect``, which no connection has.
        """
        self._given += 1
        order = self._given
        match fault.at, fault.on:
            case Connect(), _:
                raise InternalError(f"{fault} is a state of the address, not of a connection")
            case Accept(), _:
                self.up.arm(fault, Due.AT_ONCE, order=order)
            case RequestEnd(), _:
                self._frame_requests()
                self._request_end.append((order, fault))
            case _, Exchange(number=number):
                self._frame_requests()
                self._in_exchange.append((number, order, fault))
            case Offset(direction=direction, count=count), _:
                self.lane(direction).arm(fault, Due.OFFSET, count, order)
            case StreamEnd(direction=direction), _:
                self.lane(direction).arm(fault, Due.END, order=order)
            case Pattern(direction=direction) as pattern, _:
                self._watch(fault, order, pattern, self.lane(direction).scan_position)

    def _frame_requests(self) -> None:
        if self._scanner is None:
            self._scanner = self._scan_requests()
            self.up.scanners.append(partial(self._scan, self._scanner))

    def _scan(self, scanner: RequestScanner, data: bytes) -> None:
        start = self.up.scan_position - len(data)
        for mark in scanner.feed(data):
            if mark.kind == "end":
                self._end_request(mark)
            else:
                self._start_request(mark, data[max(0, mark.position - start) :])

    def _end_request(self, mark: RequestMark) -> None:
        for order, fault in self._request_end:
            if not isinstance(fault.on, Exchange) or fault.on.number == mark.number:
                self.up.arm(fault, Due.MARK, mark.position, order)

    def _start_request(self, mark: RequestMark, data: bytes) -> None:
        self.exchanges = mark.number
        later = False
        for order, fault in self._of_exchange(mark.number):
            match fault.at:
                case Offset(direction=Direction.UP, count=count) if not self.up.outbound:
                    self.up.arm(fault, Due.OFFSET, mark.position + count, order)
                case Pattern(direction=Direction.UP) as pattern:
                    self._watch(fault, order, pattern, mark.position, data=data)
                case _:
                    later = True
        if later:
            self.up.arm(_ExchangeStart(number=mark.number), Due.MARK, mark.position)

    def _start_exchange(self, number: int) -> None:
        """All that comes before this exchange has passed up: place what counts from here."""
        later = False
        for order, fault in self._of_exchange(number):
            match fault.at:
                case Offset(direction=Direction.UP) if self.up.outbound:
                    self._arm_from_here(fault, order, fault.at)
                case Offset(direction=Direction.DOWN):
                    later = True
                case Pattern(direction=Direction.DOWN) as pattern:
                    # Answers to the exchanges before that nothing has scanned yet.
                    position = self.down.scan_position
                    skip = self.produced - position if self.down.outbound else 0
                    self._watch(fault, order, pattern, position + skip, skip=skip)
                case _:
                    pass
        if later:
            self.down.arm(_ExchangeStart(number=number), Due.MARK, self.produced)

    def _start_answers(self, number: int) -> None:
        """The answers to all exchanges before this one have passed down."""
        for order, fault in self._of_exchange(number):
            if isinstance(fault.at, Offset) and fault.at.direction is Direction.DOWN:
                self._arm_from_here(fault, order, fault.at)

    def _of_exchange(self, number: int) -> list[tuple[int, Fault]]:
        return [(order, fault) for their, order, fault in self._in_exchange if their == number]

    def _arm_from_here(self, fault: Fault, order: int, at: Offset) -> None:
        """Place an offset that counts from what is on the wire now."""
        lane = self.lane(at.direction)
        # What was inserted before this place goes on the wire before it.
        base = lane.count + (lane.inserted if lane.outbound else 0)
        lane.arm(fault, Due.OFFSET, base + at.count, order)

    def _watch(  # noqa: PLR0913 - where the search begins has three parts
        self,
        fault: Fault,
        order: int,
        pattern: Pattern,
        position: int,
        *,
        skip: int = 0,
        data: bytes = b"",
    ) -> None:
        """Look for a pattern from ``position`` on.

        Args:
            fault: What strikes when it is found.
            order: Its place in the order given.
            pattern: What is looked for.
            position: Bytes of the lane's source before the first that is looked at.
            skip: How many bytes will be fed that come before it.
            data: What has been fed to other scanners already and comes after it.
        """
        lane = self.lane(pattern.direction)
        scanner = PatternScanner(pattern.data, pattern.nth, position)

        def scan(data: bytes) -> None:
            nonlocal skip
            new = data[skip:]
            skip -= len(data) - len(new)
            found = scanner.feed(new)
            if found is not None:
                lane.arm(fault, Due.MARK, found, order)

        lane.scanners.append(scan)
        if data:
            scan(data)

    def _struck_up(self, fault: Fault, count: int) -> None:
        if isinstance(fault, _ExchangeStart):
            self._start_exchange(fault.number)
        else:
            self._on_strike(fault, Direction.UP, count)

    def _struck_down(self, fault: Fault, count: int) -> None:
        if isinstance(fault, _ExchangeStart):
            self._start_answers(fault.number)
        else:
            self._on_strike(fault, Direction.DOWN, count)
