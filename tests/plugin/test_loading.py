"""Loading the plugin costs nobody anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plugin.conftest import Suite

SHOW_NEW = (
    "import sys, pytest\n"
    "before = set(sys.modules)\n"
    "import {module}\n"
    "print(*sorted(set(sys.modules) - before))"
)

SAVE_MODULES = """
import sys

def pytest_unconfigure():
    with open("modules.txt", "w") as file:
        file.write("\\n".join(sys.modules))
"""


def new_modules(module: str) -> list[str]:
    """What importing ``module`` loads in a fresh interpreter that has loaded pytest."""
    command = [sys.executable, "-c", SHOW_NEW.format(module=module)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_importing_the_plugin_loads_no_other_module() -> None:
    assert new_modules("_wirecut_pytest") == ["_wirecut_pytest"]


def test_control_importing_the_package_is_seen() -> None:
    assert {"wirecut", "wirecut.server.loop", "h11"} <= set(new_modules("wirecut"))


def test_a_session_without_our_fixtures_loads_nothing_but_the_plugin(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    """Tests, fixtures, a failure and parametrize ids all pass through the plugin's hooks."""
    pytester.makeconftest(SAVE_MODULES)
    source = """
        import pytest

        @pytest.fixture(scope="module")
        def shared():
            return 1

        @pytest.mark.parametrize("value", ["reset/down:5", object()])
        def test_passes(shared, value): ...

        def test_fails():
            assert False
    """

    def loaded(result: pytest.RunResult) -> set[str]:
        result.assert_outcomes(passed=2, failed=1)
        return set((pytester.path / "modules.txt").read_text("utf-8").split())

    with_it = loaded(suite(source))
    without_it = loaded(pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error"))
    assert with_it - without_it == {"_wirecut_pytest"}


def test_the_plugin_is_installed_under_the_name_wirecut(suite: Suite) -> None:
    suite("def test(wire): ...").assert_outcomes(passed=1)
    suite("def test(wire): ...", "-p", "no:wirecut").assert_outcomes(errors=1)
