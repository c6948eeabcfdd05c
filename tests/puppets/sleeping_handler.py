"""A program whose handler sleeps for ever: its server closes, and the program ends."""

from __future__ import annotations

import os
import socket
import sys
import time

from wirecut import HandlerStuck, serve_tcp


def main() -> None:
    """Close while the handler sleeps, and say how that ended."""
    server = serve_tcp(
        lambda _: time.sleep(1e9),  # noqa: TID251 - the sleep is what is tested
        patience_seconds=0.05,
    )
    with socket.create_connection(server.address):
        server.wait_for_connections(1)
        try:
            server.close()
        except HandlerStuck:
            sys.stdout.write("HandlerStuck\n")
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    sockets = [
        link for link in links if os.path.lexists(link) and "socket" in os.readlink(link)
    ]
    sys.stdout.write(f"sockets {len(sockets)}\n")


if __name__ == "__main__":
    main()
