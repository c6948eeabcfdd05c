"""Which raw sockets there are, and whose."""

from __future__ import annotations

from pathlib import Path

__all__ = ["raw_sockets", "raw_sockets_of"]


def raw_sockets() -> set[str]:
    """The inodes of this network's raw sockets, from proc(5)."""
    lines = [
        line.split()
        for name in ("raw", "raw6")
        for line in Path("/proc/net", name).read_text("ascii").splitlines()[1:]
    ]
    return {fields[9] for fields in lines}


def raw_sockets_of(process: int) -> set[str]:
    """The inodes of those that one process holds: other tests may have some of their own."""
    links = set[str]()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            links.add(str(descriptor.readlink()))
        except FileNotFoundError:  # the one with which we list them
            continue
    return {inode for inode in raw_sockets() if f"socket:[{inode}]" in links}
