"""`wirecut try` runs real clients and tells what they did."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.console import SCRIPT, wirecut
from tests.privileged import needs, without_privileges
from tests.support import PATIENCE
from wirecut.cli.app import run
from wirecut.faults import EFFECTS, parse_fault
from wirecut.trying import telling_faults

privileged = needs("raw packets", "packet filter", "tcp repair")

# A client that believes whatever it reads, with a command line of its own.
BELIEVER = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as sock:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    data = b""
    try:
        while chunk := sock.recv(4096):
            data += chunk
    except ConnectionResetError:
        pass
sys.stdout.buffer.write(data)
"""


def lines_of(text: str) -> dict[str, str]:
    """The rows of a table, by fault."""
    return {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}


def tried(*arguments: str) -> dict[str | None, Any]:
    """The runs of the one client in the JSON, by fault."""
    ended = wirecut("try", "--json", *arguments)
    assert ended.stderr == ""
    found = json.loads(ended.stdout)
    assert ended.returncode == (1 if found["findings"] else 0)
    (client,) = found["clients"]
    return {one["fault"]: one for one in client["runs"]}


def faults(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--fault", text)]


@privileged
def test_the_default_list_has_every_effect_once_healthy_and_each_fault_strikes() -> None:
    ended = wirecut("try", "--client-timeout", "0.4", "--json")
    found = json.loads(ended.stdout)
    runs = found["clients"][0]["runs"]
    assert runs[0]["fault"] is None
    assert [one["fault"] for one in runs[1:]] == [fault.text for fault in telling_faults()]
    assert {parse_fault(one["fault"]).word for one in runs[1:]} == set(EFFECTS)
    assert found["skipped"] == []
    assert all(one["struck"] for one in runs)
    assert [one["fault"] for one in runs if one["racy"]] == ["reset/accept"]
    verdicts = {one["fault"]: one["verdict"] for one in runs}
    # http.client takes end-of-file for the end of the headers, and then an empty body for
    # the whole one; the one finding there is.
    assert [fault for fault, verdict in verdicts.items() if verdict == "truncated"] == [
        "close/down:50"
    ]
    assert (found["findings"], ended.returncode) == (1, 1)
    assert [fault for fault, verdict in verdicts.items() if verdict == "ok"] == [
        None,
        "delay:0.2/connect",
        "delay:0.2/request.end",
        "throttle:512/down:0",
        "dribble/down:0",
        "lose/up:0",
    ]


@privileged
def test_a_fault_at_connect_has_struck_though_there_was_no_connection() -> None:
    runs = tried("--client", "urllib3", *faults("reset/connect", "refuse/connect/first:2"))
    reset = runs["reset/connect"]
    assert (reset["struck"], reset["connections"], reset["errno"]) == (True, 0, "ECONNRESET")
    assert reset["needs"] == ["raw packets", "packet filter"]
    assert reset["attempts"] == 4
    served = runs["refuse/connect/first:2"]
    assert (served["verdict"], served["connections"], served["attempts"]) == ("ok", 1, 3)
    assert (runs[None]["attempts"], runs[None]["needs"]) == (0, [])


@privileged
def test_a_fault_is_marked_with_what_it_needs_and_shows_repeated_attempts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = faults("refuse", "reset/connect", "refuse/connect/first:2", "vanish")
    assert run(["try", "--client", "urllib3", "--client-timeout", "0.2", *chosen]) == 0
    out = capsys.readouterr().out
    rows = lines_of(out)
    assert rows["refuse/connect"].split()[1] == "urllib3.exceptions.MaxRetryError"
    assert rows["reset/connect"].split()[1] == "[1]"
    assert "MaxRetryError, 4 attempts" in rows["reset/connect"]
    assert rows["refuse/connect/first:2"].split()[1:5] == ["[1]", "ok,", "3", "attempts"]
    assert rows["vanish/request.end"].split()[1] == "[2]"
    assert out.splitlines()[-3:-1] == [
        "[1] needs raw packets, packet filter",
        "[2] needs tcp repair",
    ]


@privileged
def test_a_partition_shows_the_clients_own_timeout() -> None:
    chosen = faults("partition/down:132", "partition:both/down:132", "vanish/down:132")
    for row in list(tried("--client-timeout", "0.3", *chosen).values())[1:]:
        assert (row["struck"], row["raised"][0]["type"]) == (True, "TimeoutError")
        assert 0.3 <= row["seconds"] < 0.3 + PATIENCE


def test_without_privileges_a_line_says_what_was_skipped_and_how_to_try_it() -> None:
    words = ["try", "--client", "http.client", "--client-timeout", "0.2", "--exit-zero"]
    ended = without_privileges(f"from wirecut.cli.app import run\nexit(run({words}))")
    assert (ended.returncode, ended.stderr) == (0, "")
    *rows, skipped, summary = ended.stdout.splitlines()
    missing = [fault.text for fault in telling_faults() if fault.needs]
    assert skipped == (
        "skipped, as this needs raw packets, packet filter, tcp repair: "
        f"{', '.join(missing)}; "
        "to try these too: wirecut lab -- wirecut try --client http.client"
    )
    assert len(missing) == 8
    assert not [text for text in missing if any(text in row.split() for row in rows)]
    assert summary.startswith(f"{len(telling_faults()) + 1 - len(missing)} runs, 1 finding")


def test_without_privileges_json_has_what_was_skipped_and_why() -> None:
    words = ["try", "--json", "--exit-zero", "--client-timeout", "0.2"]
    words += ["--", "curl", "-sS", "--max-time", "0.2", "{url}"]
    ended = without_privileges(f"from wirecut.cli.app import run\nexit(run({words}))")
    found = json.loads(ended.stdout)
    (vanish,) = [one for one in found["skipped"] if one["fault"].startswith("vanish")]
    assert vanish == {
        "fault": "vanish/down:132",
        "needs": ["tcp repair"],
        "missing": ["tcp repair"],
        "way_out": "wirecut lab -- wirecut try -- curl -sS --max-time 0.2 '{url}'",
    }
    skipped = {one["fault"] for one in found["skipped"]}
    assert skipped == {fault.text for fault in telling_faults() if fault.needs}
    assert skipped.isdisjoint(one["fault"] for one in found["clients"][0]["runs"])


def test_without_privileges_a_fault_that_was_asked_for_is_refused_before_any_run() -> None:
    words = ["try", *faults("stall", "reset/connect")]
    ended = without_privileges(f"from wirecut.cli.app import run\nexit(run({words}))")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(
        "wirecut: reset/connect cannot be tried here: 'raw packets' is not available here"
    )
    assert "wirecut lab -- COMMAND" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_the_table_names_class_errno_and_causes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["try", "--client", "httpx", *faults("reset/request.end", "close")]) == 0
    out = capsys.readouterr().out
    rows = lines_of(out)
    assert rows["reset/request.end"].split()[1:3] == ["httpx.ReadError", "ECONNRESET"]
    assert rows["reset/request.end"].endswith("  httpcore.ReadError < ConnectionResetError")
    assert rows["close/request.end"].split()[1] == "httpx.RemoteProtocolError"
    assert out.splitlines()[0].startswith("httpx (")
    assert out.splitlines()[-1] == "3 runs, 0 findings"
    assert "\x1b" not in out


def test_several_clients_have_a_column_each(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["http.client", "urllib", "urllib3", "requests", "httpx", "aiohttp"]
    words = [word for name in names for word in ("--client", name)]
    assert run(["try", *words, *faults("reset/request.end", "close/down:50")]) == 1
    out = capsys.readouterr().out
    rows = lines_of(out)
    assert rows["fault"].split() == ["fault", *names]
    assert rows["(none)"].split() == ["(none)", *["ok"] * 6]
    assert rows["reset/request.end"].count("ECONNRESET") == 6
    for name in ("ConnectionResetError", "urllib3.exceptions.MaxRetryError", "httpx.ReadError"):
        assert name in rows["reset/request.end"]
    assert rows["close/down:50"].count("TRUNCATED: 0 of 96 bytes taken for all") == 4
    assert out.splitlines()[-1] == (
        "18 runs, 4 findings: close/down:50 truncated (http.client), close/down:50 truncated "
        "(urllib), close/down:50 truncated (urllib3), close/down:50 truncated (requests)"
    )


def test_exit_zero_reports_findings_without_failing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["try", *faults("close/down:50")]
    assert run(arguments) == 1
    assert run([*arguments, "--exit-zero"]) == 0
    assert capsys.readouterr().out.count("2 runs, 1 finding: close/down:50 truncated") == 2


def test_json_has_the_chain_with_messages_and_errno() -> None:
    runs = tried("--client", "requests", *faults("refuse"))
    chain = runs["refuse/connect"]["raised"]
    assert chain[0]["type"] == "requests.ConnectionError"
    last = {"type": "ConnectionRefusedError", "errno": "ECONNREFUSED"}
    assert last.items() <= chain[-1].items()
    assert "Connection refused" in chain[-1]["message"]
    assert runs["refuse/connect"]["errno"] == "ECONNREFUSED"
    assert runs[None]["returned_bytes"] == runs[None]["expected_bytes"] == 96


@pytest.mark.clients
def test_curl_is_run_once_per_fault_and_its_exit_code_and_last_line_are_shown() -> None:
    chosen = faults("reset/request.end", "close/down:132", "refuse", "delay:0.01")
    ended = wirecut("try", *chosen, "--", "curl", "-sS", "{url}")
    rows = lines_of(ended.stdout)
    assert rows["(none)"].split()[1:3] == ["ok", "0"]
    assert rows["reset/request.end"].split()[1:3] == ["error", "56"]
    assert rows["reset/request.end"].endswith(
        "curl: (56) Recv failure: Connection reset by peer"
    )
    assert rows["close/down:132"].split()[1:3] == ["error", "18"]
    assert rows["refuse/connect"].split()[1:3] == ["error", "7"]
    assert rows["delay:0.01/request.end"].split()[1:3] == ["ok", "0"]
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.clients
def test_a_command_needs_no_dashes_before_it() -> None:
    ended = wirecut("try", "--fault", "refuse", "curl", "-sS", "http://{host}:{port}/x")
    assert lines_of(ended.stdout)["refuse/connect"].split()[1:3] == ["error", "7"]


@pytest.mark.clients
def test_a_command_that_hangs_is_said_to_and_is_a_finding() -> None:
    runs = tried("--timeout", "0.4", *faults("stall"), "--", "curl", "-sS", "{url}")
    assert runs["stall/request.end"]["verdict"] == "hangs"
    assert runs["stall/request.end"]["exit_code"] is None
    assert 0.4 <= runs["stall/request.end"]["seconds"] < 0.4 + PATIENCE
    assert runs[None]["verdict"] == "ok"


def test_a_client_in_process_that_hangs_is_reported_and_the_run_goes_on() -> None:
    words = ("--timeout", "0.3", "--client-timeout", "60")
    runs = tried(*words, *faults("stall", "reset/request.end"))
    assert runs["stall/request.end"]["verdict"] == "hangs"
    assert runs["reset/request.end"]["raised"][0]["type"] == "ConnectionResetError"


def test_a_command_that_believes_anything_is_found_out() -> None:
    chosen = faults("reset/down:100", "garbage", "dribble", "refuse")
    runs = tried(*chosen, "--", sys.executable, "-c", BELIEVER, "{host}", "{port}")
    assert runs["reset/down:100"]["verdict"] == "truncated"
    assert runs["reset/down:100"]["returned_bytes"] == 100
    assert runs["garbage/down:0"]["verdict"] == "wrong"
    assert runs["dribble/down:0"]["verdict"] == "ok"
    assert runs["refuse/connect"]["verdict"] == "error"
    assert runs["refuse/connect"]["last_line"].startswith("ConnectionRefusedError: ")


def test_a_command_killed_by_a_signal_has_crashed() -> None:
    kills_itself = "curl -sS --max-time 2 $0 || kill -SEGV $$"
    words = ("--", "sh", "-c", kills_itself, "{url}")
    ended = wirecut("try", "--fault", "refuse", *words)
    assert ended.returncode == 1
    assert "CRASHED: SIGSEGV" in lines_of(ended.stdout)["refuse/connect"]


def test_a_command_whose_healthy_output_differs_each_time_is_not_compared() -> None:
    words = ("--", "sh", "-c", "curl -sS $0; echo $$", "{url}")
    runs = tried(*faults("close/down:132"), *words)
    assert runs["close/down:132"]["expected_bytes"] is None
    assert runs["close/down:132"]["verdict"] == "ok"


def test_what_a_command_prints_of_its_port_is_no_difference() -> None:
    words = ("--", "sh", "-c", "echo from $0; curl -sS $0", "{url}")
    runs = tried(*faults("dribble"), *words)
    assert runs["dribble/down:0"]["expected_bytes"] is not None
    assert runs["dribble/down:0"]["verdict"] == "ok"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
@pytest.mark.parametrize("client", ["curl", "requests", "httpx", "urllib"])
def test_a_proxy_in_the_environment_is_not_asked(name: str, client: str) -> None:
    words = ["--", "curl", "-sS", "{url}"] if client == "curl" else ["--client", client]
    proxy = {name: "http://127.0.0.1:9", "NO_PROXY": "example.org"}
    ended = wirecut("try", *faults("refuse"), *words, env=proxy)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_fault_that_did_not_strike_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["try", *faults("reset/up:9999")]) == 0
    row = lines_of(capsys.readouterr().out)["reset/up:9999"]
    assert "ok, never struck" in row


def test_a_second_attempt_of_the_client_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["try", "--client", "urllib3", *faults("close/request.end/first:2")]) == 0
    row = lines_of(capsys.readouterr().out)["close/request.end/first:2"]
    assert "ok, 3 connections" in row


def test_sigterm_leaves_no_command_behind(tmp_path: Path) -> None:
    """The command has a session of its own, which nobody but us would end."""
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    # The healthy runs are over when curl has no answer; then it tells of its child and waits.
    command = f"curl -sS --max-time 1 $0 || {{ sleep 1000 & echo $! > {pids}; wait; }}"
    words = ("--timeout", "1000", "--fault", "refuse", "--", "sh", "-c", command, "{url}")
    with subprocess.Popen([SCRIPT, "try", *words], stderr=subprocess.PIPE) as process:
        child = os.pidfd_open(int(pids.read_text("ascii")))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b"wirecut: interrupted\n"
    assert select.select([child], [], [], PATIENCE)[0], "the command's child lives"
    os.close(child)
