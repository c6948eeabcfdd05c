"""The pytest plugin; beside the package so that loading it loads nothing else.

pytest imports it in every session of everyone who has wirecut installed, so it imports only
pytest and the standard library.  The package is imported when a fixture is asked for.

**What was found is told once.**  Findings of a server that ``wire`` has opened are raised
when the fixture is torn down.  If the test has failed by itself, they become notes of its
exception and lines in the section "wirecut" of its report, and never a second error.

**The loop** is leased once per session, at the first use of ``wire``, and given back at the
session's end: starting a thread for each test would cost more than the tests.

**The leak net** holds tests to closing what they open by other means than ``wire``.  It
only looks at what wirecut owns, and leaves alone what a fixture of a wider scope has opened.

**The lab** is a private network: ``--wirecut-lab`` starts the whole run again in it.

**pytest-socket** has to allow loopback, ``--disable-socket --allow-hosts=127.0.0.1,::1``, and
nothing else: ``--allow-unix-socket`` is only for servers at a path and for event loops.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from typing import TypeAlias

    from wirecut import Line, TcpServer
    from wirecut.server.core import Core
    from wirecut.testing import Wire

    _Owned: TypeAlias = Core | Line

# Nothing is for import: pytest finds hooks and fixtures by themselves, and the type to write
# beside an argument named "wire" is wirecut.testing.Wire.
__all__: list[str] = []

_NEEDS: Final = "wirecut_needs"


class _Lease:
    """The session's lease on wirecut's loop, taken at most once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: int | None = None

    def take(self) -> None:
        """Keep the loop running from now on."""
        from wirecut.server.loop import lease  # noqa: PLC0415 - see the module docstring

        with self._lock:
            if self._process is None:
                lease()
                self._process = os.getpid()

    def give_back(self) -> None:
        """Let the loop's threads end; a forked child has no lease, as it has no loop."""
        if self._process == os.getpid():
            from wirecut.server.loop import release  # noqa: PLC0415 - it is loaded already

            release()


_LEASE: Final = pytest.StashKey[_Lease]()
_PATIENCE: Final = pytest.StashKey[float]()
_HAS_LEAK_NET: Final = pytest.StashKey[bool]()
_KNOWN: Final = pytest.StashKey["set[_Owned]"]()
_WIRE: Final = pytest.StashKey["Wire"]()
_HAS_FAILED: Final = pytest.StashKey[bool]()
_IN_LAB: Final = pytest.StashKey[bool]()


# Options.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, on the command line and in the configuration file."""
    group = parser.getgroup("wirecut", "wirecut: real TCP faults")
    group.addoption(
        "--wirecut-patience",
        metavar="SECONDS",
        help="how long wirecut waits for anything before it gives up (default: 5)",
    )
    group.addoption(
        "--wirecut-no-leak-net",
        action="store_true",
        help="do not fail tests that leave servers or lines of wirecut open",
    )
    group.addoption(
        "--wirecut-lab",
        action="store_true",
        help="run all of it in a private network, as `wirecut lab -- COMMAND` does",
    )
    group.addoption(
        "--wirecut-no-skip",
        action="store_true",
        help="fail tests that need a capability which is missing, instead of skipping them",
    )
    parser.addini(
        "wirecut_patience",
        "how many seconds wirecut waits for anything before it gives up",
        type="float",
        default=5.0,
    )
    parser.addini(
        "wirecut_leak_net",
        "whether a test that leaves a server or line of wirecut open fails",
        type="bool",
        default=True,
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest captures what is written
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start again in a private network, if that is asked for."""
    if early_config.known_args_namespace.wirecut_lab:
        from wirecut.testing_lab import restart_in_lab  # noqa: PLC0415 - as in wire

        try:
            restart_in_lab(early_config.invocation_params.args)
        except ValueError as error:  # which a MisuseError is
            raise pytest.UsageError(f"--wirecut-lab: {error}") from None
        early_config.stash[_IN_LAB] = True
    return (yield)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is different in a lab."""
    return "wirecut: in a lab, with no outside network" if _IN_LAB in config.stash else None


def pytest_configure(config: pytest.Config) -> None:
    """Read the options.

    Raises:
        pytest.UsageError: A value cannot be right.
    """
    config.stash[_PATIENCE] = _patience(config)
    try:
        leak_net = bool(config.getini("wirecut_leak_net"))
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"wirecut_leak_net must be true or false: {error}") from None
    config.stash[_HAS_LEAK_NET] = leak_net and not config.getoption("--wirecut-no-leak-net")
    config.stash[_LEASE] = _Lease()
    if config.getoption("--wirecut-lab") and _IN_LAB not in config.stash:
        raise pytest.UsageError("--wirecut-lab: load the plugin early, with -p _wirecut_pytest")
    config.addinivalue_line("markers", f"{_NEEDS}(name, ...): skip without these capabilities")


def _patience(config: pytest.Config) -> float:
    name, value = "--wirecut-patience", config.getoption("--wirecut-patience")
    try:
        if value is None:
            name = "wirecut_patience"
            value = config.getini(name)
        seconds = float(value)
    except (TypeError, ValueError, pytest.UsageError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        got = "" if value is None else f", got {value!r}"
        raise pytest.UsageError(f"{name} must be a number of seconds greater than 0{got}")
    return seconds


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give back the loop; it ends with the last server that is still open."""
    session.config.stash[_LEASE].give_back()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Give a fault its text as id; ``-k`` can select it, and replay can read it."""
    faults = sys.modules.get("wirecut.faults")  # if it is not loaded, nothing is a fault
    return val.text if faults is not None and isinstance(val, faults.Fault) else None


# Fixtures.


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Open servers for this test: ``wire.tcp(b"reply", faults=["reset/down:5"])``.

    ``wire.dial(address)`` plays the client's side.  All are closed after the test, the last
    opened first.  A fault or a script's step that was not reached, and whatever a handler has
    raised, fail the test then.  ``NO_PROXY`` covers loopback while the test runs.  See
    ``wirecut.serve_tcp`` and ``wirecut.dial`` for the arguments.
    """
    __tracebackhide__ = True
    from wirecut.testing import Wire, proxies_avoided  # noqa: PLC0415 - see the module docstring

    config, node = request.config, request.node
    made = Wire(
        patience_seconds=config.stash[_PATIENCE],
        before_first_use=config.stash[_LEASE].take,
    )
    node.stash[_WIRE] = made
    with pytest.MonkeyPatch.context() as environment:
        for name, value in proxies_avoided(os.environ).items():
            environment.setenv(name, value)
        yield made
    found = made.shut_down()
    if not node.stash.get(_HAS_FAILED, False):
        from wirecut.server.findings import raise_findings  # noqa: PLC0415 - loaded already

        raise_findings("wire", found)
    for finding in made.untold(found):
        _tell_late(node, finding)


@pytest.fixture
def resetting_server(wire: Wire) -> TcpServer:
    """A server that resets the connection when it has read a complete request.

    A client gets ECONNRESET instead of a reply, every time.
    """
    return wire.tcp(faults="reset/request.end")


@pytest.fixture
def resetting_url(resetting_server: TcpServer) -> str:
    """The ``http://`` URL of ``resetting_server``."""
    return resetting_server.url


@pytest.fixture
def recording_server(wire: Wire) -> TcpServer:
    """A server that answers ``b"Received"`` to the first input, and remembers all of it.

    What it was sent is in ``recording_server.connections[0].received``.
    """
    return wire.tcp(b"Received")


@pytest.fixture
def refused_address(wire: Wire) -> tuple[str, int]:
    """A ``(host, port)`` that refuses every connection (ECONNREFUSED).

    Nothing else can take the port while the test runs.
    """
    return _host_and_port(wire.tcp(faults="refuse/connect"))


@pytest.fixture
def blackholed_address(wire: Wire) -> tuple[str, int]:
    """A ``(host, port)`` that never answers a connect: a client's connect times out."""
    return _host_and_port(wire.tcp(faults="blackhole/connect"))


def _host_and_port(server: TcpServer) -> tuple[str, int]:
    return server.host, server.port


# Capabilities.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Skip a test that needs what is missing here, before anything is set up for it."""
    marks = item.iter_markers(_NEEDS)
    if names := [name for mark in marks for name in (*mark.args, *mark.kwargs) or ("",)]:
        from wirecut.testing_lab import what_is_missing  # noqa: PLC0415 - as in wire

        try:
            missing = what_is_missing(names)
        except ValueError as error:  # which a MisuseError is
            pytest.fail(f"{_NEEDS} {error}", pytrace=False)
        if missing is not None and item.config.getoption("--wirecut-no-skip"):
            pytest.fail(f"{_NEEDS}: {missing}", pytrace=False)
        if missing is not None:  # pytest skips, so that the report shows the test's own line
            item.add_marker(pytest.mark.skip(reason=f"{_NEEDS}: {missing}"))
    return (yield)


# Reports.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell in a failed test's report what passed on the wire."""
    made = item.stash.get(_WIRE, None)
    error = call.excinfo.value if call.excinfo is not None else None
    if made is not None and error is not None and call.when != "teardown":
        for finding in made.findings():
            error.add_note(f"wirecut found: {_line(finding)}")
    report = yield
    had_failed = call.when != "setup" and item.stash.get(_HAS_FAILED, False)
    # Only now: the exception of a unittest.TestCase is put there during the yield.  A test
    # that was skipped half-way has not reached what it planned either.
    # Sticky, because a subtest has a report of its own before the test's.
    item.stash[_HAS_FAILED] = had_failed or call.excinfo is not None or report.failed
    if made is not None:
        if report.failed and (call.when != "teardown" or not had_failed):
            _add_section(report, made)
        # The session keeps the item, and it would keep the journals.
        if call.when == "teardown":
            del item.stash[_WIRE]
    return report


def _add_section(report: pytest.TestReport, made: Wire) -> None:
    lines = [made.transcript()]
    if report.when != "teardown":  # what is raised there is the findings
        lines += [f"found: {_line(finding)}" for finding in made.findings()]
    if text := "\n".join(filter(None, lines)):
        report.sections.append(("wirecut", text))


def _tell_late(item: pytest.Item, finding: BaseException) -> None:
    """Tell what was found after the report of a failed test was made.

    pytest prints the sections of its teardown right below it.
    """
    item.add_report_section("teardown", "wirecut", _line(finding))


def _line(finding: BaseException) -> str:
    from wirecut.testing import finding_line  # noqa: PLC0415 - it is loaded already

    return finding_line(finding)


# The leak net.


def _open() -> set[_Owned]:
    """What wirecut has open in this process."""
    found: set[_Owned] = set()
    if (core := sys.modules.get("wirecut.server.core")) is not None:
        found.update(core.open_cores())
    if (lines := sys.modules.get("wirecut.dialing.still_open")) is not None:
        found.update(lines.open_lines())
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember what was open before the test."""
    item.config.stash[_KNOWN] = _open()
    try:
        return (yield)
    finally:
        del item.config.stash[_KNOWN]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Leave alone what a fixture of a wider scope opens: it outlives the test."""
    known = request.config.stash.get(_KNOWN, None)
    if known is None or fixturedef.scope == "function":
        return (yield)
    before = _open()
    try:
        return (yield)
    finally:
        known |= _open() - before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Close what the test has left open, and fail it."""
    __tracebackhide__ = True  # what passes through here is not about this function
    try:
        result = yield
    except BaseException as error:
        for sentence in _close_leaked(item):
            error.add_note(sentence)
        raise
    del __tracebackhide__
    sentences = _close_leaked(item)
    if sentences and not item.stash.get(_HAS_FAILED, False):
        pytest.fail("\n".join(sentences), pytrace=False)
    for sentence in sentences:
        item.add_report_section("teardown", "wirecut", sentence)
    return result


def _close_leaked(item: pytest.Item) -> list[str]:
    """Close what was opened since the test began and is still open; a sentence for each."""
    if not item.config.stash[_HAS_LEAK_NET]:
        return []
    known = item.config.stash.get(_KNOWN, None) or set()
    if not (leaked := _open() - known):
        return []
    from wirecut.testing import close_leaked  # noqa: PLC0415 - the most is loaded already

    return close_leaked(leaked)
