"""The capabilities that need a privilege, each really tried.

All of them come with ``wirecut lab``, without root: in a private network one may do what on
the machine's own only its administrator may.
"""

from __future__ import annotations

import select
import socket
from typing import Final

from wirecut.errors import CapabilityMissing
from wirecut.lab import try_lab
from wirecut.wire.capability import LOOPBACK, Capability, loopback_pair
from wirecut.wire.filters import (
    DROP_ALL_WITHOUT_MARK,
    attach_filter,
    detach_filter,
    only_port,
)
from wirecut.wire.packets import open_raw
from wirecut.wire.repair import read_numbers

__all__ = ["PRIVILEGES"]


def _probe_raw_packets() -> bool:
    """See the SYN of a connect to a port on which nothing listens."""
    with socket.socket() as holder, socket.socket() as client:
        holder.bind((LOOPBACK, 0))
        port = holder.getsockname()[1]
        with open_raw(socket.AF_INET, only_port(socket.AF_INET, port)) as raw:
            client.setblocking(False)
            client.connect_ex((LOOPBACK, port))
            select.select([raw], [], [], _PATIENCE_SECONDS)
            segment = raw.receive()
            return segment is not None and segment.destination_port == port


def _probe_packet_filter() -> bool:
    """Drop what a peer sends."""
    with loopback_pair() as (ours, peer):
        attach_filter(ours, DROP_ALL_WITHOUT_MARK)
        peer.sendall(b"lost")
        arrived = bool(select.select([ours], [], [], 0)[0])
        return detach_filter(ours) and not arrived


def _probe_tcp_repair() -> bool:
    """Both ends must know the same numbers."""
    with loopback_pair() as (ours, peer):
        return read_numbers(ours).receive == read_numbers(peer).write


def _probe_user_namespaces() -> bool:
    if (refusal := try_lab()) is not None:
        raise CapabilityMissing(refusal)
    return True


_PATIENCE_SECONDS: Final = 5.0
_LAB: Final = "run it as `wirecut lab -- COMMAND` (pytest: with --wirecut-lab), without root"

PRIVILEGES: Final = (
    Capability(
        "raw packets",
        "TCP segments and ICMP errors of our own can be sent, and segments captured",
        f"{_LAB}; or have CAP_NET_RAW",
        _probe_raw_packets,
    ),
    Capability(
        "packet filter",
        "a filter on a TCP socket can drop what arrives",
        f"{_LAB}; or have CAP_NET_ADMIN",
        _probe_packet_filter,
    ),
    Capability(
        "tcp repair",
        "a connection tells its sequence numbers, and can be closed without a packet",
        f"{_LAB}; or have CAP_NET_ADMIN",
        _probe_tcp_repair,
    ),
    Capability(
        "user namespaces",
        "`wirecut lab -- COMMAND` can make a private network",
        "ask the administrator for what the step that failed needs",
        _probe_user_namespaces,
    ),
)
