"""The client side: what a line says and hears, what it refuses, and how it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import PATIENCE, patient, running
from wirecut import (
    ConnectionStruck,
    Deadline,
    DeadlineExceeded,
    End,
    Line,
    MisuseError,
    Observation,
    Peer,
    PeerClosed,
    PeerReset,
    Reset,
    UnmetExpectation,
    at,
    dial,
    observe,
    serve_tcp,
)
from wirecut.wire import abort, available, bytes_unread, receive_exactly, wait_until_readable

SOON = 0.02
"""Seconds until a call gives up that has nothing to hope for."""


@contextmanager
def listening(buffer_bytes: int | None = None) -> Iterator[socket.socket]:
    """A plain listener; the tests accept from it themselves."""
    with socket.socket() as listener:
        if buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@contextmanager
def pair(*faults: str, patience: float = PATIENCE) -> Iterator[tuple[Line, socket.socket]]:
    """A line and the plain socket at its other end; the test closes the line."""
    with listening() as listener:
        line = dial(listener.getsockname(), faults=faults, patience_seconds=patience)
        with listener.accept()[0] as peer:
            yield line, peer


# Where to.


def test_a_line_goes_to_a_server_or_to_its_address(loopback_host: str) -> None:
    with serve_tcp(b"Received", host=loopback_host) as server:
        for address in (server, server.address):
            with dial(address) as line:
                assert line.address == server.address
                line.send(b"Hello")
                assert line.recv_exactly(8) == b"Received"
                assert line.recv() == b""
        assert [one.received for one in server.connections] == [b"Hello", b"Hello"]


@pytest.mark.skipif(not available("unix sockets"), reason="platform: no AF_UNIX")
def test_a_line_goes_to_a_path(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serve_tcp(b"Received", path=path) as server:
        for address in (server, path, str(path)):
            with dial(address, faults="dribble/up:0") as line:
                line.send(b"Hello")
                assert line.recv_until(b"ved") == b"Received"
        with pytest.raises(MisuseError, match="reset is TCP's; use a TCP address"):
            dial(path, faults="reset/up:0")
        with dial(path) as line, pytest.raises(MisuseError, match="reset is TCP's"):
            line.strike("reset/up:0")


def test_a_refused_line_is_the_connection_error_that_it_is() -> None:
    with (
        serve_tcp(faults="refuse/connect") as server,
        pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1"),
    ):
        dial(server)


def test_an_address_that_does_not_answer_is_given_up_by_the_patience() -> None:
    with (
        serve_tcp(faults="blackhole/connect") as server,
        pytest.raises(DeadlineExceeded, match="an answer from"),
    ):
        dial(server, patience_seconds=SOON)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (("192.0.2.1", 80), "must be a loopback address, got '192.0.2.1': allow_remote=True"),
        (("2001:db8::1", 80), "must be a loopback address, got '2001:db8::1'"),
        (("localhost", 80), "such as 127.0.0.1 or ::1, got 'localhost'"),
        (("127.0.0.1", 0), "port must be >= 1, got 0"),
        (("127.0.0.1", 65536), "port must be <= 65535, got 65536"),
        (("127.0.0.1",), r"address must be \(host, port\) or a path, got \('127.0.0.1',\)"),
        (80, "a path, or a server with an address, got 80"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(address: object, message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        dial(address)  # type: ignore[arg-type] # on purpose


def test_a_name_is_allowed_on_request() -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
        try:
            line = dial(("localhost", port), allow_remote=True)
        except ConnectionRefusedError:
            pytest.skip("platform: localhost is not 127.0.0.1 first here")
        with line, listener.accept()[0] as peer:
            line.send(b"x")
            assert peer.recv(1) == b"x"
            peer.close()


# Which faults.


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("refuse/connect", "refuse/connect happens to a server's address"),
        ("reset/accept", "let reset strike at up:0 or later"),
        ("reset/up:3/first:2", "reset/up:3/first:2 selects among connections"),
        ("reset/up:3/nth:1", "leave out nth:1"),
        (["reset/up:3", "drop/up:5"], "drop/up:5 can never strike: reset/up:3 comes first"),
        (["half_close/up:3", "drop/up:5"], "drop/up:5 can never strike: half_close/up:3"),
    ],
)
def test_a_fault_that_means_nothing_on_a_line_is_refused(
    faults: list[str], message: str
) -> None:
    with listening() as listener, pytest.raises(MisuseError, match=message):
        dial(listener.getsockname(), faults=faults)


def test_what_a_half_close_of_ours_leaves_alive_is_allowed() -> None:
    with pair("half_close/up:1", "drop/down:1") as (line, peer):
        peer.sendall(b"abc")
        peer.shutdown(socket.SHUT_WR)
        line.send(b"xy")
        assert line.recv_exactly(2) == b"ac"
        line.close()


# Reading.


def test_no_more_is_read_than_was_asked_for() -> None:
    with pair() as (line, peer):
        peer.sendall(b"one\ntwo\nthree")
        assert line.recv_until(b"\n") == b"one\n"
        assert line.received == b"one\n"
        assert line.recv_exactly(4) == b"two\n"
        assert line.received_count == 8
        assert line.recv(2) == b"th"
        assert line.received_count == 10
        peer.close()
        line.close()


@pytest.mark.parametrize("split", range(1, 6))
def test_a_terminator_is_found_wherever_it_is_split(split: int) -> None:
    with pair(patience=SOON) as (line, peer):
        data = b"a\r\r\n\r\nbc"
        peer.sendall(data[:split])
        with pytest.raises(DeadlineExceeded, match=r"waiting for b'\\r\\n\\r\\n'"):
            line.recv_until(b"\r\n\r\n")
        peer.sendall(data[split:])
        assert line.recv_until(b"\r\n\r\n") == b"a\r\r\n\r\n"
        assert line.received == b"a\r\r\n\r\n"
        assert line.recv() == b"bc"
        peer.close()
        line.close()


def test_an_end_before_what_is_waited_for_says_so() -> None:
    with pair() as (line, peer):
        peer.sendall(b"abc")
        peer.close()
        with pytest.raises(PeerClosed, match="2 bytes before 5"):
            line.recv_exactly(5)
        with pytest.raises(PeerClosed, match=r"before b'\\n'"):
            line.recv_until(b"\n")
        assert line.recv() == b"abc"
        assert line.recv() == b""
        line.close()


def test_a_call_that_waits_in_vain_loses_nothing() -> None:
    with pair(patience=SOON) as (line, peer):
        peer.sendall(b"abc")
        with pytest.raises(DeadlineExceeded, match="gave up waiting for 5 bytes"):
            line.recv_exactly(5)
        peer.sendall(b"de")
        assert line.recv_exactly(5) == b"abcde"
        peer.close()
        line.close()


def test_an_observation_has_what_was_not_taken_and_how_it_ended() -> None:
    with pair() as (line, peer):
        peer.sendall(b"abcdef")
        assert line.recv(2) == b"ab"
        assert line.observe(timeout_seconds=0) == Observation(b"cdef", End.OPEN)
        peer.sendall(b"g")
        abort(peer)
        assert line.observe() == Observation(b"g", End.RESET)
        with pytest.raises(PeerReset):
            line.recv()
        with pytest.raises(PeerReset):
            line.send(b"x")
        line.close()


def test_an_observation_tells_a_reset_behind_an_end() -> None:
    with pair() as (line, peer):
        peer.sendall(b"abc")
        peer.shutdown(socket.SHUT_WR)
        assert line.recv_exactly(3) == b"abc"
        abort(peer)
        assert line.observe() == Observation(b"", End.FIN_THEN_RESET)
        line.close()


def test_what_had_come_before_a_reset_is_read_after_a_write_has_met_it() -> None:
    with pair() as (line, peer):
        peer.sendall(b"early answer")
        wait_until_readable(line._player._socket, patient())
        abort(peer)
        with pytest.raises(PeerReset):
            line.send(b"x")
        assert line.recv() == b"early answer"
        with pytest.raises(PeerReset):  # and not an end, as the bare socket has it
            line.recv()
        line.close()


# Striking.


def test_a_cut_in_what_we_read_leaves_the_rest_unread() -> None:
    with pair("reset/down:5") as (line, peer):
        peer.sendall(b"0123456789")
        assert line.recv() == b"01234"
        assert [(one.count, one.unread_bytes) for one in line.struck] == [(5, 5)]
        with pytest.raises(ConnectionStruck):
            line.recv()
        with pytest.raises(ConnectionStruck):
            line.send(b"x")
        with pytest.raises(ConnectionStruck):
            line.end()
        with pytest.raises(ConnectionStruck):
            line.observe()
        with pytest.raises(ConnectionStruck):
            line.strike("drop/up:0")
        assert line.closed
        assert observe(peer, patient()) == Observation(b"", End.RESET)
        line.close()


def test_a_cut_in_what_we_read_waits_until_we_read_as_far() -> None:
    with pair("reset/down:5") as (line, peer):
        peer.sendall(b"0123456789")
        assert line.recv_exactly(4) == b"0123"
        assert line.struck == ()
        line.send(b"still here")
        assert receive_exactly(peer, 10, patient()) == b"still here"
        assert line.recv_exactly(1) == b"4"
        assert observe(peer, patient()) == Observation(b"", End.RESET)
        line.close()


def test_what_was_read_before_a_strike_is_still_delivered() -> None:
    with pair("reset/down:5") as (line, peer):
        peer.sendall(b"0123456789")
        with pytest.raises(ConnectionStruck):
            line.recv_exactly(6)
        assert line.recv() == b"01234"
        line.close()


def test_a_cut_at_the_end_strikes_when_we_close() -> None:
    with pair("reset/up.end") as (line, peer):
        line.send(b"abc")
        assert line.struck == ()
        line.close()
        assert observe(peer, patient()) == Observation(b"abc", End.RESET)


def test_a_strike_now_comes_after_what_was_sent() -> None:
    with pair() as (line, peer):
        line.send(b"abc")
        line.strike("garbage:4/up:0")
        line.send(b"def")
        line.strike(Reset(at=at.up(99)))
        seen = observe(peer, patient())
        assert (seen.data[:3], len(seen.data), seen.data[7:]) == (b"abc", 10, b"def")
        assert seen.end is End.RESET
        assert [one.count for one in line.struck] == [3, 10]
        line.close()


def test_a_strike_now_ends_even_a_stalled_line() -> None:
    with pair("stall/up:1", patience=SOON) as (line, peer):
        with pytest.raises(DeadlineExceeded, match="the end of a stall"):
            line.send(b"abc")
        line.strike("reset/up:0")
        assert observe(peer, patient()) == Observation(b"a", End.RESET)
        line.close()


def test_a_strike_now_ends_what_another_one_waits_for() -> None:
    with pair("dribble:1:600/up:0", patience=SOON) as (line, peer):
        with pytest.raises(DeadlineExceeded, match="a pause"):
            line.send(b"abc")
        line.strike("reset/up:0")
        assert observe(peer, patient()) == Observation(b"a", End.RESET)
        line.close()


def test_a_strike_after_our_end_is_one_in_what_we_read() -> None:
    with pair() as (line, peer):
        line.end()
        line.strike("garbage:4/down:0")
        assert len(line.recv_exactly(4)) == 4
        peer.close()
        line.close()


def test_a_fault_that_closes_leaves_one_thread_free_to_play_both_ends() -> None:
    with pair("close/up:3") as (line, peer):
        line.send(b"abcdef")
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)
        peer.sendall(bytes(1000))
        with pytest.raises(ConnectionStruck):
            line.recv()
        assert not line.closed
        peer.shutdown(socket.SHUT_WR)
        line.close()
        assert observe(peer, patient()) == Observation(b"", End.EOF)


def test_a_fault_that_closes_takes_all_that_still_comes() -> None:
    outcome: list[object] = []

    def speak(_stop: threading.Event) -> None:
        try:
            peer.sendall(bytes(1 << 23))
            peer.shutdown(socket.SHUT_WR)
        except OSError as error:
            outcome.append(error)
        else:
            outcome.append("all was taken")

    with pair("close/up:3") as (line, peer):
        line.send(b"abcdef")
        with running(speak):
            line.close()
    assert outcome == ["all was taken"]


def test_a_fault_that_closes_does_not_wait_for_ever() -> None:
    with pair("close/up:3", patience=SOON) as (line, peer):
        line.send(b"abcdef")
        line.close()
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)


# Waiting.


def test_a_held_direction_makes_the_call_wait() -> None:
    with pair("delay:0.02/up:3") as (line, peer):
        line.send(b"abc")
        assert line.struck == ()
        not_before = Deadline.after(0.02)
        line.send(b"d")
        assert not_before.expired
        assert receive_exactly(peer, 4, patient()) == b"abcd"
        peer.close()
        line.close()


def test_a_hold_of_both_directions_makes_the_next_read_wait() -> None:
    with pair("delay:0.02/pattern:up:abc") as (line, peer):
        peer.sendall(b"x")
        not_before = Deadline.after(0.02)
        line.send(b"abc")
        assert len(line.struck) == 1
        assert line.recv() == b"x"
        assert not_before.expired
        peer.close()
        line.close()


def test_a_direction_held_for_ever_ends_a_send_by_its_deadline() -> None:
    with pair("stall:up/up:3", patience=SOON) as (line, peer):
        with pytest.raises(DeadlineExceeded, match="the end of a stall"):
            line.send(b"abcdef")
        peer.sendall(b"down goes on")
        assert line.recv() == b"down goes on"
        line.close()
        # Given up at once and without a word: FIN is all that the kernel sends.
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)


def test_a_direction_held_for_ever_ends_a_read_by_its_deadline() -> None:
    with pair("stall:down/down:3", patience=SOON) as (line, peer):
        peer.sendall(b"abcdef")
        assert line.recv() == b"abc"
        with pytest.raises(DeadlineExceeded, match="gave up waiting for input"):
            line.recv()
        line.send(b"up goes on")
        assert receive_exactly(peer, 10, patient()) == b"up goes on"
        line.close()


def test_a_cut_that_the_other_end_does_not_let_us_reach_is_never_early() -> None:
    with listening(buffer_bytes=4096) as listener:
        line = dial(listener.getsockname(), faults="reset/up:70000", patience_seconds=SOON)
        with listener.accept()[0] as peer:
            with pytest.raises(DeadlineExceeded, match="reset/up:70000 was not reached within"):
                line.send(bytes(70001))
            assert observe(peer, Deadline.after(0)).end is End.OPEN
            with pytest.raises(
                UnmetExpectation, match=r"the other end does not read, and \d+ bytes before"
            ):
                line.close()


def test_a_send_that_nobody_reads_goes_on_in_the_next_call() -> None:
    payload = bytes(range(256)) * 4096 * 8
    with pair(patience=SOON) as (line, peer):
        with pytest.raises(DeadlineExceeded, match="bytes are left"):
            line.send(payload)
        got = bytearray()
        while len(got) < len(payload):
            got += peer.recv(1 << 20)
            if not bytes_unread(peer) and len(got) < len(payload):
                try:
                    line.send(b"")
                except DeadlineExceeded:
                    continue
        assert got == payload
        peer.close()
        line.close()


# How it ends.


def test_a_closed_line_says_so() -> None:
    with pair() as (line, peer):
        peer.close()
        line.close()
        assert line.closed
        for call in (lambda: line.send(b"x"), line.recv, line.end, line.observe):
            with pytest.raises(MisuseError, match="was closed: dial again"):
                call()
        line.close()
        line.reset()


def test_nothing_can_be_sent_after_the_end() -> None:
    with pair() as (line, peer):
        line.end()
        line.end()
        assert observe(peer, patient()).end is End.EOF
        with pytest.raises(MisuseError, match="was ended, so nothing can be sent"):
            line.send(b"x")
        peer.sendall(b"answer")
        peer.close()
        assert line.recv() == b"answer"
        line.close()


def test_only_bytes_can_be_sent() -> None:
    with pair() as (line, peer):
        with pytest.raises(MisuseError, match="data must be bytes, got 'text'"):
            line.send("text")  # type: ignore[arg-type] # on purpose
        peer.close()
        line.close()


def test_an_orderly_close_is_no_reset_though_input_is_unread() -> None:
    with pair() as (line, peer):
        peer.sendall(b"unread")
        line.send(b"abc")
        peer.shutdown(socket.SHUT_WR)
        line.close()
        assert line.received == b"unread"
        assert observe(peer, patient()) == Observation(b"abc", End.EOF)


def test_an_orderly_close_that_is_not_answered_says_so() -> None:
    with pair(patience=SOON) as (line, peer):
        with pytest.raises(DeadlineExceeded, match="the other end's end"):
            line.close()
        assert line.closed
        assert observe(peer, patient()).end is End.EOF


@pytest.mark.parametrize("fault", ["stall/up.end", "stall:up/up.end", "stall:down/down:3"])
def test_a_close_does_not_wait_for_what_is_held_for_ever(fault: str) -> None:
    with pair(fault) as (line, peer):
        too_late = patient()
        peer.sendall(b"abcdef")
        line.close()
        assert not too_late.expired
        assert [one.fault.text for one in line.struck] == [fault]


def test_a_close_waits_for_what_is_held_for_a_while() -> None:
    with pair("stall:up:0.02/up.end") as (line, peer):
        peer.shutdown(socket.SHUT_WR)
        not_before = Deadline.after(0.02)
        line.close()
        assert not_before.expired
        assert observe(peer, patient()).end is End.EOF


def test_a_cut_that_is_not_reached_by_the_close_is_told_once() -> None:
    with listening(buffer_bytes=4096) as listener:
        line = dial(listener.getsockname(), faults="reset/up.end", patience_seconds=SOON)
        with listener.accept()[0]:
            line.send(bytes(70000))
            with pytest.raises(UnmetExpectation, match=r"reset/up\.end was not reached"):
                line.close()


def test_a_reset_of_ours_waits_until_all_is_sent() -> None:
    with listening(buffer_bytes=4096) as listener:
        line = dial(listener.getsockname(), patience_seconds=SOON)
        with listener.accept()[0]:
            line.send(bytes(70000))
            with pytest.raises(DeadlineExceeded, match="the last byte"):
                line.reset()
            assert line.closed
            line.close()


def test_the_socket_is_made_for_small_segments_and_a_small_window() -> None:
    with listening() as listener:
        line = dial(listener.getsockname(), receive_buffer_bytes=5000)
        with listener.accept()[0]:
            sock = line._player._socket
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) in (5000, 10000)
        line.close()


def test_a_reset_of_ours_comes_after_what_was_sent() -> None:
    payload = bytes(1 << 16)
    with pair() as (line, peer):
        line.send(payload)
        line.reset()
        assert line.closed
        assert observe(peer, patient()) == Observation(payload, End.RESET)
        with pytest.raises(MisuseError, match="was reset: dial again"):
            line.send(b"x")
        line.close()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("reset/up:9", "the line was closed by client after 5 bytes up"),
        ("reset/down:9", "the line was closed by client after 4 bytes down"),
        (
            "drop/pattern:up:l:3",
            "the line was closed by client after 5 bytes up with 2 of 3 matches of b'l'",
        ),
        ("reset/request.end", "request 1 is not HTTP/1.1: "),
        ("reset/up:3/exchange:2", "request 1 is not HTTP/1.1: "),
    ],
)
def test_a_fault_that_never_struck_is_told_with_its_reason(fault: str, why: str) -> None:
    with serve_tcp(b"food") as server:
        line = dial(server, faults=fault)
        line.send(b"hello" if "/1.1" not in why else b"hello\r\n\r\n")
        assert line.recv_exactly(4) == b"food"
        with pytest.raises(UnmetExpectation) as caught:
            line.close()
        assert str(caught.value).startswith(f"{fault} never struck: {why}")
        line.close()  # told once


def test_several_findings_come_as_a_group() -> None:
    with (
        serve_tcp() as server,
        pytest.raises(ExceptionGroup, match="2 findings") as caught,
        dial(server, faults=["reset/up:9", "drop/down:3"]),
    ):
        pass
    assert [str(one).split()[0] for one in caught.value.exceptions] == [
        "reset/up:9",
        "drop/down:3",
    ]


def test_an_optional_fault_need_not_strike() -> None:
    with serve_tcp() as server, dial(server, faults="reset/up:9/optional"):
        pass


def test_findings_become_notes_of_an_error_that_is_there_already() -> None:
    with (
        serve_tcp() as server,
        pytest.raises(ZeroDivisionError) as caught,
        dial(server, faults="reset/up:9", patience_seconds=60),
    ):
        raise ZeroDivisionError
    (note,) = caught.value.__notes__
    assert note.startswith("<Line to ")
    why = "the line was closed by client after 0 bytes up"
    assert note.endswith(f"UnmetExpectation: reset/up:9 never struck: {why}")


def test_a_line_and_a_handler_speak_the_same_words() -> None:
    shared = {name for name in dir(Peer) if not name.startswith("_")}
    assert shared <= {name for name in dir(Line) if not name.startswith("_")}


def test_a_line_needs_no_thread() -> None:
    with pair() as (line, peer):
        before = threading.active_count()
        line.send(b"x")
        assert peer.recv(1) == b"x"
        assert threading.active_count() == before
        peer.close()
        line.close()
