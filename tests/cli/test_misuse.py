"""Bad input is one sentence on standard error and exit code 2, never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.console import wirecut
from wirecut.cli.app import run
from wirecut.trying import Client

LINES = [
    ("frob", "No such command 'frob'"),
    ("try --frob", "No such option: --frob"),
    ("try --fault frob", "unknown effect 'frob'; one of reset, close"),
    ("try --fault rest", "unknown effect 'rest' (did you mean reset?)"),
    ("try --fault reset/frob", "unknown moment 'frob'; one of connect, accept, up:N"),
    ("try --fault reset/down:-1", "unknown moment 'down:-1'"),
    ("try --fault reset/down:0/frob", "unknown selection 'frob'; one of every, first:N"),
    ("try --fault reset/down:9999", "reset/down:9999 can never strike: the reply is 180 bytes"),
    ("try --fault delay:-1", "seconds must be >= 0 seconds, got -1.0"),
    ("try --fault close/connect", "close needs a connection, and at connect there is none"),
    ("try --timeout -1", "--timeout must be >= 0 seconds, got -1.0"),
    ("try --timeout 0", "--timeout must be > 0 seconds, got 0.0"),
    ("try --timeout nan", "--timeout must be a number of seconds, got nan"),
    ("try --client-timeout 0", "--client-timeout must be > 0 seconds"),
    ("try --client frob", "unknown client 'frob'; one of http.client, urllib, urllib3"),
    ("try --client httpx -- curl {url}", "give either a command or --client, not both"),
    ("try -- curl", "the command must contain {url}, or {host} and {port}"),
    ("try -- nc {host}", "the command must contain {url}, or {host} and {port}"),
    (
        "try -- /nowhere/frob {url}",
        "the command '/nowhere/frob' cannot be started: No such file or directory",
    ),
    ("try -- /dev/null {url}", "the command '/dev/null' cannot be started: Permission denied"),
    ("try -- false {url}", "'false {url}' failed without any fault: exit code 1"),
    ("try -- true {url}", "'true {url}' ended well, but made no connection to the server"),
    ("serve --port 65536", "port must be <= 65535, got 65536"),
    ("serve --port -1", "port must be >= 0, got -1"),
    ("serve --port http", "'--port'"),
    ("serve --host 0.0.0.0", "host must be a loopback address, got '0.0.0.0': --allow-remote"),
    ("serve --host ::", "host must be a loopback address, got '::': --allow-remote"),
    ("serve --host localhost", "host must be an address such as 127.0.0.1 or ::1"),
    ("serve --reply a --http b", "--reply and --http exclude each other: give one of them"),
    ("serve --reply=", "--reply is empty: leave it out to answer nothing"),
    ("serve --reply-file /dev/null", "--reply-file is empty"),
    (r"serve --reply \q", r"--reply: \q stands for nothing; there are \r \n"),
    (r"serve --greeting \x1", r"--greeting: \x stands for nothing"),
    ("serve --reply-file /nowhere", "'/nowhere'"),
    ("serve --reply abc --fault reset/down:9", "the reply is 3 bytes long"),
    (
        "serve --fault reset/accept --fault close/down:3",
        "close/down:3 can never strike: reset/accept comes first",
    ),
    ("serve --path /nowhere/s", "path '/nowhere/s' cannot be used"),
    ("serve --path s --port 9", "--path is an address by itself: leave out --host and --port"),
    ("serve --behaviour frob", "--behaviour must be MODULE:NAME, got 'frob'"),
    ("serve --behaviour frob:x", "--behaviour frob:x: No module named 'frob'"),
    ("serve --behaviour os:frob", "--behaviour os:frob: os has no 'frob'"),
    ("serve --behaviour os:environ", "a behaviour is bytes, a Script"),
    ("explain frob", "unknown effect 'frob'"),
    ("explain reset/frob", "unknown moment 'frob'"),
    ("doctor --frob", "No such option: --frob"),
]


@pytest.mark.parametrize(("line", "sentence"), LINES, ids=[line for line, _ in LINES])
def test_bad_input_is_one_sentence_and_exit_code_2(
    line: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("wirecut: ")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = wirecut("serve", "--port", str(port))
    assert ended.returncode == 2
    assert str(port) in ended.stderr
    assert "in use" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_client_that_is_not_installed_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert run(["try", "--client", "httpx"]) == 2
    sentence = "wirecut: the client httpx is not installed: pip install httpx, or choose one of"
    assert capsys.readouterr().err.startswith(sentence)


def test_a_failing_healthy_run_is_told_first_with_the_commands_output() -> None:
    ended = wirecut("try", "--", "sh", "-c", "echo no such luck >&2; exit 7", "{url}")
    assert ended.returncode == 2
    assert ended.stdout == ""
    first, second = ended.stderr.splitlines()
    assert first.endswith("failed without any fault: exit code 7")
    assert second == "no such luck"


def test_a_client_of_ours_that_fails_without_a_fault_is_the_harness_failing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying(_url: str, _timeout: float) -> bytes:
        return b"wrong"

    monkeypatch.setattr("wirecut.trying.clients.CLIENTS", (Client("http.client", lying),))
    assert run(["try"]) == 3
    sentence = "wirecut: 'http.client' failed without any fault: it returned b'wrong'\n"
    assert capsys.readouterr().err == sentence


def test_a_bug_of_ours_is_told_with_its_traceback_and_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("wirecut.cli.try_clients.print_table", broken)
    assert run(["try", "--fault", "refuse"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("wirecut: the harness failed: ZeroDivisionError: planted\n")


def test_no_command_at_all_is_misuse_and_shows_the_help() -> None:
    ended = wirecut()
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Commands:" in ended.stderr
