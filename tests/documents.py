"""The examples of a page, found and run as a reader would.

Every page has a folder of its own, in which its blocks are run from the top:

``python``
    A file of tests if it has any, else a script.  With ``title="NAME"`` it is written under
    that name, and left to a command below that names it.
``text title="Output"``
    What the script above it prints.
``console``
    Lines that start with ``$`` are commands; those of wirecut, pytest and python are run.
    What follows is what they print; ``...`` stands for anything, a block without output
    promises nothing about it.  A server that ``^C`` ends is left running until the next
    console block is done, which reaches it under the address that the page shows.

A block after a line ``<!-- needs: NAME, NAME -->`` is left out where one of these capabilities
is missing, and the page says so.

In what is printed the port of a loopback address is written as ``PORT`` on both sides, and
how white space is arranged does not count.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wirecut.wire import available

__all__ = ["Block", "Page", "blocks_of", "same"]

_FENCE = re.compile(
    r"(?:^ *<!-- needs: (?P<needs>[^>\n]+) -->\n\n?)?"
    r"^(?P<indent> *)```(?P<language>\w+)(?P<rest>[^\n]*)\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=127\.0\.0\.1', )\d+|(?<=127\.0\.0\.1 port )\d+")
_RUN = ("wirecut", "pytest", "python", "curl")
_URL = re.compile(r"http://127\.0\.0\.1:\d+")
_PLUGINS = {
    "mark.asyncio": "-p pytest_asyncio.plugin -o asyncio_default_fixture_loop_scope=function",
    "mark.anyio": "-p anyio.pytest_plugin",
    "mark.trio": "-p pytest_trio.plugin",
    "--allow-hosts": "-p pytest_socket",
}
_PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    language: str
    title: str
    body: str
    line: int
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """The capabilities it needs that are missing here."""
        return [name for name in self.needs if not available(name)]

    @property
    def has_tests(self) -> bool:
        """Whether pytest finds tests in it."""
        return bool(re.search(r"^ *(async )?def test_|\(unittest\.", self.body, re.MULTILINE))

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        """Each command of a console block, and what it prints; continuations joined."""
        text = self.body.replace("\\\n", "")
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command.strip(), output


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, also those inside a tab or a list."""
    found = []
    for match in _FENCE.finditer(text):
        title = _TITLE.search(match["rest"])
        indent = match["indent"]
        body = re.sub(rf"^{indent}", "", match["body"], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start("indent")) + 1
        needs = tuple(match["needs"].split(", ")) if match["needs"] else ()
        name = title[1] if title else ""
        found.append(Block(match["language"], name, body, line, needs))
    return found


def same(wanted: str, got: str) -> bool:
    """Whether a command printed what the page says."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(
        _PORT.sub("PORT", wanted).rstrip() + "\n",
        _PORT.sub("PORT", got).rstrip() + "\n",
        options,
    )


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that a page has started in one terminal, to be used in another."""

    process: subprocess.Popen[str]
    wanted: str
    first_line: str


@dataclass
class Page:
    """A page and the folder in which its examples are run."""

    name: str
    blocks: Sequence[Block]
    folder: Path
    problems: list[str] = field(default_factory=list)
    left_out: list[Block] = field(default_factory=list)
    serving: Serving | None = None

    @property
    def text(self) -> str:
        """All blocks."""
        return "\n".join(block.body for block in self.blocks)

    def run(self) -> list[str]:
        """Run everything; what went otherwise than the page says."""
        named = {
            word
            for block in self.blocks
            if block.language == "console"
            for command, _ in block.commands
            for word in command.split()
        }
        tests = []
        for block in self.blocks:
            if block.missing:
                self.left_out.append(block)
            elif block.language == "console":
                self._console(block)
            elif block.language == "python":
                default = f"{'test_' if block.has_tests else ''}line_{block.line}.py"
                name = block.title or default
                (self.folder / name).write_text(block.body, "utf-8")
                if name not in named and block.has_tests:
                    tests.append(name)
                elif name not in named:
                    self._script(block, name)
        if tests:
            self._check("pytest", "", self._call("pytest", "-q", *tests), any_output=True)
        return self.problems

    def _script(self, block: Block, name: str) -> None:
        after = self.blocks[self.blocks.index(block) + 1 :][:1]
        wanted = next((one.body for one in after if one.title == "Output"), None)
        done = self._call("python", name)
        self._check(name, wanted or "", done, any_output=wanted is None)

    def _console(self, block: Block) -> None:
        status = 0
        serving = self.serving
        promises_nothing = not any(output for _, output in block.commands)
        for shown, wanted in block.commands:
            if shown == "echo $?":
                if wanted.strip() != str(status):
                    self.problems.append(f"line {block.line}: {shown}: {status}")
                continue
            name = shown.split()[0]
            if name not in _RUN or shown.startswith("python -m pip"):
                continue
            if "curl" in shown and shutil.which("curl") is None:
                continue
            if "^C" in wanted:
                self._serve(shown, wanted)
                continue
            command = _URL.sub(serving.first_line.strip(), shown) if serving else shown
            done = self._call("bash", "-c", command)
            status = done.returncode
            expects_failure = bool(wanted) or "echo $?" in block.body
            self._check(
                shown, wanted, done, any_output=promises_nothing, any_status=expects_failure
            )
        if serving is not None:
            self._interrupt(serving)

    def _serve(self, command: str, wanted: str) -> None:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        self.serving = Serving(process, wanted, process.stdout.readline())

    def _interrupt(self, serving: Serving) -> None:
        """Press Ctrl-C, and compare all that the server has printed."""
        self.serving = None
        with serving.process as process:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        done = subprocess.CompletedProcess(
            process.args, process.returncode, serving.first_line + rest
        )
        wanted = serving.wanted.replace("^C\n", "")
        # A command that cannot be run here leaves its server without a visit.
        self._check(str(process.args), wanted, done, any_output=shutil.which("curl") is None)

    def _check(
        self,
        what: str,
        wanted: str,
        done: subprocess.CompletedProcess[str],
        *,
        any_output: bool = False,
        any_status: bool = False,
    ) -> None:
        if not any_output and not same(wanted, done.stdout):
            self.problems.append(f"{what}\n--- the page says\n{wanted}\n--- but\n{done.stdout}")
        elif done.returncode and not any_status:
            self.problems.append(f"{what} ended with {done.returncode}\n{done.stdout}")

    def _call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as a reader would give it."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )

    @property
    def _environment(self) -> dict[str, str]:
        """That of a reader who has installed what this interpreter has."""
        scripts = sysconfig.get_path("scripts")
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "COV_", "FORCE_", "TTY_"))
        }
        return inherited | {
            "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}",
            "COLUMNS": "88",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            # Loading all that is installed here takes longer than the examples: a page gets
            # the plugins that it names.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": " ".join(
                (
                    "-p no:cacheprovider -W error -p _wirecut_pytest",
                    *(options for word, options in _PLUGINS.items() if word in self.text),
                )
            ),
        }
