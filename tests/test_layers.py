"""The layers of the source tree hold, and the checker of them objects when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.layers import MAX_LINES, RANKS, violations

SRC = Path(__file__).parent.parent / "src"


def test_every_module_keeps_to_its_layer() -> None:
    sources = {
        path.relative_to(SRC).as_posix(): path.read_text("utf-8") for path in SRC.rglob("*.py")
    }
    assert "wirecut/errors.py" in sources
    assert violations(sources) == []


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        pytest.param(
            "wirecut/wire/stream.py",
            "from wirecut.faults import Reset",
            "imports wirecut.faults.Reset, which is in a later layer (faults)",
            id="a later layer",
        ),
        pytest.param(
            "wirecut/wire/stream.py",
            "from wirecut import server",
            "imports wirecut.server, which is in a later layer (server)",
            id="a later layer, taken from the root",
        ),
        pytest.param(
            "wirecut/wire/stream.py",
            "from ..faults import Reset",
            "imports wirecut.faults.Reset, which is in a later layer (faults)",
            id="a later layer, relative",
        ),
        pytest.param(
            "wirecut/wire/__init__.py",
            "from .. import faults",
            "imports wirecut.faults, which is in a later layer (faults)",
            id="a later layer, relative from a package",
        ),
        pytest.param(
            "wirecut/wire/stream.py",
            "def f():\n    import wirecut.server.loop",
            "imports wirecut.server.loop, which is in a later layer (server)",
            id="a later layer, late",
        ),
        pytest.param(
            "wirecut/errors.py",
            "import wirecut.validation",
            "imports wirecut.validation, which is in a later layer (validation)",
            id="equal rank",
        ),
        pytest.param(
            "wirecut/server/loop.py",
            "from wirecut import Reset",
            "imports wirecut.Reset, which is in a later layer (__init__)",
            id="the facade from inside",
        ),
        pytest.param(
            "wirecut/__init__.py",
            "from wirecut.cli import main",
            "imports wirecut.cli.main, which is in a later layer (cli)",
            id="the command line from the facade",
        ),
        pytest.param(
            "wirecut/wire/stream.py",
            "import threading",
            "imports threading, which wire may not",
            id="threads in wire",
        ),
        pytest.param(
            "wirecut/faults/reset.py",
            "from socket import socket",
            "imports socket, which faults may not",
            id="sockets in faults",
        ),
        pytest.param(
            "wirecut/server/tcp.py",
            "import pytest",
            "imports pytest, which only _wirecut_pytest may",
            id="pytest outside the plugin",
        ),
        pytest.param(
            "wirecut/server/tcp.py",
            "from rich.table import Table",
            "imports rich, which only cli and report may",
            id="rich outside reports",
        ),
        pytest.param(
            "wirecut/cli/serve.py",
            "import _wirecut_pytest",
            "imports the plugin, which nothing may",
            id="the plugin from the package",
        ),
        pytest.param(
            "wirecut/stray.py",
            "",
            "is in no layer; add 'stray' to RANKS",
            id="a module in no layer",
        ),
        pytest.param(
            "wirecut/wire/closing.py",
            "def stream(): ...",
            "the public function 'stream' has the name of a module",
            id="a function named as a module",
        ),
        pytest.param(
            "wirecut/wire/closing.py",
            "__all__ = ['faults']\nasync def faults(): ...",
            "the public function 'faults' has the name of a module",
            id="a listed function named as a package",
        ),
        pytest.param(
            "wirecut/wire/closing.py",
            "\n" * (MAX_LINES + 1),
            "has 401 lines, more than 400",
            id="a module that is too long",
        ),
    ],
)
def test_a_planted_violation_is_found(path: str, text: str, sentence: str) -> None:
    tree = {"wirecut/faults/__init__.py": "", "wirecut/wire/stream.py": "", path: text}
    found = violations(tree)
    assert len(found) == 1
    assert found[0].startswith(path)
    assert found[0].endswith(sentence)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("wirecut/server/loop.py", "import threading\nfrom wirecut.wire.stream import drain"),
        (
            "wirecut/wire/stream.py",
            "from .closing import abort\nfrom ..errors import PeerReset",
        ),
        ("wirecut/cli/serve.py", "import typer\nfrom wirecut import serve_tcp"),
        ("wirecut/wire/a.py", "__all__ = []\ndef wire(): ..."),
        ("wirecut/wire/a.py", "def _wire(): ...\nclass C:\n    def wire(self): ..."),
        ("_wirecut_pytest.py", "import pytest\ndef f():\n    from wirecut.server import loop"),
    ],
)
def test_control_what_is_allowed_is_not_objected_to(path: str, text: str) -> None:
    assert violations({"wirecut/wire/__init__.py": "", path: text}) == []


def test_every_pair_of_layers_is_allowed_in_exactly_one_direction() -> None:
    """Counted: all ordered pairs of the layers that are packages or modules by name."""
    names = [name for name in RANKS if not name.startswith("__")]
    for importer in names:
        for target in names:
            found = violations({f"wirecut/{importer}/x.py": f"import wirecut.{target}.y"})
            assert bool(found) == (names.index(target) > names.index(importer))
