"""What the source tree may import, and how large and how named its parts may be.

Everything here is a function from source text to sentences, so that `test_layers` can hand it
the real tree, and planted violations.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

__all__ = ["MAX_LINES", "RANKS", "violations"]

MAX_LINES: Final = 400

RANKS: Final = (
    "errors",
    "validation",
    "deadline",
    "namespaces",
    "lab",
    "wire",
    "faults",
    "script",
    "http",
    "report",
    "dialing",
    "server",
    "trying",
    "testing",
    "testing_lab",
    "__init__",  # the facade: everything but the command line, which it must not load
    "cli",
    "__main__",
)
"""Each imports only from those before it, and from itself."""

_PLUGIN: Final = "_wirecut_pytest"

_THREADS: Final = frozenset({"_thread", "asyncio", "concurrent", "queue", "threading"})
_SOCKETS: Final = frozenset({"select", "selectors", "socket", "socketserver"})

_FORBIDDEN: Final[Mapping[str, frozenset[str]]] = {
    "wire": _THREADS,  # threads begin in server/
    "faults": _THREADS | _SOCKETS,  # values and pure functions
    "script": _THREADS | _SOCKETS,
    "http": _THREADS | _SOCKETS,
    "report": _THREADS | _SOCKETS,  # from plain values
}

_ONLY_IN: Final[Mapping[str, frozenset[str]]] = {
    "pytest": frozenset({_PLUGIN}),
    "_pytest": frozenset({_PLUGIN}),
    "h11": frozenset({"http"}),
    "rich": frozenset({"report", "cli"}),
    "typer": frozenset({"cli"}),
}


def violations(sources: Mapping[str, str]) -> list[str]:
    """Every broken rule in a tree, one sentence each.

    Args:
        sources: The text of each module, by its path below ``src``, with forward slashes.
    """
    stems = {_own_name(PurePosixPath(path)) for path in sources} - {"__init__", "__main__"}
    found: list[str] = []
    for path, text in sorted(sources.items()):
        tree = ast.parse(text, path)
        rank = _rank(PurePosixPath(path))
        if (lines := len(text.splitlines())) > MAX_LINES:
            found.append(f"{path} has {lines} lines, more than {MAX_LINES}")
        if rank != _PLUGIN and rank not in RANKS:
            found.append(f"{path} is in no layer; add {rank!r} to RANKS")
            continue
        found += [
            f"{path}:{line} {reason}"
            for line, module in _imports(tree, PurePosixPath(path))
            if (reason := _objection(rank, module))
        ]
        found += [
            f"{path}:{line} the public function {name!r} has the name of a module"
            for line, name in _public_functions(tree)
            if name in stems
        ]
    return found


def _objection(rank: str, module: str) -> str | None:
    """Why the layer ``rank`` may not import ``module``, or None if it may."""
    top, *below = module.split(".")
    if top in _ONLY_IN and rank not in _ONLY_IN[top]:
        return f"imports {top}, which only {' and '.join(sorted(_ONLY_IN[top]))} may"
    if top in _FORBIDDEN.get(rank, frozenset()):
        return f"imports {top}, which {rank} may not"
    if top == _PLUGIN:
        return "imports the plugin, which nothing may"
    if top != "wirecut" or rank == _PLUGIN:
        return None
    target = below[0] if below and below[0] in RANKS else "__init__"
    if RANKS.index(target) > RANKS.index(rank):
        return f"imports {module}, which is in a later layer ({target})"
    return None


def _imports(tree: ast.Module, path: PurePosixPath) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, wherever it stands, under TYPE_CHECKING too."""
    package = list(path.parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            # `from wirecut import wire` names a layer only in what it takes.
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def _public_functions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Functions that `__all__` lists or, in a module without it, that no underscore hides."""
    listed = _all_of(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            not node.name.startswith("_") if listed is None else node.name in listed
        ):
            yield node.lineno, node.name


def _all_of(tree: ast.Module) -> frozenset[str] | None:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and target.id == "__all__":
            return frozenset(
                leaf.value
                for leaf in ast.walk(node)
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            )
    return None


def _rank(path: PurePosixPath) -> str:
    """The layer a module belongs to: its first folder below the package, or its own name."""
    below = path.parts[1:]
    return PurePosixPath(below[0]).stem if below else path.stem


def _own_name(path: PurePosixPath) -> str:
    """The last part of a module's dotted name; a package's is its folder's."""
    return path.parent.name if path.stem == "__init__" else path.stem
