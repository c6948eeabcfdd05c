"""The README's picture: what ``wirecut try`` really prints on a terminal.

``python -m tools.picture`` runs the command on a pseudo-terminal and draws what it has
printed; the times are those of this machine.
"""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

__all__ = ["COMMAND", "PICTURE"]

COMMAND: Final = "wirecut try --client http.client --exit-zero"
PICTURE: Final = Path(__file__).parent.parent / "docs" / "images" / "try.svg"
_COLUMNS: Final = 114


def printed_on_a_terminal() -> str:
    """The command's standard output, with its colours."""
    ours, theirs = pty.openpty()
    environment = {
        name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "CI"}
    }
    with subprocess.Popen(  # noqa: S602 - the constant above, as a reader types it
        COMMAND,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": str(_COLUMNS)},
    ):
        os.close(theirs)
        parts = []
        while True:
            try:
                parts.append(os.read(ours, 65536))
            except OSError:  # Linux says EIO when the last writer has gone
                break
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def main() -> None:
    """Draw it."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, force_terminal=True)
        console.print(f"[bold]$[/bold] {COMMAND}", highlight=False)
        console.print(Text.from_ansi(printed_on_a_terminal()), end="")
        # A fixed id keeps the file the same where the picture is.
        svg = console.export_svg(title=COMMAND, unique_id="wirecut-try")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    lines = [line.rstrip() for line in svg.splitlines()]
    # No reader shall fetch a font from elsewhere: the family's fallbacks are fine.
    PICTURE.write_text("\n".join(_without_fonts(lines)) + "\n", "utf-8")


def _without_fonts(lines: list[str]) -> list[str]:
    kept, inside = [], False
    for line in lines:
        inside = inside or "@font-face" in line
        if not inside:
            kept.append(line)
        elif line.strip() == "}":
            inside = False
    return kept


if __name__ == "__main__":
    main()
