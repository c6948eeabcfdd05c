"""What ``wire`` opens, tells and closes, without pytest around it."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

import wirecut
from tests.support import PATIENCE
from wirecut import Line, MisuseError, TcpServer, UnmetExpectation
from wirecut.dialing.still_open import open_lines
from wirecut.server.core import open_cores
from wirecut.testing import Wire, finding_line

Opened = TypeVar("Opened")
Result = TypeVar("Result")


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Wire.tcp, wirecut.serve_tcp), (Wire.dial, wirecut.dial)]
)
def test_a_method_takes_exactly_what_the_function_takes(
    ours: Callable[..., object], theirs: Callable[..., object]
) -> None:
    mine = inspect.signature(ours).parameters
    expected = inspect.signature(theirs).parameters
    assert [*mine] == ["self", *expected]
    for name, parameter in expected.items():
        if name == "patience_seconds":  # the fixture's, if left out
            assert mine[name].default is None
        else:
            assert mine[name].replace(annotation=0) == parameter.replace(annotation=0), name


def test_every_argument_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("tcp", "dial"):
        given: dict[str, object] = {}
        function = {"tcp": "serve_tcp", "dial": "dial"}[method]
        monkeypatch.setattr(
            f"wirecut.testing.{function}", lambda _, given=given, **kw: given.update(kw)
        )
        names = [*inspect.signature(getattr(Wire, method)).parameters][2:]
        values = {name: object() for name in names}
        getattr(Wire(), method)(None, **values)
        assert given == values


def test_everything_is_closed_the_last_opened_first(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    monkeypatch.setattr(TcpServer, "shut_down", noting(TcpServer.shut_down, closed))
    monkeypatch.setattr(Line, "shut_down", noting(Line.shut_down, closed))
    wire = Wire()
    server = wire.tcp(b"Received")
    opened: list[TcpServer | Line] = [
        server,
        wire.dial(server),
        wire.tcp(),
        wire.dial(server.address),
    ]
    assert wire.shut_down() == []
    assert closed == opened[::-1]
    assert not set(open_lines()) & set(opened)
    assert all(one.closed for one in opened)


def noting(
    method: Callable[[Opened], Result], closed: list[object]
) -> Callable[[Opened], Result]:
    def noted(self: Opened) -> Result:
        closed.append(self)
        return method(self)

    return noted


def test_what_was_found_comes_back_in_the_order_of_closing() -> None:
    wire = Wire()
    server = wire.tcp(b"Received", faults="reset/up:50")
    line = wire.dial(server, faults="reset/up:60")
    line.send(b"x")
    assert line.recv() == b"Received"
    assert [str(one).partition(" ")[0] for one in wire.findings()] == ["reset/up:50"]
    found = wire.shut_down()
    assert [str(one).partition(" ")[0] for one in found] == ["reset/up:60", "reset/up:50"]
    assert all(isinstance(one, UnmetExpectation) for one in found)
    # The server's was told before, though it now gives another reason.
    assert wire.untold(found) == found[:1]
    assert wire.shut_down() == []


def test_a_line_against_a_server_that_stalls_is_given_up_at_once() -> None:
    """The patience is longer than the suite's time limit: nothing may wait for it."""
    wire = Wire(patience_seconds=10_000)
    line = wire.dial(wire.tcp(faults="stall/up:1"))
    line.send(b"xy")
    assert wire.shut_down() == []
    assert line.closed


def test_nothing_can_be_opened_when_the_test_is_over() -> None:
    wire = Wire()
    address = wire.tcp().address
    wire.shut_down()
    for use in (wire.tcp, lambda: wire.dial(address)):
        with pytest.raises(MisuseError, match="wire belongs to a test that is over"):
            use()


def test_the_first_server_and_only_that_calls_back() -> None:
    calls: list[int] = []
    wire = Wire(before_first_use=lambda: calls.append(len(open_cores())))
    before = len(open_cores())
    with wirecut.serve_tcp() as server:
        wire.dial(server)
        assert calls == []
        wire.tcp()
        wire.tcp()
        assert calls == [before + 1]
        wire.shut_down()


def test_the_patience_is_the_wires_unless_a_call_says_otherwise() -> None:
    wire = Wire(patience_seconds=7)
    server = wire.tcp()
    assert server._core.patience_seconds == 7
    assert wire.tcp(patience_seconds=3)._core.patience_seconds == 3
    assert wire.dial(server)._patience_seconds == 7
    assert wire.dial(server, patience_seconds=0)._patience_seconds == 0
    assert Wire().patience_seconds == wirecut.DEFAULT_PATIENCE_SECONDS
    wire.shut_down()


def test_any_thread_may_open() -> None:
    wire = Wire()
    threads = [threading.Thread(target=wire.tcp) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert wire.transcript().count("no connection") == 8
    wire.shut_down()


def test_in_a_forked_child_it_tells_and_closes_nothing() -> None:
    wire = Wire()
    server = wire.tcp(b"Received", faults="reset/up:50")
    line = wire.dial(server)
    line.send(b"x")
    assert line.recv() == b"Received"
    child = os.fork()
    if not child:
        status = 1
        try:
            quiet = (wire.findings(), wire.transcript(), wire.shut_down()) == ([], "", [])
            status = 0 if quiet else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not server.closed
    assert not line.closed
    assert len(wire.findings()) == 1
    wire.shut_down()


def test_the_transcript_has_servers_and_lines_in_the_order_of_opening() -> None:
    wire = Wire()
    server = wire.tcp(greeting=b"220 hi\r\n")
    line = wire.dial(server, faults="reset/up:4")
    assert line.recv_exactly(8) == b"220 hi\r\n"
    line.send(b"password=hunter2")
    server.wait_for(lambda s: s.connections[0].ended_seconds is not None)
    lines = wire.transcript().splitlines()
    assert lines[0] == f"{server!r}: 1 connection"
    assert lines[1].startswith("connection 0 from 127.0.0.1 port ")
    assert lines[2].endswith(r"s  down 8 bytes     b'220 hi\r\n'")
    start = lines.index(f"{line!r}, closed")
    assert lines[start + 1].endswith(" s  struck by reset/up:4 at 4 bytes up")
    assert lines[start + 2] == "              up 4 bytes       b'pass'"
    assert lines[start + 3] == r"              down 8 bytes     b'220 hi\r\n'"
    assert "hunter2" not in "".join(lines)
    wire.shut_down()


def test_a_connection_that_is_open_or_has_no_name_is_called_so(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    wire = Wire()
    server = wire.tcp(path="s")
    wire.dial(server)
    server.wait_for_connections(1)
    assert "\nconnection 0, still open\n<Line to 's'>, still open" in wire.transcript()
    wire.shut_down()


def test_a_finding_in_a_line_has_its_notes_and_no_secret() -> None:
    error = LookupError("token=abc")
    error.add_note("on connection 0")
    assert finding_line(error) == "LookupError: token=*** (on connection 0)"
