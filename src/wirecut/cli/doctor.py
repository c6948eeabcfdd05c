"""``wirecut doctor``: what this machine can promise, and how to get what it cannot."""

from __future__ import annotations

import platform
import sys
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import wirecut
from wirecut.cli.output import out_console, print_block, print_json, print_line
from wirecut.lab import inside_lab
from wirecut.trying import CLIENTS
from wirecut.wire import CAPABILITIES, available, why_missing

if sys.platform != "win32":
    import resource

__all__ = ["doctor_command"]

# Standard streams, the loop's selector and waker, the server's holder and listener.
_DESCRIPTORS_IN_USE = 8


def doctor_command(
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,
) -> None:
    """Show what this machine can do, and how to get what it cannot.

    Each capability is tried on loopback, not guessed from the platform's name.

    \b
    Examples:
      wirecut doctor
      wirecut doctor --json
    """  # noqa: D301 - \b keeps the lines below it as they are
    found = _examine()
    if json:
        print_json(found)
        return
    console = out_console()
    print_line(console, f"wirecut {found['wirecut']}, Python {found['python']}")
    print_line(console, found["platform"])
    if found["lab"]:
        print_line(console, "in a lab: a private loopback, and no other network")
    print_line(console, _sentence(found["descriptors"]))
    _print_capabilities(console, found["capabilities"])
    there = [f"{one['name']} {one['version']}" for one in found["clients"] if one["version"]]
    missing = [one["name"] for one in found["clients"] if not one["version"]]
    print_line(console, f"clients for wirecut try: {', '.join(there)}")
    if missing:
        print_line(console, f"not installed: {', '.join(missing)}; pip install what you use")


def _examine() -> dict[str, Any]:
    return {
        "wirecut": wirecut.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "lab": inside_lab(),
        "descriptors": _descriptors(),
        "capabilities": [
            {
                "name": one.name,
                "available": available(one.name),
                "summary": one.summary,
                "how_to_get": one.how_to_get,
                "tried": why_missing(one.name),
            }
            for one in CAPABILITIES
        ],
        "clients": [
            {"name": one.name, "version": one.version if one.is_installed else None}
            for one in CLIENTS
        ],
    }


def _descriptors() -> dict[str, int | None]:
    """The soft and the hard limit; None for none."""
    if sys.platform == "win32":
        return {"soft": None, "hard": None}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    return {
        "soft": None if soft == endless else soft,
        "hard": None if hard == endless else hard,
    }


def _sentence(limits: dict[str, int | None]) -> str:
    soft, hard = limits["soft"], limits["hard"]
    if soft is None:
        return "no limit on file descriptors"
    most = max(0, soft - _DESCRIPTORS_IN_USE)
    raised = "without a limit" if hard is None else f"up to {hard}"
    return (
        f"{soft} file descriptors: at most {most} connections can be open at once in one "
        f"process, half as many if their clients live in it too; ulimit -n raises it {raised}"
    )


def _print_capabilities(console: Console, capabilities: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("capability", "here", "means"):
        table.add_column(name)
    for one in capabilities:
        here = Text("yes", "green") if one["available"] else Text("no", "bold red")
        means = one["summary"]
        if not one["available"]:
            means += f"; to get it: {one['how_to_get']}"
            means += f"; tried: {one['tried']}" if one["tried"] else ""
        table.add_row(one["name"], here, means)
    print_block(console, table)
