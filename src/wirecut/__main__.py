"""``python -m wirecut`` is the ``wirecut`` command."""

from __future__ import annotations

from wirecut.cli import main

main()
