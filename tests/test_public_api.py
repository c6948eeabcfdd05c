"""The public API is a file in the diff, and every `__all__` tells the truth.

After a change that is meant::

    python -m pytest tests/test_public_api.py --update-public-api
"""

from __future__ import annotations

import enum
import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import wirecut
from tests.api import describe, public_packages, routines_named_as_modules

SNAPSHOT = Path(__file__).with_name("public_api.txt")


def test_the_public_api_is_the_recorded_one(pytestconfig: pytest.Config) -> None:
    found = describe(public_packages(wirecut))
    if pytestconfig.getoption("--update-public-api"):
        SNAPSHOT.write_text(found, "utf-8")
    assert found == SNAPSHOT.read_text("utf-8"), "if meant, run with --update-public-api"


def test_every_package_lists_its_public_names_once_and_truly() -> None:
    for package in public_packages(wirecut):
        names = package.__all__
        assert len(set(names)) == len(names), package.__name__
        assert [name for name in names if not hasattr(package, name)] == [], package.__name__
        assert [name for name in names if name.startswith("_")] == [], package.__name__


def test_every_public_name_of_a_package_has_a_docstring() -> None:
    assert [
        f"{package.__name__}.{name}"
        for package in public_packages(wirecut)
        for name in package.__all__
        if inspect.isroutine(value := getattr(package, name)) or inspect.isclass(value)
        if not inspect.getdoc(value)
    ] == []


def test_no_exported_function_has_the_name_of_a_module() -> None:
    assert routines_named_as_modules(public_packages(wirecut)) == []


class Colour(enum.Enum):
    """A planted enumeration."""

    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A planted value."""

    size: int = 3
    _hidden: int = 0

    @property
    def double(self) -> int:
        """Twice the size."""
        return 2 * self.size

    @classmethod
    def make(cls, text: str) -> Planted:
        """One of the length of ``text``."""
        return cls(size=len(text))

    async def wait(self, seconds: float | None = None) -> None:
        """Do nothing."""


def planted(*, colour: Colour = Colour.RED, host: str = "::1") -> bytes:
    """Do nothing."""
    return f"{colour}{host}".encode()


def test_control_what_is_written_down_changes_with_what_a_user_can_see() -> None:
    module = ModuleType("somewhere")
    vars(module).update(
        {"__all__": ["planted", "Planted", "Colour", "LIMIT"], "LIMIT": 7}
        | {"planted": planted, "Planted": Planted, "Colour": Colour}
    )
    assert describe([module]).splitlines() == [
        "somewhere",
        "    class Colour(Enum)",
        "        RED = 'red'",
        "    LIMIT: int = 7",
        "    class Planted",
        "        (*, size: int = 3, _hidden: int = 0) -> None",
        "        property double: int",
        "        classmethod make(text: str) -> Planted",
        "        size: int",
        "        async def wait(self, seconds: float | None = None) -> None",
        "    def planted(*, colour: Colour = <Colour.RED: 'red'>, host: str = '::1') -> bytes",
    ]


def test_control_a_function_named_as_a_module_is_found(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytester.mkpydir("planted_package")
    (package / "wire.py").touch()
    (package / "__init__.py").write_text('__all__ = ["wire"]\ndef wire(): ...\n', "utf-8")
    monkeypatch.syspath_prepend(pytester.path)
    module = importlib.import_module("planted_package")
    assert routines_named_as_modules([module]) == ["planted_package.wire"]
