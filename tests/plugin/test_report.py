"""The section "wirecut" of a failed test's report."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SOURCE = """
    from talk import ask, ask_in_vain

    def test_fails(wire):
        first = wire.tcp(b"Received")
        second = wire.tcp(faults=["reset/request.end"])
        wire.tcp(faults=["refuse/connect"])
        ask(first.address)
        ask(first.address, b"\\x00\\xff" * 200)
        ask_in_vain(second.address)
        assert 0

    def test_without_servers(wire):
        assert 0

    def test_with_many_connections(wire):
        server = wire.tcp(b"Received", faults="close/up:5/nth:20/optional")
        for n in range(20):
            ask(server.address, b"message %d" % n)
        assert 0

    def test_passes(wire):
        ask(wire.tcp(b"Received").address)
"""


@pytest.fixture
def report(suite: Suite) -> pytest.RunResult:
    result = suite(SOURCE)
    result.assert_outcomes(passed=1, failed=3)
    return result


def test_it_has_each_connection_of_each_server_and_no_secret(report: pytest.RunResult) -> None:
    request = r"b'GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: *\r\n\r\n'"
    report.stdout.fnmatch_lines(
        [
            "*_ test_fails _*",
            "-* wirecut -*",
            "<TcpServer ('127.0.0.1', *)>: 2 connections",
            "connection 0 from 127.0.0.1 port *",
            f"  0.0????? s  up 59 bytes      {request}",
            "  0.0????? s  down 8 bytes     b'Received'",
            "  0.0????? s  closed by *",
            "connection 1 from 127.0.0.1 port *",
            r"  0.0????? s  up 400 bytes     b'\x00\xff* ... 325 bytes ... b'\xff\x00*\xff'",
            "  0.0????? s  down 8 bytes     b'Received'",
            "  0.0????? s  closed by *",
            "<TcpServer ('127.0.0.1', *)>, reset/request.end: 1 connection",
            "connection 0 from 127.0.0.1 port *",
            f"  0.0????? s  up 59 bytes      {request}",
            "  0.0????? s  struck by reset/request.end at 59 bytes up",
            "  0.0????? s  reset by server",
            "<TcpServer ('127.0.0.1', *)>, refuse/connect: no connection",
        ]
    )
    assert "c2VjcmV0" not in report.stdout.str()


def test_of_many_connections_it_has_the_first_and_the_last(report: pytest.RunResult) -> None:
    text = report.stdout.str()
    shown = [n for n in range(20) if f"'message {n}'" in text]
    assert shown == [*range(8), *range(16, 19)]
    assert "\n... 8 more connections ...\n" in text
    report.stdout.fnmatch_lines(["* 5 bytes up, 5 more had arrived", "* closed by server"])


def test_tests_that_pass_or_open_nothing_have_none(report: pytest.RunResult) -> None:
    sections = [line for line in report.outlines if line.strip("-") == " wirecut "]
    assert len(sections) == 2


def test_what_a_test_has_opened_is_forgotten_after_it(suite: Suite) -> None:
    """The session keeps all its items; they must not keep a journal each."""
    source = """
        import gc, weakref
        from talk import ask

        def test_opens(wire):
            server = wire.tcp(b"Received")
            ask(server.address)
            global seen
            seen = [weakref.ref(wire), weakref.ref(server)]

        def test_next():
            gc.collect()
            assert [ref() for ref in seen] == [None, None]
    """
    suite(source).assert_outcomes(passed=2)


def test_a_failing_teardown_shows_it_only_if_the_test_did_not(suite: Suite) -> None:
    source = """
        import pytest
        from talk import ask

        @pytest.fixture
        def breaks():
            yield
            raise LookupError("teardown")

        def test_body_passes(breaks, wire):
            ask(wire.tcp(b"Received").address)

        def test_body_fails(breaks, wire):
            ask(wire.tcp(b"Received").address)
            assert 0
    """
    result = suite(source)
    result.assert_outcomes(passed=1, failed=1, errors=2)
    assert [line.strip("-") for line in result.outlines].count(" wirecut ") == 2
