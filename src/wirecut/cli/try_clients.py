"""``wirecut try``: run a real client once per fault, and show what it did."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from wirecut.cli.output import error_console, out_console, print_json, print_line, say
from wirecut.cli.stopping import terminated_as_interrupted
from wirecut.cli.tables import (
    findings_of,
    notes_of,
    print_table,
    summary_of,
    table_as_values,
)
from wirecut.errors import MisuseError
from wirecut.faults.fault import Fault
from wirecut.faults.text import parse_fault
from wirecut.trying import (
    REPLY,
    ClientRun,
    CommandRun,
    Row,
    Runner,
    TrialFailed,
    check_faults,
    find_client,
    missing_for,
    telling_faults,
    try_faults,
)
from wirecut.validation import check_seconds

__all__ = ["try_command"]

_FINDINGS = 1
_MISUSE = 2
_HARNESS_FAILED = 3


def try_command(  # noqa: PLR0913 - independent options, each with a default
    *,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND {url}",
            help="The client to run; {url}, {host} and {port} are replaced.",
            show_default=False,
        ),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A client in this process instead: http.client (the default), urllib, "
            "urllib3, requests, httpx or aiohttp; several give a column each.",
            show_default=False,
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT",
            help="Try this fault instead of the default list; several times for several.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Seconds after which a run counts as hanging."),
    ] = 5.0,
    client_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="What clients in this process are given.")
    ] = 1.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 also when there are findings.")
    ] = False,
) -> None:
    """Run a real HTTP client once per fault, and show what it did.

    An error is what a fault should lead to. Findings are wrong or truncated data that the
    client took for good, a crash, and a run that hangs: then the exit code is 1.

    Faults of the default list that need what is missing here are skipped, and a line says so;
    `wirecut lab` has all of it, without root.

    \b
    Examples:
      wirecut try
      wirecut try --client requests --client httpx
      wirecut try --fault reset/down:40 --fault stall/request.end
      wirecut try -- curl -sS --max-time 2 {url}
      wirecut lab -- wirecut try --fault reset/connect --client httpx
      wirecut try --json -- wget -qO- --tries=1 --timeout=2 {url}
    """  # noqa: D301 - \b keeps the lines below it as they are
    for option, seconds in (("--timeout", timeout), ("--client-timeout", client_timeout)):
        if not check_seconds(option, seconds):
            raise MisuseError(f"{option} must be > 0 seconds, got {seconds!r}")
    faults, skipped = _faults(fault or [])
    runners, versions = _runners(command or [], client or [], client_timeout)
    tried: list[tuple[Runner, Sequence[Row]]] = []
    try:
        with terminated_as_interrupted(), _progress() as bar:
            task = bar.add_task("", total=len(runners) * (len(faults) + 1))
            for runner in runners:
                rows: list[Row] = []
                tried.append((runner, rows))
                for row in try_faults(runner, faults, timeout_seconds=timeout):
                    rows.append(row)
                    name = "healthy" if row.fault is None else row.fault.text
                    bar.update(task, advance=1, description=name, refresh=True)
    except TrialFailed as failed:
        raise typer.Exit(_tell_failed(failed)) from None
    if json:
        way_out = _in_the_lab(command or [], client or [])
        print_json(table_as_values(tried, versions, skipped, way_out))
    else:
        console = out_console()
        print_line(console, _what_is_tried(runners, versions))
        print_table(console, tried)
        for note in notes_of(tried):
            print_line(console, note)
        if skipped:
            print_line(console, _what_is_skipped(skipped, command or [], client or []))
        print_line(console, summary_of(tried))
    if findings_of(tried) and not exit_zero:
        raise typer.Exit(_FINDINGS)


def _faults(texts: list[str]) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """What to try, and what to skip: only whoever asks for a fault is told no."""
    chosen = tuple(parse_fault(text) for text in texts)
    if chosen:
        check_faults(chosen)
        return chosen, ()
    default = telling_faults()
    skipped = tuple(fault for fault in default if missing_for(fault))
    return tuple(fault for fault in default if fault not in skipped), skipped


def _what_is_skipped(skipped: Sequence[Fault], command: list[str], names: list[str]) -> str:
    missing = dict.fromkeys(name for fault in skipped for name in missing_for(fault))
    return (
        f"skipped, as this needs {', '.join(missing)}: "
        f"{', '.join(fault.text for fault in skipped)}; "
        f"to try these too: {_in_the_lab(command, names)}"
    )


def _in_the_lab(command: list[str], names: list[str]) -> str:
    """The same trial where nothing is missing."""
    words = [word for name in names for word in ("--client", name)]
    words += ["--", *command] if command else []
    return shlex.join(["wirecut", "lab", "--", "wirecut", "try", *words])


def _runners(
    command: list[str], names: list[str], client_timeout: float
) -> tuple[list[Runner], list[str | None]]:
    if command and names:
        raise MisuseError("give either a command or --client, not both")
    if command:
        return [CommandRun(tuple(command))], [None]
    clients = [find_client(name) for name in dict.fromkeys(names or ["http.client"])]
    return (
        [ClientRun(one, client_timeout) for one in clients],
        [one.version for one in clients],
    )


def _what_is_tried(runners: Sequence[Runner], versions: Sequence[str | None]) -> str:
    names = [
        runner.name + (f" ({version})" if version else "")
        for runner, version in zip(runners, versions, strict=True)
    ]
    return (
        f"{', '.join(names)}: one GET per fault; the reply is {REPLY.head_bytes} bytes of head "
        f"and {len(REPLY.body)} of body"
    )


def _progress() -> contextlib.AbstractContextManager[Progress]:
    """A bar on a terminal's standard error, nothing elsewhere; redrawn only by progress."""
    console = error_console()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    bar = Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    )
    # Rich before 15 ends even a bar that is disabled with an empty line.
    return bar if console.is_terminal else contextlib.nullcontext(bar)


def _tell_failed(failed: TrialFailed) -> int:
    """Say why nothing could be tried; the exit code."""
    say(str(failed))
    ran = failed.row.ran
    if ran.has_ended and ran.exit_code is None:  # a client of ours, with a correct reply
        return _HARNESS_FAILED
    output = ran.errors or (ran.result or b"").decode("utf-8", "replace")
    if output.strip():
        print_line(error_console(), output.rstrip())
    return _MISUSE
