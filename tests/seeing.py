"""A client that asks once and reads to the end, against a real server."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import wirecut
from tests.support import patient
from wirecut import Deadline, Fault, Observation

__all__ = ["REPLY", "REQUEST", "seen_by_client"]

REQUEST = b"ping"
REPLY = b"the whole reply"


def seen_by_client(
    faults: Iterable[Fault | str], *, deadline: Deadline | None = None
) -> Observation:
    """What a client reads from a server that answers :data:`REQUEST` with :data:`REPLY`."""
    with (
        wirecut.serve_tcp(REPLY, faults=faults) as server,
        socket.create_connection((server.host, server.port)) as client,
    ):
        client.sendall(REQUEST)
        return wirecut.observe(client, deadline if deadline is not None else patient())
