"""A wait on a server ends when the server is closed, also if it has no connection."""

from __future__ import annotations

import threading

import pytest

import wirecut
from tests.support import PATIENCE


def test_closing_a_server_ends_a_wait_for_it_at_once() -> None:
    server = wirecut.serve_tcp()
    asked = threading.Event()
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            server.wait_for(lambda _: asked.set(), timeout_seconds=PATIENCE)
        except (wirecut.MisuseError, wirecut.DeadlineExceeded) as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(PATIENCE)
    server.close()
    thread.join(2 * PATIENCE)
    with pytest.raises(wirecut.MisuseError, match="was closed while it was waited for"):
        raise raised[0]
