"""A cut at byte k delivers k bytes and then the stated end, on every run."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.talking import HOSTS, connect, has_ended, has_struck, numbered
from tests.support import PATIENCE, patient
from tests.tier import Tier
from wirecut import (
    Deadline,
    End,
    Ended,
    TcpServer,
    UnmetExpectation,
    observe,
    serve_tcp,
)
from wirecut.server.link import Link
from wirecut.wire.kernel import bytes_unread

_ENDS = {"reset": End.RESET, "close": End.EOF, "half_close": End.EOF}
_EFFECTS = pytest.mark.parametrize("effect", list(_ENDS))
_MIB = 1 << 20


def _reads_at_once(server: TcpServer, effect: str) -> None:
    """Begin to read without looking at what the server does."""
    del server, effect


def _reads_late(server: TcpServer, effect: str) -> None:
    """Begin when the server has begun to send, or has struck instead."""
    del effect
    server.wait_for(
        lambda s: s.connections[-1].sent_count or s.connections[-1].struck,
        timeout_seconds=PATIENCE,
    )


def _reads_after_the_fault(server: TcpServer, effect: str) -> None:
    """Begin when all is over; for cuts that fit the reader's receive window."""
    index = len(server.connections) - 1
    condition = has_ended if effect == "reset" else has_struck
    server.wait_for(condition(index), timeout_seconds=PATIENCE)


_Reader = Callable[[TcpServer, str], None]
_READERS = pytest.mark.parametrize(
    "wait", [_reads_at_once, _reads_late, _reads_after_the_fault]
)


def _assert_cut(  # noqa: PLR0913 - what a case is made of
    server: TcpServer,
    effect: str,
    reply: bytes,
    cut: int,
    wait: _Reader,
    *,
    receive_buffer_bytes: int | None = None,
) -> None:
    with connect(server, b"?", receive_buffer_bytes=receive_buffer_bytes) as client:
        wait(server, effect)
        seen = observe(client, patient())

        assert len(seen.data) == cut
        assert seen.data == reply[:cut]
        assert seen.end is _ENDS[effect]
        record = server.connections[-1]
        assert record.sent_count == cut
        assert [str(struck.fault) for struck in record.struck] == [f"{effect}/down:{cut}"]
        assert record.struck[0].count == cut
        assert (
            record.ended
            is {
                "reset": Ended.RESET_BY_SERVER,
                "close": Ended.CLOSED_BY_SERVER,
                "half_close": Ended.CLOSED_BY_SERVER,
            }[effect]
        )


@_EFFECTS
@_READERS
@pytest.mark.parametrize("host", HOSTS)
def test_a_cut_at_any_byte_of_a_small_reply_is_exact(
    host: str, wait: _Reader, effect: str, tier: Tier
) -> None:
    """Each of 2,049 places, 20 times on IPv4; 17 places, twice on the quick tier."""
    reply = numbered(2048)
    times = tier.count(quick=2, exhaustive=20 if host == "127.0.0.1" else 1)
    for cut in tier.points(range(len(reply) + 1), quick=17):
        with serve_tcp(reply, faults=[f"{effect}/down:{cut}"], host=host) as server:
            for _ in range(times):
                _assert_cut(server, effect, reply, cut, wait)


@pytest.mark.parametrize("effect", ["close", "half_close"])
@_READERS
def test_a_fin_at_any_byte_is_exact_on_a_unix_domain_socket(
    wait: _Reader, effect: str, tier: Tier, tmp_path: Path
) -> None:
    """Each of 2,049 places; 17 on the quick tier.  Reset has no meaning there."""
    reply = numbered(2048)
    for cut in tier.points(range(len(reply) + 1), quick=17):
        with serve_tcp(
            reply, faults=[f"{effect}/down:{cut}"], path=tmp_path / "socket"
        ) as server:
            _assert_cut(server, effect, reply, cut, wait)


@_EFFECTS
@pytest.mark.parametrize("wait", [_reads_at_once, _reads_late])
@pytest.mark.parametrize("size", [_MIB, 4 * _MIB], ids=["1MiB", "4MiB"])
def test_a_cut_in_a_reply_larger_than_the_buffers_is_exact(
    size: int, wait: _Reader, effect: str, tier: Tier
) -> None:
    """200 places, 20 times each; 5 places once on the quick tier."""
    reply = numbered(size)
    times = tier.count(quick=1, exhaustive=20)
    places = [size * place // 199 for place in range(200)]
    for cut in tier.points(places, quick=5):
        with serve_tcp(reply, faults=[f"{effect}/down:{cut}"]) as server:
            for _ in range(times):
                _assert_cut(server, effect, reply, cut, wait)


@_EFFECTS
def test_a_reader_with_a_large_window_may_wait_until_all_is_over(
    effect: str, tier: Tier
) -> None:
    """200 places of 1 MiB, 20 times each; 5 places once on the quick tier."""
    reply = numbered(_MIB)
    times = tier.count(quick=1, exhaustive=20)
    for cut in tier.points([_MIB * place // 199 for place in range(200)], quick=5):
        with serve_tcp(reply, faults=[f"{effect}/down:{cut}"]) as server:
            for _ in range(times):
                _assert_cut(
                    server,
                    effect,
                    reply,
                    cut,
                    _reads_after_the_fault,
                    receive_buffer_bytes=4 * _MIB,
                )


@_EFFECTS
@pytest.mark.parametrize("size", [_MIB, 4 * _MIB], ids=["1MiB", "4MiB"])
def test_a_cut_past_the_window_is_not_reached_rather_than_early(
    size: int, effect: str, tier: Tier
) -> None:
    """20 times, at three places each; twice on the quick tier.

    The client reads only after the deadline: then everything before the cut still comes, and
    nothing ends.
    """
    reply = numbered(size)
    for cut in (size // 2, size - 1, size):
        for _ in range(tier.count(quick=1, exhaustive=20)):
            server = serve_tcp(reply, faults=[f"{effect}/down:{cut}"], patience_seconds=0.02)
            with connect(server, b"?", receive_buffer_bytes=4096) as client:
                server.wait_for(lambda s: s.findings(), timeout_seconds=PATIENCE)
                (finding,) = server.findings()
                assert isinstance(finding, UnmetExpectation)
                assert f"{effect}/down:{cut} was not reached on connection 0" in str(finding)
                left = cut - bytes_unread(client)
                assert f"and {left} bytes before the cut are not on the wire" in str(finding)
                assert server.connections[0].ended_seconds is None

                # One look at what is there: the deadline has passed.
                seen = observe(client, Deadline.after(0.0))
                assert seen.end is End.OPEN
                assert seen.data == reply[: len(seen.data)]
                assert len(seen.data) < cut
            with pytest.raises(UnmetExpectation, match="was not reached"):
                server.close()


@_EFFECTS
def test_a_cut_that_is_not_reached_does_not_keep_the_loop_busy(
    effect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[int] = []
    on_event = Link.on_event

    def counted(link: Link, mask: int) -> None:
        events.append(mask)
        on_event(link, mask)

    monkeypatch.setattr(Link, "on_event", counted)
    server = serve_tcp(numbered(_MIB), faults=[f"{effect}/down:{_MIB}"], patience_seconds=0.1)
    with connect(server, b"?", receive_buffer_bytes=4096):
        server.wait_for(lambda s: s.findings(), timeout_seconds=PATIENCE)
        # Level-triggered and never silent, it would be thousands by now.
        assert len(events) < 20
    with pytest.raises(UnmetExpectation, match="was not reached"):
        server.close()


@pytest.mark.parametrize("host", HOSTS)
def test_an_orderly_close_is_not_reported_as_a_reset(host: str, tier: Tier) -> None:
    """300 times; 20 on the quick tier.  The control: nothing strikes."""
    reply = numbered(2048)
    with serve_tcp(reply, host=host) as server:
        for index in range(tier.count(quick=20, exhaustive=300)):
            with connect(server, b"?") as client:
                seen = observe(client, patient())
            assert (seen.data, seen.end) == (reply, End.EOF)
            record = server.connections[index]
            assert (record.ended, record.struck) == (Ended.CLOSED_BY_SERVER, ())


def test_a_client_that_has_ended_its_side_may_read_as_late_as_it_likes() -> None:
    reply = numbered(_MIB)
    with (
        serve_tcp(reply) as server,
        connect(server, b"?", receive_buffer_bytes=65536) as client,
    ):
        client.shutdown(socket.SHUT_WR)
        server.wait_for(has_ended())
        seen = observe(client, patient())
        assert (seen.data == reply, seen.end) == (True, End.EOF)


def test_a_close_discards_what_the_client_still_sends_and_never_resets() -> None:
    with (
        serve_tcp(b"reply", faults=["close/down:2"]) as server,
        connect(server, b"?") as client,
    ):
        assert observe(client, patient()).data == b"re"
        for _ in range(20):
            client.sendall(bytes(10_000))
        assert server.connections[0].ended is Ended.CLOSED_BY_SERVER
        client.shutdown(socket.SHUT_WR)
        server.wait_for(lambda s: s.connections[0].ended_seconds is not None)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_a_half_close_goes_on_reading() -> None:
    with (
        serve_tcp(b"reply", faults=["half_close/down:2"]) as server,
        connect(server, b"?") as client,
    ):
        assert observe(client, patient()).data == b"re"
        client.sendall(b"and more")
        assert server.connections[0].received == b"?and more"


def test_without_waiting_for_the_wire_a_reset_loses_bytes_that_were_accepted() -> None:
    """The control for the cut itself: what a linger-zero close right after send() does."""
    reply = numbered(_MIB)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            sock, _ = listener.accept()
            sock.setblocking(False)
            accepted = 0
            with contextlib.suppress(BlockingIOError):
                while accepted < len(reply):
                    accepted += sock.send(reply[accepted:])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.close()
            seen = observe(client, patient())
        assert seen.end is End.RESET
        assert len(seen.data) < accepted
