"""What is left when the process that made packets is killed: nothing; and what peers see."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.privileged import TCP_HOSTS, every_host, needs
from tests.raw_sockets import raw_sockets, raw_sockets_of
from tests.support import PATIENCE, patient
from wirecut.wire import End, Observation, observe, receive_exactly, wait_until_readable

pytestmark = needs("raw packets", "packet filter", "tcp repair")

PREPARE = """
    import socket, sys
    from wirecut.wire.action import Direction
    from wirecut.wire.gate import SynGate
    from wirecut.wire.partition import LostSegment, Partition
    family = socket.AddressFamily({family})
    listener = socket.socket(family)
    listener.bind(({host!r}, 0))
    listener.listen()
    {before}
    print(listener.getsockname()[1], flush=True)
    {after}
    print("ready", flush=True)
    sys.stdin.read()
"""
ACCEPT = "ours, _ = listener.accept()"


@contextmanager
def owner(
    family: socket.AddressFamily, *, before: str = "", after: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], tuple[str, int]]]:
    """A process that listens, and does ``after`` to what connects."""
    host = TCP_HOSTS[family]
    code = textwrap.dedent(PREPARE).format(
        family=int(family), host=host, before=before, after=after
    )
    with subprocess.Popen(
        [sys.executable, "-B", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, (host, int(process.stdout.readline()))
        finally:
            process.kill()


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(PATIENCE)


@every_host
def test_a_gate_dies_with_its_process_and_its_port_refuses(
    family: socket.AddressFamily,
) -> None:
    with (
        owner(family, before="gate = SynGate(listener, listener.getsockname()[:2])") as (
            process,
            address,
        ),
        socket.socket(family) as client,
        socket.socket(family) as second,
    ):
        ready(process)
        client.setblocking(False)
        assert client.connect_ex(address) == errno.EINPROGRESS
        own = raw_sockets_of(process.pid)
        assert own
        kill(process)
        assert not own & raw_sockets()
        second.settimeout(PATIENCE)
        assert second.connect_ex(address) == errno.ECONNREFUSED


@pytest.mark.parametrize("direction", ["UP", "BOTH"])
@every_host
def test_a_partitioned_peer_reads_the_end_when_the_process_is_killed(
    family: socket.AddressFamily, direction: str
) -> None:
    cut = f"{ACCEPT}; Partition(ours).cut(Direction.{direction}); ours.send(b'x')"
    with owner(family, after=cut) as (process, address), socket.socket(family) as client:
        client.connect(address)
        ready(process)
        assert receive_exactly(client, 1, patient()) == b"x"
        kill(process)
        assert observe(client, patient()) == Observation(b"", End.EOF)


def test_a_segment_that_was_waited_for_arrives_at_no_one_and_the_peer_is_told() -> None:
    lie_in_wait = f"{ACCEPT}; lost = LostSegment(ours, 0)"
    with (
        owner(socket.AF_INET, after=lie_in_wait) as (process, address),
        socket.socket() as client,
    ):
        client.connect(address)
        ready(process)
        own = raw_sockets_of(process.pid)
        kill(process)
        assert own
        assert not own & raw_sockets()
        wait_until_readable(client, patient())
        assert observe(client, patient()).end is End.EOF
