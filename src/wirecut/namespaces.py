"""Enter a private network, step by step, with nothing but system calls.

It imports only the standard library and can be run as a script, which tries all steps in a
process of its own and prints the one that failed: namespaces cannot be tried and left again.

Sources: unshare(2), user_namespaces(7), network_namespaces(7), capabilities(7) (ambient set),
netdevice(7) ``SIOCSIFFLAGS``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

__all__ = ["StepFailed", "enter_private_network"]

_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000

_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP_AND_RUNNING: Final = 0x1 | 0x40

_CAPABILITY_VERSION_3: Final = 0x2008_0522
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_CAP_NET_ADMIN: Final = 12
_CAP_NET_RAW: Final = 13


class StepFailed(Exception):
    """One step was refused.

    Attributes:
        step: "unshare", "setgroups", "uid_map", "gid_map", "lo up" or "capabilities".
        error: The kernel's answer.
    """

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(step, error)
        self.step = step
        self.error = error


def enter_private_network(*, root: bool = False) -> None:
    """Move this process, which must have one thread only, into a network of its own.

    It has a loopback interface, up, with 127.0.0.1 and ::1, and nothing else.  Who may make a
    network namespace (root) gets no more than that; anybody else gets a user namespace
    around it, in which the user is the same, or root if ``root``.  Programs started from
    here may open raw sockets, attach filters, and change the network's settings.

    Raises:
        StepFailed: The kernel refused a step.  The process may then be in the namespaces
            already: end it.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(_CLONE_NEWNET)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise StepFailed("unshare", error) from error
        _enter_user_namespace(user, group, root=root)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = struct.pack("16sH14x", b"lo", _IFF_UP_AND_RUNNING)
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    except OSError as error:
        raise StepFailed("lo up", error) from error
    try:
        _keep_capabilities()
    except OSError as error:
        raise StepFailed("capabilities", error) from error


def _enter_user_namespace(user: int, group: int, *, root: bool) -> None:
    try:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    except OSError as error:
        raise StepFailed("unshare", error) from error
    # Without "deny" a group that only takes permissions away could be left.
    for step, name, text in (
        ("setgroups", "setgroups", "deny"),
        ("uid_map", "uid_map", f"{0 if root else user} {user} 1"),
        ("gid_map", "gid_map", f"{0 if root else group} {group} 1"),
    ):
        try:
            Path("/proc/self", name).write_bytes(text.encode())
        except OSError as error:
            raise StepFailed(step, error) from error


def _keep_capabilities() -> None:
    """Let the two capabilities survive ``exec`` for a user who is not root."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    _call("capget", header, sets)
    sets[2] |= 1 << _CAP_NET_ADMIN | 1 << _CAP_NET_RAW
    _call("capset", header, sets)
    for capability in (_CAP_NET_ADMIN, _CAP_NET_RAW):
        _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _unshare(flags: int) -> None:
    _call("unshare", flags)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library.

    Raises:
        OSError: It failed, or there is none of that name.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, name):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    numbers = [
        ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments
    ]
    if getattr(library, name)(*numbers):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    try:
        enter_private_network()
    except StepFailed as failed:
        sys.stdout.write(f"{failed.step}:{failed.error.errno}")
