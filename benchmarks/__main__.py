"""Run the benchmarks and print their tables: ``python -m benchmarks [--quick] [--json]``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from typing import Final

from benchmarks.effort import FULL, QUICK, SMOKE
from benchmarks.environment import environment
from benchmarks.measuring import Table
from benchmarks.report import as_json, as_markdown, facts_as_markdown

_PEERS: Final = ("aiohttp", "pytest", "pytest_httpserver", "pytest_localserver")

# Imported by name, and not before it is known that all peers are there.
_BENCHMARKS: Final = {
    "tests": ("suites", "time_per_test"),
    "requests": ("requests_cpu", "cpu_per_request"),
    "resets": ("resets", "resets_per_second"),
    "memory": ("stalled", "memory_per_stalled_connection"),
    "starts": ("starting", "start_and_stop"),
}


def main() -> None:
    """The command."""
    missing = [peer for peer in _PEERS if importlib.util.find_spec(peer) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} not installed: pip install -e '.[bench]'")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, less precise")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--only", action="append", choices=list(_BENCHMARKS), help="this one; may be repeated"
    )
    options = parser.parse_args()
    effort = SMOKE if options.smoke else QUICK if options.quick else FULL
    tables: list[Table] = []
    for name in options.only or _BENCHMARKS:
        module, function = _BENCHMARKS[name]
        measure = getattr(importlib.import_module(f"benchmarks.{module}"), function)
        found: tuple[Table, ...] = measure(effort)
        tables += found
        if not options.json:
            for table in found:
                print(as_markdown(table), flush=True)
    facts = environment()
    print(as_json(tables, facts, effort.name) if options.json else facts_as_markdown(facts))


if __name__ == "__main__":
    main()
