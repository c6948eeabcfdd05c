"""What ``wirecut explain`` knows beyond what the faults say of themselves.

Each entry is held by a test: every effect, moment and selection is here, capabilities exist,
and what clients raise is what they raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wirecut.faults import at, every, exchange, first, nth
from wirecut.faults.at import Moment
from wirecut.faults.blackhole import Blackhole
from wirecut.faults.close import Close
from wirecut.faults.corrupt import Corrupt
from wirecut.faults.delay import Delay
from wirecut.faults.dribble import Dribble
from wirecut.faults.drop import Drop
from wirecut.faults.duplicate import Duplicate
from wirecut.faults.fault import Fault
from wirecut.faults.garbage import Garbage
from wirecut.faults.half_close import HalfClose
from wirecut.faults.refuse import Refuse
from wirecut.faults.reset import Reset
from wirecut.faults.selection import Selection
from wirecut.faults.stall import Stall
from wirecut.faults.throttle import Throttle

__all__ = ["MOMENTS", "NEEDS", "SELECTIONS", "USUAL"]

MOMENTS: Final[tuple[Moment, ...]] = (
    at.connect,
    at.accept,
    at.up(117),
    at.down(117),
    at.up.end,
    at.down.end,
    at.pattern(b"QUIT"),
    at.request.end,
)
"""One of each kind, in the order in which they can come."""

SELECTIONS: Final[tuple[Selection, ...]] = (every, first(2), nth(3), exchange(2))
"""One of each kind."""

_SENT: Final = ("exact cuts", "wait until sent as an event")

NEEDS: Final[Mapping[type[Fault], tuple[str, ...]]] = {
    Reset: (*_SENT, "received data survives a reset"),
    Close: (),
    HalfClose: (),
    Stall: (),
    Delay: (),
    Throttle: _SENT,
    Dribble: _SENT,
    Corrupt: (),
    Drop: (),
    Duplicate: (),
    Garbage: (),
    Refuse: ("held ports",),
    Blackhole: ("full backlog",),
}
"""The capabilities without which an effect promises less, or cannot be had."""

_RESET: Final = {
    "http.client": "ConnectionResetError",
    "requests": "requests.ConnectionError",
    "httpx": "httpx.ReadError",
    "aiohttp": "aiohttp.ClientOSError",
    "curl": "exit 56",
}
_ENDED: Final = {
    "http.client": "http.client.RemoteDisconnected",
    "requests": "requests.ConnectionError",
    "httpx": "httpx.RemoteProtocolError",
    "aiohttp": "aiohttp.ServerDisconnectedError",
    "curl": "exit 52",
}
_NOTHING: Final = dict.fromkeys(("http.client", "requests", "httpx", "aiohttp"), "nothing") | {
    "curl": "exit 0"
}
_BAD_START: Final = {
    "http.client": "http.client.BadStatusLine",
    "requests": "requests.ConnectionError",
    "httpx": "httpx.RemoteProtocolError",
    "aiohttp": "aiohttp.ClientResponseError",
    "curl": "exit 1",
}

USUAL: Final[Mapping[type[Fault], Mapping[str, str]]] = {
    Reset: _RESET,
    Close: _ENDED,
    HalfClose: _ENDED,
    Stall: {
        "http.client": "TimeoutError",
        "requests": "requests.ReadTimeout",
        "httpx": "httpx.ReadTimeout",
        "aiohttp": "TimeoutError",
        "curl": "exit 28",
    },
    Delay: _NOTHING,
    Throttle: _NOTHING,
    Dribble: _NOTHING,
    Corrupt: _BAD_START,
    Drop: _BAD_START,
    Duplicate: _BAD_START,
    Garbage: _BAD_START,
    Refuse: {
        "http.client": "ConnectionRefusedError",
        "requests": "requests.ConnectionError",
        "httpx": "httpx.ConnectError",
        "aiohttp": "aiohttp.ClientConnectorError",
        "curl": "exit 7",
    },
    Blackhole: {
        "http.client": "TimeoutError",
        "requests": "requests.ConnectTimeout",
        "httpx": "httpx.ConnectTimeout",
        "aiohttp": "TimeoutError",
        "curl": "exit 28",
    },
}
"""What a GET meets at the effect's default moment, with a timeout of the client's own."""
