"""The blocking interpreter: each action by itself, handed out by a plan that is a list."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.support import PATIENCE, connected_pair, patient, running
from wirecut.deadline import Deadline
from wirecut.errors import ConnectionStruck, DeadlineExceeded, InternalError, PeerReset
from wirecut.wire import End, Observation, abort, bytes_unread, observe, receive_exactly
from wirecut.wire.action import (
    Abort,
    Action,
    After,
    Again,
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
from wirecut.wire.player import Player

NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
UP, DOWN = Direction.UP, Direction.DOWN


@dataclass
class Planned:
    """A plan that strikes before the first byte, and then lets everything pass."""

    strike: list[Action] = field(default_factory=list)
    shown: list[bytes] = field(default_factory=list)
    started: bool = False

    @property
    def in_strike(self) -> bool:
        return self.started and bool(self.strike)

    def next(
        self, waiting: bytes | bytearray | memoryview, *, end: bool, held: bool = False
    ) -> Action | None:
        self.shown.append(bytes(waiting))
        if self.strike and (waiting or end or self.started):
            self.started = True
            return self.strike.pop(0)
        if held or not (waiting or end):
            return None
        if waiting:
            return Pass(len(waiting))
        end_passed, self.end_passed = getattr(self, "end_passed", False), True
        return None if end_passed else PassEnd()

    def interrupt(self) -> None:
        self.strike.clear()


class Played:
    """A player, its other end, and what it reported."""

    def __init__(
        self, up: Sequence[Action], down: Sequence[Action], patience: float, buffer: int | None
    ) -> None:
        self._pair = connected_pair(peer_buffer=buffer)
        ours, self.peer = self._pair.__enter__()
        ours.setblocking(False)
        self.up, self.down = Planned([*up]), Planned([*down])
        self.noted: list[tuple[Direction, bytes]] = []
        self.unreached: list[tuple[Direction, int]] = []
        self.player = Player(
            ours,
            up=self.up,
            down=self.down,
            outbound=UP,
            patience_seconds=patience,
            note=lambda direction, data: self.noted.append((direction, data)),
            not_reached=self._not_reached,
        )

    def _not_reached(self, direction: Direction, unsent: int) -> str:
        self.unreached.append((direction, unsent))
        return "not reached"

    def read(self, count: int, seconds: float = PATIENCE) -> bytes:
        """Exactly so many bytes from the inbox, or what there is at the end."""
        inbox = self.player.inbox
        self.player.receive(
            lambda: len(inbox) >= count,
            lambda _: count - len(inbox),
            Deadline.after(seconds),
            "bytes",
        )
        data = bytes(inbox[:count])
        del inbox[:count]
        return data

    def end(self) -> None:
        self.player.give_up()
        self._pair.__exit__(None, None, None)


@contextmanager
def playing(
    up: Sequence[Action] = (),
    down: Sequence[Action] = (),
    *,
    patience: float = PATIENCE,
    buffer: int | None = None,
) -> Iterator[Played]:
    played = Played(up, down, patience, buffer)
    try:
        yield played
    finally:
        played.end()


def test_without_a_strike_everything_passes_both_ways() -> None:
    with playing() as it:
        it.player.send(b"up", patient())
        assert receive_exactly(it.peer, 2, patient()) == b"up"
        it.peer.sendall(b"down")
        assert it.read(4) == b"down"
        it.player.end(patient())
        assert observe(it.peer, patient()) == Observation(b"", End.EOF)
        assert it.noted == [(UP, b"up"), (DOWN, b"down")]


def test_bytes_are_changed_on_their_way_out_and_in() -> None:
    with playing([Transform(2, b"XYZ")], [Transform(1, b""), Transform(0, b"++")]) as it:
        it.player.send(b"abcd", patient())
        assert receive_exactly(it.peer, 5, patient()) == b"XYZcd"
        it.peer.sendall(b"1234")
        assert it.read(5) == b"++234"
        assert it.noted == [(UP, b"XYZ"), (UP, b"cd"), (DOWN, b"1"), (DOWN, b"234")]


def test_a_strike_is_shown_again_what_it_has_counted_on() -> None:
    # The inbox has grown by the inserted bytes, so less is wanted than when it began.
    with playing(down=[Transform(0, b"++"), Pass(3)]) as it:
        it.peer.sendall(b"12345")
        assert it.read(3) == b"++1"
        assert it.down.shown[:2] == [b"123", b"123"]
        assert it.read(2) == b"23"


def test_an_abort_in_a_send_lets_what_came_before_arrive() -> None:
    with playing([Pass(3), WaitUntilSent(), Abort()]) as it:
        it.player.send(b"abcdef", patient())
        assert it.player.struck
        assert it.player.aborted
        assert observe(it.peer, patient()) == Observation(b"abc", End.RESET)
        for call in (it.player.send, lambda _, deadline: it.player.end(deadline)):
            with pytest.raises(ConnectionStruck):
                call(b"x", patient())
        with pytest.raises(ConnectionStruck):
            it.read(1)


def test_an_abort_in_a_read_leaves_the_rest_in_the_kernel() -> None:
    with playing(down=[Pass(3), WaitUntilSent(), Abort()]) as it:
        it.peer.sendall(b"abcdef")
        with pytest.raises(ConnectionStruck):
            it.read(6)
        assert it.player.inbox == b"abc"
        assert it.noted == [(DOWN, b"abc")]
        assert observe(it.peer, patient()) == Observation(b"", End.RESET)


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_an_orderly_close_reads_to_the_end_when_it_is_finished(direction: Direction) -> None:
    actions: list[Action] = [Hold(Direction.BOTH), ShutDownWriting(), Drain(), Close()]
    with playing(actions if direction is UP else [], [] if direction is UP else actions) as it:
        it.peer.sendall(b"unread")
        if direction is UP:
            it.player.send(b"never sent", patient())
        else:
            with pytest.raises(ConnectionStruck):
                it.read(1)
        assert it.player.struck
        assert observe(it.peer, patient()) == Observation(b"", End.EOF)
        it.peer.sendall(b"more")
        it.peer.shutdown(socket.SHUT_WR)
        it.player.finish()
        assert it.player.sock is None
        assert not it.player.aborted
        assert it.peer.recv(1) == b""


def test_an_orderly_close_is_over_with_the_patience() -> None:
    actions: list[Action] = [ShutDownWriting(), Drain(), Close()]
    with playing(actions, patience=0.01) as it:
        it.player.send(b"x", patient())
        it.player.finish()
        assert it.player.sock is None


def test_a_half_close_ends_only_our_direction() -> None:
    with playing([Pass(1), ShutDownWriting()]) as it:
        it.player.send(b"abc", patient())
        assert it.player.fin
        assert not it.player.struck
        assert observe(it.peer, patient()) == Observation(b"a", End.EOF)
        it.peer.sendall(b"on")
        assert it.read(2) == b"on"
        with pytest.raises(ConnectionStruck, match="our direction"):
            it.player.send(b"x", patient())
        it.player.end(patient())


def test_a_pause_is_not_shortened() -> None:
    with playing([Pass(1), After(0.02), Pass(1)]) as it:
        not_before = Deadline.after(0.02)
        it.player.send(b"ab", patient())
        assert not_before.expired


def test_a_pause_that_a_deadline_cut_off_is_waited_for_by_the_next_call() -> None:
    with playing([Pass(1), After(0.03)]) as it:
        not_before = Deadline.after(0.03)
        with pytest.raises(DeadlineExceeded, match="a pause between two pieces"):
            it.player.send(b"ab", Deadline.after(0.001))
        assert receive_exactly(it.peer, 1, patient()) == b"a"
        assert not bytes_unread(it.peer)
        it.player.send(b"c", patient())
        assert not_before.expired
        assert receive_exactly(it.peer, 2, patient()) == b"bc"


def test_a_hold_binds_its_own_direction_only() -> None:
    with playing([Hold(UP)]) as it:
        with pytest.raises(DeadlineExceeded, match="the end of a stall"):
            it.player.send(b"abc", Deadline.after(0.01))
        assert it.player.holds_for_ever(UP)
        assert not it.player.holds_for_ever(DOWN)
        it.peer.sendall(b"free")
        assert it.read(4) == b"free"
        assert it.noted == [(DOWN, b"free")]


def test_a_short_hold_does_not_end_a_long_one() -> None:
    with playing([Hold(UP), Hold(UP, 0.0)]) as it:
        with pytest.raises(DeadlineExceeded):
            it.player.send(b"abc", Deadline.after(0.01))
        assert it.player.holds_for_ever(UP)


def test_a_held_input_is_not_even_looked_at() -> None:
    with playing([Hold(DOWN)]) as it:
        it.peer.sendall(b"abc")
        it.player.send(b"x", patient())
        with pytest.raises(DeadlineExceeded, match="gave up waiting for bytes"):
            it.read(1, seconds=0.01)
        assert set(it.down.shown) == {b""}


def test_a_cut_that_cannot_be_reached_is_told_and_never_early() -> None:
    actions: list[Action] = [Pass(70000), WaitUntilSent(), Abort()]
    with playing(actions, patience=0.01, buffer=4096) as it:
        too_late = patient()
        for _ in range(2):  # nothing passes or strikes any more, however often it is tried
            with pytest.raises(DeadlineExceeded, match="not reached"):
                it.player.send(bytes(70001), Deadline.after(2 * PATIENCE))
        assert not too_late.expired
        assert len(it.unreached) == 1
        direction, unsent = it.unreached[0]
        assert direction is UP
        assert 0 < unsent < 70000
        assert observe(it.peer, Deadline.after(0)).end is End.OPEN


def test_a_cut_is_reached_when_the_other_end_reads() -> None:
    actions: list[Action] = [Pass(70000), WaitUntilSent(bounded=False), Abort()]
    with playing(actions, patience=0.0, buffer=4096) as it:
        with pytest.raises(DeadlineExceeded, match="the last byte"):
            it.player.send(bytes(70001), Deadline.after(0.01))
        assert it.unreached == []
        seen = 0
        while not it.player.struck:
            seen += len(it.peer.recv(1 << 16))
            try:
                it.player.act(UP, Deadline.after(0.001))
            except DeadlineExceeded:
                continue
        rest = observe(it.peer, patient())
        assert (seen + len(rest.data), rest.end) == (70000, End.RESET)


def test_waiting_for_the_last_byte_leaves_the_socket_as_it_was() -> None:
    with playing([Pass(70000), WaitUntilSent(bounded=False)], buffer=4096) as it:
        assert it.player.sock is not None
        before = it.player.sock.getsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT)
        with pytest.raises(DeadlineExceeded, match="the last byte"):
            it.player.send(bytes(70000), Deadline.after(0.01))
        assert it.player.sock.getsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT) == before


def test_an_orderly_close_takes_all_that_still_comes() -> None:
    outcome: list[object] = []

    def speak(_stop: threading.Event) -> None:
        try:
            it.peer.sendall(bytes(1 << 23))
            it.peer.shutdown(socket.SHUT_WR)
        except OSError as error:
            outcome.append(error)
        else:
            outcome.append("all was taken")

    with playing([ShutDownWriting(), Drain(), Close()]) as it:
        it.player.send(b"x", patient())
        with running(speak):
            it.player.finish()
    assert outcome == ["all was taken"]


def test_who_waits_for_the_last_byte_learns_of_a_reset() -> None:
    with playing([Pass(70000), After(0.01), WaitUntilSent(), Abort()], buffer=4096) as it:
        with pytest.raises(DeadlineExceeded):
            it.player.send(bytes(70001), Deadline.after(0.0))
        abort(it.peer)
        with pytest.raises(PeerReset):
            it.player.send(b"", patient())
        assert it.player.peer_reset
        assert it.unreached == []


def test_an_interrupted_strike_waits_for_nothing() -> None:
    with playing([Pass(1), After(60 * PATIENCE), Abort()]) as it:
        with pytest.raises(DeadlineExceeded):
            it.player.send(b"ab", Deadline.after(0.0))
        it.player.interrupt()
        it.player.send(b"c", patient())
        assert receive_exactly(it.peer, 3, patient()) == b"abc"


def test_what_is_due_without_a_byte_is_done_without_waiting_for_a_hold() -> None:
    with playing([Hold(UP)]) as it:
        with pytest.raises(DeadlineExceeded):
            it.player.send(b"abc", Deadline.after(0.0))
        it.player.act(UP, patient())
        it.up.strike.append(Transform(0, b"now"))
        it.player.act(UP, patient())
        assert receive_exactly(it.peer, 3, patient()) == b"now"


def test_giving_up_resets_if_something_is_unsent() -> None:
    with playing(buffer=4096) as it:
        with pytest.raises(DeadlineExceeded, match="are left"):
            it.player.send(bytes(1 << 23), Deadline.after(0.01))
        it.player.give_up()
        assert observe(it.peer, patient()).end is End.RESET


def test_giving_up_is_an_end_if_nothing_is() -> None:
    with playing() as it:
        it.player.send(b"abc", patient())
        it.player.give_up()
        assert observe(it.peer, patient()) == Observation(b"abc", End.EOF)


def test_an_action_that_is_none_is_a_bug_of_ours() -> None:
    with playing([Again()]) as it, pytest.raises(InternalError, match="cannot execute Again"):
        it.player.send(b"x", patient())
