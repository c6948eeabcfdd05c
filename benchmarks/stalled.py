"""Memory of the server per stalled connection, with its entry in the journal.

The clients live in this process: the descriptors of both sides would not fit into one.
"""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from typing import Final

from benchmarks.effort import Effort
from benchmarks.measuring import Row, Table, quantity
from benchmarks.subjects import Subject, raise_descriptor_limit

__all__ = ["memory_per_stalled_connection"]

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_TARGET_BYTES: Final = 1024
_RESERVED_DESCRIPTORS: Final = 200
_BATCH: Final = 500

# What stalls, and when: the names of the subjects.
_CASES: Final = {
    "stall/accept": "wirecut-stall-accept",
    "stall/request.end (after a complete GET)": "wirecut-stall-request",
}


def memory_per_stalled_connection(effort: Effort) -> tuple[Table, ...]:
    """Let connections stall, and compare what the server has in memory before and after."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = raise_descriptor_limit()
    count = min(effort.stalled, limit - _RESERVED_DESCRIPTORS)
    notes = []
    if count < effort.stalled:
        notes.append(f"Only {count:,} connections: the limit on descriptors is {limit:,}.")
    try:
        rows = [_row(name, subject, count) for name, subject in _CASES.items()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    title = f"Memory per stalled connection, {count:,} of them, with its record"
    return (Table(title, tuple(rows), tuple(notes)),)


def _row(name: str, subject: str, count: int) -> Row:
    with Subject.named(subject) as server:
        with _stall(server, min(count, 50)):
            pass  # what is allocated once is allocated now
        before = server.ask("memory")
        with _stall(server, count):
            each = (server.ask("memory") - before) / count
    return Row(
        against=name,
        ours=quantity(each, "bytes"),
        target=f"at most {_TARGET_BYTES:,} bytes",
        met=each <= _TARGET_BYTES,
    )


@contextlib.contextmanager
def _stall(server: Subject, count: int) -> Iterator[None]:
    """Connections that have sent a request and have stalled, for a while."""
    before = server.ask("connections")
    with contextlib.ExitStack() as clients:
        for number in range(1, count + 1):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(_REQUEST)
            if number % _BATCH == 0 or number == count:
                # Reading the journal handles all that has come, so this is no race; and it
                # keeps the queue of the listener short.
                assert server.ask("connections") == before + number
        yield
