"""Where the command line writes: tables on a terminal, plain lines everywhere else."""

from __future__ import annotations

import json
import sys
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

__all__ = ["error_console", "out_console", "print_block", "print_json", "print_line", "say"]

# In a pipe or a file nothing shall be folded: rich would assume 80 columns there.
_UNFOLDED_COLUMNS: Final = 1000


def out_console() -> Console:
    """Standard output; coloured and folded to its width if it is a terminal."""
    width = None if sys.stdout.isatty() else _UNFOLDED_COLUMNS
    # No markup and no emoji: "pattern:up:QUIT" has a colon on each side of a word.
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def error_console() -> Console:
    """Standard error, where progress is shown."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def print_line(console: Console, text: str | Text) -> None:
    """One line that is never folded, and is there at once for whoever reads it.

    Raises:
        BrokenPipeError: Nobody reads any more; rich would end the process instead.
    """
    line = Text(text) if isinstance(text, str) else text
    if console.is_terminal:
        console.print(line, soft_wrap=True)
    else:
        console.file.write(f"{line.plain}\n")
    console.file.flush()


def print_block(console: Console, block: RenderableType) -> None:
    """A table; without colour and trailing blanks unless on a terminal.

    Raises:
        BrokenPipeError: Nobody reads any more.
    """
    if console.is_terminal:
        console.print(block)
        return
    with console.capture() as capture:
        console.print(block)
    lines = [line.rstrip() for line in capture.get().strip("\n").splitlines()]
    console.file.write("\n".join(lines).strip("\n") + "\n")


def print_json(value: object) -> None:
    """A value for a program to read."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def say(sentence: str) -> None:
    """One sentence on standard error."""
    sys.stderr.write(f"wirecut: {sentence}\n")
    sys.stderr.flush()
