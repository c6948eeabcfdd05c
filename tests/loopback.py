"""The guard that keeps the suite on this machine, and what loopback offers here."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import pytest

__all__ = ["HOSTS", "has_ipv6", "is_loopback", "only_loopback"]

HOSTS: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
"""The address literal of each family; never ``localhost``, whose meaning is the machine's."""

_Result = TypeVar("_Result")


def is_loopback(host: str) -> bool:
    """Whether a connect to ``host`` stays here; a name does only if it is ``localhost``."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def has_ipv6() -> bool:
    """Whether ``::1`` can be bound, which a kernel built with IPv6 does not yet promise."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextmanager
def only_loopback() -> Iterator[None]:
    """Make a connect of this process to anywhere else fail the test, before any packet.

    The failure is not an ``OSError``: code under test handles those.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(original: Callable[..., _Result]) -> Callable[..., _Result]:
    def connect(sock: socket.socket, address: Any) -> _Result:  # noqa: ANN401 -- as socket's
        if sock.family in HOSTS and not is_loopback(address[0]):
            pytest.fail(f"a test tried to connect to {address!r}, which is not loopback")
        return original(sock, address)

    return connect
