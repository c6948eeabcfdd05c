"""A program whose handler sleeps for ever: its server closes, and the program ends."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from wirecut import HandlerStuck, serve_tcp


def main() -> None:
    """Close while the handler sleeps, and say how that ended."""
    server = serve_tcp(
        lambda _: time.sleep(1e9),  # noqa: TID251 - the sleep is what is tested
        patience_seconds=0.05,
    )
    with socket.create_connection((server.host, server.port)):
        server.wait_for_connections(1)
        try:
            server.close()
        except HandlerStuck:
            sys.stdout.write("HandlerStuck\n")
    sockets = [one for one in Path("/proc/self/fd").iterdir() if one.is_socket()]
    sys.stdout.write(f"sockets {len(sockets)}\n")


if __name__ == "__main__":
    main()
