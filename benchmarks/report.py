"""The tables as Markdown, which is as readable in a terminal, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.measuring import Row, Table

__all__ = ["as_json", "as_markdown", "facts_as_markdown"]

_HEAD: Final = ("against", "wirecut", "peer", "ratio (rounds)", "target", "")


def as_markdown(table: Table) -> str:
    """A heading, the table, and its notes."""
    parts = [f"## {table.title}"]
    if table.rows:
        parts.append(_grid([_HEAD, *(_cells(row) for row in table.rows)]))
    parts += table.notes
    return "\n\n".join(parts) + "\n"


def facts_as_markdown(facts: Mapping[str, str]) -> str:
    """The environment as a table."""
    return "## Environment\n\n" + _grid([("", ""), *facts.items()]) + "\n"


def as_json(tables: Sequence[Table], facts: Mapping[str, str], effort: str) -> str:
    """All of it, for programs."""
    return json.dumps(
        {
            "effort": effort,
            "environment": dict(facts),
            "tables": [dataclasses.asdict(table) for table in tables],
        },
        indent=2,
    )


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    ratio = str(row.ratio) if row.ratio is not None else ""
    return (row.against, row.ours, row.theirs, ratio, row.target, verdict)


def _grid(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    drawn = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([drawn[0], rule, *drawn[1:]])
