"""Real TCP faults for tests: cut the wire at every byte, and know what your code does.

A fault is *what / when / whom*: an effect such as :class:`Reset`, a moment of
:mod:`wirecut.at`, and a selection such as :func:`first`; each has a text form, and
``"reset/down:117/first:2"`` is accepted wherever a fault is.
"""

from __future__ import annotations

from wirecut.deadline import DEFAULT_PATIENCE_SECONDS, Deadline
from wirecut.dialing import Line, dial
from wirecut.errors import (
    CapabilityMissing,
    ConnectionStruck,
    DeadlineExceeded,
    HandlerStuck,
    InternalError,
    MisuseError,
    PeerClosed,
    PeerReset,
    UnmetExpectation,
    WirecutError,
)
from wirecut.faults import (
    Blackhole,
    Close,
    Corrupt,
    Delay,
    Dribble,
    Drop,
    Duplicate,
    Fault,
    ForgedReset,
    Garbage,
    HalfClose,
    Lose,
    Partition,
    Refuse,
    Reset,
    Stall,
    Throttle,
    Unreachable,
    Vanish,
    at,
    every,
    exchange,
    first,
    nth,
    parse_fault,
)
from wirecut.http import HttpReply
from wirecut.script import AwaitEnd, Expect, Match, Repeat, Script, Send, Strike, Until
from wirecut.server import (
    ConnectAttempt,
    Connection,
    Ended,
    Peer,
    Struck,
    TcpServer,
    forever,
    serve_tcp,
)
from wirecut.testing import Wire
from wirecut.wire import End, Observation, observe

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_PATIENCE_SECONDS",
    "AwaitEnd",
    "Blackhole",
    "CapabilityMissing",
    "Close",
    "ConnectAttempt",
    "Connection",
    "ConnectionStruck",
    "Corrupt",
    "Deadline",
    "DeadlineExceeded",
    "Delay",
    "Dribble",
    "Drop",
    "Duplicate",
    "End",
    "Ended",
    "Expect",
    "Fault",
    "ForgedReset",
    "Garbage",
    "HalfClose",
    "HandlerStuck",
    "HttpReply",
    "InternalError",
    "Line",
    "Lose",
    "Match",
    "MisuseError",
    "Observation",
    "Partition",
    "Peer",
    "PeerClosed",
    "PeerReset",
    "Refuse",
    "Repeat",
    "Reset",
    "Script",
    "Send",
    "Stall",
    "Strike",
    "Struck",
    "TcpServer",
    "Throttle",
    "UnmetExpectation",
    "Unreachable",
    "Until",
    "Vanish",
    "Wire",
    "WirecutError",
    "at",
    "dial",
    "every",
    "exchange",
    "first",
    "forever",
    "nth",
    "observe",
    "parse_fault",
    "serve_tcp",
]
