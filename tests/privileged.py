"""What tests of packets share: skipping without the privilege, and running without it."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import FAMILIES, PATIENCE
from wirecut.deadline import Deadline, now
from wirecut.wire.gate import Attempt, Postponed, SynGate

__all__ = [
    "NO_MORE_NAMESPACES",
    "TCP_HOSTS",
    "Gated",
    "as_somebody",
    "every_host",
    "gated",
    "needs",
    "powerless",
    "where_namespaces_are_forbidden",
    "without_privileges",
]

TCP_HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}

every_host = pytest.mark.parametrize("family", FAMILIES[:2])

# A program's directory may be closed to others; the tests are about the network.
_AS_NOBODY = (
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
)
_POWERLESS = ("setpriv", "--ambient-caps=-all", "--inh-caps=-all")
_FOR_GOOD = "--bounding-set=-net_raw,-net_admin,-sys_admin"  # root regains the others by exec


needs = pytest.mark.wirecut_needs
"""Skip where one of the capabilities is missing.  CI runs those tests in a lab, where that is
a failure: ``wirecut lab -- python -m pytest -m wirecut_needs --wirecut-no-skip``."""

# Entering is tried with a user namespace around it, by somebody who is not root outside.
_AS_SOMEBODY = """
    import ctypes, os, sys
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # what is under /proc/self is our own again
    {before}
    {code}
"""

NO_MORE_NAMESPACES = (
    "u = os.geteuid(); import wirecut.namespaces as n; n._unshare(0x10000000); "
    "open('/proc/self/setgroups', 'w').write('deny'); "
    "open('/proc/self/uid_map', 'w').write(f'{u} {u} 1'); "
    "[open(f'/proc/sys/user/max_{kind}_namespaces', 'w').write('0') "
    "for kind in ('user', 'net')]"
)
"""Moves the process into a user namespace in which no further one may be made, as some
machines are set to."""


def as_somebody(code: str, *, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a line of Python that enters a lab, as an ordinary user, after ``before``."""
    text = textwrap.dedent(_AS_SOMEBODY)
    return without_privileges(text.format(before=before, code=code))


def without_privileges(code: str, *, data: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python code as a user who may do nothing special.

    As root that is really another user; an ordinary user stays who he is.
    """
    if shutil.which("setpriv") is None:
        pytest.skip("platform: there is no setpriv here")
    command = [sys.executable, "-B", "-c", code]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def run(prefix: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, *command],
            env=environment,
            input=data,
            capture_output=True,
            text=True,
            timeout=6 * PATIENCE,
            check=False,
        )

    if os.geteuid() != 0:
        return run(powerless())
    probe = subprocess.run([*_AS_NOBODY, "true"], capture_output=True, check=False)
    return run(_AS_NOBODY if probe.returncode == 0 else powerless())


def where_namespaces_are_forbidden(
    code: str, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a line of Python with arguments where no lab can be made."""
    setting = f"import os, sys; {NO_MORE_NAMESPACES}; {code}"
    return subprocess.run(
        [*powerless(), sys.executable, "-B", "-c", setting, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )


def powerless() -> tuple[str, ...]:
    """What goes before a command that shall be run by the same user, without privileges."""
    if shutil.which("setpriv") is None:
        pytest.skip("platform: there is no setpriv here")
    return _POWERLESS if os.geteuid() else (*_POWERLESS, _FOR_GOOD)


Decide = Callable[[SynGate, Attempt], "tuple[Postponed, ...] | None"]


@dataclass
class Gated:
    """A listener behind a gate, which a thread serves.

    Attributes:
        address: Where clients connect to.
        listener: The listening socket, blocking.
        attempts: The attempts that have been decided.
    """

    address: tuple[str, int]
    listener: socket.socket
    attempts: list[Attempt] = field(default_factory=list)


@contextmanager
def gated(family: socket.AddressFamily, decide: Decide) -> Iterator[Gated]:
    """Listen, with a gate whose attempts a thread decides; everything is gone at the end."""
    with ExitStack() as cleanup:
        listener = cleanup.enter_context(socket.socket(family))
        listener.bind((TCP_HOSTS[family], 0))
        listener.listen(4096)
        listener.settimeout(PATIENCE)
        address = listener.getsockname()[:2]
        gate = cleanup.enter_context(SynGate(listener, address))
        served = Gated(address, listener)
        stop, stopped = socket.socketpair()
        cleanup.enter_context(stop)
        cleanup.enter_context(stopped)
        thread = threading.Thread(
            target=_serve, args=(gate, decide, stopped, served), name="test-gate"
        )
        thread.start()
        try:
            yield served
        finally:
            stop.send(b"x")
            thread.join(PATIENCE)
            assert not thread.is_alive()


def _serve(gate: SynGate, decide: Decide, stopped: socket.socket, served: Gated) -> None:

    postponed: list[tuple[float, Postponed]] = []
    while True:
        wait = Deadline(min((at for at, _ in postponed), default=float("inf"))).timeout()
        ready = select.select([gate.socket, stopped], [], [], wait)[0]
        if stopped in ready:
            return
        for entry in [entry for entry in postponed if entry[0] <= now()]:
            gate.send(entry[1])
            postponed.remove(entry)
        for attempt in gate.attempts():
            served.attempts.append(attempt)  # before the client can know
            later = decide(gate, attempt) or ()
            postponed += [(now() + item.seconds, item) for item in later]
