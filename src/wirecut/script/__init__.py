"""Behaviours of the other end, planned in advance; no sockets, no clock."""

from __future__ import annotations

from wirecut.script.machine import Answer, Fail, Finish, Machine, Output, Say, Silent, StrikeNow
from wirecut.script.steps import (
    AwaitEnd,
    Expect,
    Match,
    Repeat,
    Script,
    Send,
    Step,
    Strike,
    Until,
)

__all__ = [
    "Answer",
    "AwaitEnd",
    "Expect",
    "Fail",
    "Finish",
    "Machine",
    "Match",
    "Output",
    "Repeat",
    "Say",
    "Script",
    "Send",
    "Silent",
    "Step",
    "Strike",
    "StrikeNow",
    "Until",
]
