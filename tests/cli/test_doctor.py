"""`wirecut doctor` says what this machine can do."""

from __future__ import annotations

import json
import platform
import resource

import pytest

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
    assert run(["doctor"]) == 0
    assert "pigs fly; to get it: use a trebuchet" in capsys.readouterr().out


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
