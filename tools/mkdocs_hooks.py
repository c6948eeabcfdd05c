"""What mkdocs cannot be told in its configuration.

Evidence is listed by what is there: its pages are named by nobody else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

__all__ = ["on_config", "on_page_markdown"]


def on_config(config: Any) -> None:  # noqa: ANN401 - mkdocs' interface
    """Put every page of evidence into the navigation, newest first."""
    # A console script does not look for modules where it is started, and mkdocstrings shall
    # find tools.docstrings.
    sys.path.append(str(Path(__file__).parent.parent))
    for section in config["nav"]:
        if "Evidence" in section:
            section["Evidence"] += [f"evidence/{page.name}" for page in _evidence(config)]


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401 - as above
    """List every page of evidence on the first one."""
    if page.file.src_uri != "evidence/index.md":
        return markdown
    lines = [f"- [{_title(path)}]({path.name})" for path in _evidence(config)]
    return "\n".join((markdown.rstrip(), "", *lines, ""))


def _evidence(config: Any) -> list[Path]:  # noqa: ANN401 - as above
    folder = Path(config["docs_dir"]) / "evidence"
    return sorted(
        (page for page in folder.glob("*.md") if page.name != "index.md"), reverse=True
    )


def _title(page: Path) -> str:
    heading = re.search(r"^# (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return heading[1] if heading else page.stem
