"""Processes side by side, a process that is killed, and one that may do nothing special."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.privileged import needs, without_privileges
from tests.raw_sockets import raw_sockets, raw_sockets_of
from tests.server.talking import HOSTS, connect, descriptors, has_struck
from tests.support import PATIENCE, outcome_of_connect, patient
from tests.tier import Tier
from wirecut import End, observe, serve_tcp
from wirecut.faults import EFFECTS
from wirecut.wire import TcpState, receive_exactly, tcp_state, wait_until_readable

PUPPET = Path(__file__).parent.parent / "puppets" / "packets_at_once.py"
_WORKERS = 8


@contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that says when it is ready, and waits for its input's end."""
    with subprocess.Popen(
        [sys.executable, "-B", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@needs("raw packets", "packet filter", "tcp repair")
def test_eight_processes_at_once_do_not_see_each_others_packets(tier: Tier) -> None:
    rounds = tier.count(quick=2, exhaustive=60)
    with _all_ready(rounds) as processes:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None  # communicate() would flush it
        for process in processes:
            out, err = process.communicate(timeout=12 * PATIENCE)
            assert (out, err, process.returncode) == ("done\n", "", 0)


@contextmanager
def _all_ready(rounds: int) -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as cleanup:
        processes = [
            cleanup.enter_context(_process(str(PUPPET), str(rounds))) for _ in range(_WORKERS)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield processes


@needs("raw packets", "packet filter", "tcp repair")
@pytest.mark.parametrize("host", HOSTS)
def test_a_closed_server_holds_no_raw_socket_and_no_descriptor(host: str) -> None:
    faults = ["reset/connect/nth:2", "partition/up:3/nth:1", "unreachable/connect/nth:3"]
    before = descriptors(), raw_sockets_of(os.getpid())
    with serve_tcp(host=host, faults=faults) as server, connect(server, b"hello"):
        address = server.host, server.port
        assert outcome_of_connect(address) == "ECONNRESET"
        assert outcome_of_connect(address) == "EHOSTUNREACH"
        server.wait_for(has_struck())
        assert raw_sockets_of(os.getpid())
    assert (descriptors(), raw_sockets_of(os.getpid())) == before


_KILLED = """
import sys
from wirecut import serve_tcp
faults = ["partition/up:3/nth:1", "vanish/down:2/nth:2", "blackhole/connect/nth:3"]
server = serve_tcp(b"reply", host={host!r}, faults=faults)
print(server.port, flush=True)
server.wait_for(lambda s: len(s.attempts) == 3, timeout_seconds=60)
server.wait_for(lambda s: s.connections[0].struck and s.connections[1].struck)
print("ready", flush=True)
sys.stdin.read()
"""


@needs("raw packets", "packet filter", "tcp repair")
@pytest.mark.parametrize("host", HOSTS)
def test_when_the_process_is_killed_nothing_outlives_it_and_its_clients_see(
    host: str,
) -> None:
    """Partitioned: the end.  Vanished: silence, then a reset.  Unanswered: no answer yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        _process("-c", _KILLED.format(host=host)) as process,
        socket.socket(family) as cut_off,
        socket.socket(family) as left,
        socket.socket(family) as unanswered,
    ):
        assert process.stdout is not None
        address = host, int(process.stdout.readline())
        for client in (cut_off, left):
            client.settimeout(PATIENCE)
            client.connect(address)
            client.sendall(b"hello")
        assert receive_exactly(cut_off, 5, patient()) == b"reply"
        assert receive_exactly(left, 2, patient()) == b"re"
        unanswered.setblocking(False)
        assert unanswered.connect_ex(address) == errno.EINPROGRESS
        assert process.stdout.readline() == "ready\n"
        own = raw_sockets_of(process.pid)
        assert own
        process.kill()
        process.wait(PATIENCE)
        assert not own & raw_sockets()
        wait_until_readable(cut_off, patient())
        assert observe(cut_off, patient()).end in (End.EOF, End.FIN_THEN_RESET, End.RESET)
        assert tcp_state(left) is TcpState.ESTABLISHED
        left.sendall(b"anybody?")
        wait_until_readable(left, patient())
        assert observe(left, patient()).end is End.RESET
        assert tcp_state(unanswered) is TcpState.SYN_SENT
        assert outcome_of_connect(address) == "ECONNREFUSED"


PRIVILEGED = [
    "reset/connect",
    "refuse/connect/first:2",
    "blackhole/connect/nth:3",
    "unreachable/connect",
    "delay/connect",
    "forged_reset/down:3",
    "forged_reset:client/up:3",
    "partition/down:3",
    "partition/up:3",
    "partition:both/down:3",
    "vanish/down:3",
]

_POWERLESS = """
import json, socket, sys
from wirecut import CapabilityMissing, observe, serve_tcp
from wirecut.deadline import Deadline
from wirecut.server.core import open_cores
def said(make):
    try:
        make()
    except CapabilityMissing as missing:
        return str(missing)
    return ""
privileged, others = json.loads(sys.stdin.read())
told = {}
for fault in privileged:
    with serve_tcp(b"reply") as server:
        told[fault] = [
            said(lambda: serve_tcp(b"reply", faults=[fault])),
            said(lambda: server.add(fault)),
        ]
        if "connect" not in fault:
            told[fault].append(said(lambda: server.strike(fault)))
            told[fault].append(said(lambda: serve_tcp([fault])))
assert not open_cores()
for fault in others:
    with serve_tcp(b"reply " * 50, faults=[fault + "/optional"]) as server:
        if "connect" not in fault:
            with socket.create_connection(server.address, 10) as client:
                client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
                observe(client, Deadline.after(0.05))
                told[fault] = [one.fault.word for one in server.connections[0].struck]
print(json.dumps(told))
"""


def test_without_the_privilege_each_of_them_fails_where_it_is_written_and_all_else_works() -> (
    None
):
    """Really as another user, where there is one."""
    others = [
        f"{word}/down:3" if not effect.connect_only else f"{word}/connect"
        for word, effect in EFFECTS.items()
        if not effect().needs
    ]
    assert {one.split("/")[0] for one in others} >= {"reset", "close", "refuse", "blackhole"}
    done = without_privileges(_POWERLESS, data=json.dumps([PRIVILEGED, others]))
    assert (done.stderr, done.returncode) == ("", 0)
    told = json.loads(done.stdout)
    for fault in PRIVILEGED:
        for sentence in told.pop(fault):
            assert " cannot be used here: '" in sentence, fault
            names = ("'raw packets'", "'packet filter'", "'tcp repair'")
            assert any(f"cannot be used here: {name}" in sentence for name in names)
            assert "wirecut lab" in sentence
            assert "\n" not in sentence
    assert told == {one: [one.split("/")[0]] for one in others if "connect" not in one}
