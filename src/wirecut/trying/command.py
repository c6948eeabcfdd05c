"""Run a command against a server, and leave nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from wirecut.deadline import now
from wirecut.errors import MisuseError
from wirecut.server.tcp import TcpServer
from wirecut.trying.outcome import Ran

__all__ = ["PLACEHOLDERS", "check_command", "direct_environment", "run_watched"]

PLACEHOLDERS = ("{url}", "{host}", "{port}")
"""What is replaced in a command's words."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_command(words: Sequence[str]) -> None:
    """Refuse a command that would not know where to connect.

    Raises:
        MisuseError: Neither ``{url}`` nor ``{port}`` occurs in it.
    """
    if not any(place in word for word in words for place in ("{url}", "{port}")):
        raise MisuseError(
            "the command must contain {url}, or {host} and {port}, where the address belongs, "
            f"got {' '.join(words)!r}"
        )


def direct_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which loopback is not sent through a proxy.

    Many clients take even 127.0.0.1 to ``HTTP_PROXY``; some read the name in lower case only.
    """
    direct = dict(environment)
    for name in ("NO_PROXY", "no_proxy"):
        direct[name] = ",".join((*filter(None, [environment.get(name)]), *_LOOPBACK))
    return direct


def run_watched(words: Sequence[str], server: TcpServer, timeout_seconds: float) -> Ran:
    """Run the command once; whatever is left of its processes then is killed.

    Args:
        words: The command, with placeholders for the server's address.
        server: Where it shall connect.
        timeout_seconds: After so long it counts as hanging, and is killed.

    Raises:
        MisuseError: The command cannot be started.
    """
    filled = [_fill(word, server) for word in words]
    # Files, not pipes: a grandchild that holds a pipe open would have to be waited for.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = now()
        try:
            process = subprocess.Popen(  # noqa: S603 - running the user's command is the task
                filled,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=direct_environment(os.environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MisuseError(
                f"the command {filled[0]!r} cannot be started: {reason}"
            ) from None
        waiter = _start_waiting(process)
        try:
            waiter.join(timeout_seconds)
            has_ended = not waiter.is_alive()
            seconds = now() - started
        finally:
            _kill_group(process)
            waiter.join()
        # A port differs from run to run, and a command may print it.
        port = str(server.port).encode()
        result = _read(output).replace(port, b"{port}")
        said = _read(errors)
    text = (said.strip() or result.strip()).decode("utf-8", "replace")
    return Ran(
        seconds,
        has_ended=has_ended,
        result=result,
        exit_code=process.returncode if has_ended else None,
        last_line=_plain(text.splitlines()[-1]) if text else "",
        errors=said.decode("utf-8", "replace"),
    )


def _fill(word: str, server: TcpServer) -> str:
    values = (server.url, server.host, str(server.port))
    for place, value in zip(PLACEHOLDERS, values, strict=True):
        word = word.replace(place, value)
    return word


def _start_waiting(process: subprocess.Popen[bytes]) -> threading.Thread:
    """A thread that ends with the process.  Popen.wait() with a timeout would poll."""

    def wait() -> None:
        # WNOWAIT leaves it a zombie: its group's number cannot go to somebody else before
        # the group is killed.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    waiter = threading.Thread(target=wait, name="wirecut-wait", daemon=True)
    waiter.start()
    return waiter


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the command, if it still runs, and all that it left in its session's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _plain(line: str) -> str:
    """Without control characters, which would move a terminal's cursor."""
    return "".join(char for char in line if char.isprintable())
