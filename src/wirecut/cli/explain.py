"""``wirecut explain``: what a fault does, from the tables that make it do so."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wirecut.cli.in_python import python_form
from wirecut.cli.knowledge import (
    MOMENTS,
    SEEN_AT_CONNECT,
    SELECTIONS,
    USUAL,
    USUAL_AT_CONNECT,
    capabilities_of,
)
from wirecut.cli.output import out_console, print_block, print_line
from wirecut.faults.fault import Fault, parameter_fields
from wirecut.faults.text import EFFECTS, parse_fault
from wirecut.trying import is_racy
from wirecut.wire import CAPABILITIES, available

__all__ = ["explain_command"]


def explain_command(
    fault: Annotated[
        str | None,
        typer.Argument(
            metavar="[FAULT]", help="A fault's text, or an effect's name.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain a fault: what the peer sees, what it needs, which RFC; or list them all.

    \b
    Examples:
      wirecut explain
      wirecut explain reset
      wirecut explain stall:down/down:117/first:2
    """  # noqa: D301 - \b keeps the lines below it as they are
    console = out_console()
    if fault is None:
        _print_lists(console)
        return
    chosen = parse_fault(fault)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    told = ""
    for label, text in _facts(chosen):
        grid.add_row("" if label == told else label, text)
        told = label
    print_line(console, Text(chosen.text, "bold"))
    print_block(console, grid)


def _facts(fault: Fault) -> Iterator[tuple[str, str]]:
    effect = type(fault)
    yield "effect", _first_line(effect)
    also_at_connect = fault.at_connect and not fault.connect_only
    yield "the peer sees", SEEN_AT_CONNECT[effect] if also_at_connect else effect.peer_sees
    yield "when", f"{fault.at.text}: {_first_line(type(fault.at))}"
    yield "default moment", effect().at.text
    yield "whom", f"{fault.on.text}: {_first_line(type(fault.on))}"
    if is_racy(fault):
        yield "racy", "it may arrive before the client's connect() has returned"
    for line in _needs(fault):
        yield "needs", line
    yield "source", effect.source
    yield "values", _values(effect)
    yield "Python", python_form(fault)
    yield "text", fault.text
    usual = USUAL_AT_CONNECT[effect] if also_at_connect else USUAL[effect]
    moment = fault.at if also_at_connect else effect().at
    yield "clients raise", f"at {moment.text}, from a GET:"
    for client, raised in usual.items():
        yield "clients raise", f"{client}: {raised}"


def _needs(fault: Fault) -> Iterator[str]:
    if fault.needs:
        yield f"{', '.join(fault.needs)}: a privilege, or `wirecut lab -- COMMAND`"
    else:
        yield "no privileges"
    tcp_only = fault.tcp_only or (fault.at_connect and not fault.address_state)
    yield "a TCP address" if tcp_only else "a TCP address or a Unix-domain socket"
    for capability in CAPABILITIES:
        if capability.name in capabilities_of(fault):
            here = (
                "here" if available(capability.name) else f"NOT here: {capability.how_to_get}"
            )
            yield f"{capability.name} ({capability.summary}): {here}"


def _values(effect: type[Fault]) -> str:
    fields = [f"{field.name}={field.default!r}" for field in parameter_fields(effect)]
    return ", ".join(fields) or "none"


def _print_lists(console: Console) -> None:
    print_line(console, "A fault is effect[:values]/moment[/selection], as in reset/down:117")
    _print_list(
        console,
        "effect",
        "the peer sees",
        [(effect().text, effect.peer_sees) for effect in EFFECTS.values()],
    )
    _print_list(
        console,
        "moment",
        "when",
        [(moment.text, _first_line(type(moment))) for moment in MOMENTS],
    )
    _print_list(
        console,
        "selection",
        "whom",
        [(one.text, _first_line(type(one))) for one in SELECTIONS],
    )


def _print_list(console: Console, what: str, why: str, rows: list[tuple[str, str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(what, no_wrap=True, min_width=22)
    table.add_column(why)
    for row in rows:
        table.add_row(*row)
    print_block(console, table)


def _first_line(kind: type) -> str:
    """A class's own summary, as the reference prints it."""
    line = (inspect.getdoc(kind) or "").partition("\n\n")[0]
    return " ".join(line.replace("``", "").split()).rstrip(".")
