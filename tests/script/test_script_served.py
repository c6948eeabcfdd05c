"""Scripts on a real connection: strikes come in their turn."""

from __future__ import annotations

import socket

import pytest

import wirecut
from tests.support import patient
from wirecut import End, Expect, Garbage, Observation, Script, Send, Strike, UnmetExpectation


def seen(script: Script, *faults: str, send: bytes = b"hi") -> Observation:
    with (
        wirecut.serve_tcp(script, faults=faults) as server,
        socket.create_connection((server.host, server.port)) as client,
    ):
        client.sendall(send)
        return wirecut.observe(client, patient())


@pytest.mark.parametrize("faults", [[], ["delay:0.01/down:0"], ["dribble:1/down:0"]])
def test_what_was_sent_before_a_strike_arrives_before_it(faults: list[str]) -> None:
    script = Script(Expect(b"hi"), Send(b"hello"), Strike("reset"))
    assert seen(script, *faults) == Observation(b"hello", End.RESET)


def test_strikes_come_in_the_order_of_their_steps() -> None:
    script = Script(
        Expect(b"hi"),
        Strike("garbage:4"),
        Send(b"a"),
        Strike("garbage:2"),
        Send(b"b"),
        Strike("close"),
    )
    noise = Garbage(4).noise, Garbage(2).noise
    assert seen(script) == Observation(noise[0] + b"a" + noise[1] + b"b", End.EOF)


def test_control_without_a_strike_the_script_ends_in_good_order() -> None:
    assert seen(Script(Expect(b"hi"), Send(b"hello"))) == Observation(b"hello", End.EOF)


def test_a_client_that_does_not_keep_to_the_script_is_reset_and_fails_the_test() -> None:
    with pytest.raises(UnmetExpectation, match="byte 1 is b'o', not b'i'"):
        seen(Script(Expect(b"hi")), send=b"ho")


def test_a_script_that_is_not_finished_fails_the_test() -> None:
    with (
        pytest.raises(UnmetExpectation, match="waits at Expect"),
        wirecut.serve_tcp(Script(Expect(b"hi"))) as server,
    ):
        socket.create_connection((server.host, server.port)).close()
