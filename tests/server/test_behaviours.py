"""What a server does with its connections, and what it says when that was not met."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.talking import connect, has_ended
from tests.support import patient
from wirecut import (
    End,
    Expect,
    HttpReply,
    MisuseError,
    Script,
    Send,
    UnmetExpectation,
    forever,
    observe,
    serve_tcp,
)
from wirecut.wire import receive_exactly


def test_each_connection_has_its_own_behaviour() -> None:
    script = Script(Expect(b"?"), Send(b"script"))
    behaviours: list[Any] = [
        b"bytes",
        script,
        lambda peer: peer.send(b"handler"),
        "reset/up:1",
        None,
    ]
    with serve_tcp(behaviours) as server:
        seen = []
        for _ in range(4):
            with connect(server, b"?") as client:
                seen.append(observe(client, patient()))
        with connect(server, b"?"):
            assert server.connections[4].received == b"?"
    assert [one.data for one in seen] == [b"bytes", b"script", b"handler", b""]
    assert [one.end for one in seen] == [End.EOF, End.EOF, End.EOF, End.RESET]


def test_the_last_behaviour_may_be_for_ever() -> None:
    with serve_tcp([b"one", forever(b"more")]) as server:
        for expected in (b"one", b"more", b"more", b"more"):
            with connect(server, b"?") as client:
                assert observe(client, patient()).data == expected


def test_one_connection_too_many_is_reset_and_fails_the_test() -> None:
    server = serve_tcp([b"one", b"two"])
    for expected in ((b"one", End.EOF), (b"two", End.EOF), (b"", End.RESET)):
        with connect(server, b"?") as client:
            seen = observe(client, patient())
            assert (seen.data, seen.end) == expected
    with pytest.raises(UnmetExpectation, match="connection 2 came, but only 2 behaviours"):
        server.close()


def test_a_greeting_comes_before_the_client_speaks() -> None:
    with serve_tcp(b"reply", greeting=b"220 ready\r\n") as server, connect(server) as client:
        assert receive_exactly(client, 11, patient()) == b"220 ready\r\n"
        client.sendall(b"?")
        assert observe(client, patient()).data == b"reply"


def test_a_cut_counts_the_greeting_too() -> None:
    with (
        serve_tcp(b"reply", greeting=b"hello", faults=["reset/down:7"]) as server,
        connect(server) as client,
    ):
        assert receive_exactly(client, 5, patient()) == b"hello"
        client.sendall(b"?")
        seen = observe(client, patient())
        assert (seen.data, seen.end) == (b"re", End.RESET)


@pytest.mark.parametrize("fault", ["stall:down/down:0", "delay:1000/down:0"])
def test_a_greeting_can_be_held_back(fault: str) -> None:
    with serve_tcp(greeting=b"220 ready", faults=[fault]) as server, connect(server):
        assert server.connections[0].sent == b""


_FINDINGS: list[tuple[dict[str, Any], list[bytes], str]] = [
    (
        {"faults": "reset/up:10"},
        [b"123"],
        "reset/up:10 never struck: connection 0 was closed by client after 3 bytes up",
    ),
    (
        {"faults": "reset/up:10/nth:2"},
        [b"123"],
        "reset/up:10/nth:2 never struck: only 1 connection was made",
    ),
    (
        {"behaviour": HttpReply(b"x"), "faults": "reset/request.end/nth:2"},
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2],
        "only 1 connection was made: connection 0 was reused for exchange 2",
    ),
    (
        {"faults": "reset/request.end"},
        [b"GET / HTTP"],
        "connection 0 was closed by client after 10 bytes up, before a request was complete",
    ),
    (
        {"behaviour": HttpReply(b"x"), "faults": "reset/up:1/exchange:3"},
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2],
        "connection 0 had 2 complete requests and was ",
    ),
    (
        {"faults": "reset/pattern:up:QUIT:2"},
        [b"a QUIT b"],
        "after 8 bytes up with 1 of 2 matches of b'QUIT'",
    ),
    (
        {"faults": "reset/up:10"},
        [b"1", b"12", b"123", b"1234", b"12345"],
        "connection 2 was closed by client after 3 bytes up; and 2 more connections",
    ),
    (
        {"behaviour": [b"a", b"b", b"c"]},
        [b"?"],
        "3 behaviours were given, one per connection, but only 1 connection was made",
    ),
    (
        {"behaviour": Script(Expect(b"HELO"), Send(b"ok"))},
        [b"HE"],
        "connection 0: the script waits at Expect(data=b'HELO') with b'HE'",
    ),
    (
        {"behaviour": Script(Expect(b"HELO"), Send(b"ok"))},
        [b"HI"],
        "expected b'HELO', got b'HI': byte 1 is b'I', not b'E'",
    ),
]


@pytest.mark.parametrize(("settings", "sent", "sentence"), _FINDINGS)
def test_what_was_not_reached_says_why(
    settings: dict[str, Any], sent: list[bytes], sentence: str
) -> None:
    server = serve_tcp(**settings)
    for index, data in enumerate(sent):
        with connect(server, data):
            assert server.connections[index].received == data
        server.wait_for(has_ended(index))
    (finding,) = server.shut_down()
    assert isinstance(finding, UnmetExpectation)
    assert sentence in str(finding)


@pytest.mark.parametrize(
    "settings",
    [
        {"faults": "reset/up:10"},
        {"behaviour": [b"a", b"b"]},
        {"behaviour": Script(Expect(b"HELO"))},
        {"faults": "refuse/connect"},
        {"faults": "blackhole/connect"},
    ],
)
def test_a_server_that_nobody_used_is_no_finding(settings: dict[str, Any]) -> None:
    serve_tcp(**settings).close()


@pytest.mark.parametrize(
    "settings",
    [
        {"faults": "reset/up:10/optional"},
        {"faults": "reset/up:10", "optional": True},
        {"behaviour": [b"a", b"b"], "optional": True},
    ],
)
def test_what_is_optional_is_no_finding(settings: dict[str, Any]) -> None:
    with serve_tcp(**settings) as server, connect(server, b"?"):
        server.wait_for_connections(1)


_BAD: list[tuple[dict[str, Any], str]] = [
    ({"faults": "rest"}, "unknown effect 'rest' (did you mean reset?)"),
    ({"faults": "reset/upp:1"}, "unknown moment 'upp:1'"),
    ({"faults": "reset/up:-1"}, "unknown moment 'up:-1'"),
    ({"faults": "reset/up:1/third"}, "unknown selection 'third'"),
    ({"faults": "close/connect"}, "at connect there is none yet"),
    ({"behaviour": b"abc", "faults": "reset/down:4"}, "the reply is 3 bytes long"),
    ({"faults": ["reset/up:1", "close/up:2"]}, "close/up:2 can never strike: reset/up:1"),
    ({"host": "192.0.2.1"}, "192.0.2.1"),
    ({"host": "0.0.0.0"}, "allow_remote"),
    ({"host": "localhost"}, "localhost"),
    ({"port": -1}, "port must be >= 0, got -1"),
    ({"port": 65536}, "port must be <= 65535, got 65536"),
    ({"patience_seconds": -1}, "patience_seconds must be >= 0 seconds, got -1"),
    ({"patience_seconds": float("inf")}, "patience_seconds must be finite"),
    ({"journal_limit_bytes": 0}, "journal_limit_bytes must be >= 1, got 0"),
    ({"receive_buffer_bytes": 0}, "receive_buffer_bytes must be >= 1, got 0"),
    ({"greeting": "text"}, "greeting must be bytes, got 'text'"),
    ({"behaviour": b""}, "use None to say nothing"),
    ({"behaviour": 42}, "got 42"),
    ({"behaviour": []}, "behaviour is an empty list"),
    ({"behaviour": [forever(b"a"), b"b"]}, "forever(...) must be the last behaviour"),
    ({"behaviour": "refuse/connect"}, "strikes its own connection"),
]


@pytest.mark.parametrize(("settings", "sentence"), _BAD)
def test_what_cannot_be_right_is_one_sentence_on_the_line_that_says_it(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(MisuseError) as caught:
        serve_tcp(**settings)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_port_in_use_is_named() -> None:
    with (
        serve_tcp() as server,
        pytest.raises(MisuseError, match=f"{server.port}.* in use"),
    ):
        serve_tcp(port=server.port)


@pytest.mark.parametrize("fault", ["reset/up:1", "refuse/connect", "blackhole/connect"])
def test_what_has_no_meaning_on_a_unix_domain_socket_says_so(
    fault: str, tmp_path: Path
) -> None:
    if fault == "refuse/connect":
        serve_tcp(faults=fault, path=tmp_path / "socket").close()
        return
    with pytest.raises(MisuseError, match="no meaning on a Unix-domain socket"):
        serve_tcp(faults=fault, path=tmp_path / "socket")
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda s: s.url, "http://127.0.0.1:{port}"),
        (lambda s: s.url_for(path="a"), "http://127.0.0.1:{port}/a"),
        (lambda s: s.url_for(scheme="redis", path="0"), "redis://127.0.0.1:{port}/0"),
        (lambda s: s.url_for(host="localhost"), "http://localhost:{port}"),
        (lambda s: s.url_for(userinfo="u:p"), "http://u:p@127.0.0.1:{port}"),
    ],
)
def test_urls(use: Callable[[Any], str], expected: str) -> None:
    with serve_tcp() as server:
        assert use(server) == expected.format(port=server.port)
        assert server.address == ("127.0.0.1", server.port)


def test_an_ipv6_address_is_in_brackets_in_urls_only() -> None:
    with serve_tcp(host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert server.address == ("::1", server.port)


def test_text_that_names_no_fault_says_that_bytes_are_meant() -> None:
    with pytest.raises(MisuseError, match=r"'abc' is none; to send it, give bytes: b'abc'"):
        serve_tcp("abc")
