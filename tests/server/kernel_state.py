"""The state of one TCP socket of this machine, whoever has it, or nobody any more.

By a netlink request for exactly that socket: /proc/net/tcp lists all there are, which takes
seconds after a test run has left its thousands in TIME_WAIT.

Source: sock_diag(7).
"""

from __future__ import annotations

import socket
import struct
from typing import Final

__all__ = ["state_of"]

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ERROR: Final = 2
_STATES: Final = {1: "ESTABLISHED", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT"}


def state_of(local: tuple[str, int], remote: tuple[str, int]) -> str | None:
    """The state of the socket with these names, None if the kernel has no such socket."""
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    addresses = b"".join(
        socket.inet_pton(family, host).ljust(16, b"\0") for host in (local[0], remote[0])
    )
    ports = struct.pack("!HH", local[1], remote[1])
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    body += ports + addresses + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    header = struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
        netlink.send(header + body)
        answer = netlink.recv(4096)
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind == _ERROR:
        return None
    state: int = answer[17]
    return _STATES.get(state, str(state))
