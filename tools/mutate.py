"""Break every line of the faults, one at a time, and see whether a test turns red.

    python tools/mutate.py                  all modules of src/wirecut/faults
    python tools/mutate.py lane breaker     these modules only

Each mutant is one small change of one module: a statement left out, a comparison moved by
one or turned round, a condition negated, a number off by one, ``and`` for ``or``, a part of a
condition or of a slice left out, a branch of a ``match`` left out, None returned.  It is
compiled in memory, so nothing on disk changes, and the tests that need no socket run in a
forked child that stops at the first failure.  Survivors are printed as diffs.

Leaving statements out matters most: it is the claim to be tested, that every line of a fault
has a test that fails without it.
"""

# ruff: noqa: T201 - what it prints is its purpose

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "wirecut.faults"
FOLDER: Final = ROOT / "src" / "wirecut" / "faults"
TESTS: Final = ROOT / "tests" / "faults"
# Only mutants that never end come near it; they count as killed, and are counted apart.
TIMEOUT_SECONDS: Final = 60.0

_BROKEN: Final = 99

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.LShift: ast.RShift,
    ast.BitXor: ast.BitOr,
    ast.BitOr: ast.BitXor,
    ast.BitAnd: ast.BitOr,
}
_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    line: int
    what: str
    source: str


Change = tuple[str, Callable[[Any], object]]


def _assign(attribute: str, value: object) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, attribute, value)


def _leave_out(attribute: str, index: int) -> Callable[[ast.AST], None]:
    return lambda node: getattr(node, attribute).pop(index)


def changes(node: ast.AST) -> Iterator[Change]:  # noqa: C901, PLR0912 - one case per kind of node
    """The ways to change one node; each changes it in place."""
    match node:
        case ast.Compare(ops=[op]):
            for other in _COMPARISONS.get(type(op), ()):
                yield "comparison", _assign("ops", [other()])
        case ast.BoolOp(op=op, values=values):
            other_op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "and/or", lambda n: setattr(n, "op", other_op)
            for index in range(len(values)):
                yield "operand left out", _leave_out("values", index)
        case ast.UnaryOp(op=ast.Not()):
            yield (
                "not left out",
                lambda n: setattr(n, "operand", ast.UnaryOp(ast.Not(), n.operand)),
            )
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OPERATORS:
            swapped = _OPERATORS[type(op)]()
            yield "operator", lambda n: setattr(n, "op", swapped)
        case ast.Constant(value=bool() as value):
            yield "constant", lambda n: setattr(n, "value", not value)
        case ast.Constant(value=int() as number):
            yield "constant", lambda n: setattr(n, "value", number + 1)
            if number > 0:
                yield "constant", lambda n: setattr(n, "value", number - 1)
        case ast.If() | ast.IfExp() | ast.While():
            yield (
                "condition negated",
                lambda n: setattr(
                    n,
                    "test",
                    ast.UnaryOp(ast.Not(), n.test),
                ),
            )
        case ast.comprehension(ifs=ifs) if ifs:
            yield "filter left out", lambda n: setattr(n, "ifs", [])
        case ast.Slice(lower=lower, upper=upper):
            if lower is not None:
                yield "slice", lambda n: setattr(n, "lower", None)
            if upper is not None:
                yield "slice", lambda n: setattr(n, "upper", None)
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            yield "call", lambda n: setattr(n.func, "id", _CALLS[name])
        case ast.match_case(guard=ast.expr()):
            yield "guard left out", lambda n: setattr(n, "guard", None)
        case ast.Match(cases=cases):
            for index in range(len(cases)):
                yield "case left out", _leave_out("cases", index)


def _statements(tree: ast.AST) -> Iterator[tuple[list[ast.stmt], int]]:
    """Every place of a statement that can be left out."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if not isinstance(body, list):
                continue
            for index, statement in enumerate(body):
                if _can_go(statement):
                    yield body, index


def _can_go(statement: ast.stmt) -> bool:  # noqa: PLR0911 - one answer per kind of statement
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.Pass():
            return False  # a docstring, or what nothing works without
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return False  # the public surface has its own test; slots change no behaviour
        case ast.AnnAssign(value=None) | ast.FunctionDef() | ast.ClassDef() | ast.Raise():
            return isinstance(statement, ast.Raise)
        case ast.Delete(targets=[ast.Name()]):
            return False  # says that an argument is not used
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Expr() | ast.Delete():
            return True
        case ast.Return(value=value):
            nothing = isinstance(value, ast.Constant) and value.value in {None, False}
            return not (value is None or nothing)  # to return None in its place is the same
        case ast.Continue() | ast.Break() | ast.Nonlocal():
            return not isinstance(statement, ast.Nonlocal)
        case _:
            return False


def mutants(module: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines, without repetitions."""
    text = (FOLDER / f"{module}.py").read_text()
    tree = ast.parse(text)
    plain = ast.unparse(tree)
    found: dict[str, Mutant] = {}

    def add(changed: ast.AST, line: int, what: str) -> None:
        source = ast.unparse(ast.fix_missing_locations(changed))
        if source != plain:
            found.setdefault(source, Mutant(module, line, what, source))

    skipped = _skipped(tree)
    for number, node in enumerate(ast.walk(tree)):
        if node in skipped:
            continue
        for which, (what, _) in enumerate(list(changes(node))):
            changed = copy.deepcopy(tree)
            same = next(one for n, one in enumerate(ast.walk(changed)) if n == number)
            list(changes(same))[which][1](same)
            add(changed, getattr(node, "lineno", 0), what)
    for number, (body, index) in enumerate(_statements(tree)):
        changed = copy.deepcopy(tree)
        their_body, _ = list(_statements(changed))[number]
        left = their_body[index]
        their_body[index] = ast.Return(None) if isinstance(left, ast.Return) else ast.Pass()
        add(changed, body[index].lineno, "statement left out")
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _skipped(tree: ast.AST) -> set[ast.AST]:
    """Annotations and the text of messages: they change no behaviour."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        match node:
            case ast.AnnAssign(annotation=annotation):
                parts = [annotation]
            case ast.FunctionDef(returns=returns, args=args, decorator_list=decorators):
                every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
                parts = [returns, *decorators, *(one.annotation for one in every)]
            case ast.ClassDef(decorator_list=decorators):
                # frozen, slots and kw_only: a test of its own covers frozen values.
                parts = list(decorators)
            case ast.JoinedStr():
                parts = [node]
        for part in parts:
            if part is not None:
                skipped.update(ast.walk(part))
    return skipped


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"{PACKAGE}.{mutant.module}"
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(FOLDER))

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.source, f"<{self.mutant.module}>", "exec"), module.__dict__)  # noqa: S102 - the purpose


def _run_tests(mutant: Mutant | None, output: int) -> int:
    """In a child: the tests that need no socket, the module's own first."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    if mutant is not None:
        sys.meta_path.insert(0, _Mutated(mutant))
    own = TESTS / f"test_{mutant.module}.py" if mutant is not None else TESTS
    # Its own tests first, without collecting the others: most mutants end there.
    code = _run_files([own]) if own.exists() else 0
    return code or (_run_files([TESTS]) if mutant is not None else 0)


def _run_files(paths: Sequence[Path]) -> int:
    import pytest  # noqa: PLC0415 - loaded before the fork
    from hypothesis import Phase, settings  # noqa: PLC0415 - the same

    class NoShrinking:
        """A failure is enough; its smallest example is not needed."""

        def pytest_collection(self) -> None:
            settings.register_profile(
                "mutation",
                settings.get_profile("ci"),
                phases=[Phase.explicit, Phase.generate],
            )
            settings.load_profile("mutation")

    plugins = ["pytest_timeout", "pytest_asyncio.plugin", "_hypothesis_pytestplugin"]
    return int(
        pytest.main(
            [
                *("-x", "-q", "-m", "pure", "--no-header", "-p", "no:cacheprovider"),
                *(part for name in plugins for part in ("-p", name)),
                *map(str, paths),
            ],
            plugins=[NoShrinking()],
        )
    )


def _fork(mutant: Mutant | None) -> tuple[int, int]:
    """A child that runs the tests; its process and its pidfd."""
    pid = os.fork()
    if pid == 0:
        code = _BROKEN
        try:
            sink = os.open(os.devnull, os.O_WRONLY) if mutant else 2
            code = _run_tests(mutant, sink)
        except BaseException:  # noqa: BLE001 - a child must never return from here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid, os.pidfd_open(pid)


def _run_all(every: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with ``killed``, ``survived`` or ``timeout``, as they come."""
    waiting = list(reversed(every))
    running: dict[int, tuple[int, Mutant, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            pid, pidfd = _fork(mutant)
            running[pidfd] = (pid, mutant, time.monotonic() + TIMEOUT_SECONDS)
        soonest = min(until for _, _, until in running.values())
        ready, _, _ = select.select(list(running), [], [], max(0.0, soonest - time.monotonic()))
        for pidfd in list(running):
            pid, mutant, until = running[pidfd]
            late = time.monotonic() >= until
            if pidfd not in ready and not late:
                continue
            if late:
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            os.close(pidfd)
            del running[pidfd]
            code = os.waitstatus_to_exitcode(status)
            if code == _BROKEN:
                raise RuntimeError(f"the tests could not be run on {mutant}")
            yield mutant, "timeout" if late else "survived" if code == 0 else "killed"


def _difference(mutant: Mutant) -> str:
    plain = ast.unparse(ast.parse((FOLDER / f"{mutant.module}.py").read_text()))
    lines = difflib.unified_diff(
        plain.splitlines(), mutant.source.splitlines(), lineterm="", n=0
    )
    return "\n".join(
        line for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@"
    )


def main() -> int:
    """Run and print; 0 if nothing survived, 1 if something did, 2 if the tests fail anyway."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="without .py; all of faults/ if left out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    modules = given.modules or sorted(
        path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"
    )
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["CI"] = "true"  # the same examples for every mutant
    sys.dont_write_bytecode = True
    # Loaded once here, so that a child begins with everything but the package itself.
    import h11  # noqa: F401, PLC0415 - see above
    import pytest  # noqa: F401, PLC0415 - see above

    pid, pidfd = _fork(None)
    os.close(pidfd)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        print("the tests fail without any change: nothing to measure")
        return 2
    every = [mutant for module in modules for mutant in mutants(module)]
    counts: dict[str, Counter[str]] = {module: Counter() for module in modules}
    survivors = []
    for mutant, outcome in _run_all(every, given.jobs):
        counts[mutant.module][outcome] += 1
        if outcome == "survived":
            survivors.append(mutant)
            print(f"survived: {mutant.module}.py:{mutant.line} ({mutant.what})", flush=True)
            print(_difference(mutant), flush=True)
    print(f"{'module':<12} mutants  killed  timeout  survived")
    for module, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        print(
            f"{module:<12} {count.total():>7} {count['killed']:>7} {count['timeout']:>8} "
            f"{count['survived']:>9}"
        )
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
