"""A fault as a Python expression, over the names of ``from wirecut import *``."""

from __future__ import annotations

from wirecut.faults.at import Moment, Offset, Pattern
from wirecut.faults.fault import Fault, parameter_fields
from wirecut.faults.selection import EVERY
from wirecut.wire.action import Direction

__all__ = ["python_form"]


def python_form(fault: Fault) -> str:
    """The expression that makes this fault, without what is default."""
    effect = type(fault)
    arguments = [
        f"{field.name}={value!r}"
        for field in parameter_fields(effect)
        if (value := getattr(fault, field.name)) != field.default
    ]
    if not fault.connect_only:
        arguments.append(f"at={_moment(fault.at)}")
    if fault.on != EVERY:
        arguments.append(f"on={fault.on.text.replace(':', '(')})")
    if fault.optional:
        arguments.append("optional=True")
    return f"{effect.__name__}({', '.join(arguments)})"


def _moment(moment: Moment) -> str:
    match moment:
        case Offset(direction=direction, count=count):
            return f"at.{direction.word}({count})"
        case Pattern(data=data, direction=direction, nth=nth):
            more = "" if direction is Direction.UP else f", direction={direction.word!r}"
            more += "" if nth == 1 else f", nth={nth}"
            return f"at.pattern({data!r}{more})"
        case _:
            return f"at.{moment.text}"
