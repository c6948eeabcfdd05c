"""The parts of the documentation that the code knows best, made from the code.

A part stands in a page between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
``python -m tools.reference`` writes all of them anew; a test holds that they are current.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, cast

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

import _wirecut_pytest
import wirecut
from tools.markup import table_rows, to_markdown
from wirecut import at, errors
from wirecut.cli import app
from wirecut.faults import EFFECTS
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault, parameter_fields
from wirecut.server import Ended, behaviour
from wirecut.wire import CAPABILITIES, End

__all__ = ["filled_in"]

ROOT: Final = Path(__file__).parent.parent

_PART: Final = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[^ ]+) -->\n)(?:.*?)(?P<end><!-- end -->)", re.DOTALL
)

_SAMPLES: Final[tuple[Moment, ...]] = (
    at.connect,
    at.accept,
    at.up(1),
    at.down(1),
    at.up.end,
    at.down.end,
    at.pattern(b"x"),
    at.pattern(b"x", direction="down"),
    at.request.end,
)
"""One moment of each kind."""

_RUN_COMMAND: Final = "from wirecut.cli import main; main()"

_AS_CODE: Final = {
    "connect": "at.connect",
    "accept": "at.accept",
    "up:N": "at.up(N)",
    "down:N": "at.down(N)",
    "up.end": "at.up.end",
    "down.end": "at.down.end",
    "pattern:D:P:K": 'at.pattern(b"P", direction="D", nth=K)',
    "request.end": "at.request.end",
}


def filled_in(text: str) -> str:
    """A page with every generated part made anew.

    Raises:
        KeyError: It asks for a part that nothing makes.
    """

    def part(match: re.Match[str]) -> str:
        made = "\n".join(PARTS[match["name"]]()).strip("\n")
        return f"{match['begin']}\n{made}\n\n{match['end']}"

    return _PART.sub(part, text)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(head)
    yield _row(("---",) * len(head))
    yield from (_row(row) for row in rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _usage(effect: type[Fault]) -> str:
    return "".join((effect.word, *(f"[:{field.name}]" for field in parameter_fields(effect))))


def _values(effect: type[Fault]) -> str:
    return ", ".join(f"`{field.name}={field.default!r}`" for field in parameter_fields(effect))


def _faults() -> Iterator[str]:
    """Every effect: how it is written, what it does by default, what the peer sees."""
    return _table(
        ("text", "class and its values", "strikes by default at", "the peer sees"),
        (
            (
                f"`{_usage(effect)}`",
                f"[`{effect.__name__}`][wirecut.{effect.__name__}]"
                + (f"<br>{_values(effect)}" if parameter_fields(effect) else ""),
                f"`{effect().at.text}`",
                effect.peer_sees,
            )
            for effect in EFFECTS.values()
        ),
    )


def _needs() -> Iterator[str]:
    """What faults need that not everybody has: at connect, there for some, and elsewhere."""
    rows: list[tuple[str, tuple[str, ...]]] = []
    for word, effect in EFFECTS.items():
        if effect.connect_only or effect.works_at_connect:
            at_connect = effect(at=at.connect)
            rows.append((f"{word}/connect", at_connect.needs))
            if at_connect.address_state:
                rows.append((f"{word}/connect/first:N", effect(on=wirecut.first(1)).needs))
        if not effect.connect_only:
            rows.append((word, effect().needs))
    return _table(
        ("fault", "needs"), ((f"`{text}`", ", ".join(names)) for text, names in rows if names)
    )


def _sources() -> Iterator[str]:
    """Where each effect is defined, and whether a Unix-domain socket has it."""
    return _table(
        ("effect", "defined by", "on a Unix-domain socket"),
        (
            (f"`{word}`", to_markdown(effect.source), "no" if effect.tcp_only else "yes")
            for word, effect in EFFECTS.items()
        ),
    )


def _fits(effect: type[Fault], moment: Moment) -> bool:
    try:
        effect(at=moment)
    except wirecut.MisuseError:
        return False
    return True


def _where() -> Iterator[str]:
    """Which effect goes with which moment: tried, one by one."""
    kinds = list(dict.fromkeys(moment.text.partition(":")[0] for moment in _SAMPLES))
    return _table(
        ("", *(f"`{kind}`" for kind in kinds)),
        (
            (
                f"`{word}`",
                *(
                    "yes"
                    if all(
                        _fits(effect, moment)
                        for moment in _SAMPLES
                        if moment.text.partition(":")[0] == kind
                    )
                    else ""
                    for kind in kinds
                ),
            )
            for word, effect in EFFECTS.items()
        ),
    )


def _doc_rows(doc: str | None) -> list[tuple[str, str]]:
    return table_rows((doc or "").splitlines())


def _moments() -> Iterator[str]:
    """Every moment, as text and as code."""
    rows = [(left.strip("`"), right) for left, right in _doc_rows(at.__doc__)]
    return _table(
        ("text", "code", "strikes"),
        ((f"`{text}`", f"`{_AS_CODE[text]}`", to_markdown(right)) for text, right in rows),
    )


def _selections() -> Iterator[str]:
    """Every selection, as text and as code."""
    rows = (
        ("every", "every", "every connection; the default"),
        ("first:N", "first(N)", "the first N connections"),
        ("nth:K", "nth(K)", "the connection with number K, from 1"),
        (
            "exchange:K",
            "exchange(K)",
            "request number K, from 1, on every connection; offsets count from its first byte",
        ),
    )
    for text, code, _ in rows:
        _check_selection(text, code)
    return _table(
        ("text", "code", "strikes"),
        ((f"`{text}`", f"`{code}`", what) for text, code, what in rows),
    )


def _check_selection(text: str, code: str) -> None:
    """Both spellings of a row mean the same."""
    word, _, argument = code.partition("(")
    made = getattr(wirecut, word)
    value = made(3) if argument else made
    fault = wirecut.Reset(on=value)
    spelled = re.sub(r"[NK]$", "3", text)
    if wirecut.parse_fault(f"reset/request.end/{spelled}") != fault:
        raise wirecut.InternalError(f"{text} is not {code}")


def _behaviours() -> Iterator[str]:
    """What a server can do with its connections."""
    return _table(
        ("behaviour", "what it does"),
        (
            (to_markdown(left), to_markdown(right))
            for left, right in _doc_rows(behaviour.__doc__)
        ),
    )


def _errors() -> Iterator[str]:
    """Who is to blame."""
    return _table(
        ("who or what", "exception"),
        ((left, to_markdown(right)) for left, right in _doc_rows(errors.__doc__)),
    )


def _ended() -> Iterator[str]:
    """How the journal says that a connection ended."""
    return _table(("member", "value"), ((f"`Ended.{e.name}`", e.value) for e in Ended))


def _ends() -> Iterator[str]:
    """How an observed stream ended."""
    return _table(("member", "value"), ((f"`End.{e.name}`", e.value) for e in End))


def _capabilities() -> Iterator[str]:
    """What not every platform can do."""
    return _table(
        ("capability", "the promise", "where it is missing"),
        ((one.name, one.summary, one.how_to_get) for one in CAPABILITIES),
    )


def _help(*command: str) -> Iterator[str]:
    """What ``wirecut COMMAND --help`` prints."""
    environment = os.environ | {"COLUMNS": "88", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", _RUN_COMMAND, *command, "--help"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    yield "```text"
    yield done.stdout.rstrip()
    yield "```"


def _exit_codes() -> Iterator[str]:
    """What the command line's exit codes mean."""
    return _table(
        ("code", "meaning"),
        ((f"`{code}`", to_markdown(meaning)) for code, meaning in _doc_rows(app.__doc__)),
    )


def _fixtures() -> Iterator[str]:
    """The plugin's fixtures, by their docstrings."""
    for name, fixture in vars(_wirecut_pytest).items():
        if isinstance(fixture, FixtureFunctionDefinition):
            doc = inspect.cleandoc(fixture.__doc__ or "")
            yield f"### `{name}`\n"
            yield to_markdown(doc)
            yield ""


class _Options:
    """A parser that only remembers."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def getgroup(self, *_: object) -> _Options:
        """The one group there is."""
        return self

    def addoption(self, name: str, **settings: str) -> None:
        """An option of the command line."""
        metavar = f" {settings['metavar']}" if "metavar" in settings else ""
        self.rows.append((f"`{name}{metavar}`", settings["help"]))

    def addini(self, name: str, text: str, **settings: object) -> None:
        """An option of the configuration file."""
        self.rows.append((f"`{name}`", f"{text} (default: {settings['default']})"))


def _options() -> Iterator[str]:
    """The plugin's options, as it adds them."""
    options = _Options()
    _wirecut_pytest.pytest_addoption(cast("pytest.Parser", options))
    return _table(("option", "meaning"), options.rows)


PARTS: Final[dict[str, Callable[[], Iterable[str]]]] = {
    "faults": _faults,
    "needs": _needs,
    "sources": _sources,
    "where": _where,
    "moments": _moments,
    "selections": _selections,
    "behaviours": _behaviours,
    "errors": _errors,
    "ended": _ended,
    "ends": _ends,
    "capabilities": _capabilities,
    "fixtures": _fixtures,
    "options": _options,
    "exit-codes": _exit_codes,
    "help": _help,
    "help-try": lambda: _help("try"),
    "help-serve": lambda: _help("serve"),
    "help-lab": lambda: _help("lab"),
    "help-explain": lambda: _help("explain"),
    "help-doctor": lambda: _help("doctor"),
}


def main() -> None:
    """Write every page anew whose generated parts are not current."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = page.read_text("utf-8")
        if (filled := filled_in(text)) != text:
            page.write_text(filled, "utf-8")


if __name__ == "__main__":
    main()
