"""While ``wire`` is in use, clients reach loopback without a proxy."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SHOWS = """
    import os

    def show(when):
        print("\\n" + when, os.environ.get("NO_PROXY"), os.environ.get("no_proxy"))

    def test_with(wire):
        show("with")

    def test_without():
        show("without")
"""


@pytest.mark.parametrize(
    ("upper", "lower", "merged"),
    [
        (None, None, "127.0.0.1,::1,localhost"),
        ("corp.test", None, "corp.test,127.0.0.1,::1,localhost"),
        (None, "corp.test, localhost", "corp.test,localhost,127.0.0.1,::1"),
        ("one.test", "two.test", "one.test,two.test,127.0.0.1,::1,localhost"),
        ("*", None, "*"),
    ],
)
def test_loopback_is_added_to_what_is_there_and_taken_away_again(
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
    upper: str | None,
    lower: str | None,
    merged: str,
) -> None:
    for name, value in (("NO_PROXY", upper), ("no_proxy", lower)):
        if value is not None:
            monkeypatch.setenv(name, value)
    result = suite(SHOWS, "-s")
    result.assert_outcomes(passed=2)
    lines = {f"with {merged} {merged}", f"without {upper} {lower}"}
    assert lines <= set(result.outlines)


def test_clients_that_read_the_environment_reach_a_server_past_a_proxy(suite: Suite) -> None:
    source = """
        import urllib.request
        import httpx, pytest, requests
        from wirecut import HttpReply

        @pytest.fixture(autouse=True)
        def proxy(monkeypatch, refused_address):
            for name in ("HTTP_PROXY", "http_proxy"):
                monkeypatch.setenv(name, "http://%s:%s" % refused_address)

        @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
        def test(wire, host):
            url = wire.tcp(HttpReply(b"direct")).url_for(host=host)
            assert httpx.get(url).content == b"direct"
            assert requests.get(url).content == b"direct"
            assert urllib.request.urlopen(url).read() == b"direct"

        def test_control(wire, monkeypatch):
            monkeypatch.delenv("NO_PROXY")
            monkeypatch.delenv("no_proxy")
            with pytest.raises(httpx.ConnectError):
                httpx.get(wire.tcp(HttpReply(b"direct")).url)
    """
    suite(source).assert_outcomes(passed=3)
