"""The lowest versions that ``pyproject.toml`` allows, as constraints for pip.

``python -m tools.lowest > constraints.txt``; CI runs the suite once with them, so that no
lower bound is a guess.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

__all__ = ["lowest"]

_PROJECT: Final = Path(__file__).parent.parent / "pyproject.toml"
_BOUND: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?>=(?P<version>[0-9.]+)")


def lowest(project: Path = _PROJECT) -> list[str]:
    """``name==version`` for each dependency at run time and of the extra ``test``.

    Raises:
        ValueError: One has no lower bound.
    """
    table = tomllib.loads(project.read_text("utf-8"))["project"]
    constraints = []
    for requirement in [*table["dependencies"], *table["optional-dependencies"]["test"]]:
        bound = _BOUND.fullmatch(requirement)
        if bound is None:
            raise ValueError(f"{requirement!r} has no lower bound such as name>=1.2")
        constraints.append(f"{bound['name']}=={bound['version']}")
    return constraints


if __name__ == "__main__":
    print("\n".join(lowest()))  # noqa: T201 - for pip to read
