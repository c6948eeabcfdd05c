"""A test that leaves a server or line of ours open fails, by its name."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

LEAKS = """
    import pytest, wirecut
    from wirecut.server.core import open_cores
    from talk import ask_in_vain

    @pytest.fixture(autouse=True)
    def nothing_is_left_by_the_test_before():
        assert {core.listening.address for core in open_cores()} <= wide

    wide = set()

    def test_call():
        wirecut.serve_tcp()

    def test_forgotten_refusing_server():
        wirecut.serve_tcp(faults="refuse/connect")

    @pytest.fixture
    def narrow():
        return wirecut.serve_tcp()

    def test_narrow_fixture(narrow): ...

    def test_many():
        for _ in range(9):
            wirecut.serve_tcp()

    @pytest.fixture(scope="module")
    def shared():
        with wirecut.serve_tcp() as server:
            wide.add(server.address)
            yield server

    def test_before_a_wider_fixture(request):
        wirecut.serve_tcp()
        request.getfixturevalue("shared")

    def test_line(wire):
        wirecut.dial(wire.tcp(b"Received").address)

    def test_with_findings():
        def handler(peer):
            raise LookupError("unseen")
        ask_in_vain(wirecut.serve_tcp(handler).address)

    def test_fails():
        wirecut.serve_tcp()
        assert "body" == "wrong"

    @pytest.fixture
    def breaks():
        yield
        raise LookupError("teardown")

    def test_teardown_breaks(breaks):
        wirecut.serve_tcp()
"""

NO_LEAKS = """
    import unittest
    import pytest, wirecut

    @pytest.fixture(scope="module")
    def shared():
        with wirecut.serve_tcp(b"Received") as server:
            yield server

    @pytest.fixture(scope="session", autouse=True)
    def for_ever():
        with wirecut.serve_tcp() as server:
            yield server

    at_import = wirecut.serve_tcp()

    class TestXunit:
        def setup_class(self):
            self.server = wirecut.serve_tcp()

        def teardown_class(self):
            self.server.close()

        def test(self): ...

    class TestUnit(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = wirecut.serve_tcp()

        @classmethod
        def tearDownClass(cls):
            cls.server.close()

        def test(self): ...

    @pytest.fixture
    def on_demand(request):
        # A wider fixture that is first asked for inside a narrow one.
        return request.getfixturevalue("shared")

    def test_on_demand(on_demand, wire):
        wire.tcp()

    def test_shared(shared):
        assert not shared.closed
        wirecut.serve_tcp().close()
        with wirecut.serve_tcp():
            pass

    @pytest.fixture
    def narrow():
        with wirecut.serve_tcp() as server:
            yield server

    def test_narrow(narrow): ...

    @pytest.fixture(scope="module")
    def line(shared):
        with wirecut.dial(shared.address) as line:
            yield line

    def test_line(line, wire):
        assert not line.closed
        wire.dial(wire.tcp(b"Received").address)
        struck = wirecut.dial(wire.tcp(b"Received").address, faults="reset/up:0")
        struck.send(b"x")

    def test_last(shared, for_ever):
        assert not shared.closed and not for_ever.closed and not at_import.closed
        at_import.close()
"""


def test_what_a_test_leaves_open_fails_it_and_is_closed(suite: Suite) -> None:
    result = suite(LEAKS)
    result.assert_outcomes(passed=8, failed=1, errors=8)
    sentence = (
        "<TcpServer ('127.0.0.1', *)> was opened by this test and left open: use wire.tcp*"
    )
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_call*",
            sentence,
            "*ERROR at teardown of test_forgotten_refusing_server*",
            sentence,
            "*ERROR at teardown of test_narrow_fixture*",
            sentence,
            "*ERROR at teardown of test_many*",
            *[sentence] * 9,
            "*ERROR at teardown of test_before_a_wider_fixture*",
            sentence,
            "*ERROR at teardown of test_line*",
            "<Line to ('127.0.0.1', *)> was opened by this test and left open: use wire.dial*",
            "*ERROR at teardown of test_with_findings*",
            f"{sentence}; it found: LookupError: unseen (on connection 0 of *",
            "*ERROR at teardown of test_teardown_breaks*",
            "E *LookupError: teardown",
            f"E *{sentence}",
            "*_ test_fails _*",
            "-* Captured wirecut teardown -*",
            sentence,
        ]
    )
    start = next(n for n, line in enumerate(result.outlines) if "of test_many" in line) + 1
    assert result.outlines[start : start + 9] == sorted(result.outlines[start : start + 9])
    # The failure is a sentence, without a place in our code.
    assert "entries are hidden" not in result.stdout.str()
    assert "_wirecut_pytest.py" not in result.stdout.str()


def test_what_a_fixture_of_a_wider_scope_holds_open_is_left_alone(suite: Suite) -> None:
    suite(NO_LEAKS).assert_outcomes(passed=7)


@pytest.mark.parametrize("how", ["option", "file"])
def test_the_leak_net_can_be_switched_off(
    suite: Suite, pytester: pytest.Pytester, how: str
) -> None:
    source = """
        import wirecut

        def test_leaks():
            global server
            server = wirecut.serve_tcp()

        def test_next():
            assert not server.closed
            server.close()
    """
    if how == "file":
        pytester.makeini("[pytest]\nwirecut_leak_net = false\n")
        suite(source).assert_outcomes(passed=2)
    else:
        suite(source, "--wirecut-no-leak-net").assert_outcomes(passed=2)
