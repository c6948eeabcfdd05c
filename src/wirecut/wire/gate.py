"""A gate in front of a listener: decide about every connection attempt, one by one.

The listener's filter drops every SYN that does not carry a mark, and a raw socket sees them
all.  For each, the gate's owner chooses:

==============================  =========================================================
:meth:`SynGate.let_pass`        the SYN is sent again, with the mark: the client is served
:meth:`SynGate.reset`           ``connect()`` fails with ECONNRESET
:meth:`SynGate.refuse`          ``connect()`` fails with ECONNREFUSED
:meth:`SynGate.unreachable`     ``connect()`` fails as :class:`~wirecut.wire.segments.
                                Unreachable` says
:meth:`SynGate.drop`            no answer: ``connect()`` goes on trying, and times out
==============================  =========================================================

Deciding later is a delay.  A client repeats its SYN after one second and then less and less
often (RFC 6298 section 2); a repetition is no new attempt and meets the same decision.

**Why a reset needs two segments.**  A client in SYN-SENT takes a RST as ECONNREFUSED.  A SYN
without ACK moves it to SYN-RECEIVED, as if both had dialled at the same time (RFC 9293
section 3.5), and from there a RST is ECONNRESET.

**Why unreachable comes later.**  While the client's kernel is still inside ``connect()`` it
only notes an ICMP error and goes on.  The error is therefore a value with a time for the
owner to send it at, thrice: a client that believed the first has no attempt any more that
the others could be about.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeAlias

from wirecut.errors import MisuseError
from wirecut.validation import check_count
from wirecut.wire.filters import (
    MARK,
    attach_filter,
    cut_connections_from,
    detach_filter,
    only_port,
)
from wirecut.wire.kernel import require
from wirecut.wire.packets import RawSocket, open_raw
from wirecut.wire.segments import (
    Flags,
    Segment,
    Unreachable,
    UnreachableError,
    sequence_after,
)

__all__ = ["Attempt", "Postponed", "SynGate"]

_UNREACHABLE_AFTER_SECONDS: Final = (0.0003, 0.003, 0.02)
_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 - to recognise them
_REMEMBERED_DECISIONS: Final = 4096
_MOST_CUTS: Final = 1024  # each takes three of a filter's 4,096 instructions

_Key: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ``connect()`` of one client, however often its SYN is repeated.

    Attributes:
        syn: Its first segment.
    """

    syn: Segment

    @property
    def client(self) -> tuple[str, int]:
        """The client's host and port: after it is let pass, its ``accept()`` says the same."""
        return self.syn.source, self.syn.source_port

    @property
    def key(self) -> _Key:
        """What tells it from every other: the client's address, port, and first number."""
        return self.syn.source, self.syn.source_port, self.syn.sequence


@dataclass(frozen=True, slots=True)
class Postponed:
    """Something for :meth:`SynGate.send` to send later.

    Attributes:
        seconds: How long after the decision.
        packet: What.
    """

    seconds: float
    packet: UnreachableError


class SynGate:
    """The gate in front of one listening TCP socket, IPv4 or IPv6; a context manager.

    Watch :meth:`fileno`; when it is readable, decide about each of :meth:`attempts`.  The
    listening socket stays the caller's.  One thread at a time; nothing blocks or waits.
    """

    __slots__ = ("_cuts", "_decisions", "_listener", "_losses", "_raw", "_undecided")

    def __init__(
        self,
        listener: socket.socket,
        address: tuple[str, int],
        *,
        allow_remote: bool = False,
    ) -> None:
        """Close the gate: from now on nobody gets in undecided.

        Args:
            listener: The listening socket.
            address: Its host, a literal, and its port.
            allow_remote: Whether it serves other machines too.

        Raises:
            CapabilityMissing: "raw packets" or "packet filter".
            OSError: Out of descriptors.
        """
        require("packet filter")
        require("raw packets")
        host, port = address
        family = listener.family
        self._listener = listener
        self._undecided: set[_Key] = set()
        self._decisions: dict[_Key, tuple[Segment | UnreachableError, ...]] = {}
        self._cuts: dict[int, int] = {}
        self._losses: dict[int, int] = {}
        self._raw: RawSocket = open_raw(
            family,
            only_port(family, port, new_attempts=True),
            host=None if host in _WILDCARDS else host,
            allow_remote=allow_remote,
        )
        try:
            self._filter()
        except BaseException:
            self._raw.close()
            raise

    @property
    def socket(self) -> socket.socket:
        """The socket to watch."""
        return self._raw.socket

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        return self._raw.descriptors

    def fileno(self) -> int:
        """The descriptor to watch; readable when there may be attempts.  -1 when closed."""
        return self._raw.fileno()

    def attempts(self) -> Iterator[Attempt]:
        """The new attempts that have come in; repetitions are dealt with here."""
        while self.fileno() >= 0 and (syn := self._raw.receive()) is not None:
            attempt = Attempt(syn)
            if attempt.key in self._undecided:
                continue
            if (decision := self._decisions.get(attempt.key)) is not None:
                self._put(decision)
                continue
            self._undecided.add(attempt.key)
            yield attempt

    def let_pass(
        self, attempt: Attempt, *, up_bytes: int | None = None, loses: bool = False
    ) -> None:
        """Let the client in; it is served as if there were no gate.

        Args:
            attempt: Whose.
            up_bytes: If given, a partition from the connection's first moment: the
                client's bytes from this one on do not arrive, nor its FIN or RST.  Take the
                connection over with :meth:`accepted`.
            loses: With ``up_bytes``: no partition, but all segments that hold that byte or
                later ones are lost, as :func:`~wirecut.wire.filters.drop_segments_past` has
                it.
        """
        if up_bytes is not None:
            check_count("up_bytes", up_bytes)
            if len(self._cuts) + len(self._losses) >= _MOST_CUTS:
                raise MisuseError(
                    f"at most {_MOST_CUTS} attempts with up_bytes can be on their way"
                )
            first = sequence_after(attempt.syn.sequence, 1)
            numbers = self._losses if loses else self._cuts
            numbers[attempt.syn.source_port] = sequence_after(first, up_bytes)
            self._filter()
        self._decide(attempt, attempt.syn.marked(MARK))

    def accepted(self, client: tuple[str, int]) -> None:
        """Forget the cut of a connection that was let pass and has been accepted.

        The connection has inherited it and keeps it, until its filter is detached
        (:meth:`Partition.heal <wirecut.wire.partition.Partition.heal>`).
        """
        known = [one.pop(client[1], None) for one in (self._cuts, self._losses)]
        if any(number is not None for number in known):
            self._filter()

    def reset(self, attempt: Attempt) -> None:
        """Make the client's ``connect()`` fail with ECONNRESET."""
        syn = self._answer(attempt, Flags.SYN, sequence=0, window=0xFFFF)
        rst = self._answer(attempt, Flags.RST | Flags.ACK, sequence=1)
        self._decide(attempt, syn, rst)

    def refuse(self, attempt: Attempt) -> None:
        """Make the client's ``connect()`` fail with ECONNREFUSED."""
        self._decide(attempt, self._answer(attempt, Flags.RST | Flags.ACK, sequence=0))

    def unreachable(self, attempt: Attempt, why: Unreachable) -> tuple[Postponed, ...]:
        """Make the client's ``connect()`` fail as ``why`` says, once these are sent.

        Returns:
            What to give to :meth:`send`, and when; nothing is sent now.
        """
        error = UnreachableError(attempt.syn, why)
        self._remember(attempt, (error,))
        return tuple(Postponed(seconds, error) for seconds in _UNREACHABLE_AFTER_SECONDS)

    def drop(self, attempt: Attempt) -> None:
        """Leave the client without an answer, now and whenever it repeats its SYN."""
        self._decide(attempt)

    def send(self, postponed: Postponed) -> None:
        """Send what was postponed; nothing happens if the gate was closed meanwhile."""
        self._put((postponed.packet,))

    def close(self) -> None:
        """Take the gate away; twice is fine.

        New clients get in.  Those that nothing was decided about get in when they repeat
        their SYN, after a second.  Connections that were let pass keep what they inherited.
        """
        if self.fileno() >= 0:
            detach_filter(self._listener)
            self._raw.close()

    def forked(self) -> None:
        """Close the descriptors in a forked child; the gate stays the parent's."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _filter(self) -> None:
        attach_filter(self._listener, cut_connections_from(self._cuts, self._losses))

    def _answer(
        self, attempt: Attempt, flags: Flags, *, sequence: int, window: int = 0
    ) -> Segment:
        syn = attempt.syn
        acknowledges = bool(flags & Flags.ACK)
        return Segment(
            source=syn.destination,
            source_port=syn.destination_port,
            destination=syn.source,
            destination_port=syn.source_port,
            sequence=sequence,
            acknowledgement=syn.end if acknowledges else 0,
            flags=flags,
            window=window,
        )

    def _decide(self, attempt: Attempt, *packets: Segment) -> None:
        self._remember(attempt, packets)
        self._put(packets)

    def _remember(
        self, attempt: Attempt, packets: tuple[Segment | UnreachableError, ...]
    ) -> None:
        self._undecided.discard(attempt.key)
        self._decisions[attempt.key] = packets
        if len(self._decisions) > _REMEMBERED_DECISIONS:
            del self._decisions[next(iter(self._decisions))]

    def _put(self, packets: tuple[Segment | UnreachableError, ...]) -> None:
        if self.fileno() < 0:
            return
        # A client that has given up meanwhile is no error: there is nobody to tell.
        with contextlib.suppress(BlockingIOError):
            self._raw.send(*packets)
