"""Run a real client against one fault after another, and say what it did."""

from __future__ import annotations

from wirecut.trying.clients import CLIENTS, Client, find_client
from wirecut.trying.outcome import (
    Raised,
    Ran,
    Row,
    Verdict,
    classify,
    describe_exception,
    is_racy,
)
from wirecut.trying.running import ClientRun, CommandRun, Runner, TrialFailed, try_faults
from wirecut.trying.trials import REPLY, check_faults, missing_for, telling_faults

__all__ = [
    "CLIENTS",
    "REPLY",
    "Client",
    "ClientRun",
    "CommandRun",
    "Raised",
    "Ran",
    "Row",
    "Runner",
    "TrialFailed",
    "Verdict",
    "check_faults",
    "classify",
    "describe_exception",
    "find_client",
    "is_racy",
    "missing_for",
    "telling_faults",
    "try_faults",
]
