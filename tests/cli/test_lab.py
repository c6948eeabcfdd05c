"""`wirecut lab -- COMMAND`: what the command meets, what passes through, what refuses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pytest

from tests.cli.console import SCRIPT, on_terminal, wirecut
from tests.privileged import as_somebody, needs, where_namespaces_are_forbidden
from tests.support import PATIENCE

in_a_lab = needs("user namespaces")

NETWORK = """
import errno, socket
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.create_server((host, 0), family=family) as server:
        socket.create_connection(server.getsockname()[:2]).close()
print([name for _, name in socket.if_nameindex()])
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    print(sock.connect_ex(("192.0.2.1", 9)) == errno.ENETUNREACH)
"""


@in_a_lab
def test_the_command_has_both_loopbacks_and_reaches_nothing_outside() -> None:
    ended = wirecut("lab", "--", sys.executable, "-B", "-c", NETWORK)
    assert ended.stdout == "['lo']\nTrue\n"
    says = f"wirecut lab: {sys.executable} has a private loopback and no network\n"
    assert ended.stderr == says
    assert ended.returncode == 0


@in_a_lab
def test_control_without_a_command_there_is_no_lab() -> None:
    """The network of the lab is not that of this test."""
    ended = wirecut("lab", "--quiet", "--", "readlink", "/proc/self/ns/net")
    assert ended.stderr == ""
    assert ended.stdout.strip() not in {"", str(Path("/proc/self/ns/net").readlink())}


@in_a_lab
@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_the_exit_code_is_the_commands(code: int) -> None:
    assert wirecut("lab", "--quiet", "--", "sh", "-c", f"exit {code}").returncode == code


@in_a_lab
@pytest.mark.parametrize("dashes", [["--"], []], ids=["with dashes", "without"])
def test_what_follows_the_command_is_its_own(dashes: list[str]) -> None:
    ended = wirecut("lab", "--quiet", *dashes, "echo", "--root", "--help", "a  b")
    assert (ended.stdout, ended.stderr) == ("--root --help a  b\n", "")


@in_a_lab
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_the_command(number: signal.Signals) -> None:
    with subprocess.Popen(
        [SCRIPT, "lab", "--quiet", "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"here\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"here\n"  # so cat has taken its place
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number


@in_a_lab
def test_the_terminal_is_the_commands() -> None:
    """Its name, its size, and Ctrl-C."""
    command = "tty; stty size; exec cat"
    with on_terminal("lab", "--quiet", "--", "sh", "-c", f"read go; {command}") as terminal:
        size = struct.pack("HHHH", 41, 83, 0, 0)
        fcntl.ioctl(terminal.descriptor, termios.TIOCSWINSZ, size)
        terminal.type("go\n")
        terminal.read_until("41 83")
        assert "/dev/pts/" in terminal.seen
        terminal.type("typed\n")
        terminal.read_until("typed\r\ntyped")
        terminal.type("\x03")
        assert terminal.read_to_end() == -signal.SIGINT


@in_a_lab
def test_a_lab_works_inside_a_lab() -> None:
    inner = (SCRIPT, "lab", "--quiet", "--", "id", "-u")
    ended = wirecut("lab", "--quiet", "--", *inner)
    assert (ended.stdout, ended.stderr) == (f"{os.geteuid()}\n", "")


@in_a_lab
@pytest.mark.parametrize("options", [[], ["--root"]], ids=["same user", "root"])
def test_an_ordinary_user_may_do_there_what_root_may(options: list[str]) -> None:
    """And stays who he is, unless he asks for more; what he makes is his in any case."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        Path(folder).chmod(0o777)
        script = f"id -u; grep CapEff /proc/self/status; touch {made}"
        arguments = ["lab", "--quiet", *options, "--", "sh", "-c", script]
        ended = as_somebody(f"sys.argv[1:] = {arguments!r}; import wirecut.__main__")
        assert ended.stderr == ""
        owner = made.stat().st_uid
    user, capabilities = ended.stdout.splitlines()
    assert int(user) == (0 if options else owner)
    assert owner == (os.geteuid() or owner)
    effective = int(capabilities.split()[1], 16)
    assert effective & (1 << 12) and effective & (1 << 13)  # noqa: PT018 - NET_ADMIN, NET_RAW


@in_a_lab
def test_where_namespaces_are_forbidden_a_sentence_says_so_and_the_code_is_3() -> None:
    ended = where_namespaces_are_forbidden("import wirecut.__main__", "lab", "--", "true")
    assert ended.stderr == (
        "wirecut: a private network cannot be made: the step 'unshare' failed (No space left "
        "on device); ask the administrator for a sysctl user.max_user_namespaces and "
        "max_net_namespaces above 0\n"
    )
    assert ended.returncode == 3


def test_a_command_that_does_not_exist_is_misuse() -> None:
    ended = wirecut("lab", "--", "no-such-program-here", "--option")
    assert ended.stderr == (
        "wirecut: command must start with a program on PATH, got 'no-such-program-here'\n"
    )
    assert ended.returncode == 2


@pytest.mark.parametrize("arguments", [[], ["--"], ["--quiet", "--root"]])
def test_no_command_is_misuse(arguments: list[str]) -> None:
    ended = wirecut("lab", *arguments)
    assert ended.stderr == "wirecut: give a command to run: wirecut lab -- COMMAND\n"
    assert ended.returncode == 2


@in_a_lab
def test_the_namespace_is_gone_with_the_command() -> None:
    """Nothing of wirecut is left to hold it: seen by the identity of the network."""
    ended = wirecut("lab", "--quiet", "--", "sh", "-c", "readlink /proc/self/ns/net")
    name = ended.stdout.strip()
    assert name.startswith("net:[")
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            left += [process] if str((process / "ns/net").readlink()) == name else []
    assert left == []
