"""Bytes as they are typed in a shell."""

from __future__ import annotations

import re
from typing import Final

from wirecut.errors import MisuseError

__all__ = ["unescape"]

_ESCAPE: Final = re.compile(r"\\(x[0-9A-Fa-f]{2}|.|$)", re.DOTALL)
_PLAIN: Final = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def unescape(option: str, text: str) -> bytes:
    r"""The bytes that ``text`` stands for: UTF-8, with \r \n \t \0 \\ and \xHH.

    Raises:
        MisuseError: A backslash is followed by something else; the message names the option.
    """
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[end : match.start()].encode("utf-8", "surrogateescape"))
        end = match.end()
        word = match[1]
        if len(word) == len("xHH"):
            parts.append(bytes.fromhex(word[1:]))
        elif word in _PLAIN:
            parts.append(_PLAIN[word])
        else:
            shown = word if word.isprintable() else repr(word)[1:-1]
            raise MisuseError(
                rf"{option}: \{shown} stands for nothing; there are \r \n \t \0 \\ and \xHH"
            )
    parts.append(text[end:].encode("utf-8", "surrogateescape"))
    return b"".join(parts)
