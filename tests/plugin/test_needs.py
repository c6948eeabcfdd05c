"""The mark `wirecut_needs`: a test that cannot run says what is missing and the way out."""

from __future__ import annotations

import sys

import pytest

from tests.plugin.conftest import Suite
from tests.privileged import powerless

MARKED = """
import pytest

@pytest.fixture(scope="session")
def costly():
    assert False, "nothing is set up for a test that is skipped"

@pytest.mark.wirecut_needs("raw packets", "exact cuts", "packet filter")
def test_two_are_missing(costly): ...

@pytest.mark.wirecut_needs("exact cuts")
def test_nothing_is_missing(): ...

@pytest.mark.wirecut_needs("raw packets")
class TestClass:
    def test_of_a_class(self, costly): ...

@pytest.mark.parametrize(
    "value", [1, pytest.param(2, marks=pytest.mark.wirecut_needs("raw packets"))]
)
def test_parameter(value): ...
"""

REASON = (
    "wirecut_needs: missing here: 'raw packets', 'packet filter': run it as `wirecut lab -- "
    "COMMAND` (pytest: with --wirecut-lab), without root; or have CAP_NET_RAW; or have "
    "CAP_NET_ADMIN; tried: [[]Errno 1] Operation not permitted"
)


@pytest.fixture
def powerless_suite(
    suite: Suite,  # noqa: ARG001 - for its environment
    pytester: pytest.Pytester,
) -> Suite:
    """The same, run without privileges, whoever we are."""

    def run(source: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        fixed = ("-p", "wirecut", "-p", "no:cacheprovider", "-W", "error")
        command = (*powerless(), sys.executable, "-m", "pytest", *fixed, *args)
        return pytester.run(*command, timeout=60)

    return run


def test_a_test_is_skipped_with_what_is_missing_and_the_way_out(powerless_suite: Suite) -> None:
    result = powerless_suite(MARKED, "-rs", "--strict-markers")
    result.assert_outcomes(passed=2, skipped=3)
    result.stdout.fnmatch_lines_random(
        [
            f"SKIPPED [[]1] test_it.py:7: {REASON}",
            "SKIPPED [[]1] test_it.py:*: wirecut_needs: missing here: 'raw packets': *",
        ]
    )


def test_in_ci_a_switch_makes_it_a_failure(powerless_suite: Suite) -> None:
    result = powerless_suite(MARKED, "--wirecut-no-skip")
    result.assert_outcomes(passed=2, errors=3)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_two_are_missing*", REASON])
    result.stdout.no_fnmatch_line("*_wirecut_pytest.py*")


def test_the_switch_changes_nothing_where_nothing_is_missing(suite: Suite) -> None:
    source = "import pytest\n@pytest.mark.wirecut_needs('exact cuts')\ndef test(): ...\n"
    suite(source, "--wirecut-no-skip").assert_outcomes(passed=1)


def test_marks_add_up(powerless_suite: Suite) -> None:
    source = """
import pytest

pytestmark = pytest.mark.wirecut_needs("packet filter")

@pytest.mark.wirecut_needs("raw packets")
def test(): ...
"""
    powerless_suite(source, "-rs").stdout.fnmatch_lines(["*'raw packets', 'packet filter':*"])


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        ('("raw packet")', "'raw packet'"),
        ('("exact cuts", "nonsense")', "'nonsense'"),
        ("(name='exact cuts')", "'name'"),
        ("([1])", "[[]1]"),
        ("(None)", "None"),
        ("", "''"),
        ("()", "''"),
    ],
)
def test_what_is_not_the_name_of_a_capability_is_an_error(
    suite: Suite, arguments: str, got: str
) -> None:
    source = f"import pytest\n@pytest.mark.wirecut_needs{arguments}\ndef test(): ...\n"
    result = suite(source)
    result.assert_outcomes(errors=1)
    names = "exact cuts, *, raw packets, packet filter, tcp repair, user namespaces"
    result.stdout.fnmatch_lines([f"wirecut_needs must name any of {names}; got {got}"])
    result.stdout.no_fnmatch_line("*_wirecut_pytest.py*")


def test_the_mark_and_the_options_are_in_the_help(suite: Suite) -> None:
    about = "@pytest.mark.wirecut_needs(name, ...): skip without these capabilities"
    suite("", "--markers").stdout.fnmatch_lines([about])
    suite("", "--help").stdout.fnmatch_lines_random(
        ["  --wirecut-lab *", "  --wirecut-no-skip *"]
    )
