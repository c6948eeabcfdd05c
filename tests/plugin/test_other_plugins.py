"""The plugin beside those that projects already use, each in a session of its own."""

from __future__ import annotations

from tests.plugin.conftest import Suite

MIXED = """
    import pytest
    from talk import ask, ask_in_vain

    @pytest.mark.parametrize("n", range(6))
    def test_passes(wire, resetting_server, n):
        assert ask(wire.tcp(b"Received").address) == b"Received"
        ask_in_vain(resetting_server.address)

    def test_fails(wire):
        ask(wire.tcp(b"Received", faults="reset/up:5000").address)
        assert 0

    def test_unmet(wire):
        ask(wire.tcp(b"Received", faults="reset/up:5000").address)

    def test_leaks():
        import wirecut
        wirecut.serve_tcp()
"""

MIXED_LINES = [
    "*ERROR at teardown of test_unmet*",
    "*ERROR at teardown of test_leaks*",
    "*_ test_fails _*",
    "-* wirecut -*",
    "found: UnmetExpectation: reset/up:5000 never struck*",
]

PATH = """
    from talk import ask

    def test_path(wire, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # a path has at most 107 bytes
        assert ask(wire.tcp(b"Received", path="s").address) == b"Received"
"""

LOOPBACK = """
    import socket
    import pytest, pytest_socket
    from talk import ask, ask_in_vain

    def test_servers(wire, resetting_server, refused_address, blackholed_address):
        ask_in_vain(resetting_server.address)
        for host in ("127.0.0.1", "::1"):
            assert ask(wire.tcp(b"Received", host=host).address) == b"Received"
            handler = wire.tcp(lambda peer: peer.send(peer.recv()), host=host)
            assert ask(handler.address, b"echo") == b"echo"
        with pytest.raises(ConnectionRefusedError):
            ask(refused_address)

    def test_control_other_hosts_are_blocked():
        with pytest.warns(UserWarning), pytest.raises(pytest_socket.SocketConnectBlockedError):
            ask(("192.0.2.1", 9))
"""

OUTSIDER = """
    import subprocess, sys
    import pytest, wirecut
    from talk import ask

    @pytest.fixture(scope="module")
    def shared():
        server = wirecut.serve_tcp(b"Received")
        yield server
        assert server.shut_down()

    def test_a_server_is_shared(shared):
        assert ask(shared.address) == b"Received"

    CLIENT = "import sys, talk; print(talk.ask(('127.0.0.1', int(sys.argv[1]))))"

    @pytest.mark.disable_socket
    def test_accepting_fails_where_sockets_are_disabled(shared):
        command = [sys.executable, "-c", CLIENT, str(shared.port)]
        client = subprocess.Popen(command)
        shared.wait_for(lambda server: server.findings(), timeout_seconds=20)
        client.kill()
        client.wait()

    def test_the_loop_goes_on(shared, wire):
        assert ask(shared.address) == b"Received"
        assert ask(wire.tcp(b"Received").address) == b"Received"
"""

ASYNCIO = """
    import asyncio, threading
    import pytest

    @pytest.mark.asyncio
    async def test_asyncio(wire, resetting_server):
        server = wire.tcp(b"Received")
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"x")
        assert await reader.read() == b"Received"
        writer.close()
        await writer.wait_closed()
        reader, writer = await asyncio.open_connection(*resetting_server.address)
        writer.write(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await resetting_server.wait_for_connections_async(1)

    @pytest.mark.asyncio
    async def test_unmet(wire):
        server = wire.tcp(b"Received", faults="reset/up:5000")
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"x")
        await reader.read()
        writer.close()
        await writer.wait_closed()
"""

TRIO = """
    import pytest, trio

    {mark}
    async def test_trio(wire, resetting_server):
        async with await trio.open_tcp_stream(*wire.tcp(b"Received").address) as stream:
            await stream.send_all(b"x")
            assert await stream.receive_some() == b"Received"
        async with await trio.open_tcp_stream(*resetting_server.address) as stream:
            await stream.send_all(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
        await resetting_server.wait_for_connections_async(1)

    {mark}
    async def test_unmet(wire):
        server = wire.tcp(b"Received", faults="reset/up:5000")
        async with await trio.open_tcp_stream(*server.address) as stream:
            await stream.send_all(b"x")
            await stream.receive_some()
"""

ANYIO = """
    import anyio, pytest

    @pytest.mark.anyio
    async def test_anyio(wire, resetting_server):
        async with await anyio.connect_tcp(*wire.tcp(b"Received").address) as stream:
            await stream.send(b"x")
            assert await stream.receive() == b"Received"
        async with await anyio.connect_tcp(*resetting_server.address) as stream:
            await stream.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            with pytest.raises(anyio.BrokenResourceError):
                await stream.receive()
        await resetting_server.wait_for_connections_async(1)
"""

UNIT = """
    import unittest
    import pytest
    from talk import ask

    class TestClient(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _take_wire(self, wire, recording_server):
            self.wire = wire
            self.server = recording_server

        def setUp(self):
            self.address = self.wire.tcp(b"Received").address

        def test_passes(self):
            self.assertEqual(ask(self.address), b"Received")
            self.assertEqual(ask(self.server.address, b"x"), b"Received")
            self.assertEqual(self.server.connections[0].received, b"x")

        def test_unmet(self):
            ask(self.wire.tcp(b"Received", faults="reset/up:5000").address)

        def test_fails(self):
            ask(self.wire.tcp(b"Received", faults="reset/up:5000").address)
            self.fail("in the method")
"""


def test_xdist_workers_each_have_their_loop_and_send_their_sections(suite: Suite) -> None:
    result = suite(MIXED, "-p", "xdist", "-n", "2")
    result.assert_outcomes(passed=8, failed=1, errors=2)
    result.stdout.fnmatch_lines_random(MIXED_LINES)


def test_the_order_of_tests_does_not_matter(suite: Suite) -> None:
    for seed in ("1", "2"):
        result = suite(MIXED, "-p", "randomly", f"--randomly-seed={seed}")
        result.assert_outcomes(passed=8, failed=1, errors=2)
        result.stdout.fnmatch_lines_random(MIXED_LINES)


def test_pytest_socket_has_to_allow_loopback_and_nothing_else(suite: Suite) -> None:
    args = ["-p", "pytest_socket", "--disable-socket", "--allow-hosts=127.0.0.1,::1"]
    suite(LOOPBACK, *args).assert_outcomes(passed=2)


def test_pytest_socket_has_to_allow_unix_sockets_for_servers_at_a_path(suite: Suite) -> None:
    args = ["-p", "pytest_socket", "--disable-socket"]
    suite(PATH, *args, "--allow-unix-socket").assert_outcomes(passed=1)
    suite(PATH, *args).assert_outcomes(failed=1)


def test_sockets_disabled_for_one_test_do_not_end_the_loop_of_a_shared_server(
    suite: Suite,
) -> None:
    suite(OUTSIDER, "-p", "pytest_socket", "-W", "ignore").assert_outcomes(passed=3)


def test_asyncio_tests_may_use_the_fixtures(suite: Suite) -> None:
    result = suite(
        ASYNCIO, "-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function"
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E *UnmetExpectation: reset/up:5000 never struck*"])


def test_trio_tests_may_use_the_fixtures(suite: Suite) -> None:
    result = suite(TRIO.format(mark="@pytest.mark.trio"), "-p", "trio")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E *UnmetExpectation: reset/up:5000 never struck*"])


def test_anyio_tests_may_use_the_fixtures_on_both_backends(suite: Suite) -> None:
    suite(ANYIO, "-p", "anyio").assert_outcomes(passed=2)


def test_methods_of_a_unittest_class_may_use_the_fixtures(suite: Suite) -> None:
    result = suite(UNIT)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of TestClient.test_unmet*",
            "*_ TestClient.test_fails _*",
            "-* wirecut -*",
            "found: UnmetExpectation: reset/up:5000 never struck*",
        ]
    )
