"""What the command says of itself."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys

import pytest

import wirecut as package
from tests.cli.console import wirecut
from wirecut.cli.app import run
from wirecut.faults import parse_fault

COMMANDS = ["try", "serve", "lab", "explain", "doctor"]


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run([command, "--help"]) == 0
    return capsys.readouterr().out


def test_the_version_is_the_packages() -> None:
    assert wirecut("--version").stdout == f"wirecut {package.__version__}\n"


def test_python_m_wirecut_is_the_same_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "wirecut", "--version"], capture_output=True, check=True
    )
    assert ended.stdout == wirecut("--version").stdout.encode()


def test_the_help_lists_every_command() -> None:
    commands = wirecut("--help").stdout.partition("Commands:")[2]
    assert re.findall(r"^  (\w+)  ", commands, re.MULTILINE)[:5] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_and_a_sentence_for_every_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(command, capsys)
    assert f"    wirecut {command}" in text.partition("Examples:")[2]
    options = text.partition("Options:")[2]
    assert re.findall(r"^  --\S+(?: [A-Z:]+)?$(?!\n +\w)", options, re.MULTILINE) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_fault_in_an_example_exists(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(help_of(command, capsys).partition("Examples:")[2].split("\n\n")[0])
    faults = [after for word, after in itertools.pairwise(words) if word == "--fault"]
    for text in faults:
        parse_fault(text)


def test_importing_the_package_loads_neither_typer_nor_rich() -> None:
    code = "import sys, wirecut; print([m for m in sys.modules if m in ('typer', 'rich')])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
