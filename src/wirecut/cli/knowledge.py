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
from wirecut.faults.forged_reset import ForgedReset
from wirecut.faults.garbage import Garbage
from wirecut.faults.half_close import HalfClose
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition
from wirecut.faults.refuse import Refuse
from wirecut.faults.reset import Reset
from wirecut.faults.selection import Selection
from wirecut.faults.stall import Stall
from wirecut.faults.throttle import Throttle
from wirecut.faults.unreachable import Unreachable
from wirecut.faults.vanish import Vanish

__all__ = [
    "MOMENTS",
    "PROMISES",
    "SEEN_AT_CONNECT",
    "SELECTIONS",
    "USUAL",
    "USUAL_AT_CONNECT",
    "capabilities_of",
]

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

PROMISES: Final[Mapping[type[Fault], tuple[str, ...]]] = {
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
    Unreachable: (),
    ForgedReset: (*_SENT, "received data survives a reset"),
    Partition: _SENT,
    Lose: (),
    Vanish: _SENT,
}
"""The capabilities without which an effect promises less, on top of what the fault needs."""


def capabilities_of(fault: Fault) -> tuple[str, ...]:
    """What it needs, and what its promise rests on; an event at connect rests on the gate."""
    is_event = fault.at_connect and not fault.address_state
    return (*fault.needs, *(() if is_event else PROMISES[type(fault)]))


SEEN_AT_CONNECT: Final[Mapping[type[Fault], str]] = {
    Reset: "ECONNRESET from connect() itself",
    Delay: "a connect() that takes at least that much longer",
}
"""What the peer sees of an effect at ``connect`` that it can meet on a connection too."""

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

_SILENCE: Final = {
    "http.client": "TimeoutError",
    "requests": "requests.ReadTimeout",
    "httpx": "httpx.ReadTimeout",
    "aiohttp": "TimeoutError",
    "curl": "exit 28",
}
_NO_CONNECTION: Final = {
    "http.client": "OSError",
    "requests": "requests.ConnectionError",
    "httpx": "httpx.ConnectError",
    "aiohttp": "aiohttp.ClientConnectorError",
    "curl": "exit 7",
}

USUAL: Final[Mapping[type[Fault], Mapping[str, str]]] = {
    Reset: _RESET,
    Close: _ENDED,
    HalfClose: _ENDED,
    Stall: _SILENCE,
    Delay: _NOTHING,
    Throttle: _NOTHING,
    Dribble: _NOTHING,
    Corrupt: _BAD_START,
    Drop: _BAD_START,
    Duplicate: _BAD_START,
    Garbage: _BAD_START,
    Refuse: _NO_CONNECTION | {"http.client": "ConnectionRefusedError"},
    Blackhole: {
        "http.client": "TimeoutError",
        "requests": "requests.ConnectTimeout",
        "httpx": "httpx.ConnectTimeout",
        "aiohttp": "TimeoutError",
        "curl": "exit 28",
    },
    Unreachable: _NO_CONNECTION,
    ForgedReset: _RESET,
    Partition: _SILENCE,
    Lose: _NOTHING,
    Vanish: _SILENCE,
}
"""What a GET meets at the effect's default moment, with a timeout of the client's own."""

USUAL_AT_CONNECT: Final[Mapping[type[Fault], Mapping[str, str]]] = {
    Reset: _NO_CONNECTION | {"http.client": "ConnectionResetError"},
    Delay: _NOTHING,
}
"""The same at ``connect``, for the effects that can be had there too."""
