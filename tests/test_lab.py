"""The private network of `wirecut lab`: what is in it, what passes through, what refuses."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.privileged import NO_MORE_NAMESPACES, as_somebody, needs, without_privileges
from wirecut import lab, namespaces
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.lab import inside_lab, run_in_lab, try_lab
from wirecut.namespaces import StepFailed

in_a_lab = needs("user namespaces")

ENTER = "import sys; from wirecut.lab import run_in_lab; run_in_lab(sys.argv[1:])"
ENTER_QUIETLY = (
    "import sys; from wirecut.lab import run_in_lab; run_in_lab(sys.argv[1:], quiet=True)"
)


def enter(*command: str, code: str = ENTER_QUIETLY) -> subprocess.CompletedProcess[str]:
    """Run a command in a lab, from a fresh Python."""
    return subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-B", "-c", textwrap.dedent(code))


@in_a_lab
def test_a_lab_has_both_loopbacks_up_and_nothing_else() -> None:
    done = enter(
        *python("""
            import socket
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.create_server((host, 0), family=family) as server:
                    socket.create_connection(server.getsockname()[:2]).close()
            print([name for _, name in socket.if_nameindex()])
            try:
                with socket.socket(type=socket.SOCK_DGRAM) as sock:
                    sock.connect(("192.0.2.1", 9))
            except OSError as error:
                print(error.errno)
        """)
    )
    assert (done.stdout, done.stderr) == (f"['lo']\n{errno.ENETUNREACH}\n", "")


@in_a_lab
def test_a_lab_is_a_network_of_its_own() -> None:
    ours = Path("/proc/self/ns/net").readlink()
    done = enter("readlink", "/proc/self/ns/net")
    assert done.stdout.strip() not in {"", str(ours)}


@in_a_lab
def test_one_line_says_that_there_is_no_network() -> None:
    done = enter("true", code=ENTER)
    assert done.stderr == "wirecut lab: true has a private loopback and no network\n"
    assert enter("true").stderr == ""


@in_a_lab
@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_commands(code: int) -> None:
    assert enter("sh", "-c", f"exit {code}").returncode == code


@in_a_lab
def test_the_command_takes_the_place_of_the_process_that_enters() -> None:
    """So signals, the terminal and process groups need no passing on."""
    with subprocess.Popen(
        [sys.executable, "-c", ENTER_QUIETLY, "sh", "-c", "echo $$; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


@in_a_lab
def test_no_signal_is_ignored_in_the_command() -> None:
    """Python ignores SIGPIPE and SIGXFSZ for itself, and exec keeps what is ignored."""
    done = enter("sh", "-c", "grep SigIgn /proc/self/status")
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


@in_a_lab
def test_the_user_stays_the_same() -> None:
    assert enter("id", "-u").stdout.strip() == str(os.geteuid())


@in_a_lab
def test_all_that_needs_a_privilege_is_there() -> None:
    done = enter(
        *python("""
            from wirecut.lab import inside_lab
            from wirecut.wire import require
            for name in ("raw packets", "packet filter", "tcp repair"):
                require(name)
            print(inside_lab())
        """)
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@in_a_lab
def test_a_lab_works_inside_a_lab() -> None:
    done = enter(*python(ENTER_QUIETLY), "id", "-u")
    assert done.stdout.strip() == str(os.geteuid())


def test_a_mark_from_elsewhere_does_not_make_this_a_lab(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WIRECUT_LAB", "net:[1]")
    assert not inside_lab()
    monkeypatch.setenv("WIRECUT_LAB", "")
    monkeypatch.setattr(lab, "_OWN_NETWORK", "/nowhere")
    assert not inside_lab()


def in_a_lab_as_somebody(
    *command: str, root: bool = False, before: str = ""
) -> subprocess.CompletedProcess[str]:
    code = (
        f"from wirecut.lab import run_in_lab; run_in_lab({command!r}, root={root}, quiet=True)"
    )
    return as_somebody(code, before=before)


@in_a_lab
@pytest.mark.parametrize("root", [False, True], ids=["same user", "root"])
def test_an_ordinary_user_gets_a_lab_too(*, root: bool) -> None:
    outside = without_privileges("import os; print(os.geteuid())").stdout
    done = in_a_lab_as_somebody("sh", "-c", "id -u; grep CapEff /proc/self/status", root=root)
    assert done.stderr == ""
    user, capabilities = done.stdout.split("\n")[:2]
    assert user == ("0" if root else outside.strip())
    effective = int(capabilities.split()[1], 16)
    assert effective & (1 << 12) and effective & (1 << 13)  # noqa: PT018 - NET_ADMIN, NET_RAW


@in_a_lab
def test_an_ordinary_user_may_change_the_networks_settings_there() -> None:
    setting = "/proc/sys/net/ipv4/tcp_rto_min_us"
    done = in_a_lab_as_somebody("sh", "-c", f"echo 5000 > {setting} && cat {setting}")
    assert done.stdout == "5000\n"
    assert Path(setting).read_text("ascii") != "5000\n"


@in_a_lab
def test_where_namespaces_are_forbidden_a_sentence_says_so() -> None:
    done = in_a_lab_as_somebody("true", before=NO_MORE_NAMESPACES)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "wirecut.errors.CapabilityMissing: a private network cannot be made: the step "
        "'unshare' failed (No space left on device); ask the administrator for a sysctl "
        "user.max_user_namespaces and max_net_namespaces above 0"
    )


def test_an_ordinary_user_without_namespaces_is_told_at_construction() -> None:
    """Each fault fails on the line that makes it, and names the way out."""
    done = without_privileges("""
import ctypes, os, socket
from wirecut.errors import CapabilityMissing
from wirecut.wire import available
from wirecut.wire.gate import SynGate
from wirecut.wire.partition import LostSegment, Partition
from wirecut.wire.tearing import resets_of
for name in ("exact cuts", "full backlog", "held ports"):
    assert available(name)
with socket.socket() as listener, socket.socket() as client:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client.connect(listener.getsockname())
    ours, _ = listener.accept()
    with ours:
        for make in (
            lambda: SynGate(listener, listener.getsockname()),
            lambda: Partition(ours),
            lambda: LostSegment(ours, 0),
            lambda: resets_of(ours),
        ):
            try:
                make()
            except CapabilityMissing as error:
                assert "`wirecut lab -- COMMAND`" in str(error)
                print(str(error).split("'")[1])
""")
    assert done.stderr == ""
    assert done.stdout.split("\n")[:-1] == ["packet filter"] * 3 + ["tcp repair"]


@pytest.mark.parametrize(
    ("step", "number", "asked"),
    [
        ("unshare", errno.EPERM, "--cap-add SYS_ADMIN or a seccomp profile"),
        ("unshare", errno.ENOSPC, "user.max_user_namespaces"),
        ("unshare", errno.EINVAL, "one thread only"),
        ("unshare", errno.EIO, "whether namespaces are allowed"),
        ("uid_map", errno.EPERM, "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("setgroups", errno.EACCES, "AppArmor profile"),
        ("lo up", errno.EPERM, "AppArmor profile"),
    ],
)
def test_a_refusal_names_the_step_and_what_to_ask_for(
    step: str, number: int, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, root: bool) -> None:
        assert not root
        raise StepFailed(step, OSError(number, os.strerror(number)))

    monkeypatch.setattr(lab, "enter_private_network", refuse)
    with pytest.raises(CapabilityMissing) as caught:
        run_in_lab(["true"])
    message = str(caught.value)
    assert f"the step {step!r} failed ({os.strerror(number)})" in message
    assert asked in message


@pytest.mark.parametrize(
    ("failing", "step"),
    [
        ("_unshare", "unshare"),
        ("_keep_capabilities", "capabilities"),
    ],
)
def test_each_step_is_named_by_itself(
    failing: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "planted")

    for name in ("_unshare", "_keep_capabilities"):
        monkeypatch.setattr(namespaces, name, lambda *_: None)
    monkeypatch.setattr(namespaces, failing, fail)
    monkeypatch.setattr("fcntl.ioctl", lambda *_: None)
    with pytest.raises(StepFailed) as caught:
        namespaces.enter_private_network()
    assert caught.value.step == step


def test_a_loopback_that_does_not_come_up_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EPERM, "planted")

    monkeypatch.setattr(namespaces, "_unshare", lambda *_: None)
    monkeypatch.setattr("fcntl.ioctl", fail)
    with pytest.raises(StepFailed) as caught:
        namespaces.enter_private_network()
    assert caught.value.step == "lo up"


def test_a_function_the_c_library_lacks_is_an_error_and_no_crash() -> None:
    with pytest.raises(OSError, match="not implemented"):
        namespaces._call("wirecut_has_no_such_function")


def test_a_command_that_does_not_exist_is_refused_before_anything_happens() -> None:
    with pytest.raises(MisuseError, match="a program on PATH, got 'no-such-program-here'"):
        run_in_lab(["no-such-program-here"])
    with pytest.raises(MisuseError, match="command must have at least one word"):
        run_in_lab([])


def test_trying_changes_nothing_here() -> None:
    before = Path("/proc/self/ns/net").readlink()
    try_lab()
    assert Path("/proc/self/ns/net").readlink() == before


def test_a_python_that_cannot_be_started_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert (try_lab() or "").startswith("a private network cannot be tried: ")


@in_a_lab
def test_what_cannot_be_started_is_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/nowhere/interpreter\n", "ascii")
    script.chmod(0o700)
    done = enter(str(script))
    assert done.stderr.splitlines()[-1] == (
        f"wirecut.errors.MisuseError: {str(script)!r} cannot be started: "
        "No such file or directory"
    )


def test_without_proc_there_is_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is in a lab could not know it, and would enter again and again."""
    monkeypatch.setattr(lab, "_OWN_NETWORK", "/nowhere")
    assert try_lab() == "a private network needs /nowhere: mount /proc"
    with pytest.raises(CapabilityMissing, match="mount /proc"):
        run_in_lab(["true"])


def test_elsewhere_than_on_linux_there_is_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "needs Linux" in (try_lab() or "")
    with pytest.raises(CapabilityMissing, match="needs Linux"):
        run_in_lab(["true"])
