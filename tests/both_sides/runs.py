"""The two real interpreters, each against an observer with a plain socket."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.both_sides.case import Case, Heard, Outcome, Side, Split, play, split
from tests.support import PATIENCE, patient
from wirecut import End, Observation, Peer, WirecutError, dial, observe, serve_tcp
from wirecut.deadline import Deadline
from wirecut.wire import receive_exactly
from wirecut.wire.action import Direction

__all__ = ["run_loop", "run_player"]

# How long a call waits that a stall holds for ever.
_STALLED_SECONDS = 0.01


def run_loop(case: Case, how: Split, expected: Outcome, *, stuck: bool) -> Outcome:
    """Our side is a handler of a server; the observer connects to it.

    Args:
        case: What is played.
        how: Each piece of the observer's is handled before the next one comes.
        expected: Only to know what to wait for.
        stuck: Whether our side will wait for something to hear until the server closes.
    """
    heard, played, release = Heard(), threading.Event(), threading.Event()

    def handler(peer: Peer) -> None:
        try:
            play(peer, case, how, heard)
        finally:
            played.set()
        if heard.finished and not case.ends:
            release.wait(PATIENCE)

    faults = case.faults_for(Direction.DOWN)
    server = serve_tcp(handler, faults=faults, patience_seconds=PATIENCE)
    try:
        assert isinstance(server.address, tuple)
        with socket.create_connection(server.address) as observer:
            observer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.wait_for_connections(1)
            was_reset = False
            for piece in split(case.hears, how.hears):
                try:
                    observer.sendall(piece)
                except ConnectionError as error:
                    # It is reported once, so not by the read to come.  EPIPE is what it is
                    # called after a FIN.
                    was_reset = isinstance(error, ConnectionResetError)
                    break
                # Reading the journal has the loop handle each piece by itself.
                assert server.connections[0].received_count <= len(case.hears)
            if case.hears:
                with contextlib.suppress(OSError):
                    observer.shutdown(socket.SHUT_WR)
            if not stuck:
                assert played.wait(PATIENCE)
            server.wait_for(lambda s: len(s.connections[0].struck) >= len(expected.strikes))
            seen = _observe(observer, expected)
            struck = [one.fault for one in server.connections[0].struck]
    finally:
        release.set()
        server.shut_down()
    return Outcome(
        seen.data,
        _end(seen, case, was_reset=was_reset),
        bytes(heard.data),
        case.written(struck, Direction.DOWN),
    )


def run_player(case: Case, how: Split, expected: Outcome, *, stalled: bool) -> Outcome:
    """Our side is a line; the observer accepts it.  All in one thread.

    Args:
        case: What is played.
        how: What the observer says is there from the beginning, and read in pieces.
        expected: Only to know what to wait for.
        stalled: Whether a call of ours will be held for ever.
    """
    heard = Heard()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        line = dial(
            listener.getsockname(),
            faults=case.faults_for(Direction.UP),
            patience_seconds=_STALLED_SECONDS if stalled else PATIENCE,
        )
        with listener.accept()[0] as observer:
            if case.hears:
                observer.sendall(case.hears)
                observer.shutdown(socket.SHUT_WR)
            side: Side = line
            play(side, case, how, heard)
            if heard.finished and case.ends:
                with contextlib.suppress(WirecutError):
                    line.end()
            seen = _observe(observer, expected)
            struck = [one.fault for one in line.struck]
        with contextlib.suppress(WirecutError, ExceptionGroup):
            line.close()
    return Outcome(
        seen.data,
        _end(seen, case, was_reset=False),
        bytes(heard.data),
        case.written(struck, Direction.UP),
    )


def _observe(observer: socket.socket, expected: Outcome) -> Observation:
    if expected.end is not End.OPEN:
        return observe(observer, patient())
    data = receive_exactly(observer, len(expected.data), patient())
    rest = observe(observer, Deadline.after(0))
    return Observation(data + rest.data, rest.end)


def _end(seen: Observation, case: Case, *, was_reset: bool) -> End:
    if was_reset:
        return End.RESET
    # After the observer's own FIN a RST behind ours leaves no trace; before it, it does.
    if case.hears and seen.end is End.FIN_THEN_RESET:
        return End.EOF
    return seen.end
