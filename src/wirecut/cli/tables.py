"""What clients did, as a table for people and as values for programs."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import wirecut
from wirecut.cli.output import print_block
from wirecut.faults.fault import Fault
from wirecut.trying import Row, Runner, Verdict, is_racy, missing_for

__all__ = ["findings_of", "notes_of", "print_table", "summary_of", "table_as_values"]

_STYLES: Final = {Verdict.OK: "green", Verdict.ERROR: "yellow"}
_FINDING_STYLE: Final = "bold red"

Tried = Sequence[tuple[Runner, Sequence[Row]]]
_Marks = Mapping[tuple[str, ...], str]


def findings_of(tried: Tried) -> list[str]:
    """Each finding as ``fault verdict``, with the client's name if there are several."""
    return [
        f"{_fault(row, {})} {row.verdict.value}"
        + (f" ({runner.name})" if len(tried) > 1 else "")
        for runner, rows in tried
        for row in rows
        if row.verdict.is_finding
    ]


def summary_of(tried: Tried) -> str:
    """The table's last line."""
    runs = sum(len(rows) for _, rows in tried)
    found = findings_of(tried)
    noun = "finding" if len(found) == 1 else "findings"
    listed = f": {', '.join(found)}" if found else ""
    return f"{runs} runs, {len(found)} {noun}{listed}"


def notes_of(tried: Tried) -> list[str]:
    """What the marks of the table stand for: the capabilities that a fault needs."""
    return [f"{mark} needs {', '.join(names)}" for names, mark in _marks_of(tried).items()]


def _marks_of(tried: Tried) -> _Marks:
    """A number for each set of capabilities that a fault of the table needs."""
    rows = tried[0][1] if tried else ()
    needed = dict.fromkeys(row.fault.needs for row in rows if row.fault and row.fault.needs)
    return {names: f"[{number}]" for number, names in enumerate(needed, 1)}


def print_table(console: Console, tried: Tried) -> None:
    """One table: in detail for one client, a column each for several."""
    marks = _marks_of(tried)
    table = Table(box=box.ASCII2 if console.options.ascii_only else box.SIMPLE_HEAD)
    table.add_column("fault", no_wrap=True)
    if len(tried) == 1:
        _fill_detailed(table, tried[0][1], marks)
    else:
        _fill_side_by_side(table, tried, marks)
    print_block(console, table)


def _fill_detailed(table: Table, rows: Sequence[Row], marks: _Marks) -> None:
    is_command = any(row.ran.exit_code is not None for row in rows)
    table.add_column("result")
    table.add_column("exit" if is_command else "errno")
    table.add_column("seconds", justify="right")
    table.add_column("last line" if is_command else "because of")
    for row in rows:
        ran = row.ran
        if is_command:
            code = "" if ran.exit_code is None else str(ran.exit_code)
            reason = "" if row.verdict is Verdict.OK else ran.last_line
        else:
            code = ran.errno_name or ""
            reason = " < ".join(one.name for one in ran.raised[1:])
        table.add_row(_fault(row, marks), _result(row), code, f"{ran.seconds:.3f}", reason)


def _fill_side_by_side(table: Table, tried: Tried, marks: _Marks) -> None:
    for runner, _ in tried:
        table.add_column(runner.name, overflow="fold")
    for same_fault in zip(*(rows for _, rows in tried), strict=True):
        cells = [_result(row, row.ran.errno_name or "") for row in same_fault]
        table.add_row(_fault(same_fault[0], marks), *cells)


def _fault(row: Row, marks: _Marks) -> str:
    if row.fault is None:
        return "(none)"
    racy = "(racy)" if is_racy(row.fault) else ""
    return " ".join(filter(None, [row.fault.text, racy, marks.get(row.fault.needs, "")]))


def _result(row: Row, errno_name: str = "") -> Text:
    text = " ".join(filter(None, [_words(row), errno_name]))
    if not row.has_struck:
        text += ", never struck"
    if row.attempts > 1:
        text += f", {row.attempts} attempts"
    elif row.connections > 1:
        text += f", {row.connections} connections"
    return Text(text, style=_STYLES.get(row.verdict, _FINDING_STYLE))


def _words(row: Row) -> str:
    got = len(row.ran.result or b"")
    match row.verdict:
        case Verdict.OK:
            return "ok"
        case Verdict.ERROR:
            return row.ran.raised[0].name if row.ran.raised else "error"
        case Verdict.TRUNCATED:
            return f"TRUNCATED: {got} of {row.expected_bytes} bytes taken for all"
        case Verdict.WRONG:
            return f"WRONG: {got} bytes that are not the {row.expected_bytes} sent"
        case Verdict.CRASHED:
            return f"CRASHED: {signal.Signals(-(row.ran.exit_code or 0)).name}"
        case Verdict.HANGS:
            return "HANGS"


def table_as_values(
    tried: Tried, versions: Sequence[str | None], skipped: Sequence[Fault], way_out: str
) -> dict[str, Any]:
    """The same for a program: every value of the table, and those it has no room for."""
    return {
        "wirecut": wirecut.__version__,
        "findings": len(findings_of(tried)),
        "skipped": [
            {
                "fault": fault.text,
                "needs": list(fault.needs),
                "missing": list(missing_for(fault)),
                "way_out": way_out,
            }
            for fault in skipped
        ],
        "clients": [
            {"name": runner.name, "version": version, "runs": [_values(row) for row in rows]}
            for (runner, rows), version in zip(tried, versions, strict=True)
        ],
    }


def _values(row: Row) -> dict[str, Any]:
    ran = row.ran
    return {
        "fault": None if row.fault is None else row.fault.text,
        "racy": is_racy(row.fault),
        "needs": [] if row.fault is None else list(row.fault.needs),
        "struck": row.has_struck,
        "verdict": row.verdict.value,
        "finding": row.verdict.is_finding,
        "seconds": round(ran.seconds, 6),
        "connections": row.connections,
        "attempts": row.attempts,
        "returned_bytes": None if ran.result is None else len(ran.result),
        "expected_bytes": row.expected_bytes,
        "errno": ran.errno_name,
        "raised": [
            {"type": one.name, "message": one.message, "errno": one.errno_name}
            for one in ran.raised
        ],
        "exit_code": ran.exit_code,
        "last_line": ran.last_line,
    }
