"""The text form of a fault: ``effect[:values]/moment[/selection][/optional]``.

Accepted wherever a fault is, and used as its id in tests, reports, on the command line and
for replay: ``reset/down:117``, ``refuse/connect``, ``delay:0.5/request.end``,
``stall:down/down:0/first:2``.  Only letters, digits and ``. : - / _`` occur, so a shell needs
no quotes.  Without a moment an effect strikes at its default one.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable
from typing import Any, Final

from wirecut.errors import MisuseError
from wirecut.faults.at import parse_moment
from wirecut.faults.blackhole import Blackhole
from wirecut.faults.close import Close
from wirecut.faults.corrupt import Corrupt
from wirecut.faults.delay import Delay
from wirecut.faults.dribble import Dribble
from wirecut.faults.drop import Drop
from wirecut.faults.duplicate import Duplicate
from wirecut.faults.fault import Fault, parameter_fields
from wirecut.faults.forged_reset import ForgedReset
from wirecut.faults.garbage import Garbage
from wirecut.faults.half_close import HalfClose
from wirecut.faults.lose import Lose
from wirecut.faults.partition import Partition
from wirecut.faults.refuse import Refuse
from wirecut.faults.reset import Reset
from wirecut.faults.selection import parse_selection
from wirecut.faults.stall import Stall
from wirecut.faults.throttle import Throttle
from wirecut.faults.unreachable import Unreachable
from wirecut.faults.vanish import Vanish
from wirecut.validation import is_count

__all__ = ["EFFECTS", "as_fault", "as_faults", "parse_fault"]

EFFECTS: Final[dict[str, type[Fault]]] = {
    effect.word: effect
    for effect in (
        Reset,
        Close,
        HalfClose,
        Stall,
        Delay,
        Throttle,
        Dribble,
        Corrupt,
        Drop,
        Duplicate,
        Garbage,
        Refuse,
        Blackhole,
        Unreachable,
        ForgedReset,
        Partition,
        Lose,
        Vanish,
    )
}
"""Every effect by its word, in the order in which they are listed to a user."""

# A minus sign is read so that the effect can say what is wrong with it.
_SECONDS: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?")


def parse_fault(text: str) -> Fault:
    """The fault that ``text`` names; the inverse of a fault's ``text``.

    Raises:
        MisuseError: Unknown effect, moment or selection, or a value out of its range; the
            message names the part and says what would be right.
    """
    if not isinstance(text, str):
        raise MisuseError(f"a fault's text must be a string, got {text!r}")
    head, *rest = text.split("/")
    word, *values = head.split(":")
    effect = EFFECTS.get(word)
    if effect is None:
        near = difflib.get_close_matches(word, EFFECTS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise MisuseError(f"unknown effect {word!r}{hint}; one of {', '.join(EFFECTS)}")
    arguments: dict[str, Any] = _values(effect, values)
    if rest and rest[-1] == "optional":
        arguments["optional"] = True
        rest.pop()
    if rest:
        arguments["at"] = parse_moment(rest.pop(0))
    if rest:
        arguments["on"] = parse_selection(rest.pop(0))
    if rest:
        raise MisuseError(
            f"fault {text!r} has more parts than effect/moment/selection/optional: "
            f"{'/'.join(rest)!r}"
        )
    return effect(**arguments)


def as_fault(fault: Fault | str) -> Fault:
    """A fault as it is, or the one that a text names.

    Raises:
        MisuseError: It is neither.
    """
    if isinstance(fault, Fault):
        return fault
    if isinstance(fault, str):
        return parse_fault(fault)
    raise MisuseError(
        f"fault must be a fault such as Reset() or its text such as 'reset/down:117', "
        f"got {fault!r}"
    )


def as_faults(faults: Iterable[Fault | str] | Fault | str) -> tuple[Fault, ...]:
    """Several faults, or one, each as a value or as text."""
    if isinstance(faults, Fault | str):
        return (as_fault(faults),)
    return tuple(as_fault(fault) for fault in faults)


def _values(effect: type[Fault], words: list[str]) -> dict[str, Any]:
    fields = parameter_fields(effect)
    if len(words) > len(fields):
        usage = ":".join((effect.word, *(f"[{field.name}]" for field in fields)))
        raise MisuseError(
            f"{effect.word} takes at most {len(fields)} values, as {usage}, "
            f"got {':'.join(words)!r}"
        )
    return {
        field.name: _value(effect, field, word)
        for field, word in zip(fields, words, strict=False)
    }


def _value(effect: type[Fault], field: dataclasses.Field[object], word: str) -> object:
    if field.type == "str":
        return word
    if field.type == "int":
        if is_count(word):
            return int(word)
        raise MisuseError(f"{effect.word}: {field.name} must be a whole number, got {word!r}")
    if _SECONDS.fullmatch(word):
        return float(word)
    raise MisuseError(f"{effect.word}: {field.name} must be a number of seconds, got {word!r}")
