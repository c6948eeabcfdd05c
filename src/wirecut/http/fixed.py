"""One fixed, correct HTTP/1.1 response to every request.

Sources: RFC 9112 section 6.3 (Content-Length), section 9.3 (persistence), section 9.6
(the close option).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from wirecut.errors import MisuseError
from wirecut.http.bodyless import is_bodyless_request
from wirecut.http.framing import RequestFramer
from wirecut.script.machine import Finish, Output, Say
from wirecut.validation import check_count

__all__ = ["HttpReply"]


@dataclass(frozen=True, slots=True)
class HttpReply:
    """The same response to every request, on connections that are kept or closed.

    Attributes:
        body: The content, sent with its Content-Length.
        status: The status code, 200 to 599; 204 and 304 have no content.
        content_type: The Content-Type, or None to leave it out.
        keep_alive: Whether the connection serves further requests (RFC 9112 section 9.3).

    Raises:
        MisuseError: The status is out of range, or does not go with a body.
    """

    body: bytes = b""
    status: int = 200
    content_type: str | None = "text/plain"
    keep_alive: bool = True
    # Made once, and not for each connection anew.
    _rendered: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_count("status", self.status, minimum=200, maximum=599)
        if not isinstance(self.body, bytes):
            raise MisuseError(f"body must be bytes, got {self.body!r}")
        if self.body and self.status in (204, 304):
            raise MisuseError(f"status {self.status} has no content, got body {self.body!r}")
        object.__setattr__(self, "_rendered", self._render())

    @property
    def rendered(self) -> bytes:
        """The response's exact bytes."""
        return self._rendered

    def _render(self) -> bytes:
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        if self.content_type is not None and self.body:
            lines.append(f"Content-Type: {self.content_type}")
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {len(self.body)}")
        if not self.keep_alive:
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body

    @property
    def head_bytes(self) -> int:
        """Length of the head: ``down:head_bytes`` is the moment right before the body."""
        return len(self.rendered) - len(self.body)

    def machine(self) -> _Replies:
        """A fresh run for one connection."""
        return _Replies(self.rendered, keep_alive=self.keep_alive)


class _Replies:
    """One connection's replies."""

    __slots__ = ("_data", "_done", "_framer", "_keep_alive")

    def __init__(self, data: bytes, *, keep_alive: bool) -> None:
        self._data = data
        self._keep_alive = keep_alive
        self._done = False
        # Not before a request comes that is more than a header.
        self._framer: RequestFramer | None = None

    def begin(self) -> Sequence[Output]:
        """Nothing: the client speaks first."""
        return ()

    def receive(self, data: bytes) -> Sequence[Output]:
        """A reply for each request that these bytes complete."""
        outputs: list[Output] = []
        if self._done:
            return outputs
        framer = self._framer
        if framer is None and is_bodyless_request(data):
            self._done = not self._keep_alive
            return (Say(self._data), Finish()) if self._done else (Say(self._data),)
        if framer is None:
            framer = self._framer = RequestFramer()
        for mark in framer.feed(data):
            if mark.kind == "end" and not self._done:
                outputs.append(Say(self._data))
                if not self._keep_alive:
                    self._done = True
        if framer.problem is not None and not self._done:
            self._done = True
            text = framer.problem.encode()
            outputs.append(Say(HttpReply(text, 400, keep_alive=False).rendered))
        if self._done:
            outputs.append(Finish())
        return outputs

    def receive_end(self) -> Sequence[Output]:
        """Finish; half a request gets no answer (RFC 9112 section 8)."""
        return () if self._done else (Finish(),)

    def unmet(self) -> str | None:
        """Never anything: it answers whatever comes."""
        return None
