"""`wirecut doctor` says what this machine can do."""

from __future__ import annotations

import json
import platform
import resource

import pytest

from tests.privileged import needs, where_namespaces_are_forbidden, without_privileges
from wirecut.cli import doctor
from wirecut.cli.app import run
from wirecut.wire import CAPABILITIES, Capability, available


def test_it_lists_every_capability_as_probed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    for one in CAPABILITIES:
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {one.name}  ")]
        assert f" {'yes' if available(one.name) else 'no'} " in line
        assert one.summary in line


def test_a_missing_capability_comes_with_the_way_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flying = Capability("flying", "pigs fly", "use a trebuchet", lambda: False)
    monkeypatch.setattr(doctor, "CAPABILITIES", (flying,))
    monkeypatch.setattr(doctor, "available", lambda _: False)
    monkeypatch.setattr(doctor, "why_missing", lambda _: "[Errno 1] no wings")
    assert run(["doctor"]) == 0
    means = "pigs fly; to get it: use a trebuchet; tried: [Errno 1] no wings\n"
    assert means in capsys.readouterr().out


def test_json_has_the_same_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["python"] == platform.python_version()
    assert [one["name"] for one in found["capabilities"]] == [one.name for one in CAPABILITIES]
    assert all(one["available"] is available(one["name"]) for one in found["capabilities"])
    assert found["clients"][0] == {
        "name": "http.client",
        "version": f"Python {platform.python_version()}",
    }


def test_to_an_ordinary_user_it_names_the_way_out() -> None:
    done = without_privileges("import sys; sys.argv[1:] = ['doctor']; import wirecut.__main__")
    rows = {line[2:].partition("  ")[0]: line for line in done.stdout.splitlines()}
    assert " yes " in rows["exact cuts"]
    for name in ("raw packets", "packet filter", "tcp repair"):
        assert " no " in rows[name]
        assert "; to get it: run it as `wirecut lab -- COMMAND` (pytest:" in rows[name]
        assert rows[name].endswith("; tried: [Errno 1] Operation not permitted")


@needs("user namespaces")
def test_where_namespaces_are_forbidden_it_names_the_step_and_what_to_ask_for() -> None:
    done = where_namespaces_are_forbidden("import wirecut.__main__", "doctor")
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("  user namespaces")]
    assert row.endswith(
        "the step 'unshare' failed (No space left on device); ask the administrator for a "
        "sysctl user.max_user_namespaces and max_net_namespaces above 0"
    )


def test_in_a_lab_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for inside in (True, False):
        monkeypatch.setattr(doctor, "inside_lab", lambda inside=inside: inside)
        assert run(["doctor"]) == 0
        out = capsys.readouterr().out
        assert ("in a lab: a private loopback, and no other network\n" in out) is inside


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ((256, 4096), "256 file descriptors: at most 248 connections can be open at once"),
        ((256, 4096), "ulimit -n raises it up to 4096"),
        ((256, resource.RLIM_INFINITY), "ulimit -n raises it without a limit"),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), "no limit on file descriptors"),
    ],
)
def test_the_limit_on_descriptors_says_what_it_limits(
    limits: tuple[int, int],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    assert run(["doctor"]) == 0
    assert sentence in capsys.readouterr().out
