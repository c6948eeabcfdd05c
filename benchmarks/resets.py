"""Connections accepted and reset per second, by servers in processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.effort import Effort
from benchmarks.measuring import Row, Table, alternate, quantity, times_more
from benchmarks.subjects import Subject

__all__ = ["resets_per_second"]

_TITLE: Final = "Resets per second: accept, RST"
_CONCURRENCY: Final = 64
_TARGET: Final = 0.5


def resets_per_second(effort: Effort) -> tuple[Table, ...]:
    """Load the servers by turns, from one and the same client in C."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        note = "Not measured: no C compiler (cc, gcc, clang) was found on PATH."
        return (Table(_TITLE, (), (note,)),)
    with tempfile.TemporaryDirectory() as folder:
        server, load = (
            _compiled(compiler, name, Path(folder)) for name in ("epoll_reset", "reset_load")
        )

        def turn(subject: Subject) -> Callable[[], float]:
            command = [load, str(subject.port), str(effort.resets), str(_CONCURRENCY)]
            return lambda: (
                effort.resets
                / float(subprocess.run(command, capture_output=True, check=True).stdout)
            )

        with (
            Subject.named("wirecut-reset") as ours,
            Subject(server) as in_c,
            Subject.named("thread-reset") as threads,
        ):
            names = {
                "wirecut": ours,
                "a server in C: epoll, accept, linger 0, close": in_c,
                "a thread per connection, in Python": threads,
            }
            turns = {name: turn(subject) for name, subject in names.items()}
            results = alternate(turns, effort.rounds)
            assert ours.ask("connections") == effort.resets * effort.rounds
    best = results.pop("wirecut")
    rows = []
    for (name, theirs), target in zip(results.items(), (_TARGET, None), strict=True):
        ratio = times_more(best, theirs)
        rows.append(
            Row(
                against=name,
                ours=quantity(max(best), "/s"),
                theirs=quantity(max(theirs), "/s"),
                ratio=ratio,
                target="" if target is None else f"at least {target:g} times as many",
                met=None if target is None else ratio.best >= target,
            )
        )
    return (Table(_TITLE, tuple(rows)),)


def _compiled(compiler: str, name: str, folder: Path) -> str:
    source, program = Path(__file__).with_name(f"{name}.c"), folder / name
    subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return str(program)
