"""``wirecut serve``: a server with any behaviour and any fault, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import math
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from wirecut.cli.escapes import unescape
from wirecut.cli.output import out_console, print_line
from wirecut.cli.watching import Watcher
from wirecut.errors import MisuseError, UnmetExpectation
from wirecut.http.fixed import HttpReply
from wirecut.server.tcp import TcpServer, serve_tcp

__all__ = ["serve_command"]

_FINDINGS: Final = 1
_HOST: Final = "127.0.0.1"
# A server for hours keeps the first and last bytes of each connection, not all of them.
_JOURNAL_LIMIT_BYTES: Final = 1 << 16


def serve_command(  # noqa: PLR0913 - independent options, each with a default
    *,
    reply: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Answer a connection's first input.")
    ] = None,
    reply_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="The same, with a file's bytes.",
        ),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(metavar="BODY", help="Answer every HTTP/1.1 request with this body."),
    ] = None,
    behaviour: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Any behaviour written in Python: a Script, a function of a Peer, a list.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT", help="What strikes; several times for several.", show_default=False
        ),
    ] = None,
    greeting: Annotated[str, typer.Option(metavar="TEXT", help="Sent at accept.")] = "",
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to bind.")] = _HOST,
    port: Annotated[
        int, typer.Option(metavar="PORT", help="The port; 0 takes a free one.")
    ] = 0,
    path: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A Unix-domain socket instead of host and port."),
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow an address that is not loopback.")
    ] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, and show the connections as they come.

    The first line on standard output is the address, as a URL (or the path of a Unix-domain
    socket). Without any answer to give, what comes is read and remembered. In TEXT and BODY
    \\r \\n \\t \\0 \\\\ and \\xHH stand for bytes.

    \b
    Examples:
      wirecut serve --reply Received
      wirecut serve --http hello --fault reset/down:40/first:2
      wirecut serve --greeting '220 ready\\r\\n' --fault stall/up:4
      wirecut serve --fault refuse/connect --port 8099
      wirecut serve --behaviour my_server:handler
    """  # noqa: D301 - \b keeps the lines below it as they are
    if path is not None and (host != _HOST or port):
        raise MisuseError("--path is an address by itself: leave out --host and --port")
    try:
        server = serve_tcp(
            _behaviour(reply, reply_file, http, behaviour),
            faults=fault or (),
            greeting=unescape("--greeting", greeting),
            host=host,
            port=port,
            path=path,
            allow_remote=allow_remote,
            journal_limit_bytes=_JOURNAL_LIMIT_BYTES,
            optional=True,
        )
    except MisuseError as error:
        # The way out has another name here than in Python.
        raise MisuseError(str(error).replace("allow_remote=True", "--allow-remote")) from None
    try:
        problems = asyncio.run(_serve(server))
    finally:
        server.shut_down()
    if problems:
        raise typer.Exit(_FINDINGS)


async def _serve(server: TcpServer) -> list[BaseException]:
    """Show what happens until a signal comes; what handlers raised."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Not exceptions out of nowhere: one could hit this thread while it does the server's work.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console = out_console()
    watcher = Watcher(server)
    _show(console, [Text(_where(server), "bold")])
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        watching = asyncio.create_task(
            server.wait_for_async(lambda _: watcher.has_news(), timeout_seconds=math.inf)
        )
        await asyncio.wait({stopping, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not watching.done():
            watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        _show(console, watcher.news())
    problems = [one for one in server.shut_down() if not isinstance(one, UnmetExpectation)]
    _show(console, [*watcher.news(), *watcher.summary(), *map(_problem, problems)])
    return problems


def _show(console: Console, lines: list[Text]) -> None:
    # Whoever only wanted the address may have closed the pipe: the serving goes on.
    with contextlib.suppress(BrokenPipeError):
        for line in lines:
            print_line(console, line)


def _where(server: TcpServer) -> str:
    return server.address if isinstance(server.address, str) else server.url


def _problem(error: BaseException) -> Text:
    notes = "; ".join(getattr(error, "__notes__", ()))
    text = f"{type(error).__name__}: {error}" + (f" ({notes})" if notes else "")
    return Text(text, "bold red")


def _behaviour(
    reply: str | None, reply_file: Path | None, http: str | None, behaviour: str | None
) -> Any:  # noqa: ANN401 - whatever the user's module has
    given = {
        "--reply": reply,
        "--reply-file": reply_file,
        "--http": http,
        "--behaviour": behaviour,
    }
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise MisuseError(f"{' and '.join(chosen)} exclude each other: give one of them")
    if reply is not None or reply_file is not None:
        data = unescape("--reply", reply) if reply is not None else _read(reply_file)
        if not data:
            raise MisuseError(f"{chosen[0]} is empty: leave it out to answer nothing")
        return data
    if http is not None:
        return HttpReply(unescape("--http", http))
    return None if behaviour is None else _imported(behaviour)


def _read(file: Path | None) -> bytes:
    return b"" if file is None else file.read_bytes()


def _imported(where: str) -> Any:  # noqa: ANN401 - whatever the user's module has
    """What ``MODULE:NAME`` names; modules are found from the current directory too."""
    module_name, _, name = where.partition(":")
    if not module_name or not name:
        raise MisuseError(f"--behaviour must be MODULE:NAME, got {where!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module_name), name)
    except ImportError as error:
        raise MisuseError(f"--behaviour {where}: {error}") from None
    except AttributeError:
        raise MisuseError(f"--behaviour {where}: {module_name} has no {name!r}") from None
    finally:
        sys.path.pop(0)
