"""The suite's own nets object to what is planted for them."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from tests.leaks import Alive, kept_threads_and_sockets, left_behind
from tests.loopback import is_loopback
from tests.tier import Tier

NOTHING = Alive(frozenset(), frozenset())


def test_an_open_socket_is_seen_as_left_behind() -> None:
    before = Alive.now()
    with socket.socket():
        assert len(left_behind(before, Alive.now(), NOTHING)) == 1
    assert left_behind(before, Alive.now(), NOTHING) == []


def test_a_running_thread_is_seen_as_left_behind() -> None:
    before, end = Alive.now(), threading.Event()
    thread = threading.Thread(target=end.wait, name="planted")
    thread.start()
    assert left_behind(before, Alive.now(), NOTHING) == ["the thread 'planted' is still alive"]
    end.set()
    thread.join()
    assert left_behind(before, Alive.now(), NOTHING) == []


def test_what_the_lease_keeps_is_not_left_behind() -> None:
    before = Alive.now()
    with socket.socket():
        after = Alive.now()
        assert left_behind(before, after, after) == []


@pytest.mark.parametrize("held", [True, False])
def test_our_threads_and_sockets_are_kept_only_while_a_lease_is_held(
    monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    before, end = Alive.now(), threading.Event()
    with socket.socket() as waker, socket.socket() as stray:
        loop = SimpleNamespace(
            lease_held=lambda: held, own_descriptors=lambda: [waker.fileno()]
        )
        monkeypatch.setitem(sys.modules, "wirecut.server.loop", cast("ModuleType", loop))
        ours = threading.Thread(target=end.wait, name="wirecut-loop")
        other = threading.Thread(target=end.wait, name="not-wirecut-loop")
        ours.start()
        other.start()
        left = left_behind(before, Alive.now(), kept_threads_and_sockets())
        assert stray.fileno() >= 0
        end.set()
        ours.join()
        other.join()
    assert len(left) == (2 if held else 4)
    assert "the thread 'not-wirecut-loop' is still alive" in left
    assert ("the thread 'wirecut-loop' is still alive" in left) is not held


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "2001:db8::1", "0.0.0.0", "::ffff:192.0.2.1", "a.test"]
)
def test_the_guard_refuses_what_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_the_guard_lets_loopback_pass(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("name", ["connect", "connect_ex"])
def test_a_connect_elsewhere_fails_the_test_before_any_packet(name: str) -> None:
    # 192.0.2.1 is of TEST-NET-1 (RFC 5737): nobody answers there.
    with socket.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(pytest.fail.Exception, match="which is not loopback"):
            getattr(sock, name)(("192.0.2.1", 9))


def test_the_quick_tier_takes_a_fixed_even_subset_with_both_ends() -> None:
    assert Tier(exhaustive=False).points(range(101), quick=5) == [0, 25, 50, 75, 100]


def test_the_exhaustive_tier_takes_every_point() -> None:
    assert Tier(exhaustive=True).points(range(101), quick=5) == range(101)


def test_a_space_smaller_than_the_subset_is_taken_whole() -> None:
    assert Tier(exhaustive=False).points("abc", quick=5) == "abc"


def test_a_subset_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="quick must be >= 2, to hold both ends, got 1"):
        Tier(exhaustive=False).points(range(9), quick=1)


def test_a_count_is_the_tiers() -> None:
    assert Tier(exhaustive=False).count(quick=10, exhaustive=300) == 10
    assert Tier(exhaustive=True).count(quick=10, exhaustive=300) == 300


PLANTED = """
import socket, threading
import pytest

kept = []

def test_leaks_a_socket():
    kept.append(socket.socket())

def test_leaks_a_thread():
    thread = threading.Thread(target=kept[0].recv if False else threading.Event().wait)
    thread.daemon = True
    thread.start()

def test_skips():
    pytest.skip("no reason that counts")

def test_skips_for_the_platform():
    pytest.skip("platform: it is Tuesday here")

def test_skips_for_a_privilege():
    pytest.skip("wirecut_needs: it is run in a lab")

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    assert False

def test_passes():
    with socket.socket():
        pass
"""


def planted_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, lab: str = ""
) -> pytest.RunResult:
    """Run the planted tests under this suite's own conftest, in a process of their own."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("WIRECUT_LAB", lab)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    pytester.makeconftest("from tests.conftest import *\n")
    pytester.makepyfile("from tests.conftest import _leave_nothing_behind\n" + PLANTED)
    return pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider")


def test_the_leak_net_fails_planted_leaks_and_nothing_else(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = planted_run(pytester, monkeypatch, ci="false")
    result.assert_outcomes(passed=3, errors=2, skipped=3, xfailed=1)
    result.stdout.fnmatch_lines(["*left something behind: socket:* is still open"])
    result.stdout.fnmatch_lines(["*left something behind: the thread * is still alive"])


def test_a_skip_in_ci_fails_unless_the_platform_is_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = planted_run(pytester, monkeypatch, ci="true")
    result.assert_outcomes(passed=3, errors=2, failed=1, skipped=2, xfailed=1)
    result.stdout.fnmatch_lines(["*skipped in CI*: no reason that counts"])


def test_in_a_lab_in_ci_nothing_excuses_a_skip(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path("/proc/self/ns/net").readlink().name
    result = planted_run(pytester, monkeypatch, ci="true", lab=here)
    result.assert_outcomes(passed=3, errors=2, failed=3, xfailed=1)
    result.stdout.fnmatch_lines(["*skipped in CI, where nothing excuses it: wirecut_needs: *"])
