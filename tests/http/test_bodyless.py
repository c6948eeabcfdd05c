"""The shortcut around the parser: it knows a subset of what the parser accepts."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wirecut.http.bodyless import is_bodyless_request
from wirecut.http.framing import RequestFramer

pytestmark = pytest.mark.pure

REQUEST = b"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAccept: */*\r\n\r\n"

# Pieces of which requests, and what is nearly one, are put together.
PIECES = st.sampled_from(
    [
        b"GET",
        b"HEAD",
        b"POST",
        b"CONNECT",
        b" ",
        b"/a",
        b"*",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\n",
        b"\r",
        b"Host: h\r\n",
        b"hOST:h\r\n",
        b"Host : h\r\n",
        b"Accept: a, b\tc \r\n",
        b"X:\r\n",
        b" folded\r\n",
        b"Content-Length: 0\r\n",
        b"content-length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\n",
        b"Upgrade: websocket\r\n",
        b"Expect: 100-continue\r\n",
        b"Cookie: \xe4\r\n",
        b"abc",
        b"\0",
    ]
)
LINES = st.sampled_from([b"GET / HTTP/1.1\r\n", b"HEAD * HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n"])


def is_one_bodyless_request_by_h11(data: bytes) -> bool:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        parser.receive_data(data)
        events = [parser.next_event(), parser.next_event()]
    except h11.RemoteProtocolError:
        return False
    kinds = [type(event) for event in events]
    return kinds == [h11.Request, h11.EndOfMessage] and parser.trailing_data[0] == b""


@given(line=LINES, pieces=st.lists(PIECES, max_size=6))
@example(line=b"", pieces=[REQUEST])
def test_whatever_it_recognises_is_one_request_without_a_body_to_h11(
    line: bytes, pieces: list[bytes]
) -> None:
    for data in (line + b"".join(pieces), line + b"".join(pieces) + b"\r\n"):
        if is_bodyless_request(data):
            assert is_one_bodyless_request_by_h11(data)


@given(position=st.integers(0, len(REQUEST) - 1), byte=st.integers(0, 255))
def test_a_request_with_one_byte_changed_is_recognised_only_if_h11_accepts_it(
    position: int, byte: int
) -> None:
    data = REQUEST[:position] + bytes([byte]) + REQUEST[position + 1 :]
    if is_bodyless_request(data):
        assert is_one_bodyless_request_by_h11(data)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE"])
def test_a_plain_request_is_recognised(method: bytes) -> None:
    assert is_bodyless_request(REQUEST.replace(b"GET", method))


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 1",
        b"cONTENT-lENGTH: 1",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"Host: twice",
        b" folded",
        b"Bad Name: a",
    ],
)
def test_a_request_with_such_a_field_is_left_to_the_parser(field: bytes) -> None:
    assert not is_bodyless_request(REQUEST.replace(b"Accept: */*", field))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:-1],
        REQUEST + b"G",
        REQUEST + REQUEST,
        REQUEST.replace(b"1.1", b"1.0"),
        REQUEST.replace(b"Host", b"Hast"),
        REQUEST.replace(b"GET", b"POST"),
        REQUEST.replace(b"*/*", b"*" * 8192),
    ],
)
def test_anything_but_one_whole_plain_request_is_left_to_the_parser(data: bytes) -> None:
    assert not is_bodyless_request(data)


def test_a_request_that_came_in_pieces_is_not_taken_for_a_new_one() -> None:
    framer = RequestFramer()
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(REQUEST)
    kinds = [mark.kind for part in (head, REQUEST, REQUEST) for mark in framer.feed(part)]
    # The first REQUEST is the body of the POST, the second one is a request.
    assert kinds == ["start", "end", "start", "end"]
    assert framer.problem is None
