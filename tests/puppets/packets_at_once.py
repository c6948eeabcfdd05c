"""Uses every fault that works with packets, again and again, and counts what it has seen.

What another process beside it does must not show here.
"""

from __future__ import annotations

import socket
import sys

from wirecut import End, Ended, TcpServer, observe, serve_tcp
from wirecut.deadline import Deadline

PATIENCE = 30.0


def _outcome(server: TcpServer) -> str:
    try:
        socket.create_connection((server.host, server.port), PATIENCE).close()
    except OSError as error:
        return type(error).__name__
    return "served"


def _attempts(host: str) -> None:
    plan = ["refuse/connect/first:2", "reset/connect/nth:3", "delay:0.001/connect/nth:4"]
    expected = [*["ConnectionRefusedError"] * 2, "ConnectionResetError", "served", "OSError"]
    with serve_tcp(host=host, faults=[*plan, "unreachable/connect/nth:5"]) as server:
        found = [_outcome(server) for _ in expected]
        assert found == expected, found
        assert [len(one.struck) for one in server.attempts] == [1] * 5
        server.wait_for_connections(1)
        assert len(server.connections) == 1


def _third_party(host: str) -> None:
    with serve_tcp(b"0123456789", host=host, faults=["forged_reset/down:3"]) as server:
        with socket.create_connection((server.host, server.port), PATIENCE) as client:
            client.sendall(b"?")
            seen = observe(client, Deadline.after(PATIENCE))
        assert (seen.data, seen.end) == (b"012", End.RESET), seen
        assert server.connections[0].ended is Ended.RESET_BY_THIRD_PARTY


def _partition(host: str) -> None:
    with (
        serve_tcp(host=host, faults=["partition/up:3"]) as server,
        socket.create_connection((server.host, server.port), PATIENCE) as client,
    ):
        client.sendall(b"0123456789")
        server.wait_for(lambda s: s.connections and s.connections[0].struck)
        assert server.connections[0].received == b"012"
        server.heal()
        server.wait_for(lambda s: s.connections[0].received == b"0123456789")


def main(rounds: int) -> None:
    """Wait for the input's end, then for so many rounds of everything."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    for _ in range(rounds):
        for host in ("127.0.0.1", "::1"):
            _attempts(host)
            _third_party(host)
        _partition("127.0.0.1")
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
