"""Reset a live connection from outside: a RST that neither end has sent.

That is what firewalls and load balancers do when they forget a connection.  A RST is
believed only if its sequence number is exactly the next one its receiver expects; one that
is merely within the window is answered by a challenge ACK (RFC 9293 section 3.10.7.4, from
RFC 5961), and any other is ignored.  Of a connection whose one end is ours the numbers can
be known exactly; between two foreign ends they cannot.

It needs the capabilities "raw packets", "tcp repair" and, for both ends, "packet filter".
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from wirecut.wire.filters import (
    DROP_ALL_WITHOUT_MARK,
    MARK,
    attach_filter,
    detach_filter,
)
from wirecut.wire.kernel import bytes_unsent, require
from wirecut.wire.packets import RawSocket
from wirecut.wire.repair import read_numbers
from wirecut.wire.segments import Flags, Segment, sequence_after

__all__ = ["Resets", "resets_of", "tear"]


@dataclass(frozen=True, slots=True)
class Resets:
    """The two RST segments that would end a connection at this moment.

    Attributes:
        to_peer: Believed by the peer once it has got all that we have sent so far.
        to_us: Believed by our end as long as it has got nothing more.
    """

    to_peer: Segment
    to_us: Segment


def resets_of(sock: socket.socket) -> Resets:
    """What a third party would have to send to end the connection of ``sock``.

    Raises:
        CapabilityMissing: "tcp repair".
        OSError: It is not connected (any more).
    """
    require("tcp repair")
    numbers = read_numbers(sock)
    host, port = _bare(sock.getsockname())
    peer_host, peer_port = _bare(sock.getpeername())
    sent = sequence_after(numbers.write, -bytes_unsent(sock))
    to_peer = Segment(
        source=host,
        source_port=port,
        destination=peer_host,
        destination_port=peer_port,
        sequence=sent,
        acknowledgement=numbers.receive,
        flags=Flags.RST | Flags.ACK,
    )
    to_us = Segment(
        source=peer_host,
        source_port=peer_port,
        destination=host,
        destination_port=port,
        sequence=numbers.receive,
        acknowledgement=sent,
        flags=Flags.RST | Flags.ACK,
    )
    return Resets(to_peer, to_us)


def tear(sock: socket.socket, raw: RawSocket, *, both: bool) -> None:
    """Reset the connection of ``sock``, which stays the caller's and open.

    The peer reads what had been sent, and then ECONNRESET.  Wait for
    :func:`~wirecut.wire.bytes_unsent` to be 0 first if that shall be all that was given to
    ``send()``.

    Args:
        sock: Our end.
        raw: A raw socket of the connection's family.
        both: Whether our end is reset too: its next read, after what had arrived, raises
            ECONNRESET.  Otherwise it believes that it is connected, until it sends something
            and gets the peer's RST for it.

    Raises:
        CapabilityMissing: "tcp repair" or "packet filter".
        OSError: The connection has already ended.
    """
    if not both:
        raw.send(resets_of(sock).to_peer)
        return
    require("packet filter")
    # What arrived between asking for the number and the RST would make the number wrong.
    attach_filter(sock, DROP_ALL_WITHOUT_MARK)
    try:
        resets = resets_of(sock)
        raw.send(resets.to_peer, resets.to_us.marked(MARK))
    finally:
        detach_filter(sock)


_IPV4_IN_IPV6: Final = "::ffff:"


def _bare(name: tuple[str, int]) -> tuple[str, int]:
    """Host and port; an IPv4 client of an IPv6 socket travels in IPv4 packets."""
    host = name[0].partition("%")[0]
    return host.removeprefix(_IPV4_IN_IPV6), name[1]
