"""One lease on the loop for the session: one thread, and none at its end."""

from __future__ import annotations

import pytest

import wirecut
from tests.leaks import Alive, kept_threads_and_sockets, left_behind
from tests.plugin.conftest import Suite
from wirecut.server.loop import leased

COUNTS = """
import threading

def pytest_unconfigure():
    from wirecut.server import loop
    print("\\nat the end:", loop.lease_held(), [
        thread.name for thread in threading.enumerate() if "wirecut" in thread.name])
"""

SOURCE = """
    import threading
    import pytest
    from talk import ask
    from wirecut.server import loop

    def loops():
        return [t.ident for t in threading.enumerate() if t.name == "wirecut-loop"]

    def test_asking_for_wire_starts_nothing(wire):
        assert not loop.lease_held() and loops() == []

    @pytest.fixture(scope="session")
    def idents():
        return set()

    @pytest.mark.parametrize("n", range(3))
    def test_one_thread_serves_all(wire, idents, n):
        server = wire.tcp(lambda peer: peer.send(peer.recv()))
        assert ask(server.address)
        idents.update(loops())
        assert len(idents) == 1

    def test_it_stays_between_tests():
        assert loop.lease_held() and len(loops()) == 1

    @pytest.fixture(scope="session")
    def shared():
        import wirecut
        with wirecut.serve_tcp() as server:
            yield server

    def test_a_server_of_the_session_closes_before(shared): ...
"""


def test_the_loop_runs_from_the_first_use_to_the_end_of_the_session(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(COUNTS)
    result = suite(SOURCE, "-s")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["at the end: False []"])


@pytest.mark.parametrize(
    "how", ["raise KeyboardInterrupt", "pytest.exit('enough')", "assert 0"]
)
def test_it_ends_too_when_the_session_is_cut_short(
    suite: Suite, pytester: pytest.Pytester, how: str
) -> None:
    pytester.makeconftest(COUNTS)
    source = f"""
        import pytest

        def test(wire):
            wire.tcp()
            {how}

        def test_not_reached(): ...
    """
    result = suite(source, "-s", "-x")
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["at the end: False []"])


def test_a_session_inside_a_session_has_a_lease_of_its_own(suite: Suite) -> None:
    source = """
        from talk import ask
        pytest_plugins = ["pytester"]

        def test_outer(wire, pytester):
            server = wire.tcp(b"Received")
            pytester.makepyfile("def test(wire): wire.tcp()")
            pytester.runpytest_inprocess("-p", "wirecut").assert_outcomes(passed=1)
            assert ask(server.address) == b"Received"
    """
    suite(source, "-p", "pytester").assert_outcomes(passed=1)


def test_this_suites_own_net_keeps_what_the_lease_keeps_and_no_more() -> None:
    with leased():
        kept = kept_threads_and_sockets()
        assert "wirecut-loop" in {thread.name for thread in kept.threads}
        assert len(kept.sockets) == 2  # the two ends of what wakes the loop
        with wirecut.serve_tcp():
            left = left_behind(kept, Alive.now(), kept_threads_and_sockets())
            assert len([one for one in left if one.startswith("socket:")]) >= 2
