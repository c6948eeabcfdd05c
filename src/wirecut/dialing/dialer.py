"""Make a line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol, TypeAlias

from wirecut.deadline import DEFAULT_PATIENCE_SECONDS, Deadline
from wirecut.dialing.checks import check_fault
from wirecut.dialing.line import Line
from wirecut.errors import MisuseError
from wirecut.faults.fault import Fault
from wirecut.faults.plan import check_plan
from wirecut.faults.text import as_faults
from wirecut.validation import check_seconds
from wirecut.wire.action import Direction
from wirecut.wire.connecting import connect_to

__all__ = ["dial"]


class HasAddress(Protocol):
    """A server, or anything else that says where it is."""

    @property
    def address(self) -> tuple[str, int] | str:
        """``(host, port)``, or a path."""
        ...


Address: TypeAlias = tuple[str, int] | str | os.PathLike[str] | HasAddress


def dial(
    address: Address,
    *,
    faults: Iterable[Fault | str] | Fault | str = (),
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    receive_buffer_bytes: int | None = None,
    allow_remote: bool = False,
) -> Line:
    """Connect to a server; use the line as a context manager, or close it.

    Args:
        address: ``(host, port)`` with an address literal, the path of a Unix-domain socket,
            or a server that has an ``address``.
        faults: What strikes on the line, values or texts; those that are not optional must.
        patience_seconds: How long the connect and each later call may wait.
        receive_buffer_bytes: The size of our receive buffer (SO_RCVBUF); a small one makes
            the server's write block early.
        allow_remote: Allow a name, or an address that is not loopback.

    Raises:
        OSError: What connect() says, such as ``ConnectionRefusedError``.
        DeadlineExceeded: The connect was not answered.
        MisuseError: An argument cannot be right, or a fault can never strike.
    """
    where = _where(address)
    chosen = as_faults(faults)
    for fault in chosen:
        check_fault(fault, where)
    check_plan(chosen, outbound=Direction.UP)
    check_seconds("patience_seconds", patience_seconds)
    sock = connect_to(
        where,
        Deadline.after(patience_seconds),
        receive_buffer_bytes=receive_buffer_bytes,
        allow_remote=allow_remote,
    )
    return Line(sock, where, chosen, patience_seconds)


def _where(address: Address) -> tuple[str, int] | str:
    if isinstance(address, os.PathLike):
        return os.fspath(address)
    if isinstance(address, str | tuple):
        return address
    if hasattr(address, "address"):
        return address.address
    raise MisuseError(
        f"address must be (host, port), a path, or a server with an address, got {address!r}"
    )
