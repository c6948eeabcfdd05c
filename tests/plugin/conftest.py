"""Run small suites with the plugin, each in a pytest of its own."""

from __future__ import annotations

from typing import Protocol

import pytest

TALK = """
import contextlib
import socket

REQUEST = b"GET /a HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Basic c2VjcmV0\\r\\n\\r\\n"

def ask(address, data=REQUEST):
    family = socket.AF_UNIX if isinstance(address, str) else (
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    with socket.socket(family) as sock:
        sock.settimeout(10)
        sock.connect(address)
        sock.sendall(data)
        return sock.recv(1024)

def ask_in_vain(address, data=REQUEST):
    with contextlib.suppress(ConnectionError):
        assert ask(address, data) == b""
"""
"""A client for the suites, as the module ``talk``."""


class Suite(Protocol):
    """Runs pytest on the text of one test module, in a subprocess."""

    def __call__(self, source: str, *args: str) -> pytest.RunResult:
        """The result of the run; ``args`` are pytest's."""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Only our plugin is loaded, unless the arguments name more; warnings are errors."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    # In CI pytest repeats in its summary what it has said above.
    for name in ("NO_PROXY", "no_proxy", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)

    def run(source: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(talk=TALK, test_it=source)
        fixed = ("-p", "wirecut", "-p", "no:cacheprovider", "-W", "error")
        return pytester.runpytest_subprocess(*fixed, *args, timeout=60)

    return run
