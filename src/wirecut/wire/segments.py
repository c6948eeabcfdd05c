"""TCP segments and ICMP errors as values: read from a packet's bytes, and written to them.

Sources: RFC 9293 section 3.1 (TCP header and checksum), RFC 791 (IPv4), RFC 8200 (IPv6),
RFC 792, RFC 1812 section 5.2.7.1 and RFC 4443 section 3.1 (unreachable).
"""

from __future__ import annotations

import enum
import socket
import struct
from dataclasses import dataclass, replace
from typing import Final, Self

from wirecut.errors import MisuseError
from wirecut.validation import check_count

__all__ = ["Flags", "Segment", "Unreachable", "UnreachableError", "sequence_after"]

_NUMBERS: Final = 1 << 32
_TCP: Final = struct.Struct("!HHIIBBHHH")
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_HOPS: Final = 64


class Flags(enum.IntFlag):
    """The control bits of a segment, as they stand in its header."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80


def sequence_after(start: int, count: int) -> int:
    """The sequence number ``count`` bytes after (or, if negative, before) ``start``."""
    return (start + count) % _NUMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One TCP segment and the two addresses it goes between.

    Attributes:
        source: The sender's address literal, IPv4 or IPv6.
        source_port: The sender's port.
        destination: The receiver's address literal, of the same family.
        destination_port: The receiver's port.
        sequence: The number of its first byte (a SYN counts as one byte).
        acknowledgement: The next number its sender expects; means nothing without ACK.
        flags: Its control bits.
        window: The receive window, as it stands in the header (not scaled).
        urgent_pointer: Means nothing without URG.
        options: Encoded, at most 40 bytes, a multiple of 4.
        payload: Its data.
    """

    source: str
    source_port: int
    destination: str
    destination_port: int
    sequence: int
    acknowledgement: int = 0
    flags: Flags = Flags(0)  # noqa: RUF009 - a constant
    window: int = 0
    urgent_pointer: int = 0
    options: bytes = b""
    payload: bytes = b""

    def __post_init__(self) -> None:
        if (":" in self.source) != (":" in self.destination):
            raise MisuseError(
                f"source and destination must be of one family, "
                f"got {self.source!r} and {self.destination!r}"
            )
        for name in ("source_port", "destination_port", "window", "urgent_pointer"):
            check_count(name, getattr(self, name), maximum=0xFFFF)
        for name in ("sequence", "acknowledgement"):
            check_count(name, getattr(self, name), maximum=_NUMBERS - 1)
        if len(self.options) % 4 or len(self.options) > 40:  # noqa: PLR2004 - RFC 9293
            raise MisuseError(f"options must be 0, 4, ... 40 bytes, got {len(self.options)}")

    @classmethod
    def parse(cls, header_and_payload: bytes, source: str, destination: str) -> Self | None:
        """The segment in these bytes, which start at the TCP header; None if it is cut short.

        The checksum is not looked at: what a raw socket gets from this machine carries one
        that is not computed yet.
        """
        if len(header_and_payload) < _TCP.size:
            return None
        fields = _TCP.unpack_from(header_and_payload)
        header_bytes = (fields[4] >> 4) * 4
        if not _TCP.size <= header_bytes <= len(header_and_payload):
            return None
        return cls(
            source=source,
            source_port=fields[0],
            destination=destination,
            destination_port=fields[1],
            sequence=fields[2],
            acknowledgement=fields[3],
            flags=Flags(fields[5]),
            window=fields[6],
            urgent_pointer=fields[8],
            options=header_and_payload[_TCP.size : header_bytes],
            payload=header_and_payload[header_bytes:],
        )

    @classmethod
    def parse_ipv4(cls, packet: bytes) -> Self | None:
        """The segment in an IPv4 packet; None if it holds none."""
        if len(packet) < _IPV4.size or packet[0] >> 4 != 4:  # noqa: PLR2004 - IP version
            return None
        header_bytes = (packet[0] & 0xF) * 4
        source, destination = (
            socket.inet_ntop(socket.AF_INET, packet[at : at + 4]) for at in (12, 16)
        )
        return cls.parse(packet[header_bytes:], source, destination)

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if ":" in self.source else socket.AF_INET

    @property
    def end(self) -> int:
        """The number after its last byte; SYN and FIN count as one byte each."""
        controls = bool(self.flags & Flags.SYN) + bool(self.flags & Flags.FIN)
        return sequence_after(self.sequence, len(self.payload) + controls)

    def encode(self) -> bytes:
        """The header with a right checksum, and the payload."""
        size = _TCP.size + len(self.options)
        header = _TCP.pack(
            self.source_port,
            self.destination_port,
            self.sequence,
            self.acknowledgement,
            size // 4 << 4,
            self.flags,
            self.window,
            0,
            self.urgent_pointer,
        )
        body = header + self.options + self.payload
        pseudo = self._address(self.source) + self._address(self.destination)
        pseudo += struct.pack("!II", len(body), socket.IPPROTO_TCP)
        return body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]

    def encode_with_ip(self) -> bytes:
        """The same, behind an IP header."""
        body = self.encode()
        source, destination = self._address(self.source), self._address(self.destination)
        protocol = socket.IPPROTO_TCP
        if self.family == socket.AF_INET6:
            return _IPV6.pack(6 << 28, len(body), protocol, _HOPS, source, destination) + body
        size = _IPV4.size + len(body)
        fields = (0x45, 0, size, 0, 0x4000, _HOPS, protocol)
        header = _IPV4.pack(*fields, 0, source, destination)
        return _IPV4.pack(*fields, checksum(header), source, destination) + body

    def marked(self, urgent_pointer: int) -> Self:
        """The same with another urgent pointer, and without URG."""
        return replace(self, urgent_pointer=urgent_pointer, flags=self.flags & ~Flags.URG)

    def _address(self, literal: str) -> bytes:
        return socket.inet_pton(self.family, literal)


class Unreachable(enum.Enum):
    """Why a destination cannot be reached, and what ``connect()`` makes of it on Linux.

    =============  ==================  ==================
    reason         IPv4                IPv6
    =============  ==================  ==================
    NETWORK        ENETUNREACH         ENETUNREACH
    HOST           EHOSTUNREACH        EHOSTUNREACH
    PROHIBITED     EHOSTUNREACH        EACCES
    PORT           ECONNREFUSED        ECONNREFUSED
    =============  ==================  ==================
    """

    NETWORK = "net"
    HOST = "host"
    PROHIBITED = "prohibited"
    PORT = "port"


# Type, and code by reason.  IPv4's PROHIBITED is "communication administratively prohibited"
# of RFC 1812; IPv6 has no net and host, but "no route" and "address unreachable".
_ICMPV4: Final = (
    3,
    {
        Unreachable.NETWORK: 0,
        Unreachable.HOST: 1,
        Unreachable.PROHIBITED: 13,
        Unreachable.PORT: 3,
    },
)
_ICMPV6: Final = (
    1,
    {
        Unreachable.NETWORK: 0,
        Unreachable.HOST: 3,
        Unreachable.PROHIBITED: 1,
        Unreachable.PORT: 4,
    },
)


@dataclass(frozen=True, slots=True)
class UnreachableError:
    """An ICMP error about a segment, as a router or the destination would send it.

    Attributes:
        about: The segment that did not get through.  Its sender is told, and believes it
            only while the segment's number is one it has sent and not seen acknowledged.
        why: The reason.
    """

    about: Segment
    why: Unreachable

    def encode(self) -> bytes:
        """The ICMP message with a right checksum; on IPv6 the kernel computes it."""
        ipv6 = self.about.family == socket.AF_INET6
        kind, codes = _ICMPV6 if ipv6 else _ICMPV4
        quoted = replace(self.about, payload=b"").encode_with_ip()
        message = struct.pack("!BBHI", kind, codes[self.why], 0, 0) + quoted
        if ipv6:
            return message
        return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of data whose checksum field is zero."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
