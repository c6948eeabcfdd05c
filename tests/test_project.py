"""What the project's files say about each other."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from tools.lowest import lowest

ROOT = Path(__file__).parent.parent


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def readme_test_commands(readme: str) -> list[str]:
    """The lines of the README's console blocks that run pytest, in order."""
    section = readme.partition("\n## Running the tests\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if "pytest" in line]


def test_ci_runs_the_test_command_of_the_readme_verbatim() -> None:
    (line,) = readme_test_commands(text_of("README.md"))
    # A reader installs first; CI has done so, in an environment of its own.
    install, _, command = line.rpartition(" && ")
    assert install.startswith("python -m pip install ")
    assert command in text_of(".ci/run").splitlines()


@pytest.mark.parametrize("readme", ["", "## Running the tests\n\npytest\n"])
def test_control_a_readme_without_a_test_command_has_none(readme: str) -> None:
    assert readme_test_commands(readme) == []


def test_ci_runs_what_needs_a_privilege_in_a_lab_where_no_skip_passes() -> None:
    lines = text_of(".ci/run").splitlines()
    first, *others = [line for line in lines if line.startswith("wirecut lab ")]
    # Where a lab is forbidden the first of them says so, before anything else is checked.
    assert first == "wirecut lab --quiet -- true"
    assert lines.index(first) < lines.index("ruff check")
    (run,) = others
    assert '-- python -m pytest -n auto -m "wirecut_needs or lab" --wirecut-no-skip' in run


def test_ci_run_is_executable_and_stops_at_the_first_failure() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "\nset -euo pipefail\n" in text_of(".ci/run")


def test_every_rule_that_is_switched_off_carries_its_reason() -> None:
    lint = text_of("pyproject.toml").partition("[tool.ruff.lint]")[2]
    codes = re.findall(r'^    "[A-Z]+\d+",.*$', lint, re.MULTILINE)
    assert len(codes) > 10
    assert [line for line in codes if not re.search(r"#.{12,}", line)] == []


def test_every_runtime_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert [name for name in project["dependencies"] if ">=" not in name] == []


def test_ci_runs_the_suite_with_the_lowest_versions_that_are_allowed() -> None:
    constraints = lowest()
    assert "pytest==8.4" in constraints
    assert len(constraints) == len(set(constraints)) > 15
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "python -m tools.lowest" in script


def test_a_dependency_without_a_lower_bound_is_named(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\ndependencies = ["h11"]\noptional-dependencies = { test = [] }\n', "utf-8"
    )
    with pytest.raises(ValueError, match="'h11' has no lower bound"):
        lowest(project)
