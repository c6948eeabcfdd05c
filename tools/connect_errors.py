"""The table of what clients raise when they cannot connect, made by ``wirecut try``.

It stands in its page between ``<!-- tried: connect errors -->`` and ``<!-- end -->``, and
``python -m tools.connect_errors`` writes it anew.  The faults need privileges: as an ordinary
user run ``wirecut lab -- python -m tools.connect_errors``.

Only what stays the same from run to run is in it, class and errno, and only the head has
versions; a test makes it again and compares all but those.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["PAGE", "filled_in", "without_versions"]

PAGE: Final = Path(__file__).parent.parent / "docs" / "explanation" / "connect-error.md"

_FAULTS: Final = (
    "refuse/connect",
    "blackhole/connect",
    "reset/connect",
    "unreachable:net/connect",
    "unreachable/connect",
    "unreachable:prohibited/connect",
    "unreachable:port/connect",
    "reset/request.end",
)
"""Those at connect; and, to compare, the reset that a client meets after it."""

_CLIENTS: Final = ("http.client", "urllib3", "requests", "httpx", "aiohttp")

_PART: Final = re.compile(r"(<!-- tried: connect errors -->\n)(?:.*?)(<!-- end -->)", re.DOTALL)
# urllib3 tries four times by itself, so a run takes longer than the client's timeout.
_TIMES: Final = ("--client-timeout", "0.5", "--timeout", "30")


def filled_in(text: str) -> str:
    """The page with the table made anew.

    Raises:
        subprocess.CalledProcessError: A fault cannot be had here, or a client has a finding.
    """
    made = "\n".join(_table())
    return _PART.sub(lambda match: f"{match[1]}\n{made}\n\n{match[2]}", text)


def without_versions(text: str) -> str:
    """The page with the clients' names in the table's head, and without their versions."""
    return _PART.sub(lambda match: re.sub(r"(?m)^(\| fault .*)$", _names, match[0]), text)


def _names(head: re.Match[str]) -> str:
    return re.sub(r"<br>[^|]*\|", " |", head[0])


def _table() -> Iterator[str]:
    clients = _tried(*(word for name in _CLIENTS for word in ("--client", name)))
    clients += _tried("--", "curl", "-sS", "--max-time", "1", "{url}")
    heads = [f"`{client['name']}`<br>{client['version']}" for client in clients[:-1]]
    yield _row(["fault", *heads, f"`curl`<br>{_version_of_curl()}"])
    yield _row(["---"] * (len(clients) + 1))
    columns = [{run["fault"]: run for run in client["runs"]} for client in clients]
    for fault in _FAULTS:
        yield _row([f"`{fault}`", *(_cell(column[fault]) for column in columns)])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(run: dict[str, Any]) -> str:
    """What one client made of one fault; curl hides the errno, and tells an exit code."""
    if not run["struck"]:
        raise RuntimeError(f"{run['fault']} did not strike")
    if run["exit_code"] is not None:
        return f"exit {run['exit_code']}"
    errno = f"<br>{run['errno']}" if run["errno"] else ""
    return f"`{run['raised'][0]['type']}`{errno}"


def _tried(*client: str) -> list[dict[str, Any]]:
    """What ``wirecut try`` says."""
    faults = [word for fault in _FAULTS for word in ("--fault", fault)]
    command = [sys.executable, "-m", "wirecut", "try", "--json", *_TIMES, *faults, *client]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own command
    found: list[dict[str, Any]] = json.loads(done.stdout)["clients"]
    return found


def _version_of_curl() -> str:
    command = ["curl", "--version"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - found on PATH, as a reader has it
    return done.stdout.split()[1]


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(filled_in(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
