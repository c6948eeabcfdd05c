"""What went otherwise than planned fails the test, once."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

UNMET = """
    from talk import ask
    from wirecut import Expect, Script, Send

    def test_fault(wire):
        assert ask(wire.tcp(b"Received", faults="reset/up:5000").address) == b"Received"

    def test_step(wire):
        server = wire.tcp(Script(Expect(b"GET "), Send(b"Received"), Expect(b"never")))
        assert ask(server.address) == b"Received"

    def test_behaviour(wire):
        assert ask(wire.tcp([b"Received", b"second"]).address) == b"Received"

    def test_optional(wire):
        ask(wire.tcp(b"Received", faults="reset/up:5000/optional").address)
        ask(wire.tcp(b"Received", faults="reset/up:5000", optional=True).address)

    def test_unused(wire):
        wire.tcp([b"first", b"second"], faults="reset/up:5000")
"""

HANDLERS = """
    import pytest
    from talk import ask_in_vain

    def test_assert(wire):
        def handler(peer):
            assert peer.recv() == b"other"
        ask_in_vain(wire.tcp(handler).address)

    def test_fail(wire):
        def handler(peer):
            pytest.fail("said in the handler")
        ask_in_vain(wire.tcp(handler).address)

    def test_after_the_reply(wire):
        def handler(peer):
            peer.send(b"x" + peer.recv())
            peer.close()
            raise KeyError("too late for the client")
        from talk import ask
        assert ask(wire.tcp(handler).address)

    def test_both(wire):
        def handler(peer):
            raise LookupError("first finding")
        ask_in_vain(wire.tcp(handler, faults="reset/up:5000").address)

    def test_two_servers(wire):
        def handler(peer):
            raise LookupError(peer.recv())
        for data in (b"to the first", b"to the second"):
            ask_in_vain(wire.tcp(handler).address, data)

    def test_control(wire):
        def handler(peer):
            assert peer.recv()
        ask_in_vain(wire.tcp(handler).address)
"""

FAILED_ALREADY = """
    import pytest, unittest
    from talk import ask, ask_in_vain

    def plan(wire):
        def handler(peer):
            peer.recv()
            pytest.fail("said in the handler")
        ask_in_vain(wire.tcp(handler).address)
        ask(wire.tcp(b"Received", faults="reset/up:5000").address)

    def test_fails(wire):
        plan(wire)
        assert "body" == "wrong"

    @pytest.fixture
    def broken(wire):
        plan(wire)
        raise LookupError("broken fixture")

    def test_setup_fails(broken): ...

    @pytest.mark.xfail(strict=True)
    def test_expected(wire):
        plan(wire)
        assert 0

    @pytest.mark.xfail(strict=True)
    def test_unexpected(wire):
        assert ask(wire.tcp(b"Received", faults="reset/up:5000").address)

    def test_skips(wire):
        plan(wire)
        pytest.skip("half-way")

    class TestCase(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _wire(self, wire):
            self.wire = wire

        def test_method(self):
            plan(self.wire)
            self.assertEqual("method", "wrong")
"""

LATE = """
    import socket, threading
    import pytest
    from wirecut import Expect, Script

    def test_fails(wire):
        def handler(peer):
            peer.recv()
            opened.set()
            try:
                peer.recv()
            finally:
                raise LookupError("at the end")
        opened = threading.Event()
        server = wire.tcp(handler, faults="reset/up:5000")
        with socket.create_connection(server.address) as sock:
            global keep
            keep = sock.dup()
            sock.sendall(b"x")
            assert opened.wait(10)
        assert "body" == "wrong"

    def test_next():
        keep.close()
"""


def test_a_plan_that_is_not_met_is_an_error_at_teardown(suite: Suite) -> None:
    result = suite(UNMET)
    result.assert_outcomes(passed=5, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_fault*",
            "E   wirecut.errors.UnmetExpectation: reset/up:5000 never struck: connection 0 *",
            "*ERROR at teardown of test_step*",
            "E   wirecut.errors.UnmetExpectation: the script failed at Expect(data=b'never')*",
            "*ERROR at teardown of test_behaviour*",
            "E   wirecut.errors.UnmetExpectation: 2 behaviours were given, one per connection*",
        ]
    )
    # It is said once, and has no place in the code that could be shown.
    assert "found:" not in result.stdout.str()
    assert "_wirecut_pytest.py" not in result.stdout.str()
    assert "raise errors[0]" not in result.stdout.str()


def test_what_a_handler_raises_is_an_error_at_teardown(suite: Suite) -> None:
    result = suite(HANDLERS)
    result.assert_outcomes(passed=6, errors=5)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_assert*",
            ">*assert peer.recv() == b?other?",
            "E *AssertionError: assert b'GET *",
            "E *on connection 0 of <TcpServer (*",
            "test_it.py:*: AssertionError",
            "*ERROR at teardown of test_fail*",
            "E *Failed: said in the handler",
            "*ERROR at teardown of test_after_the_reply*",
            "E *KeyError: 'too late for the client'",
            "*ERROR at teardown of test_both*",
            "*ExceptionGroup: wire: 2 findings*",
            "*LookupError: first finding",
            "*UnmetExpectation: reset/up:5000 never struck*",
            "*ERROR at teardown of test_two_servers*",
            "*LookupError: b'to the second'",
            "*LookupError: b'to the first'",
        ]
    )


def test_findings_of_a_test_that_failed_are_notes_and_lines_and_no_second_error(
    suite: Suite,
) -> None:
    result = suite(FAILED_ALREADY)
    # Only the broken fixture is an error, and it would be one without us.
    result.assert_outcomes(failed=3, errors=1, xfailed=1, skipped=1)
    found = [
        "wirecut found: Failed: said in the handler (on connection 0 of <TcpServer *>)",
        "wirecut found: UnmetExpectation: reset/up:5000 never struck: *",
    ]
    section = ["-* wirecut -*", "<TcpServer *: 1 connection", "<TcpServer *: 1 connection"]
    lines = [line.removeprefix("wirecut ") for line in found]
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_setup_fails*",
            *[f"E *{line}" for line in found],
            *section,
            *lines,
            "*_ test_fails _*",
            *[f"E *{line}" for line in found],
            *section,
            *lines,
            "*_ test_unexpected _*",
            "[[]XPASS(strict)*",
            "*_ TestCase.test_method _*",
            "E *'method' != 'wrong'*",
            *section,
            *lines,
        ]
    )
    assert "at teardown" not in result.stdout.str()


def test_what_is_found_after_the_report_is_told_once_below_it(suite: Suite) -> None:
    result = suite(LATE)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E *wirecut found: UnmetExpectation: reset/up:5000 never struck: *is still open*",
            "connection 0 from 127.0.0.1 port *, still open",
            "found: UnmetExpectation: reset/up:5000 never struck: *",
            "-* Captured wirecut teardown -*",
            "LookupError: at the end (on connection 0 of <TcpServer *>)",
        ]
    )
    assert result.stdout.str().count("never struck") == 2  # the note and the line
    assert result.stdout.str().count("LookupError: at the end") == 1


def test_a_subtest_that_failed_is_a_failure_of_the_test(suite: Suite) -> None:
    source = """
        import unittest
        import pytest
        from talk import ask

        class TestCase(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _wire(self, wire):
                self.wire = wire

            def test_method(self):
                with self.subTest("part"):
                    ask(self.wire.tcp(b"Received", faults="reset/up:5000").address)
                    assert "part" == "wrong"
    """
    result = suite(source)
    assert result.parseoutcomes()["failed"] == 1
    assert "at teardown" not in result.stdout.str()
    result.stdout.fnmatch_lines(["found: UnmetExpectation: reset/up:5000 never struck: *"])


def test_a_test_that_is_run_again_begins_anew(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):
                runtestprotocol(item, nextitem=nextitem)
            return True
        """
    )
    source = """
        from talk import ask
        runs = []

        def test(wire):
            ask(wire.tcp(b"Received", faults="reset/up:5000").address)
            runs.append(1)
            assert len(runs) == 2
    """
    suite(source).assert_outcomes(failed=1, passed=1, errors=1)


def test_a_handler_that_never_returns_is_named_within_the_patience(suite: Suite) -> None:
    source = """
        import socket, threading

        def test_stuck(wire):
            entered = threading.Event()
            def handler(peer):
                entered.set()
                threading.Event().wait()
            with socket.create_connection(wire.tcp(handler).address):
                assert entered.wait(10)

        def test_next(wire):
            wire.tcp()
    """
    result = suite(source, "--wirecut-patience=0.1")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E   wirecut.errors.HandlerStuck: *within 0.1 s*"])


@pytest.mark.parametrize("kind", ["LookupError", "pytest.fail.Exception"])
def test_one_server_that_cannot_close_keeps_no_other_open(suite: Suite, kind: str) -> None:
    source = f"""
        import pytest
        from wirecut.server.core import open_cores
        from talk import ask_in_vain

        def test_breaks(wire):
            wire.tcp()
            broken = wire.tcp()
            wire.tcp()
            shut_down = broken._core.shut_down
            def fails():
                shut_down()
                raise {kind}("broken")
            type(broken).shut_down = lambda self: (
                fails() if self is broken else self._core.shut_down())

        def test_next():
            assert open_cores() == ()
    """
    result = suite(source, "--wirecut-no-leak-net")  # which would close them too
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E *: broken"])
