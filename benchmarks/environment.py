"""Where a run took place: what a reader must know to repeat it."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["environment"]

_PACKAGES: Final = (
    "wirecut",
    "pytest",
    "pytest-httpserver",
    "werkzeug",
    "pytest-localserver",
    "aiohttp",
)


def environment() -> dict[str, str]:
    """Name and value of each fact."""
    facts = {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "c compiler": _compiler(),
        # Above the number of cores, others were at work, and rates of two processes suffer.
        "load average": f"{os.getloadavg()[0]:.1f} at the end",
    }
    for package in _PACKAGES:
        facts[package] = importlib.metadata.version(package)
    return facts


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _compiler() -> str:
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        return "none"
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return told.stdout.partition("\n")[0]
