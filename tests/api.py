"""The public surface as text: every name of every public `__all__`, with its signature.

The text is the same on every supported Python, so a change of it is a change of ours.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

__all__ = ["describe", "public_packages", "routines_named_as_modules"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def public_packages(root: ModuleType) -> list[ModuleType]:
    """The package and each of its sub-packages, except those an underscore hides."""
    below = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}.")
        if found.ispkg and "._" not in found.name
    ]
    return [root, *sorted(below, key=lambda module: module.__name__)]


def describe(packages: list[ModuleType]) -> str:
    """One paragraph per package, one line per public name or attribute."""
    return "\n".join("\n".join(_paragraph(package)) + "\n" for package in packages)


def routines_named_as_modules(packages: list[ModuleType]) -> list[str]:
    """Functions exported under the name of a package or module, which would shadow it."""
    stems = {
        found.name.rpartition(".")[2]
        for package in packages
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    }
    return [
        f"{package.__name__}.{name}"
        for package in packages
        for name in package.__all__
        if name in stems and inspect.isroutine(getattr(package, name))
    ]


def _paragraph(package: ModuleType) -> Iterator[str]:
    yield package.__name__
    for name in sorted(package.__all__):
        yield from (f"    {line}" for line in _lines(name, getattr(package, name)))


def _lines(name: str, value: object) -> Iterator[str]:
    if inspect.ismodule(value):
        yield f"module {name}"
        for inner in sorted(getattr(value, "__all__", ())):
            yield from (f"    {line}" for line in _lines(inner, getattr(value, inner)))
    elif isinstance(value, type):
        yield from _class(name, value)
    elif inspect.isroutine(value):
        yield f"{_keyword(value)} {name}{_signature(value)}"
    elif isinstance(value, str | int | float | bytes):
        yield f"{name}: {type(value).__name__} = {value!r}"
    else:
        yield f"{name}: {type(value).__name__}"


def _class(name: str, cls: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    ours = [base for base in cls.__mro__ if _is_ours(base)]
    if issubclass(cls, enum.Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in cls)
    elif any({"__init__", "__new__"} & vars(base).keys() for base in ours):
        yield f"    {_signature(cls)}"
    attributes = {attribute for base in ours for attribute in vars(base)}
    attributes |= {field for base in ours for field in inspect.get_annotations(base)}
    members = cls.__members__ if issubclass(cls, enum.Enum) else {}
    for attribute in sorted(attributes - members.keys()):
        if not attribute.startswith("_"):
            yield f"    {_attribute(cls, attribute)}"


def _attribute(cls: type, name: str) -> str:
    value = inspect.getattr_static(cls, name, None)
    if isinstance(value, classmethod | staticmethod):
        return f"{type(value).__name__} {name}{_signature(getattr(cls, name))}"
    if isinstance(value, property):
        returns = inspect.signature(value.fget).return_annotation if value.fget else "?"
        return f"property {name}: {returns}"
    if inspect.isroutine(value):
        return f"{_keyword(value)} {name}{_signature(value)}"
    for base in cls.__mro__:
        if name in (annotations := inspect.get_annotations(base)):
            return f"{name}: {annotations[name]}"
    return f"{name}: {type(value).__name__}"


def _keyword(value: object) -> str:
    return "async def" if inspect.iscoroutinefunction(value) else "def"


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] not in {"builtins", "enum", "typing", "abc"}


class _Bare(str):
    """An annotation that prints without quotes, as every Python from 3.14 on can."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _signature(value: object) -> str:
    assert callable(value)
    try:
        signature = inspect.signature(value)
    except ValueError:
        return "(...)"

    def bare(annotation: object) -> object:
        return _Bare(annotation) if isinstance(annotation, str) else annotation

    parameters = [
        parameter.replace(annotation=bare(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    text = str(
        signature.replace(
            parameters=parameters, return_annotation=bare(signature.return_annotation)
        )
    )
    return _ADDRESS.sub("", text)
