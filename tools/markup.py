"""From the little reStructuredText in our docstrings to Markdown; knows no other tool."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["table_rows", "to_markdown"]

_ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|exc):`~?([^`]+)`")
_RFC = re.compile(r"RFC (\d+)\s+section (\d+(?:\.\d+)*)")
_RULE = re.compile(r"^ *=+(?: +=+)+ *$")


def to_markdown(text: str) -> str:
    """A docstring in Markdown."""
    text = "\n".join(_with_markdown_tables(text.splitlines()))
    text = _ROLE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    text = _RFC.sub(
        r"[RFC \1 section \2](https://www.rfc-editor.org/rfc/rfc\1#section-\2)", text
    )
    return text.replace("``", "`")


def table_rows(lines: list[str]) -> list[tuple[str, str]]:
    """The rows of the first simple table of two columns, without its header."""
    first = next(index for index, line in enumerate(lines) if _RULE.match(line))
    _, rows, _ = _read_table(lines, first)
    return rows


def _read_table(
    lines: list[str], first: int
) -> tuple[tuple[str, str], list[tuple[str, str]], int]:
    """The header, the rows with wrapped cells joined, and the index after the table."""
    # A table ends with its last rule before a blank line; the middle one of three ends a
    # header.
    rules = [first]
    for index in range(first + 1, len(lines)):
        if not lines[index].strip():
            break
        if _RULE.match(lines[index]):
            rules.append(index)
    rule = lines[first]
    column = len(rule) - len(rule.lstrip()) + rule.strip().index(" ")
    header = ("", "")
    if len(rules) > 2:  # noqa: PLR2004 - explained above
        head = lines[first + 1]
        header = (head[:column].strip(), head[column:].strip())
    rows: list[tuple[str, str]] = []
    for line in lines[rules[-2] + 1 : rules[-1]]:
        left, right = line[:column].strip(), line[column:].strip()
        if left or not rows:
            rows.append((left, right))
        else:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {right}")
    return header, rows, rules[-1] + 1


def _with_markdown_tables(lines: list[str]) -> Iterator[str]:
    index = 0
    while index < len(lines):
        if not _RULE.match(lines[index]):
            yield lines[index]
            index += 1
            continue
        header, rows, index = _read_table(lines, index)
        for left, right in (header, ("---", "---"), *rows):
            yield f"| {left} | {right} |"
