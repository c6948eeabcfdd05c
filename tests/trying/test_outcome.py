"""What a client did is classified and described by values alone."""

from __future__ import annotations

import errno
import http.client
import urllib.error

import httpx
import pytest

from wirecut.faults import parse_fault
from wirecut.trying import Raised, Ran, Verdict, classify, describe_exception, is_racy
from wirecut.trying.outcome import qualified_name

pytestmark = pytest.mark.pure

BROKEN = Raised("ConnectionResetError", "", "ECONNRESET")


@pytest.mark.parametrize(
    ("ran", "expected", "verdict"),
    [
        (Ran(0.1, result=b"abc"), b"abc", Verdict.OK),
        (Ran(0.1, result=b"ab"), b"abc", Verdict.TRUNCATED),
        (Ran(0.1, result=b""), b"abc", Verdict.TRUNCATED),
        (Ran(0.1, result=b"abx"), b"abc", Verdict.WRONG),
        (Ran(0.1, result=b"abcd"), b"abc", Verdict.WRONG),
        (Ran(0.1, result=b"abx"), None, Verdict.OK),
        (Ran(0.1, raised=(BROKEN,)), b"abc", Verdict.ERROR),
        (Ran(0.1, exit_code=0, result=b"abc"), b"abc", Verdict.OK),
        (Ran(0.1, exit_code=1, result=b"abc"), b"abc", Verdict.ERROR),
        (Ran(0.1, exit_code=18, result=b"a"), b"abc", Verdict.ERROR),
        (Ran(0.1, exit_code=-11, result=b"abc"), b"abc", Verdict.CRASHED),
        (Ran(0.1, has_ended=False), b"abc", Verdict.HANGS),
        (Ran(0.1, has_ended=False, result=b"abc"), b"abc", Verdict.HANGS),
    ],
)
def test_a_run_is_classified(ran: Ran, expected: bytes | None, verdict: Verdict) -> None:
    assert classify(ran, expected) is verdict


def test_an_error_is_no_finding_and_everything_worse_is() -> None:
    assert {verdict for verdict in Verdict if not verdict.is_finding} == {
        Verdict.OK,
        Verdict.ERROR,
    }


@pytest.mark.parametrize("hidden", [False, True], ids=["context", "from None"])
def test_the_errno_is_found_in_the_context_also_behind_from_none(hidden: bool) -> None:  # noqa: FBT001 - a parameter
    error = httpx.ReadError("")
    error.__context__ = ConnectionResetError(errno.ECONNRESET, "reset")
    error.__suppress_context__ = hidden
    assert describe_exception(error) == (
        Raised("httpx.ReadError", "", None),
        Raised("ConnectionResetError", "[Errno 104] reset", "ECONNRESET"),
    )
    assert Ran(0, raised=describe_exception(error)).errno_name == "ECONNRESET"


def test_a_groups_members_are_walked() -> None:
    group = ExceptionGroup(
        "two", [OSError(errno.ECONNREFUSED, "v6"), ValueError("x"), OSError("none")]
    )
    assert [(one.name, one.errno_name) for one in describe_exception(group)] == [
        ("ExceptionGroup", None),
        ("ConnectionRefusedError", "ECONNREFUSED"),
        ("ValueError", None),
        ("OSError", None),
    ]


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert [raised.message for raised in describe_exception(one)] == ["one", "two"]


def test_no_errno_at_all_is_none() -> None:
    assert Ran(0, raised=describe_exception(TimeoutError("timed out"))).errno_name is None
    assert Ran(0).errno_name is None


def test_an_errno_without_a_name_is_none() -> None:
    assert describe_exception(OSError(123456, "?"))[0].errno_name is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ConnectionResetError, "ConnectionResetError"),
        (httpx.ReadError, "httpx.ReadError"),
        (http.client.RemoteDisconnected, "http.client.RemoteDisconnected"),
        (urllib.error.URLError, "urllib.error.URLError"),
    ],
)
def test_a_class_is_named_as_it_is_imported(kind: type, name: str) -> None:
    assert qualified_name(kind) == name


def test_a_class_defined_in_a_function_keeps_its_full_name() -> None:
    class Local(Exception):
        pass

    assert qualified_name(Local) == f"{__name__}.{Local.__qualname__}"


@pytest.mark.parametrize(
    ("text", "racy"),
    [("reset/accept", True), ("reset/up:0", False), ("stall/accept", False)],
)
def test_only_a_reset_at_accept_is_racy(text: str, racy: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_racy(parse_fault(text)) is racy
    assert is_racy(None) is False
