"""`wirecut serve`: its first line is the address, then what happens, until a signal comes."""

from __future__ import annotations

import http.client
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.console import serving
from tests.privileged import needs, without_privileges
from tests.support import PATIENCE
from wirecut.cli.escapes import unescape
from wirecut.errors import MisuseError


def talk(port: int, data: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """Send, and read to the end or the reset."""
    received = b""
    with socket.create_connection((host, port), PATIENCE) as sock:
        sock.sendall(data)
        try:
            while chunk := sock.recv(4096):
                received += chunk
        except ConnectionResetError:
            received += b"<reset>"
    return received


def test_the_first_line_is_the_address_and_sigterm_ends_it_cleanly_with_a_summary() -> None:
    with serving("--reply", r"Received\r\n") as server:
        assert server.address == f"http://127.0.0.1:{server.port}"
        assert talk(server.port, b"Hello, world") == b"Received\r\n"
        code, lines = server.stop(signal.SIGTERM)
    assert code == 0
    assert lines[0].startswith("connection 0 from 127.0.0.1:")
    assert lines[1:] == [
        "connection 0 closed by server: 12 bytes up, 10 down, began with 'Hello, world'",
        "1 connection, 12 bytes up, 10 down",
    ]


def test_sigint_ends_it_cleanly_too() -> None:
    with serving() as server:
        assert server.stop(signal.SIGINT) == (0, ["0 connections, 0 bytes up, 0 down"])


def test_a_connection_is_shown_as_it_comes_and_not_at_the_end() -> None:
    with serving() as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        host, port = sock.getsockname()
        assert server.out.readline() == f"connection 0 from {host}:{port}\n"


def test_faults_are_applied_shown_and_counted() -> None:
    with serving(
        "--http",
        "hello",
        "--fault",
        "reset/down:3/first:2",
        "--fault",
        "close/request.end/nth:3",
    ) as server:
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        assert [talk(server.port, request) for _ in range(2)] == [b"HTT<reset>"] * 2
        assert talk(server.port, request) == b""
        code, lines = server.stop(signal.SIGTERM)
    assert code == 0
    assert "connection 1 struck by reset/down:3/first:2 after 3 bytes down" in lines
    assert lines[-3:] == [
        f"3 connections, {3 * len(request)} bytes up, 6 down",
        "reset/down:3/first:2 struck 2x",
        "close/request.end/nth:3 struck 1x",
    ]


@needs("raw packets", "packet filter")
def test_attempts_are_shown_as_they_come_and_counted() -> None:
    with serving(
        *("--reply", "x", "--fault", "refuse/connect/nth:2"),
        *("--fault", "delay:0.01/connect/nth:1", "--fault", "reset/connect/nth:1"),
    ) as server:
        with pytest.raises(ConnectionResetError):
            talk(server.port)
        shown = [server.out.readline() for _ in range(3)]
        assert shown[0].startswith("attempt 0 to connect from 127.0.0.1:")
        assert shown[1:] == [
            "attempt 0 struck by delay:0.01/connect/nth:1\n",
            "attempt 0 struck by reset/connect/nth:1\n",
        ]
        with pytest.raises(ConnectionRefusedError):
            talk(server.port)
        assert talk(server.port, b"?") == b"x"
        code, lines = server.stop(signal.SIGTERM)
    assert code == 0
    assert lines[1] == "attempt 1 struck by refuse/connect/nth:2"
    assert lines[2].startswith("attempt 2 to connect from 127.0.0.1:")
    assert lines[3].startswith("connection 0 from 127.0.0.1:")
    assert lines[-4:] == [
        "3 attempts to connect, 1 connection, 1 bytes up, 1 down",
        "delay:0.01/connect/nth:1 struck 1x",
        "reset/connect/nth:1 struck 1x",
        "refuse/connect/nth:2 struck 1x",
    ]


@needs("raw packets", "packet filter", "tcp repair")
def test_a_partition_that_heals_by_itself_is_shown_and_served() -> None:
    with serving("--reply", "0123456789", "--fault", "partition:same:0.05/down:3") as server:
        assert talk(server.port, b"?") == b"0123456789"
        lines = server.stop(signal.SIGTERM)[1]
    assert "connection 0 struck by partition:same:0.05/down:3 after 3 bytes down" in lines


def test_without_privileges_what_cannot_be_served_is_one_sentence() -> None:
    words = ["serve", "--fault", "reset/connect"]
    ended = without_privileges(f"from wirecut.cli.app import run\nexit(run({words}))")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("wirecut: reset/connect cannot be used here: 'raw packets'")
    assert len(ended.stderr.splitlines()) == 1


def test_a_fault_that_never_struck_is_said_at_the_end_and_is_no_failure() -> None:
    with serving("--reply", "x", "--fault", "reset/up:99") as server:
        code, lines = server.stop(signal.SIGTERM)
    assert (code, lines[-1]) == (0, "reset/up:99 never struck")


def test_http_greeting_and_file_are_behaviours(tmp_path: Path) -> None:
    (tmp_path / "reply.bin").write_bytes(bytes(range(256)))
    with serving("--reply-file", str(tmp_path / "reply.bin"), "--greeting", r"\0hi") as server:
        assert talk(server.port, b"?") == b"\0hi" + bytes(range(256))
    with serving("--http", "hello") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"hello"
        connection.close()


def test_any_behaviour_written_in_python_can_be_served(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def shout(peer):\n    peer.send(peer.recv_until(b'\\n').upper())\n", "utf-8"
    )
    with serving("--behaviour", "mine:shout", cwd=tmp_path) as server:
        assert talk(server.port, b"quiet\n") == b"QUIET\n"
        assert server.stop(signal.SIGTERM)[0] == 0


def test_an_error_of_a_handler_is_shown_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(peer):\n    1 / 0\n", "utf-8")
    with serving("--behaviour", "mine:broken", cwd=tmp_path) as server:
        talk(server.port)
        code, lines = server.stop(signal.SIGTERM)
    assert code == 1
    assert lines[-1].startswith("ZeroDivisionError: division by zero (on connection 0 ")


def test_a_refused_address_is_one() -> None:
    with serving("--fault", "refuse/connect") as server:
        with pytest.raises(ConnectionRefusedError):
            talk(server.port)
        assert server.stop(signal.SIGTERM)[0] == 0


def test_the_port_asked_for_is_the_port_served() -> None:
    with serving() as first:
        port = first.port
        first.stop(signal.SIGTERM)
    with serving("--port", str(port)) as server:
        assert server.port == port


def test_a_unix_domain_socket_is_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with serving("--reply", "x", "--path", path) as server:
        assert server.address == path
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(b"?")
            assert sock.recv(9) == b"x"
        code, lines = server.stop(signal.SIGTERM)
    assert code == 0
    assert lines[0] == "connection 0 from an unnamed socket"
    assert not Path(path).exists()


def test_ipv6_is_written_in_brackets() -> None:
    with serving("--host", "::1", "--reply", "x") as server:
        assert server.address == f"http://[::1]:{server.port}"
        talk(server.port, b"?", "::1")
        assert server.out.readline().startswith("connection 0 from [::1]:")


def test_other_machines_are_let_in_when_asked_for() -> None:
    with serving("--host", "0.0.0.0", "--allow-remote", "--reply", "x") as server:
        assert server.address == f"http://0.0.0.0:{server.port}"
        assert talk(server.port, b"?") == b"x"


def test_a_reader_that_only_wants_the_address_does_not_stop_the_server() -> None:
    with serving("--reply", "x") as server:
        server.out.close()
        assert [talk(server.port, b"?") for _ in range(5)] == [b"x"] * 5
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0


def test_what_a_client_sends_cannot_move_the_terminals_cursor() -> None:
    with serving("--reply", "x") as server:
        talk(server.port, b"\x1b[2J\xff")
        _, lines = server.stop(signal.SIGTERM)
    assert lines[1].endswith(r"began with '\x1b[2J\xff'")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("plain", b"plain"),
        ("h\u00e9", b"h\xc3\xa9"),
        (r"a\r\n\t\0\\b", b"a\r\n\t\0\\b"),
        (r"\x00\xfFz", b"\0\xffz"),
        (r"\\x41", rb"\x41"),
    ],
)
def test_escapes_stand_for_bytes(text: str, data: bytes) -> None:
    assert unescape("--reply", text) == data


@pytest.mark.parametrize("text", [r"\q", r"\x1", r"\xg0", "end\\", "\\\n"])
def test_an_unknown_escape_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match=r"--reply: .* stands for nothing"):
        unescape("--reply", text)
