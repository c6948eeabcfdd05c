"""The leak net: what a test leaves behind, without a grace period.

If something is still alive when a test is over, some ``close()`` lied.  Sockets are compared
by inode, because descriptor numbers are reused.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

__all__ = ["Alive", "kept_threads_and_sockets", "left_behind"]

_DESCRIPTORS: Final = Path("/proc/self/fd")  # proc(5); Linux only
_KEPT_NAMES: Final = ("wirecut-loop", "wirecut-worker")


@dataclass(frozen=True, slots=True)
class Alive:
    """Threads and socket inodes alive at one moment."""

    threads: frozenset[threading.Thread]
    sockets: frozenset[str]

    @classmethod
    def now(cls) -> Alive:
        """Take the picture."""
        return cls(frozenset(threading.enumerate()), _socket_inodes())


class _Loop(Protocol):
    """What the net asks of `wirecut.server.loop`."""

    def lease_held(self) -> bool:
        """Whether somebody, such as the plugin for its session, keeps the loop alive."""

    def own_descriptors(self) -> Iterable[int]:
        """The descriptors the loop itself needs, such as its waker's two sockets."""


def kept_threads_and_sockets() -> Alive:
    """What the session's lease on the loop keeps alive, and nothing else.

    The loop's thread, and workers that wait for the next handler; none of them when nobody
    holds a lease.  The loop is looked up and not imported: asking must not start it.
    """
    module = sys.modules.get("wirecut.server.loop")
    if module is None:
        return Alive(frozenset(), frozenset())
    loop = cast("_Loop", module)
    if not loop.lease_held():
        return Alive(frozenset(), frozenset())
    return Alive(
        frozenset(t for t in threading.enumerate() if t.name.startswith(_KEPT_NAMES)),
        frozenset(
            filter(
                None, (_socket_inode(_DESCRIPTORS / str(fd)) for fd in loop.own_descriptors())
            )
        ),
    )


def left_behind(before: Alive, after: Alive, kept: Alive) -> list[str]:
    """What is alive after and was not before, one sentence each; empty if nothing leaked."""
    threads = after.threads - before.threads - kept.threads
    sockets = after.sockets - before.sockets - kept.sockets
    return [
        *sorted(f"the thread {thread.name!r} is still alive" for thread in threads),
        *sorted(f"{inode} is still open" for inode in sockets),
    ]


def _socket_inodes() -> frozenset[str]:
    if not _DESCRIPTORS.exists():
        return frozenset()
    return frozenset(filter(None, map(_socket_inode, _DESCRIPTORS.iterdir())))


def _socket_inode(descriptor: Path) -> str | None:
    """The ``socket:[inode]`` behind a descriptor, or None if it is no socket, or gone.

    The descriptor that lists the directory is gone by the time it is looked up.
    """
    try:
        target = str(descriptor.readlink())
    except OSError:
        return None
    return target if target.startswith("socket:") else None
