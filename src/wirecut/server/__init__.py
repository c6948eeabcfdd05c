"""Servers in the background; threads begin here."""

from __future__ import annotations

from wirecut.server.attempts import ConnectAttempt
from wirecut.server.behaviour import Behaviour, Forever, forever
from wirecut.server.journal import Connection, Connections, Ended, Segment, Struck
from wirecut.server.tcp import TcpServer, serve_tcp
from wirecut.server.worker import Handler, Peer

__all__ = [
    "Behaviour",
    "ConnectAttempt",
    "Connection",
    "Connections",
    "Ended",
    "Forever",
    "Handler",
    "Peer",
    "Segment",
    "Struck",
    "TcpServer",
    "forever",
    "serve_tcp",
]
