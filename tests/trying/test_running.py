"""Clients and commands are run, watched, and nothing of them is left."""

from __future__ import annotations

import os
import select
import socket
import threading

import pytest

import wirecut
from tests.support import PATIENCE
from wirecut.errors import MisuseError
from wirecut.faults import Reset, at, parse_fault
from wirecut.http import HttpReply
from wirecut.trying import (
    CLIENTS,
    REPLY,
    ClientRun,
    CommandRun,
    TrialFailed,
    Verdict,
    check_faults,
    find_client,
    telling_faults,
    try_faults,
)
from wirecut.trying.calling import call_watched
from wirecut.trying.command import direct_environment, run_watched


def test_a_call_returns_its_result_or_its_exception_as_values() -> None:
    assert call_watched(lambda: b"x", PATIENCE, lambda: None).result == b"x"

    def fail() -> bytes:
        raise KeyError("k")

    ran = call_watched(fail, PATIENCE, lambda: None)
    assert (ran.result, ran.raised[0].name, ran.has_ended) == (None, "KeyError", True)


def test_a_call_that_hangs_is_given_up_and_its_thread_ends() -> None:
    given_up = threading.Event()

    def hang() -> bytes:
        given_up.wait(PATIENCE)
        return b"late"

    ran = call_watched(hang, 0.01, given_up.set)
    assert (ran.has_ended, ran.result) == (False, None)
    assert ran.seconds >= 0.01


def test_a_hanging_client_loses_its_connection() -> None:
    client = ClientRun(find_client("http.client"), client_timeout_seconds=60)
    _, row = try_faults(client, [parse_fault("stall")], timeout_seconds=0.1)
    assert (row.verdict, row.connections, row.has_struck) == (Verdict.HANGS, 1, True)


def ended(pid: int) -> bool:
    """Wait for a process that is not our child to end; whether it did."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], PATIENCE)[0])
    finally:
        os.close(process)


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    with wirecut.serve_tcp() as server:
        ran = run_watched(["sh", "-c", "sleep 1000 & echo $!; wait", "{port}"], server, 1)
    assert (ran.has_ended, ran.exit_code) == (False, None)
    assert ended(int(ran.result or b""))


def test_a_child_left_by_a_command_that_ended_is_killed_and_not_waited_for() -> None:
    with wirecut.serve_tcp() as server:
        ran = run_watched(["sh", "-c", "sleep 1000 & echo $!", "{port}"], server, PATIENCE)
    assert (ran.has_ended, ran.exit_code) == (True, 0)
    assert ended(int(ran.result or b""))


def test_the_last_line_is_the_last_printable_one_of_standard_error() -> None:
    with wirecut.serve_tcp() as server:
        script = "echo out; printf 'one\\ntwo\\033[2J\\n\\n' >&2; exit 3"
        ran = run_watched(["sh", "-c", script, "{port}"], server, PATIENCE)
        silent = run_watched(["sh", "-c", "echo only out; exit 4", "{port}"], server, PATIENCE)
    assert (ran.exit_code, ran.last_line, ran.result) == (3, "two[2J", b"out\n")
    assert (silent.exit_code, silent.last_line) == (4, "only out")


def test_a_command_finds_the_address_in_every_word() -> None:
    with wirecut.serve_tcp() as server:
        words = ["echo", "{url}", "{host}x{port}", "{other}"]
        ran = run_watched(words, server, PATIENCE)
    assert ran.result == b"http://127.0.0.1:{port} 127.0.0.1x{port} {other}\n"


def test_loopback_goes_around_a_proxy_and_other_exceptions_are_kept() -> None:
    direct = direct_environment({"NO_PROXY": "a.example", "X": "y"})
    assert direct["NO_PROXY"] == "a.example,127.0.0.1,::1,localhost"
    assert direct["no_proxy"] == "127.0.0.1,::1,localhost"
    assert direct["X"] == "y"


@pytest.mark.parametrize("words", [("curl",), ("nc", "{host}"), ()])
def test_a_command_without_an_address_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(MisuseError, match=r"the command must contain \{url\}"):
        CommandRun(words)


@pytest.mark.clients
@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_every_client_gets_the_reply_and_meets_a_reset(name: str) -> None:
    healthy, row = try_faults(ClientRun(find_client(name), PATIENCE), [Reset()])
    assert (healthy.verdict, healthy.ran.result) == (Verdict.OK, REPLY.body)
    assert (row.verdict, row.ran.errno_name) == (Verdict.ERROR, "ECONNRESET")


def test_a_failing_healthy_run_ends_it_before_any_fault() -> None:
    runs = try_faults(CommandRun(("sh", "-c", "exit 5", "{url}")), [Reset()])
    with pytest.raises(TrialFailed, match="failed without any fault: exit code 5") as failed:
        next(runs)
    assert failed.value.row.ran.exit_code == 5
    assert list(runs) == []


def test_a_healthy_run_that_hangs_is_told_with_its_deadline() -> None:
    runs = try_faults(CommandRun(("sh", "-c", "sleep 1000", "{url}")), [], timeout_seconds=0.05)
    with pytest.raises(TrialFailed, match=r"it did not end within 0\.05 s"):
        next(runs)


def test_the_telling_faults_lie_where_they_say_for_any_reply() -> None:
    reply = HttpReply(b"0123456789", content_type=None)
    data = reply.rendered
    offsets = {fault.text for fault in telling_faults(reply)}
    middle = data.index(b"\r\n\r\n") + 4 + 5
    assert f"reset/down:{middle}" in offsets
    assert f"close/down:{data.index(b'Content-Length') + 7}" in offsets
    assert len(offsets) == len(telling_faults(reply))
    check_faults(telling_faults(reply), reply)


def test_a_fault_past_the_end_of_the_reply_is_refused() -> None:
    end = len(REPLY.rendered)
    check_faults((Reset(at=at.down(end)),))
    with pytest.raises(MisuseError, match=f"the reply is {end} bytes long"):
        check_faults((Reset(at=at.down(end + 1)),))


def test_the_reply_is_one_that_a_client_may_read_to_its_end() -> None:
    with (
        wirecut.serve_tcp(REPLY) as server,
        socket.create_connection((server.host, server.port)) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while chunk := sock.recv(4096):
            data += chunk
    assert data == REPLY.rendered
