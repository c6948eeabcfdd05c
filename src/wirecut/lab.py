"""A private network for one command, without root: ``wirecut lab -- COMMAND``.

On its loopback all that packets can be made to do is allowed, and nothing of it reaches the
machine.  It ends with the last process in it.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NoReturn

from wirecut import namespaces
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.namespaces import StepFailed, enter_private_network

__all__ = ["inside_lab", "run_in_lab", "try_lab"]

_MARK: Final = "WIRECUT_LAB"
_OWN_NETWORK: Final = "/proc/self/ns/net"
_PATIENCE_SECONDS: Final = 10.0

_UNSHARE: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.EPERM: (
            "in a container, to start it with --cap-add SYS_ADMIN or a seccomp profile that "
            "allows unshare; on a machine, for sysctl kernel.unprivileged_userns_clone=1"
        ),
        errno.ENOSPC: "for a sysctl user.max_user_namespaces and max_net_namespaces above 0",
        errno.EUSERS: "to run it less deep inside other user namespaces",
        errno.EINVAL: "for nothing: call it from a process with one thread only",
        errno.ENOSYS: "for a Linux with user and network namespaces",
    }
)
_MAPPING: Final = (
    "for an AppArmor profile that allows user namespaces, or for sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0"
)


def run_in_lab(command: Sequence[str], *, root: bool = False, quiet: bool = False) -> NoReturn:
    """Become ``command``, in a private network with 127.0.0.1 and ::1 up.

    This process is replaced (execve(2)) and no other stays between, so the terminal, signals,
    process groups and the exit code are the command's own, and whoever kills this process
    kills the command.  The user stays the same, with CAP_NET_ADMIN and CAP_NET_RAW.

    Args:
        command: The program, looked up on PATH, and its arguments.
        root: Whether an ordinary user shall be root inside (files stay the user's).
        quiet: Whether to leave out the line on stderr that says what is different here.

    Raises:
        MisuseError: There is no such program, or it cannot be started.
        CapabilityMissing: The kernel, or a container, forbids it; the message names the
            step that failed and what to ask the administrator for.
    """
    if not command:
        raise MisuseError("command must have at least one word, got none")
    program = shutil.which(command[0])
    if program is None:
        raise MisuseError(f"command must start with a program on PATH, got {command[0]!r}")
    if (refusal := _cannot_be_tried()) is not None:
        raise CapabilityMissing(refusal)
    try:
        enter_private_network(root=root)
    except StepFailed as failed:
        raise CapabilityMissing(_sentence(failed.step, failed.error.errno or 0)) from failed
    if not quiet:
        line = f"wirecut lab: {command[0]} has a private loopback and no network\n"
        sys.stderr.write(line)
    sys.stdout.flush()
    sys.stderr.flush()
    environment = os.environ | {_MARK: _network_id()}
    # Python ignores these for itself, and what is ignored stays so across exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(program, list(command), environment)  # noqa: S606 - that is its purpose
    except OSError as error:
        raise MisuseError(f"{program!r} cannot be started: {error.strerror}") from error


def inside_lab() -> bool:
    """Whether this process is in a network that :func:`run_in_lab` has made."""
    return os.environ.get(_MARK, "") == _network_id() != ""


def try_lab() -> str | None:
    """Try to make a private network, in a process of its own.

    Returns:
        None if it works, else the sentence that :func:`run_in_lab` would raise.
    """
    if (refusal := _cannot_be_tried()) is not None:
        return refusal
    try:
        found = subprocess.run(  # noqa: S603 - this Python, on a file of ours
            [sys.executable, "-I", "-S", namespaces.__file__],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"a private network cannot be tried: {error}"
    if not found.stdout:
        return None
    step, _, number = found.stdout.partition(":")
    return _sentence(step, int(number))


def _cannot_be_tried() -> str | None:
    """Why there can be no lab here, whatever is allowed; None if there may be one."""
    if sys.platform != "linux" or not sys.executable:
        return "a private network needs Linux, for instance in a container"
    if not _network_id():  # whoever is in the lab could not know it, and would enter again
        return f"a private network needs {_OWN_NETWORK}: mount /proc"
    return None


def _network_id() -> str:
    """The identity of this process's network namespace; empty where there are none."""
    try:
        return Path(_OWN_NETWORK).readlink().name
    except OSError:
        return ""


def _sentence(step: str, number: int) -> str:
    if step == "unshare":
        ask = _UNSHARE.get(number, "whether namespaces are allowed")
    else:
        ask = _MAPPING
    return (
        f"a private network cannot be made: the step {step!r} failed "
        f"({os.strerror(number)}); ask the administrator {ask}"
    )
