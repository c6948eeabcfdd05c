"""The command line: ``wirecut serve``, ``try``, ``explain`` and ``doctor``; a file for each."""

from __future__ import annotations

from wirecut.cli.app import main

__all__ = ["main"]
