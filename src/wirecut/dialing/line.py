"""One connection that we have dialed, with faults on it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from wirecut.deadline import Deadline, now
from wirecut.dialing.checks import check_fault, unstruck
from wirecut.dialing.still_open import note_closed, note_opened
from wirecut.errors import (
    CapabilityMissing,
    ConnectionStruck,
    DeadlineExceeded,
    MisuseError,
    PeerClosed,
    PeerReset,
    UnmetExpectation,
    WirecutError,
)
from wirecut.faults.breaker import Breaker
from wirecut.faults.fault import Fault
from wirecut.faults.struck import Struck
from wirecut.faults.text import as_fault
from wirecut.http.framing import RequestFramer
from wirecut.validation import check_count
from wirecut.wire.action import Direction
from wirecut.wire.kernel import bytes_unread
from wirecut.wire.observing import End, Observation, observe
from wirecut.wire.player import Player

__all__ = ["Line"]

_UNLIMITED: Final = 1 << 62


class Line:
    """A connection that :func:`dial` has made; a context manager whose exit closes it.

    For one thread at a time.  Every call is bounded by the line's patience.  What was sent
    and received is kept whole, in memory.
    """

    def __init__(
        self,
        sock: socket.socket,
        address: tuple[str, int] | str,
        faults: tuple[Fault, ...],
        patience_seconds: float,
    ) -> None:
        self._address = address
        self._faults = faults
        self._patience_seconds = patience_seconds
        self._started = now()
        self._tapes = {Direction.UP: bytearray(), Direction.DOWN: bytearray()}
        self._struck: tuple[Struck, ...] = ()
        self._unreached: list[UnmetExpectation] = []
        self._ended = ""
        self._is_finished = False
        self._breaker = Breaker(
            faults,
            outbound=Direction.UP,
            scan_requests=RequestFramer,
            on_strike=self._on_strike,
        )
        self._player = Player(
            sock,
            up=self._breaker.up,
            down=self._breaker.down,
            outbound=Direction.UP,
            patience_seconds=patience_seconds,
            note=lambda direction, data: self._tapes[direction].extend(data),
            not_reached=self._not_reached,
        )
        note_opened(self)

    # What it knows.

    @property
    def address(self) -> tuple[str, int] | str:
        """The other end: ``(host, port)``, also on IPv6; the path of a Unix-domain socket."""
        return self._address

    @property
    def sent(self) -> bytes:
        """What was handed to the kernel for the other end."""
        return bytes(self._tapes[Direction.UP])

    @property
    def sent_count(self) -> int:
        """How many bytes were handed to the kernel for the other end."""
        return len(self._tapes[Direction.UP])

    @property
    def received(self) -> bytes:
        """What was read of the other end, before any fault changed it."""
        return bytes(self._tapes[Direction.DOWN])

    @property
    def received_count(self) -> int:
        """How many bytes were read of the other end."""
        return len(self._tapes[Direction.DOWN])

    @property
    def struck(self) -> tuple[Struck, ...]:
        """The faults that struck, in order."""
        return self._struck

    @property
    def closed(self) -> bool:
        """Whether its socket is gone, by a fault or by :meth:`close` or :meth:`reset`."""
        return self._player.sock is None

    # What can be done with it.

    def send(self, data: bytes) -> None:
        """Send bytes, through the faults; returns when the kernel has them.

        If a fault strikes on the way, what it lets pass is sent and the call returns; the
        next one raises.  A held direction makes it wait.

        Raises:
            ConnectionStruck: A fault has ended the connection, or our direction of it.
            PeerReset: The other end has reset it; what it had sent before can still be read.
            DeadlineExceeded: The other end stopped reading, or a fault holds the direction.
                What was not sent goes first in the next call that sends.
            MisuseError: The line was ended or closed.
        """
        self._require_open()
        if self._is_finished:
            raise MisuseError(f"{self!r} was ended, so nothing can be sent after it")
        if not isinstance(data, bytes | bytearray | memoryview):
            raise MisuseError(f"data must be bytes, got {data!r}")
        self._player.send(bytes(data), self._deadline())

    def end(self) -> None:
        """End our direction (FIN), through the faults at ``up.end``; reading goes on.

        Raises:
            ConnectionStruck, PeerReset, DeadlineExceeded, MisuseError: As :meth:`send`.
        """
        self._require_open()
        self._is_finished = True
        self._player.end(self._deadline())

    def recv(self, max_bytes: int = 65536) -> bytes:
        """At least one byte and at most ``max_bytes`` (>= 1), or b"" at the other end's end.

        No more than ``max_bytes`` are read of the connection.

        Raises:
            ConnectionStruck: A fault has ended the connection.
            PeerReset: The other end has reset it.
            DeadlineExceeded: Nothing came within the patience.
            MisuseError: The line was closed.
        """
        check_count("max_bytes", max_bytes, minimum=1)
        inbox = self._player.inbox
        self._receive(lambda: bool(inbox), lambda _: max_bytes, "input")
        return self._take(min(max_bytes, len(inbox)))

    def recv_exactly(self, count: int) -> bytes:
        """Exactly ``count`` bytes (>= 0); no more than needed are read of the connection.

        Raises:
            PeerClosed: The other end ended its stream before.
            ConnectionStruck, PeerReset, DeadlineExceeded, MisuseError: As :meth:`recv`.
        """
        check_count("count", count)
        inbox = self._player.inbox
        self._receive(
            lambda: len(inbox) >= count, lambda _: count - len(inbox), f"{count} bytes"
        )
        if len(inbox) < count:
            missing = count - len(inbox)
            raise PeerClosed(f"the other end ended its stream {missing} bytes before {count}")
        return self._take(count)

    def recv_until(self, terminator: bytes) -> bytes:
        """All bytes up to and including ``terminator``; what follows is not read.

        Raises:
            PeerClosed: The other end ended its stream before.
            ConnectionStruck, PeerReset, DeadlineExceeded, MisuseError: As :meth:`recv`.
        """
        if not terminator:
            raise MisuseError("terminator must have at least one byte, got b''")
        inbox = self._player.inbox
        searched = 0

        def has_come() -> bool:
            nonlocal searched
            found = terminator in inbox[max(0, searched - len(terminator) + 1) :]
            if not found:
                searched = len(inbox)
            return found

        def limit(seen: bytes) -> int:
            # The match may begin in what has passed already.
            tail = bytes(inbox[max(0, len(inbox) - len(terminator) + 1) :])
            found = (tail + seen).find(terminator)
            return len(seen) if found < 0 else found + len(terminator) - len(tail)

        self._receive(has_come, limit, repr(terminator))
        found = inbox.find(terminator)
        if found < 0:
            raise PeerClosed(f"the other end ended its stream before {terminator!r}")
        return self._take(found + len(terminator))

    def observe(
        self, *, timeout_seconds: float | None = None, settle_seconds: float = 0.0
    ) -> Observation:
        """Read until the other end ends its stream, and say how; never raises for that.

        Args:
            timeout_seconds: When to stop, with ``End.OPEN``; the line's patience if left out.
            settle_seconds: How long to wait after FIN for a RST; see
                :func:`wirecut.observe`, which also says what can be told apart.

        Returns:
            What has passed the faults and was not taken before, and how it ended.

        Raises:
            ConnectionStruck: A fault of ours has ended the connection.
            MisuseError: The line was closed.
        """
        deadline = self._deadline(timeout_seconds)
        end = End.EOF
        try:
            self._receive(lambda: False, lambda _: _UNLIMITED, "the end", deadline)
        except PeerReset:
            end = End.RESET
        except DeadlineExceeded:
            end = End.OPEN
        if end is End.EOF and self._player.sock is not None:
            rest = Deadline(max(deadline.at, now()))
            end = observe(self._player.sock, rest, settle_seconds=settle_seconds).end
        return Observation(self._take(len(self._player.inbox)), end)

    def strike(self, fault: Fault | str) -> None:
        """Let a fault strike now, whatever its moment says and whatever is held.

        Raises:
            ConnectionStruck: A fault has ended the connection already.
            PeerReset, DeadlineExceeded, MisuseError: As :meth:`send`.
        """
        effect = as_fault(fault)
        check_fault(effect, self._address)
        self._require_open()
        if self._player.struck:
            raise ConnectionStruck("a fault has ended the connection")
        direction = Direction.DOWN if self._player.fin else Direction.UP
        if effect.ends(Direction.UP) is Direction.BOTH:
            self._player.interrupt()  # it ends all that other strikes wait for
        self._breaker.lane(direction).strike(effect)
        self._player.act(direction, self._deadline())

    # How it ends.

    def reset(self) -> None:
        """Reset the connection (RST) when all that was sent is on the wire.

        Faults that did not strike are told by :meth:`close`, or at the end of ``with``.

        Raises:
            DeadlineExceeded: The other end did not take what was sent; it is reset all the
                same.
        """
        if self._player.sock is not None:
            self._ended = "reset by client"
            self._player.abort(self._deadline())

    def close(self) -> None:
        """Close in good order: FIN, read to the other end's end, close; and tell.

        The end passes the faults at ``up.end``, and what is still read those downstream.  A
        connection held for ever is given up at once.  A second call does nothing.

        Raises:
            UnmetExpectation: A fault that is not optional did not strike.
            DeadlineExceeded: The other end did not end its stream within the patience.
            ExceptionGroup: Several of these.
        """
        found = self._close(orderly=True)
        if len(found) == 1:
            raise found[0]
        if found:
            raise ExceptionGroup(f"{self!r}: {len(found)} findings", found)

    def shut_down(self) -> list[WirecutError]:
        """Close without waiting for the other end; what :meth:`close` would have raised."""
        return self._close(orderly=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if value is None:
            self.close()
            return
        for finding in self._close(orderly=False):
            value.add_note(f"{self!r}: {type(finding).__name__}: {finding}")

    def __repr__(self) -> str:
        return f"<Line to {self._address!r}>"

    def _close(self, *, orderly: bool) -> list[WirecutError]:
        """Give up the socket; what went otherwise than planned, once."""
        player = self._player
        late: list[WirecutError] = []
        try:
            player.finish()
            if orderly and not player.struck:
                self._read_to_the_end()
        except DeadlineExceeded as error:
            late.append(error)
        except (ConnectionStruck, PeerReset):
            pass
        finally:
            self._ended = self._ended or self._how_it_ended()
            player.give_up()
            note_closed(self)
        struck = {one.fault for one in self._struck}
        never = unstruck(self._faults, struck, self._tapes, self._ended)
        unreached, self._unreached, self._faults = self._unreached, [], ()
        # A call that gave up for a cut that was not reached says the same.
        return [*(unreached or late), *never]

    def _read_to_the_end(self) -> None:
        deadline = self._deadline()
        self._player.end(deadline, longest_hold=deadline.at)
        inbox = self._player.inbox

        def discard() -> bool:
            inbox.clear()
            return self._is_held_for_ever()

        what = "the other end's end"
        self._player.receive(discard, lambda _: _UNLIMITED, deadline, what)

    def _is_held_for_ever(self) -> bool:
        return any(map(self._player.holds_for_ever, (Direction.UP, Direction.DOWN)))

    def _how_it_ended(self) -> str:
        if self._player.peer_reset:
            return "reset by server"
        return "reset by client" if self._player.aborted else "closed by client"

    # Small things.

    def _receive(
        self,
        is_met: Callable[[], bool],
        limit: Callable[[bytes], int],
        what: str,
        deadline: Deadline | None = None,
    ) -> None:
        if not is_met():
            self._require_open()
        self._player.receive(is_met, limit, deadline or self._deadline(), what)

    def _take(self, count: int) -> bytes:
        inbox = self._player.inbox
        data = bytes(inbox[:count])
        del inbox[:count]
        return data

    def _require_open(self) -> None:
        if self._ended:
            raise MisuseError(f"{self!r} was {self._ended.split()[0]}: dial again")

    def _deadline(self, seconds: float | None = None) -> Deadline:
        return Deadline.after(self._patience_seconds if seconds is None else seconds)

    def _on_strike(self, fault: Fault, direction: Direction, count: int) -> None:
        unread = 0
        with contextlib.suppress(CapabilityMissing, OSError):
            unread = bytes_unread(self._player.sock) if self._player.sock is not None else 0
        struck = Struck(fault, direction, count, now() - self._started, unread)
        self._struck = (*self._struck, struck)

    def _not_reached(self, direction: Direction, unsent_bytes: int) -> str:
        fault = self._breaker.lane(direction).current
        why = (
            f"{fault} was not reached within {self._patience_seconds:g} s: the other end does "
            f"not read, and {unsent_bytes} bytes before the cut are not on the wire"
        )
        self._unreached.append(UnmetExpectation(why))
        return why
