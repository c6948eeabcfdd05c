"""The fixed reply: its exact bytes, once for each request, and its connection's end."""

from __future__ import annotations

import http.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wirecut
from tests.strategies import segments
from tests.support import PATIENCE
from wirecut import HttpReply, MisuseError
from wirecut.script import Finish, Output, Say

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.pure
@pytest.mark.parametrize(
    ("reply", "rendered"),
    [
        (HttpReply(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (
            HttpReply(b"hi"),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
        ),
        (
            HttpReply(b"{}", content_type="application/json"),
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        ),
        (
            HttpReply(b"hi", content_type=None),
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        ),
        (
            HttpReply(b"x", 404, None, keep_alive=False),
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
        ),
        (HttpReply(status=204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (HttpReply(status=304), b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (HttpReply(status=599), b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_the_bytes_of_a_reply(reply: HttpReply, rendered: bytes) -> None:
    assert reply.rendered == rendered


@pytest.mark.pure
@given(count=st.integers(0, 4), keep_alive=st.booleans(), draw=st.data())
def test_each_request_has_one_reply_for_any_split(
    count: int,
    keep_alive: bool,  # noqa: FBT001 - drawn
    draw: st.DataObject,
) -> None:
    reply = HttpReply(b"hi", keep_alive=keep_alive)
    machine = reply.machine()
    outputs: list[Output] = [*machine.begin()]
    for piece in draw.draw(segments(GET * count)):
        outputs += machine.receive(piece)
    outputs += machine.receive_end()
    replies = count if keep_alive else min(count, 1)
    assert outputs == [Say(reply.rendered)] * replies + [Finish()]
    assert machine.unmet() is None


@pytest.mark.pure
def test_what_is_no_request_is_answered_by_400_and_the_end() -> None:
    machine = HttpReply(b"hi").machine()
    good, bad, end = machine.receive(GET + b"\x00")
    assert good == Say(HttpReply(b"hi").rendered)
    assert isinstance(bad, Say)
    assert bad.data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close\r\n" in bad.data
    assert b"\r\n\r\nrequest 2 is not HTTP/1.1: " in bad.data
    assert end == Finish()
    assert list(machine.receive(GET)) == []
    assert list(machine.receive_end()) == []


@pytest.mark.pure
def test_half_a_request_has_no_answer() -> None:
    machine = HttpReply(b"hi").machine()
    assert list(machine.receive(GET[:-1])) == []
    assert list(machine.receive_end()) == [Finish()]


@pytest.mark.pure
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"status": 199}, "status must be >= 200, got 199"),
        ({"status": 600}, "status must be <= 599, got 600"),
        ({"status": "200"}, "status must be a whole number, got '200'"),
        ({"body": "hi"}, "body must be bytes, got 'hi'"),
        ({"body": b"x", "status": 204}, "status 204 has no content, got body b'x'"),
        ({"body": b"x", "status": 304}, "status 304 has no content, got body b'x'"),
    ],
)
def test_a_reply_that_cannot_be_right_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        HttpReply(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_real_client_reads_it_again_and_again(*, keep_alive: bool) -> None:
    with wirecut.serve_tcp(HttpReply(b"hello", keep_alive=keep_alive)) as server:
        client = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        for _ in range(3):
            client.request("POST", "/", body=b"abc")
            assert client.getresponse().read() == b"hello"
        client.close()
        assert len(server.connections) == (1 if keep_alive else 3)


def test_head_bytes_is_where_the_body_begins() -> None:
    reply = HttpReply(b"hello")
    assert reply.rendered[: reply.head_bytes].endswith(b"\r\n\r\n")
    assert reply.rendered[reply.head_bytes :] == b"hello"
