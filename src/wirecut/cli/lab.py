"""``wirecut lab``: run a command where every fault works, without root."""

from __future__ import annotations

from typing import Annotated

import typer

from wirecut.cli.output import say
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.lab import run_in_lab

__all__ = ["lab_command"]

_FORBIDDEN = 3


def lab_command(
    *,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND", help="The program and its arguments.", show_default=False
        ),
    ] = None,
    root: Annotated[
        bool,
        typer.Option("--root", help="Be root inside; files stay those of who you are."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Do not say that there is no outside network.")
    ] = False,
) -> None:
    """Run a command in a private network, where every fault works, without root.

    It has 127.0.0.1 and ::1, and nothing else: nothing outside is reached, and nothing of
    this machine's network is changed. You stay the same user. The command takes the place of
    this process, so its exit code, signals and terminal are its own. Where a private network
    is forbidden, a sentence says what to ask the administrator for.

    \b
    Examples:
      wirecut lab -- python -m pytest
      wirecut lab -- wirecut doctor
      wirecut lab --quiet -- sh -c 'python server.py & python client.py'
      wirecut lab --root -- bash
    """  # noqa: D301 - \b keeps the lines below it as they are
    if not command:
        raise MisuseError("give a command to run: wirecut lab -- COMMAND")
    try:
        run_in_lab(command, root=root, quiet=quiet)
    except CapabilityMissing as error:
        say(str(error))
        raise typer.Exit(_FORBIDDEN) from None
