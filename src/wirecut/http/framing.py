"""Where a request begins and ends in a client's stream, by h11.

Sources: RFC 9112 section 6 (message body length), section 7.1 (chunked), section 9.3
(persistence: the next request begins right after the body of the last).
"""

from __future__ import annotations

from typing import Final

import h11

from wirecut.faults.scan import RequestMark
from wirecut.http.bodyless import is_bodyless_request

__all__ = ["RequestFramer"]

# h11's own default of 16 KiB is a defence of public servers; a test server should frame what
# its client sends, and a client under test may well send large headers.
_HEAD_LIMIT_BYTES: Final = 1 << 20


class RequestFramer:
    """Frames request after request; fed every byte once, in order.

    Attributes:
        problem: Why nothing more is found (the input is not HTTP/1.1), or None.
    """

    __slots__ = ("_fed", "_number", "_parser", "_started", "problem")

    def __init__(self) -> None:
        self.problem: str | None = None
        self._fed = 0
        self._number = 0
        self._started = False
        # Only while a request is under way: a parser is larger than all else that a
        # connection takes.
        self._parser: h11.Connection | None = None

    def feed(self, data: bytes) -> list[RequestMark]:
        """Take the next bytes; the borders of requests that they complete, in order."""
        marks: list[RequestMark] = []
        rest = data
        self._fed += len(data)
        while rest and self.problem is None:
            after: bytes | None = None
            if not self._started:
                self._started = True
                self._number += 1
                marks.append(RequestMark("start", self._number, self._fed - len(rest)))
                if is_bodyless_request(rest):
                    after = b""
            if after is None:
                after = self._parse(rest)
            if after is None:
                break
            rest = after
            marks.append(RequestMark("end", self._number, self._fed - len(rest)))
            self._started = False
            self._parser = None
        return marks

    def _parse(self, data: bytes) -> bytes | None:
        """The bytes after the request's end, or None while it has not come."""
        parser = self._parser = self._parser or _parser()
        try:
            parser.receive_data(data)
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return None
                if isinstance(event, h11.EndOfMessage):
                    return parser.trailing_data[0]
        except h11.RemoteProtocolError as error:
            self.problem = f"request {self._number} is not HTTP/1.1: {error}"
            return None


def _parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT_BYTES)
