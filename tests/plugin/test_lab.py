"""`--wirecut-lab`: the whole run is started again in a private network, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import Suite
from tests.privileged import needs, powerless, where_namespaces_are_forbidden
from tests.support import PATIENCE

in_a_lab = needs("user namespaces")

OURS = Path("/proc/self/ns/net")

SHOWS = """
import os, pytest, socket, sys

@pytest.mark.parametrize("number", range(4))
def test_shows(number):
    with open("shown.txt", "a") as file:
        print(os.readlink("/proc/self/ns/net"), os.getpid(), file=file)

@pytest.mark.wirecut_needs("raw packets", "packet filter", "tcp repair")
def test_network(wire):
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    server = wire.tcp(b"Received", host="::1")
    with socket.create_connection(server.address) as client:
        client.sendall(b"x")
        assert client.recv(100) == b"Received"
"""

COUNTS = """
import os

with open("loaded.txt", "a") as file:
    print(os.getpid(), file=file)
"""

OTHER = """
import os, pytest, threading

threading.Thread(target=threading.Event().wait, daemon=True).start()

@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests():
    with open("loaded.txt", "a") as file:
        print(os.getpid(), file=file)
    return (yield)
"""

QUIET = ("-p", "wirecut", "-p", "no:cacheprovider", "-W", "error")
FORBIDDEN = (
    "ERROR: --wirecut-lab: a private network cannot be made: the step 'unshare' failed "
    "(No space left on device); ask the administrator for a sysctl "
    "user.max_user_namespaces and max_net_namespaces above 0"
)


@pytest.fixture(autouse=True)
def _not_in_a_lab_yet(
    suite: Suite,  # noqa: ARG001 - for its environment
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CI runs these tests in a lab, from where they shall enter one of their own."""
    monkeypatch.delenv("WIRECUT_LAB", raising=False)


def shown(pytester: pytest.Pytester) -> tuple[set[str], set[int]]:
    """In which networks the tests have run, and in which processes."""
    lines = (pytester.path / "shown.txt").read_text("utf-8").splitlines()
    return {line.split()[0] for line in lines}, {int(line.split()[1]) for line in lines}


def loaded(pytester: pytest.Pytester) -> list[int]:
    """The processes that have loaded conftest.py, in order."""
    return [int(line) for line in (pytester.path / "loaded.txt").read_text().splitlines()]


@in_a_lab
@pytest.mark.parametrize("where", ["command line", "file"])
def test_the_run_is_in_a_private_network(
    suite: Suite, pytester: pytest.Pytester, where: str
) -> None:
    pytester.makeconftest(COUNTS)
    if where == "file":
        pytester.makeini("[pytest]\naddopts = --wirecut-lab\n")
    args = ["--wirecut-lab"] if where == "command line" else []
    result = suite(SHOWS, "--wirecut-no-skip", *args)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["wirecut: in a lab, with no outside network"])
    (network,), (process,) = shown(pytester)
    assert network != str(OURS.readlink())
    assert loaded(pytester) == [process], "conftest.py is loaded once, in the lab"


def test_control_without_the_option_it_is_not(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(SHOWS, "-k", "shows")
    result.stdout.no_fnmatch_line("wirecut: in a lab*")
    assert shown(pytester)[0] == {str(OURS.readlink())}


@in_a_lab
def test_workers_of_xdist_are_in_the_same_lab_and_start_nothing(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(COUNTS)
    args = ("--wirecut-lab", "--wirecut-no-skip", "-p", "xdist", "-n", "2")
    suite(SHOWS, *args).assert_outcomes(passed=5)
    (network,), processes = shown(pytester)
    assert network != str(OURS.readlink())
    assert len(loaded(pytester)) == len(set(loaded(pytester))) == 3
    assert processes <= set(loaded(pytester)[1:])


@in_a_lab
def test_it_is_the_same_process_with_the_same_command_line(pytester: pytest.Pytester) -> None:
    """Options of the interpreter too, and an argument that a shell would take apart."""
    pytester.makepyfile(test_it="def test(): ...")
    pytester.makeconftest(
        "import os, sys\n"
        "with open('seen.txt', 'w') as file:\n"
        "    print(os.getpid(), sys.executable, sys.orig_argv[1:], file=file)\n"
    )
    options = ("-X", "utf8", "-W", "error::UserWarning", "-m", "pytest", *QUIET)
    command = [*options, "--wirecut-lab", "-k", "not 'x $HOME \" y'", "test_it.py"]
    with subprocess.Popen(
        [sys.executable, *command], cwd=pytester.path, stdout=subprocess.DEVNULL
    ) as process:
        process.wait(6 * PATIENCE)
    seen = (pytester.path / "seen.txt").read_text("utf-8")
    assert seen == f"{process.pid} {sys.executable} {command}\n"


@in_a_lab
@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def test(): assert 0", pytest.ExitCode.TESTS_FAILED),
        ("import pytest\ndef test(): pytest.exit('enough', 77)", 77),
    ],
)
def test_the_exit_code_passes_through(suite: Suite, source: str, code: int) -> None:
    assert suite(source, "--wirecut-lab").ret == code


@in_a_lab
def test_ctrl_c_interrupts_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="import signal\ndef test():\n    print('here', flush=True)\n    signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *QUIET, "-q", "-s", "--wirecut-lab", "test_it.py"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.stdout.read()
        assert process.wait(PATIENCE) == pytest.ExitCode.INTERRUPTED


def test_in_a_lab_already_nothing_is_started(
    suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So `wirecut lab -- pytest --wirecut-lab` is one lab, not two."""
    monkeypatch.setenv("WIRECUT_LAB", OURS.readlink().name)
    suite(SHOWS, "--wirecut-lab", "-k", "shows").assert_outcomes(passed=4, deselected=1)
    assert shown(pytester)[0] == {str(OURS.readlink())}


@in_a_lab
def test_threads_of_other_plugins_do_not_keep_an_ordinary_user_out(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(other=OTHER, test_it=SHOWS)
    result = pytester.run(
        *(*powerless(), sys.executable, "-m", "pytest", *QUIET, "-p", "other"),
        *("--wirecut-lab", "--wirecut-no-skip"),
        timeout=60,
    )
    result.assert_outcomes(passed=5)
    assert shown(pytester)[0] != {str(OURS.readlink())}
    assert len(loaded(pytester)) == 1, "its hooks are called in the lab only"


@in_a_lab
def test_it_is_entered_with_the_modules_that_this_run_has_found(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it="def test(): ...", **{"wrong/wirecut/__init__": "exit(99)"})
    monkeypatch.setenv("PYTHONPATH", str(pytester.path / "wrong"))
    code = f"import sys; sys.path[:] = {sys.path!r}; import pytest; sys.exit(pytest.main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *QUIET, "--wirecut-lab"],
        cwd=pytester.path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@in_a_lab
def test_where_namespaces_are_forbidden_a_sentence_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it="def test(): ...")
    code = "import pytest; sys.exit(pytest.main())"  # with the arguments of the command line
    arguments = ("-p", "wirecut", "-p", "no:cacheprovider", "--wirecut-lab")
    done = where_namespaces_are_forbidden(code, *arguments, cwd=pytester.path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr == f"{FORBIDDEN}\n\n"
    assert done.stdout == ""


@pytest.mark.parametrize("reads", ["code", "standard input"])
def test_a_program_that_calls_pytest_is_not_started_again(
    pytester: pytest.Pytester, reads: str
) -> None:
    """It would do once more what it has done before, and something else if it is a console."""
    pytester.makepyfile(test_it="def test(): ...")
    arguments = [*QUIET, "--wirecut-lab"]
    given = repr(arguments) if reads == "code" else ""
    code = f"import sys, pytest; sys.exit(pytest.main({given}))"
    command = ["-c", code] if reads == "code" else ["-", *arguments]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=pytester.path,
        input=code,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr == (
        "ERROR: --wirecut-lab: it starts the program again by its command line, which is not "
        "pytest's here: run it as `wirecut lab -- COMMAND` instead\n\n"
    )


def test_a_plugin_that_is_loaded_too_late_says_so(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["_wirecut_pytest"]')
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--wirecut-lab")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --wirecut-lab: load the plugin early, with -p *"])
