"""Options, tiers and nets for the whole suite."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.leaks import Alive, kept_threads_and_sockets, left_behind
from tests.loopback import HOSTS, has_ipv6, only_loopback
from tests.tier import Tier
from wirecut.lab import inside_lab

_FAILED = pytest.StashKey[bool]()

# A loaded machine makes any time limit per example wrong; CI repeats the same examples.
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=200)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

# A shell starts its background jobs with SIGINT ignored, and children inherit that: tests of
# Ctrl-C would wait for ever in a suite that was started so.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("wirecut's own suite")
    group.addoption(
        "--exhaustive",
        action="store_true",
        help="walk every point of every space, not an evenly spaced subset (much slower)",
    )
    group.addoption(
        "--update-public-api",
        action="store_true",
        help="rewrite tests/public_api.txt from the package as it is",
    )


@pytest.fixture(scope="session")
def tier(pytestconfig: pytest.Config) -> Tier:
    """How much of a space to walk in this run."""
    return Tier(exhaustive=bool(pytestconfig.getoption("--exhaustive")))


@pytest.fixture(params=list(HOSTS), ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> socket.AddressFamily:
    """Each address family in turn; `loopback_host` is its literal."""
    chosen: socket.AddressFamily = request.param
    if chosen == socket.AF_INET6 and not has_ipv6():
        pytest.skip("platform: ::1 cannot be bound on this machine")
    return chosen


@pytest.fixture
def loopback_host(family: socket.AddressFamily) -> str:
    """The loopback address literal of `family`."""
    return HOSTS[family]


@pytest.fixture(autouse=True)
def _stay_on_loopback() -> Iterator[None]:
    # For each test anew, because pytest-socket puts the original back after each.
    with only_loopback():
        yield


@pytest.fixture(autouse=True)
def _leave_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    before = Alive.now()
    yield
    # The traceback of a failed test holds its frames, and those hold their sockets.
    if request.node.stash.get(_FAILED, False):
        return
    if leaked := left_behind(before, Alive.now(), kept_threads_and_sockets()):
        pytest.fail("the test left something behind: " + "; ".join(leaked), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    if report.skipped and not hasattr(report, "wasxfail"):
        _refuse_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _refuse_skip_in_ci(report)
    return report


def _refuse_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI everything is installed, so only the platform may excuse a skip.

    Or a missing privilege, because CI runs those tests once more in a lab, where nothing
    excuses one.
    """
    if os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    reason = reason.removeprefix("Skipped: ")
    if inside_lab() or not reason.startswith(("platform: ", "wirecut_needs: ")):
        report.outcome = "failed"
        excuse = "nothing excuses it" if inside_lab() else "only 'platform: ...' excuses it"
        report.longrepr = f"skipped in CI, where {excuse}: {reason}"
