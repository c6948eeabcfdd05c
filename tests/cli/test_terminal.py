"""On a terminal: colour, a progress bar, and Ctrl-C."""

from __future__ import annotations

import re
import socket

from tests.cli.console import on_terminal

CTRL_C = "\x03"
GREEN_OK = "\x1b[32mok"


def test_ctrl_c_ends_serve_cleanly_with_a_summary() -> None:
    with on_terminal("serve", "--reply", "x", "--fault", "reset/up:1") as terminal:
        terminal.read_until("\r\n")
        port = int(re.findall(r":(\d+)", terminal.seen)[0])
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"?")
            terminal.read_until("reset by server")
        terminal.type(CTRL_C)
        assert terminal.read_to_end() == 0
    assert "1 connection, 1 bytes up, 0 down\r\n" in terminal.seen
    assert "\x1b[33mconnection 0 struck by reset/up:1 after 1 bytes up" in terminal.seen
    assert "Traceback" not in terminal.seen


def test_ctrl_c_interrupts_try_without_a_traceback() -> None:
    with on_terminal("try", "--client-timeout", "60", "--timeout", "60") as terminal:
        terminal.read_until("refuse/connect")  # shown when done: the blackhole is next
        terminal.type(CTRL_C)
        assert terminal.read_to_end() == 130
    assert terminal.seen.rstrip().endswith("wirecut: interrupted")
    assert "Traceback" not in terminal.seen


def test_try_shows_a_progress_bar_and_colours() -> None:
    with on_terminal("try", "--fault", "refuse", "--fault", "dribble") as terminal:
        assert terminal.read_to_end() == 0
    assert [count in terminal.seen for count in ("1/3", "2/3", "3/3")] == [True] * 3
    assert "━" in terminal.seen
    assert GREEN_OK in terminal.seen


def test_explain_fits_the_terminal() -> None:
    with on_terminal("explain", "reset") as terminal:
        assert terminal.read_to_end() == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.seen)
    assert max(map(len, plain.split("\r\n"))) <= 120
