"""Faults: what strikes, when, and whom, as independent frozen values.

Every effect is a file of its own; :mod:`wirecut.faults.at` has the moments and
:mod:`wirecut.faults.selection` the selections.  Nothing in this package holds a socket.
"""

from __future__ import annotations

from wirecut.faults import at
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
from wirecut.faults.selection import every, exchange, first, nth
from wirecut.faults.stall import Stall
from wirecut.faults.text import EFFECTS, as_fault, as_faults, parse_fault
from wirecut.faults.throttle import Throttle
from wirecut.faults.unreachable import Unreachable
from wirecut.faults.vanish import Vanish

__all__ = [
    "EFFECTS",
    "Blackhole",
    "Close",
    "Corrupt",
    "Delay",
    "Dribble",
    "Drop",
    "Duplicate",
    "Fault",
    "ForgedReset",
    "Garbage",
    "HalfClose",
    "Lose",
    "Partition",
    "Refuse",
    "Reset",
    "Stall",
    "Throttle",
    "Unreachable",
    "Vanish",
    "as_fault",
    "as_faults",
    "at",
    "every",
    "exchange",
    "first",
    "nth",
    "parse_fault",
]
