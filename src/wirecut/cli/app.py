"""The ``wirecut`` command: its subcommands, and how whatever goes wrong is told.

=====  =============================================================================
code   meaning
=====  =============================================================================
0      all went well
1      findings: ``try`` saw wrong data, a crash or a hang; ``serve``, a handler's error
2      misuse: one sentence on standard error, never a traceback
3      the harness itself failed; ``lab``: this machine forbids a private network
130    interrupted (Ctrl-C), except ``serve``, which ends that way
=====  =============================================================================

The exit code of ``lab`` is its command's, as soon as that has been started.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Final, NoReturn

import typer

import wirecut
from wirecut.cli.doctor import doctor_command
from wirecut.cli.explain import explain_command
from wirecut.cli.lab import lab_command
from wirecut.cli.output import say
from wirecut.cli.serve import serve_command
from wirecut.cli.try_clients import try_command
from wirecut.errors import MisuseError

__all__ = ["HARNESS_FAILED", "INTERRUPTED", "MISUSE", "main", "run"]

MISUSE: Final = 2
HARNESS_FAILED: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it

_EPILOG: Final = """\
\b
Examples:
  wirecut try                                    what http.client does, fault by fault
  wirecut try -- curl -sS --max-time 2 {url}     what curl does
  wirecut serve --http hello --fault reset/down:40
  wirecut lab -- python -m pytest                every fault, without root
  wirecut explain reset/request.end
"""

# Plain help: it says the same on a terminal, in a pipe and in the documentation.
_app = typer.Typer(
    name="wirecut", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - called by typer
    if wanted:
        typer.echo(f"wirecut {wirecut.__version__}")
        raise typer.Exit


@_app.callback(invoke_without_command=True, epilog=_EPILOG)
def _root(
    context: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Real TCP faults for tests: cut the wire at every byte, and see what a client does."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(MISUSE)


_app.command("try", context_settings={"allow_interspersed_args": False})(try_command)
_app.command("serve")(serve_command)
_app.command("lab", context_settings={"allow_interspersed_args": False})(lab_command)
_app.command("explain")(explain_command)
_app.command("doctor")(doctor_command)

_command = typer.main.get_command(_app)


def main() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        # Nobody reads any more; the interpreter would complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    try:
        code = _command.main(list(arguments), prog_name="wirecut", standalone_mode=False)
    except MisuseError as error:
        say(str(error))
        return MISUSE
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - the last place where anything can be told
        # typer brings its own copy of click since 0.2x, so its errors are known by what
        # they offer and not by their class.
        format_message = getattr(error, "format_message", None)
        if format_message is not None:
            say(format_message())
            return MISUSE
        traceback.print_exc()
        say(f"the harness failed: {type(error).__name__}: {error}")
        return HARNESS_FAILED
    if code == INTERRUPTED:  # which newer versions of typer return by themselves
        say("interrupted")
    return code if isinstance(code, int) else 0
