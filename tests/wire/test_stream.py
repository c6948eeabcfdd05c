"""Sending and receiving: exact counts, one deadline per call, and who ended it."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import FAMILIES, connected_pair, patient, running
from wirecut.deadline import Deadline
from wirecut.errors import (
    DeadlineExceeded,
    MisuseError,
    PeerClosed,
    PeerReset,
    UnmetExpectation,
)
from wirecut.wire import (
    abort,
    bytes_unread,
    drain,
    receive_exactly,
    receive_until,
    receive_up_to,
    send_exactly,
    stream,
    wait_for_hangup,
    wait_until_readable,
    wait_until_writable,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12

every_family = pytest.mark.parametrize("family", FAMILIES)
every_mode = pytest.mark.parametrize(
    "timeout",
    [
        pytest.param(None, id="blocking"),
        pytest.param(0.0, id="non-blocking"),
        pytest.param(60.0, id="timeout"),
    ],
)


@every_family
@every_mode
def test_more_than_the_kernel_holds_arrives_whole(
    family: socket.AddressFamily, timeout: float | None
) -> None:
    payload = bytes(range(256)) * (1 << 14)
    with connected_pair(family) as (ours, peer):
        ours.settimeout(timeout)
        with running(lambda _: send_exactly(ours, payload, patient())):
            assert receive_exactly(peer, len(payload), patient()) == payload
        assert ours.gettimeout() == timeout


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_can_be_sent(kind: type[bytes]) -> None:
    with connected_pair() as (ours, peer):
        send_exactly(ours, kind(b"abc"), patient())
        send_exactly(ours, b"", patient())
        assert receive_exactly(peer, 3, patient()) == b"abc"


@every_mode
def test_sending_to_a_peer_that_does_not_read_ends_at_the_deadline(
    timeout: float | None,
) -> None:
    with connected_pair(peer_buffer=4096) as (ours, _peer):
        ours.settimeout(timeout)
        with pytest.raises(DeadlineExceeded, match=r"room to send \(\d+ of 16777216 bytes"):
            send_exactly(ours, bytes(1 << 24), Deadline.after(0.05))


def test_sending_to_a_peer_that_reset_says_so() -> None:
    with connected_pair() as (ours, peer):
        abort(peer)
        with pytest.raises(PeerReset, match=r"reset the connection \(0 of 1 bytes sent\)"):
            send_exactly(ours, b"x", patient())
        # The first error is ECONNRESET; after it was met, EPIPE says the same.
        with pytest.raises(PeerReset):
            send_exactly(ours, b"x", patient())


# Python ignores SIGPIPE; a command that has restored it, to end quietly in a pipeline, must
# not be killed by a peer that resets.
SIGPIPE_KILLS = """
import signal, socket
from wirecut.deadline import Deadline
from wirecut.errors import PeerReset
from wirecut.wire import send_exactly
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ours, peer = socket.socketpair()
peer.close()
try:
    send_exactly(ours, b"x", Deadline.after(10))
except PeerReset:
    ours.close()
    raise SystemExit(17)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")
def test_sending_to_a_peer_that_has_gone_does_not_raise_a_signal() -> None:
    done = subprocess.run([sys.executable, "-c", SIGPIPE_KILLS], check=False, timeout=60)
    assert done.returncode == 17


@every_family
def test_one_read_gives_what_has_arrived_and_no_more_than_asked(
    family: socket.AddressFamily,
) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(b"abcde")
        assert receive_up_to(ours, 3, patient()) == b"abc"
        assert receive_up_to(ours, 3, patient()) == b"de"
        peer.shutdown(socket.SHUT_WR)
        assert receive_up_to(ours, 3, patient()) == b""


@every_mode
def test_a_read_of_silence_ends_at_the_deadline(timeout: float | None) -> None:
    with connected_pair() as (ours, _peer):
        ours.settimeout(timeout)
        with pytest.raises(DeadlineExceeded, match="gave up waiting for input"):
            receive_up_to(ours, 1, Deadline.after(0.02))


def test_what_has_arrived_is_delivered_although_the_deadline_has_passed() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abcd")
        assert receive_up_to(ours, 1, Deadline.after(0)) == b"a"
        assert receive_exactly(ours, 3, Deadline.after(0)) == b"bcd"


def test_an_exact_read_leaves_the_next_byte_in_the_kernel() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abcde")
        assert receive_exactly(ours, 3, patient()) == b"abc"
        assert bytes_unread(ours) == 2
        assert receive_exactly(ours, 0, patient()) == b""
        assert bytes_unread(ours) == 2


@every_family
def test_an_end_before_the_count_says_how_many_arrived(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        peer.sendall(b"ab")
        peer.close()
        with pytest.raises(PeerClosed, match=r"closed before 5 bytes \(2 arrived\)"):
            receive_exactly(ours, 5, patient())


def test_a_reset_before_the_count_is_not_reported_as_a_close() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"ab")
        abort(peer)
        with pytest.raises(PeerReset, match=r"reset the connection before 5 bytes \(2 arr"):
            receive_exactly(ours, 5, patient())


def trickle(sock: socket.socket, stop: threading.Event) -> None:
    """One byte every 10 ms: each read succeeds, the whole never does."""
    while not stop.wait(0.01):
        sock.sendall(b"x")


def test_a_trickle_does_not_stretch_the_deadline_of_an_exact_read() -> None:
    with (
        connected_pair() as (ours, peer),
        running(lambda stop: trickle(peer, stop)),
        pytest.raises(DeadlineExceeded, match=r"1000000 bytes \(\d+ arrived\)"),
    ):
        receive_exactly(ours, 1_000_000, Deadline.after(0.2))


def test_a_trickle_does_not_stretch_the_deadline_of_a_search() -> None:
    with (
        connected_pair() as (ours, peer),
        running(lambda stop: trickle(peer, stop)),
        pytest.raises(DeadlineExceeded, match=r"b'\\n' \(\d+ bytes arrived\)"),
    ):
        receive_until(ours, b"\n", Deadline.after(0.2))


@every_family
@every_mode
def test_a_search_takes_the_terminator_and_nothing_beyond_it(
    family: socket.AddressFamily, timeout: float | None
) -> None:
    with connected_pair(family) as (ours, peer):
        ours.settimeout(timeout)
        peer.sendall(b"GET /\r\n\r\nbody\r\n\r\n")
        assert receive_until(ours, b"\r\n\r\n", patient()) == b"GET /\r\n\r\n"
        assert bytes_unread(ours) == 8
        assert receive_until(ours, b"\r\n\r\n", patient()) == b"body\r\n\r\n"


def feed_one_at_a_time(sock: socket.socket, data: bytes, reader: socket.socket) -> None:
    """Send each byte only when the reader has taken the one before."""
    for offset in range(len(data)):
        wait_until_writable(sock, patient())
        sock.sendall(data[offset : offset + 1])
        deadline = patient()
        while bytes_unread(reader):
            deadline.require("the reader")


def test_a_terminator_that_comes_byte_by_byte_is_found() -> None:
    head = b"a\r\n\rb\r\n\r\n"
    with (
        connected_pair() as (ours, peer),
        running(lambda _: feed_one_at_a_time(peer, head, ours)),
    ):
        assert receive_until(ours, b"\r\n\r\n", patient()) == head


@pytest.mark.parametrize("split", range(1, 8))
def test_a_terminator_split_over_two_segments_is_found(split: int) -> None:
    data = b"ab\r\n\r\ncd"
    with connected_pair() as (ours, peer):
        peer.sendall(data[:split])

        def send_the_rest(_: threading.Event) -> None:
            deadline = patient()
            while bytes_unread(ours):
                deadline.require("the reader")
            peer.sendall(data[split:])

        if split >= 6:
            assert receive_until(ours, b"\r\n\r\n", patient()) == b"ab\r\n\r\n"
            assert bytes_unread(ours) == split - 6
            return
        with running(send_the_rest):
            assert receive_until(ours, b"\r\n\r\n", patient()) == b"ab\r\n\r\n"
            assert receive_exactly(ours, 2, patient()) == b"cd"


@settings(deadline=None)
@given(data=st.text("ab\n", max_size=40), terminator=st.text("ab\n", min_size=1, max_size=4))
def test_a_search_agrees_with_find_for_any_data(data: str, terminator: str) -> None:
    sent, wanted = data.encode(), terminator.encode()
    with connected_pair() as (ours, peer):
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        at = sent.find(wanted)
        if at < 0:
            with pytest.raises(PeerClosed, match=f"{len(sent)} bytes arrived"):
                receive_until(ours, wanted, patient())
            return
        end = at + len(wanted)
        assert receive_until(ours, wanted, patient()) == sent[:end]
        assert bytes_unread(ours) == len(sent) - end


def test_a_search_over_more_than_one_chunk_finds_a_terminator_on_the_border() -> None:
    chunk = stream._CHUNK_BYTES
    head = b"x" * (chunk - 1) + b"\r\n"
    with connected_pair() as (ours, peer), running(lambda _: peer.sendall(head + b"rest")):
        assert receive_until(ours, b"\r\n", patient()) == head
        assert receive_exactly(ours, 4, patient()) == b"rest"


def test_a_search_stops_at_its_limit_and_takes_nothing_beyond() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abcdef\n")
        with pytest.raises(UnmetExpectation, match=r"no b'\\n' in the first 4 bytes"):
            receive_until(ours, b"\n", patient(), limit_bytes=4)
        assert bytes_unread(ours) == 3
        assert receive_until(ours, b"\n", patient(), limit_bytes=3) == b"ef\n"


def test_a_search_that_is_reset_says_so() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"ab")
        abort(peer)
        with pytest.raises(PeerReset, match=r"before b'\\n' \(2 bytes arrived\)"):
            receive_until(ours, b"\n", patient())


def test_an_empty_terminator_is_misuse() -> None:
    with connected_pair() as (ours, _), pytest.raises(MisuseError, match="at least one byte"):
        receive_until(ours, b"", patient())


def test_counts_are_checked() -> None:
    with connected_pair() as (ours, _):
        with pytest.raises(MisuseError, match="count must be >= 1, got 0"):
            receive_up_to(ours, 0, patient())
        with pytest.raises(MisuseError, match="count must be >= 0, got -1"):
            receive_exactly(ours, -1, patient())
        with pytest.raises(MisuseError, match="limit_bytes must be >= 2, got 1"):
            receive_until(ours, b"\r\n", patient(), limit_bytes=1)


@every_family
@every_mode
def test_drain_counts_to_the_end(family: socket.AddressFamily, timeout: float | None) -> None:
    with connected_pair(family) as (ours, peer):
        ours.settimeout(timeout)
        peer.sendall(bytes(100_000))
        peer.shutdown(socket.SHUT_WR)
        assert drain(ours, patient()) == 100_000


def test_drain_takes_a_reset_for_an_end() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abc")
        abort(peer)
        assert drain(ours, patient()) == 3


def test_draining_silence_ends_at_the_deadline() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abc")
        with pytest.raises(DeadlineExceeded, match=r"end \(3 bytes discarded\)"):
            drain(ours, Deadline.after(0.02))


def test_draining_a_flood_ends_at_the_deadline() -> None:
    def flood(stop: threading.Event) -> None:
        while not stop.is_set():
            peer.sendall(bytes(1 << 16))

    with connected_pair() as (ours, peer), running(flood):
        with pytest.raises(DeadlineExceeded, match="bytes discarded"):
            drain(ours, Deadline.after(0.05))
        ours.close()


def test_a_flood_that_has_arrived_is_not_drained_past_the_deadline() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"abc")
        peer.shutdown(socket.SHUT_WR)
        with pytest.raises(DeadlineExceeded, match=r"\(3 bytes discarded\)"):
            drain(ours, Deadline.after(0))


def test_waiting_returns_when_there_is_something_to_do() -> None:
    with connected_pair() as (ours, peer):
        wait_until_writable(ours, patient())
        with pytest.raises(DeadlineExceeded, match="gave up waiting for a greeting"):
            wait_until_readable(ours, Deadline.after(0.01), "a greeting")
        peer.sendall(b"x")
        wait_until_readable(ours, Deadline.never())


def test_a_hangup_is_a_reset_or_both_ends_and_not_a_mere_fin() -> None:
    with connected_pair() as (ours, peer):
        peer.sendall(b"x")
        peer.shutdown(socket.SHUT_WR)
        assert not wait_for_hangup(ours, Deadline.after(0.02))
        abort(peer)
        assert wait_for_hangup(ours, patient())


def test_all_of_it_works_where_there_is_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_HAS_POLL", False)
    monkeypatch.setattr(select, "poll", None)
    with connected_pair(peer_buffer=4096) as (ours, peer):
        send_exactly(ours, b"ab\n", patient())
        assert receive_until(peer, b"\n", patient()) == b"ab\n"
        with pytest.raises(DeadlineExceeded):
            receive_up_to(peer, 1, Deadline.after(0.01))
        with pytest.raises(DeadlineExceeded):
            send_exactly(ours, bytes(1 << 24), Deadline.after(0.01))
        assert not wait_for_hangup(ours, patient())


class HopefulSocket(socket.socket):
    """Ready according to poll(), and then not: once for each call (poll(2), BUGS)."""

    disappointed = True

    def _disappoint(self) -> None:
        self.disappointed = not self.disappointed
        if not self.disappointed:
            raise BlockingIOError

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        self._disappoint()
        return super().send(data, flags)

    def recv(self, count: int, flags: int = 0, /) -> bytes:
        self._disappoint()
        return super().recv(count, flags)

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        self._disappoint()
        return super().recv_into(buffer, nbytes, flags)


def test_a_poll_that_was_too_hopeful_is_repeated() -> None:
    with connected_pair() as (plain, peer), HopefulSocket(fileno=plain.detach()) as ours:
        send_exactly(ours, b"abc", patient())
        assert receive_exactly(peer, 3, patient()) == b"abc"
        peer.sendall(b"de")
        assert receive_exactly(ours, 1, patient()) == b"d"
        peer.shutdown(socket.SHUT_WR)
        assert drain(ours, patient()) == 1
