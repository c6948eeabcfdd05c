"""Running the real command: to its end, in the background, or on a terminal of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support import PATIENCE, patient

__all__ = ["SCRIPT", "Serving", "Terminal", "on_terminal", "serving", "wirecut"]

SCRIPT = str(Path(sys.executable).with_name("wirecut"))
"""The console script of the environment that runs the tests."""


def wirecut(
    *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``wirecut`` to its end."""
    return subprocess.run(
        [SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
        env={**os.environ, **(env or {})},
    )


@dataclass
class Serving:
    """A ``wirecut serve`` in the background."""

    process: subprocess.Popen[str]
    out: IO[str]
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def stop(self, number: int) -> tuple[int, list[str]]:
        """Send a signal; the exit code, and the lines that were left to read."""
        self.process.send_signal(number)
        lines = self.out.read().splitlines()
        return self.process.wait(PATIENCE), lines


@contextlib.contextmanager
def serving(*arguments: str, cwd: Path | None = None) -> Iterator[Serving]:
    """Start ``wirecut serve`` and read its address."""
    with subprocess.Popen(
        [SCRIPT, "serve", *arguments], stdout=subprocess.PIPE, text=True, cwd=cwd
    ) as process:
        assert process.stdout is not None
        try:
            yield Serving(process, process.stdout, process.stdout.readline().rstrip("\n"))
        finally:
            process.kill()


@dataclass
class Terminal:
    """A process on a terminal; ``seen`` grows by what it writes."""

    pid: int
    descriptor: int
    seen: str = ""

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def read_until(self, text: str) -> None:
        """Read on until ``text`` has been written; the test fails at the deadline."""
        deadline = patient()
        while text not in self.seen:
            ready, _, _ = select.select([self.descriptor], [], [], deadline.timeout())
            assert ready, f"{text!r} was not written, only {self.seen!r}"
            chunk = self._read()
            assert chunk, f"it ended before {text!r}: {self.seen!r}"

    def read_to_end(self) -> int:
        """Read what is left; the exit code."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> str:
        try:
            chunk = os.read(self.descriptor, 65536).decode("utf-8", "replace")
        except OSError:  # EIO: the last process on the terminal has gone
            return ""
        self.seen += chunk
        return chunk


@contextlib.contextmanager
def on_terminal(*arguments: str) -> Iterator[Terminal]:
    """Start ``wirecut`` on a terminal, which is its controlling one: Ctrl-C works."""
    leader, follower = pty.openpty()
    # A helper, because a fork in a process with threads is not safe: it makes the terminal
    # its controlling one (TIOCSCTTY) and becomes the command.
    become = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", become, SCRIPT, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(follower)
    try:
        yield Terminal(process.pid, leader)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, 9)
        with contextlib.suppress(ChildProcessError):
            process.wait()
        os.close(leader)
