"""Framing: the same borders of requests for any split of the client's stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import segments
from wirecut.faults.scan import RequestMark
from wirecut.http import RequestFramer

pytestmark = pytest.mark.pure

REQUESTS = [
    b"A / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET ",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1;x=y\r\na\r\nA\r\n0123456789\r\n0\r\nTrailer: b\r\n\r\n"
    ),
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
]
requests_made = st.lists(st.sampled_from(REQUESTS), max_size=4)


def fed(pieces: list[bytes]) -> tuple[list[RequestMark], str | None]:
    framer = RequestFramer()
    return [mark for piece in pieces for mark in framer.feed(piece)], framer.problem


@given(requests=requests_made, draw=st.data())
def test_each_request_begins_and_ends_at_its_own_bytes(
    requests: list[bytes], draw: st.DataObject
) -> None:
    expected, position = [], 0
    for number, request in enumerate(requests, start=1):
        expected.append(RequestMark("start", number, position))
        position += len(request)
        expected.append(RequestMark("end", number, position))
    assert fed(draw.draw(segments(b"".join(requests)))) == (expected, None)


@pytest.mark.parametrize("request_bytes", REQUESTS)
def test_a_request_has_not_ended_before_its_last_byte(request_bytes: bytes) -> None:
    marks, problem = fed([request_bytes[at : at + 1] for at in range(len(request_bytes) - 1)])
    assert marks == [RequestMark("start", 1, 0)]
    assert problem is None


@given(requests=requests_made, draw=st.data())
def test_what_is_no_request_is_a_problem_with_its_number_and_ends_the_search(
    requests: list[bytes], draw: st.DataObject
) -> None:
    start = len(b"".join(requests))
    data = b"".join(requests) + b"GET / HTTP/1.1\r\nbad header\r\n\r\n" + REQUESTS[1]
    marks, problem = fed(draw.draw(segments(data)))
    assert marks[len(requests) * 2 :] == [RequestMark("start", len(requests) + 1, start)]
    assert problem is not None
    assert problem.startswith(f"request {len(requests) + 1} is not HTTP/1.1: ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01",
        b"\x00",
        b"PING\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host (RFC 9112 section 3.2)
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ],
)
def test_garbage_is_a_problem(data: bytes) -> None:
    marks, problem = fed([data])
    assert marks == [RequestMark("start", 1, 0)]
    assert problem is not None
    assert fed([data[at : at + 1] for at in range(len(data))]) == (marks, problem)


def test_a_large_head_is_framed() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 500_000 + b"\r\n\r\n"
    marks, problem = fed([request[:300_000], request[300_000:]])
    assert (marks[-1], problem) == (RequestMark("end", 1, len(request)), None)


def test_a_head_without_an_end_is_a_problem_at_last() -> None:
    framer = RequestFramer()
    framer.feed(b"GET / HTTP/1.1\r\nCookie: ")
    framer.feed(b"x" * (1 << 20))
    framer.feed(b"x")
    assert framer.problem is not None
