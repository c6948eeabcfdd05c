"""The benchmarks run; what they measure is not asserted, since a machine may be busy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds; reached only when failing

for peer in ("aiohttp", "pytest_httpserver", "pytest_localserver"):
    pytest.importorskip(peer, reason=f"{peer} is not installed: pip install -e '.[bench]'")


def run(*options: str) -> str:
    command = [sys.executable, "-m", "benchmarks", "--smoke", *options]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def tables(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("--only", name, "--json"))["tables"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tests", "requests", "memory", "starts"])
def test_a_benchmark_fills_its_table(name: str) -> None:
    for table in tables(name):
        assert table["title"]
        assert table["rows"]
        assert all(row["ours"] for row in table["rows"])


@pytest.mark.slow
def test_resets_are_measured_or_it_is_said_that_there_is_no_compiler() -> None:
    (table,) = tables("resets")
    if any(map(shutil.which, ("cc", "gcc", "clang"))):
        assert len(table["rows"]) == 2
    else:
        assert table["notes"] == [
            "Not measured: no C compiler (cc, gcc, clang) was found on PATH."
        ]


@pytest.mark.slow
def test_the_tables_are_printed_with_the_environment_at_the_end() -> None:
    printed = run("--only", "starts")
    heading, _, rest = printed.partition("\n")
    assert heading == "## Start and stop of a server"
    assert rest.index("| against") < rest.index("## Environment") < rest.index("| kernel")


def test_an_unknown_benchmark_is_refused_in_a_sentence() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 2
    assert "invalid choice: 'nothing'" in ran.stderr
