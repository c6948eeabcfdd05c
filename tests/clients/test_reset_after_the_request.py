"""A reset after the whole request is one exception class, for every client, every time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.calls import CALLS, REQUESTS, Call, Request, nothing_in_between
from tests.tier import Tier
from wirecut import Ended, HttpReply, serve_tcp

pytestmark = [
    pytest.mark.clients,
    # aiohttp warns of a large body of plain bytes, which is what most callers pass.
    pytest.mark.filterwarnings("ignore:Sending a large body directly"),
]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with nothing_in_between(monkeypatch):
        yield


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_each_client_raises_the_same_exception_every_time(
    call: Call, request_: Request, tier: Tier
) -> None:
    """300 of 300; 20 of 20 on the quick tier."""
    times = tier.count(quick=20, exhaustive=300)

    with serve_tcp(
        HttpReply(b"never sent"), faults=["reset/request.end"], journal_limit_bytes=4096
    ) as server:
        assert call.run(server.url, request_, times) == {call.reset: times}
        records = server.connections

        # aiohttp repeats an idempotent request on a second connection when the first breaks.
        repeats = call.name == "aiohttp" and request_.method == "GET"
        assert len(records) == times * (2 if repeats else 1)
        for record in records:
            assert record.ended is Ended.RESET_BY_SERVER
            assert record.received_count > len(request_.body or b"")
            assert (record.sent_count, record.unread_bytes) == (0, 0)


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_without_the_fault_each_client_is_served(call: Call, request_: Request) -> None:
    with serve_tcp(HttpReply(b"hello")) as server:
        assert call.run(server.url, request_, 3) == {None: 3}
