"""Hide what must not get into a report: passwords, tokens, cookies.

Reports end in public logs, so too much is hidden rather than too little.  Each secret byte
becomes an asterisk: the length stays, so that offsets in a masked stream are still right.

What is hidden:

- the values of the fields ``Authorization``, ``Proxy-Authorization``, ``Cookie`` and
  ``Set-Cookie`` (RFC 9110 section 11.6.2 and 11.7.2, RFC 6265), folded lines included;
- what belongs to a name that has a word such as ``password``, ``token`` or ``api-key`` in
  it: as a field, in a query or a form (RFC 7578 too), in JSON, in XML;
- the password of ``scheme://user:password@host`` (RFC 3986 section 3.2.1);
- the arguments of the commands ``AUTH`` and ``PASS`` (RFC 1939, RFC 4954; Redis, also as
  an array of bulk strings).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["mask_secrets"]

_WORD: Final = (
    rb"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credential|"
    rb"(?:api|access|private|auth)[_-]?key)"
)
# What follows the word inside the name, bounded so that no input makes the search quadratic.
_REST: Final = rb"[\w.\[\]-]{0,40}"

_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # A field, to its end; obsolete folding (RFC 9112 section 5.2) goes on in the next line.
        rb"(?:^|\n)(?:proxy-)?authorization[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
        rb"(?:^|\n)(?:set-)?cookie[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
        # A field with a telling name, to its end: "X-Auth-Token: a b".
        rb"(?:^|\n)[\w-]{0,40}" + _WORD + rb"[\w-]{0,40}[ \t]*:[ \t]*([^\r\n]*)",
        # name=value, "name": value, name: [values]
        _WORD
        + _REST
        + rb"\\?[\"']?\s{0,8}[:=]\s{0,8}"
        + rb"(\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|\[[^\]]*\]?|[^\s&;,}]+)",
        # A part of a form: name="password", other fields, an empty line, the value.
        rb"name=\"[\w.\[\]-]{0,40}"
        + _WORD
        + rb"[^\r\n]{0,200}(?:\r?\n[^\r\n]{1,200}){0,8}?\r?\n\r?\n((?:(?!\r?\n--)[\s\S])+)",
        rb"<[\w:.-]{0,40}" + _WORD + rb"[^<>]{0,200}>([^<]+)",
        rb"://[^\s/:@]{0,200}:([^\s/@]+)@",
        rb"(?:^|\n)(?:auth|pass)[ \t]+([^\r\n]+)",
        rb"\nauth\r\n((?:\$\d+\r\n[^\r\n]*\r\n){1,2})",
    )
)


def mask_secrets(data: bytes) -> bytes:
    """The same bytes, and as many, with an asterisk for each byte of a secret."""
    masked: bytearray | None = None
    for pattern in _PATTERNS:
        for match in pattern.finditer(data):
            if masked is None:
                masked = bytearray(data)
            start, end = match.span(1)
            masked[start:end] = b"*" * (end - start)
    return data if masked is None else bytes(masked)
