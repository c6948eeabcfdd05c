"""HTTP/1.1: exact bytes out, requests in by h11."""

from __future__ import annotations

from wirecut.http.fixed import HttpReply
from wirecut.http.framing import RequestFramer

__all__ = ["HttpReply", "RequestFramer"]
