"""Addresses as URLs."""

from __future__ import annotations

__all__ = ["url_of"]


def url_of(scheme: str, host: str, port: int, *, userinfo: str = "", path: str = "") -> str:
    """A URL (RFC 3986 section 3.2); an IPv6 address literal goes into brackets.

    Args:
        scheme: Such as ``http`` or ``redis``.
        host: A name or an address literal.
        port: 1 to 65535.
        userinfo: ``user`` or ``user:password``, escaped as the URL needs it.
        path: What follows, with or without its leading slash; empty for nothing.
    """
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    before = f"{userinfo}@" if userinfo else ""
    after = f"/{path.removeprefix('/')}" if path else ""
    return f"{scheme}://{before}{host}:{port}{after}"
