"""What a capability is, and what the probes of several share.

The table of them is :data:`wirecut.wire.CAPABILITIES`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final

__all__ = ["LOOPBACK", "PROBE_PATIENCE_SECONDS", "Capability", "loopback_pair"]

PROBE_PATIENCE_SECONDS: Final = 5.0
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that not every platform, or not every user, can do.

    Attributes:
        name: What :func:`require` and :func:`available` take.
        summary: The promise, in one sentence.
        how_to_get: The way out, where it is missing.
        probe: Tries it on loopback; False or an error means missing, and the error says why.
    """

    name: str
    summary: str
    how_to_get: str
    probe: Callable[[], bool]


@contextmanager
def loopback_pair(
    host: str = LOOPBACK, *, peer_buffer: int | None = None
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection for a probe to try things on: (ours, peer)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as cleanup:
        listener = cleanup.enter_context(closing(socket.socket(family)))
        listener.bind((host, 0))
        listener.listen()
        peer = cleanup.enter_context(closing(socket.socket(family)))
        peer.settimeout(PROBE_PATIENCE_SECONDS)
        if peer_buffer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer_buffer)
        peer.connect(listener.getsockname()[:2])
        yield cleanup.enter_context(closing(listener.accept()[0])), peer
