"""Many clients in a process of their own: connect, send, hold until stdin ends.

Usage: many_clients.py HOST PORT COUNT.  Says "ready" when all have connected and sent, and
after stdin has ended how many of them were still silent.
"""

from __future__ import annotations

import resource
import socket
import sys

REQUEST = b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"


def main(host: str, port: int, count: int) -> None:
    """Run to the end of stdin."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    for _ in range(count):
        client = socket.create_connection((host, port))
        client.sendall(REQUEST)
        client.setblocking(False)
        clients.append(client)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    silent = 0
    for client in clients:
        try:
            client.recv(1)
        except BlockingIOError:
            silent += 1
    sys.stdout.write(f"{silent} silent\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
