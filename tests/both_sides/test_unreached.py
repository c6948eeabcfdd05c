"""A cut waits for the last byte before it; what ends that wait, on either side."""

from __future__ import annotations

import socket

import pytest

from tests.support import PATIENCE
from wirecut import Ended, PeerReset, dial, serve_tcp
from wirecut.wire import abort, bytes_unsent

PAYLOAD = bytes(70_000)
"""More than a small window takes, and less than the kernel accepts at once."""


def test_a_server_learns_of_a_reset_while_it_waits_for_the_last_byte() -> None:
    with serve_tcp(faults="reset/down:60000", greeting=PAYLOAD) as server:
        assert isinstance(server.address, tuple)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(server.address)
            server.wait_for(lambda s: s.connections and s.connections[0].struck)
            abort(client)
        server.wait_for(lambda s: s.connections[0].ended is not Ended.OPEN)
        assert server.connections[0].ended is Ended.RESET_BY_CLIENT


def test_a_line_learns_of_a_reset_while_it_waits_for_the_last_byte() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        line = dial(listener.getsockname(), faults="reset/up:60000", patience_seconds=PATIENCE)
        peer = listener.accept()[0]
        line.send(PAYLOAD[:60000])
        assert line._player.sock is not None
        assert bytes_unsent(line._player.sock)
        abort(peer)
        with pytest.raises(PeerReset):
            line.send(b"x")
        assert line.sent == PAYLOAD[:60000]
        line.close()
