"""Raw sockets: see the TCP segments that come to one port, and send segments of our own.

A raw socket gets a copy of every TCP segment that arrives on this machine, other programs'
too, before TCP has looked at it; so each has a filter for one port, or for nothing.  What
is sent may claim any address of this machine as its source, and nothing else: both
addresses must be loopback, unless whoever opens the socket says otherwise.

It needs CAP_NET_RAW (capability "raw packets").

Sources: raw(7), ipv6(7) ``IPV6_CHECKSUM`` and ``IPV6_PKTINFO``, ip(7) ``IP_PKTINFO``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys
from types import TracebackType
from typing import Final, Self, TypeAlias

from wirecut.errors import MisuseError
from wirecut.wire.bpf import Program
from wirecut.wire.filters import DROP_ALL, attach_filter
from wirecut.wire.segments import Segment, UnreachableError

__all__ = ["RawSocket", "open_raw"]

_IP_PKTINFO: Final = 8  # Linux <linux/in.h>; Python has had a name since 3.14
_IPV6_PKTINFO: Final[int] = getattr(socket, "IPV6_PKTINFO", 50)
_IPV6_RECVPKTINFO: Final[int] = getattr(socket, "IPV6_RECVPKTINFO", 49)
_IPV6_CHECKSUM: Final[int] = getattr(socket, "IPV6_CHECKSUM", 7)
_ICMPV6: Final[int] = getattr(socket, "IPPROTO_ICMPV6", 58)
_CHECKSUM_OFFSET: Final = 16  # of the checksum in the TCP header

_LARGEST_PACKET: Final = 1 << 16
_PACKET_INFO: Final = socket.CMSG_SPACE(20) if hasattr(socket, "CMSG_SPACE") else 0
# Room for a burst of SYNs: 4,096 of them, as many as the backlog, take some 3 MB.
_RECEIVE_BUFFER_BYTES: Final = 1 << 22
_SO_RCVBUFFORCE: Final = 33  # beyond net.core.rmem_max, for CAP_NET_ADMIN


_Socket: TypeAlias = socket.socket  # within RawSocket, "socket" is a property


class RawSocket:
    """Reads captured segments and sends our own; a context manager.

    Made by :func:`open_raw`.  One thread at a time; nothing blocks.
    """

    __slots__ = ("_allow_remote", "_icmp", "_tcp", "family")

    def __init__(
        self,
        family: socket.AddressFamily,
        program: Program,
        host: str | None,
        *,
        allow_remote: bool,
    ) -> None:
        self.family = family
        self._allow_remote = allow_remote
        self._icmp: socket.socket | None = None
        self._tcp = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        try:
            self._set_up(program, host)
        except BaseException:
            self._tcp.close()
            raise

    def _set_up(self, program: Program, host: str | None) -> None:
        self._tcp.setblocking(False)
        attach_filter(self._tcp, program)
        if self.family == socket.AF_INET6:
            self._tcp.setsockopt(socket.IPPROTO_IPV6, _IPV6_CHECKSUM, _CHECKSUM_OFFSET)
            self._tcp.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        with contextlib.suppress(OSError):  # without it a burst loses SYNs, which are repeated
            self._tcp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
        if host is not None:
            self._tcp.bind((host, 0))
        # What came between the socket's making and the filter is not for us.
        with contextlib.suppress(BlockingIOError):
            while True:
                self._tcp.recv(1)

    @property
    def socket(self) -> _Socket:
        """The socket to watch: readable when a segment can be received."""
        return self._tcp

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors it holds."""
        sockets = (self._tcp,) if self._icmp is None else (self._tcp, self._icmp)
        return tuple(sock.fileno() for sock in sockets)

    def fileno(self) -> int:
        """The descriptor to watch; -1 when closed."""
        return self._tcp.fileno()

    def receive(self) -> Segment | None:
        """The next captured segment, or None if there is none now."""
        while True:
            try:
                packet, ancillary, _, sender = self._tcp.recvmsg(_LARGEST_PACKET, _PACKET_INFO)
            except BlockingIOError:
                return None
            if self.family == socket.AF_INET:
                segment = Segment.parse_ipv4(packet)
            else:
                segment = Segment.parse(packet, _bare(sender[0]), _destination(ancillary))
            if segment is not None:
                return segment

    def send(self, *packets: Segment | UnreachableError) -> None:
        """Send segments, and errors to the senders of segments, in this order.

        Raises:
            MisuseError: An address is of another family, or is not loopback.
            OSError: The source is no address of this machine.
        """
        for packet in packets:
            if isinstance(packet, Segment):
                self._send(self._tcp, packet.encode(), packet.source, packet.destination)
            else:
                # To its sender, from where it was going.
                source, destination = packet.about.destination, packet.about.source
                self._send(self._errors(), packet.encode(), source, destination)

    def close(self) -> None:
        """Stop; twice is fine."""
        self._tcp.close()
        if self._icmp is not None:
            self._icmp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _errors(self) -> _Socket:
        if self._icmp is None:
            protocol = _ICMPV6 if self.family == socket.AF_INET6 else socket.IPPROTO_ICMP
            self._icmp = socket.socket(self.family, socket.SOCK_RAW, protocol)
            attach_filter(self._icmp, DROP_ALL)
        return self._icmp

    def _send(self, sock: _Socket, data: bytes, source: str, destination: str) -> None:
        for literal in (source, destination):
            address = ipaddress.ip_address(literal)
            if (address.version == 6) != (self.family == socket.AF_INET6):  # noqa: PLR2004
                raise MisuseError(f"{literal!r} is no address of this raw socket's family")
            if not (address.is_loopback or self._allow_remote):
                raise MisuseError(f"a packet's addresses must be loopback, got {literal!r}")
        packed = socket.inet_pton(self.family, source)
        if self.family == socket.AF_INET6:
            info = (socket.IPPROTO_IPV6, _IPV6_PKTINFO, packed + struct.pack("@I", 0))
        else:
            info = (socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("@i4s4s", 0, packed, bytes(4)))
        sock.sendmsg([data], [info], 0, (destination, 0))


def open_raw(
    family: socket.AddressFamily,
    program: Program | None = None,
    *,
    host: str | None = None,
    allow_remote: bool = False,
) -> RawSocket:
    """A raw TCP socket.

    Args:
        family: AF_INET or AF_INET6.
        program: What it receives, such as :func:`~wirecut.wire.filters.only_port`; None is
            nothing, for a socket that only sends.
        host: Only segments to this address of ours; None is any.
        allow_remote: Whether packets may have addresses other than loopback.

    Raises:
        PermissionError: There is no CAP_NET_RAW.
        OSError: Out of descriptors, or ``host`` is no address of this machine.
    """
    if sys.platform != "linux":
        raise PermissionError("raw TCP sockets are Linux's")
    return RawSocket(
        family, DROP_ALL if program is None else program, host, allow_remote=allow_remote
    )


def _destination(ancillary: list[tuple[int, int, bytes]]) -> str:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO):
            return socket.inet_ntop(socket.AF_INET6, data[:16])
    return "::"


def _bare(host: str) -> str:
    """An IPv6 literal without its scope, which a header has no place for."""
    return host.partition("%")[0]
