"""The command line: ``wirecut try``, ``serve``, ``lab`` and more; a file for each."""

from __future__ import annotations

from wirecut.cli.app import main

__all__ = ["main"]
