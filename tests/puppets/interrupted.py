"""A program with a server, a stalled client and a handler; Ctrl-C ends it in good order."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

from wirecut import Peer, serve_tcp


def _handler(peer: Peer) -> None:
    while peer.recv():
        pass


def main() -> None:
    """Wait for Ctrl-C within the server's block, and say what is left after it."""
    try:
        with (
            serve_tcp(_handler) as server,
            socket.create_connection((server.host, server.port)) as client,
        ):
            client.sendall(b"hello")
            server.wait_for(lambda s: s.connections[0].received == b"hello")
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            client.recv(1)
    except KeyboardInterrupt:
        sys.stdout.write("interrupted\n")
    sockets = [one for one in Path("/proc/self/fd").iterdir() if one.is_socket()]
    sys.stdout.write(f"threads {threading.active_count()}, sockets {len(sockets)}\n")


if __name__ == "__main__":
    main()
