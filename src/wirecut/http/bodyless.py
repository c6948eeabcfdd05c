"""Recognise the plainest of requests without parsing it.

Parsing takes h11 most of the time that a request takes in all.  A request that has no body
and nothing unusual ends with its header, which one regular expression can tell.  It accepts
a *subset* of what h11 accepts, so whatever it does not know is h11's to judge.

Sources: RFC 9112 section 2.1 (message), section 3 (request line), section 5 (fields),
section 6.3 (no Content-Length and no Transfer-Encoding: no body); RFC 9110 section 5.6.2
(token), section 7.2 (exactly one Host).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_bodyless_request"]

# A header that is longer is rare, and h11 may have it.
_LIMIT_BYTES: Final = 8192

# Fields that say something about a body, or about another protocol after this request.
_SPECIAL: Final = rb"(?!(?i:content-length|transfer-encoding|expect|upgrade|host)\s*:)"
_VALUE: Final = rb"[ \t]*+(?:[!-~]++(?:[ \t]++[!-~]++)*+)?+"
_FIELD: Final = _SPECIAL + rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:" + _VALUE + rb"\r\n"
_HOST: Final = rb"(?i:host):[ \t]*+[!-~]++\r\n"
_BODYLESS: Final = re.compile(
    rb"(?:GET|HEAD|OPTIONS|DELETE) [!-~]++ HTTP/1\.1\r\n"
    rb"(?:%b)*+%b(?:%b)*+\r\n" % (_FIELD, _HOST, _FIELD)
)


def is_bodyless_request(data: bytes) -> bool:
    """Whether ``data`` is exactly one request, which has no body.

    False only means that it takes a parser to tell.
    """
    return len(data) <= _LIMIT_BYTES and _BODYLESS.fullmatch(data) is not None
