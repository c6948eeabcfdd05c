"""The ready-made fixtures, and what pytest says about them."""

from __future__ import annotations

import socket

import pytest

import wirecut
from tests.plugin.conftest import Suite
from tests.support import PATIENCE
from wirecut import Ended, TcpServer
from wirecut.testing import Wire

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"


def connected(address: tuple[str, int] | str) -> socket.socket:
    assert isinstance(address, tuple)
    return socket.create_connection(address, PATIENCE)


def test_the_resetting_server_resets_after_the_complete_request(
    resetting_server: TcpServer, resetting_url: str
) -> None:
    assert resetting_url == resetting_server.url == f"http://127.0.0.1:{resetting_server.port}"
    with connected(resetting_server.address) as client:
        client.sendall(REQUEST)
        resetting_server.wait_for(lambda s: s.connections[0].received == REQUEST)
        assert resetting_server.connections[0].ended_seconds is None
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert resetting_server.connections[0].received == REQUEST + b"hello"
    assert resetting_server.connections[0].ended is Ended.RESET_BY_SERVER


def test_the_recording_server_answers_and_remembers(recording_server: TcpServer) -> None:
    for message in (b"Hello, world", b"again"):
        with connected(recording_server.address) as client:
            client.sendall(message)
            assert client.recv(100) == b"Received"
    assert [one.received for one in recording_server.connections] == [b"Hello, world", b"again"]


def test_the_refused_address_refuses_every_time(refused_address: tuple[str, int]) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            connected(refused_address)


def test_the_blackholed_address_never_answers(blackholed_address: tuple[str, int]) -> None:
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(blackholed_address)
        # On loopback a handshake that succeeds, or is refused, is over within this call.
        with pytest.raises(OSError, match="not connected"):
            client.getpeername()
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@pytest.mark.usefixtures(
    "resetting_server", "resetting_url", "recording_server", "refused_address"
)
def test_fixtures_that_nobody_uses_fail_no_test(blackholed_address: tuple[str, int]) -> None:
    assert blackholed_address[1] > 0


def test_the_fixture_gives_what_it_opens_the_patience_of_the_option(
    wire: Wire, pytestconfig: pytest.Config
) -> None:
    assert isinstance(wire, Wire)
    assert wire.patience_seconds == float(pytestconfig.getini("wirecut_patience")) == 5.0
    assert wire.tcp()._core.patience_seconds == wirecut.DEFAULT_PATIENCE_SECONDS


def test_pytest_lists_each_fixture_with_its_first_sentence(suite: Suite) -> None:
    listed = suite("", "--fixtures").stdout
    listed.fnmatch_lines_random(
        [
            "wire -- *_wirecut_pytest.py:*",
            "    Open servers for this test: *",
            "resetting_server -- *",
            "    A server that resets the connection when it has read a complete request.",
            "resetting_url -- *",
            "    The ``http://`` URL of ``resetting_server``.",
            "recording_server -- *",
            '    A server that answers ``b"Received"`` to the first input, and remembers all*',
            "refused_address -- *",
            "    A ``(host, port)`` that refuses every connection (ECONNREFUSED).",
            "blackholed_address -- *",
            "    A ``(host, port)`` that never answers a connect: a client's connect*",
        ]
    )
