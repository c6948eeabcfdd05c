"""What the pytest plugin does for tests that need a privilege.

Like :mod:`wirecut.testing` it knows nothing of pytest, and is imported only by a run that has
such tests or asks for ``--wirecut-lab``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.lab import inside_lab, try_lab
from wirecut.wire import CAPABILITIES, available, why_missing

__all__ = ["restart_in_lab", "what_is_missing"]


def restart_in_lab(arguments: Sequence[str]) -> None:
    """Start this program again in a private network; return if it is in one already.

    The same interpreter runs the same command line, in the same process: the exit code,
    signals and the terminal are those of the program that is started.  Its children, such
    as xdist's workers, are in the network too.

    Args:
        arguments: What the caller takes for the arguments of the command line.

    Raises:
        MisuseError: They are not, so that starting again would do something else.
        CapabilityMissing: The kernel, or a container, forbids it.
    """
    if inside_lab():
        return
    # A console, a notebook and a program from standard input cannot be started again.
    if list(arguments) != sys.argv[1:] or sys.argv[0] in ("", "-"):
        raise MisuseError(
            "it starts the program again by its command line, which is not pytest's here: "
            "run it as `wirecut lab -- COMMAND` instead"
        )
    if (refusal := try_lab()) is not None:
        raise CapabilityMissing(refusal)
    # Plugins may have started threads, and a process with several cannot enter.
    enter = (
        f"import sys; sys.path[:] = {[one for one in sys.path if isinstance(one, str)]!a}; "
        "from wirecut.lab import run_in_lab; "
        "run_in_lab([sys.executable, *sys.argv[1:]], quiet=True)"
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(  # noqa: S606 - that is its purpose
        sys.executable, [sys.executable, "-c", enter, *sys.orig_argv[1:]]
    )


def what_is_missing(names: Sequence[object]) -> str | None:
    """Which of the capabilities this process lacks, and the ways out; None if it has all.

    Raises:
        MisuseError: No capability has one of the names.
    """
    known = {one.name: one for one in CAPABILITIES}
    if wrong := [name for name in names if name not in [*known]]:
        raise MisuseError(f"must name any of {', '.join(known)}; got {wrong[0]!r}")
    missing = [one for name, one in known.items() if name in names and not available(name)]
    if not missing:
        return None
    # Several are missing for one reason as a rule, and have one way out: each is told once.
    ways = dict.fromkeys(way for one in missing for way in one.how_to_get.split("; "))
    tried = dict.fromkeys(filter(None, (why_missing(one.name) for one in missing)))
    parts = [*ways, *(f"tried: {reason}" for reason in tried)]
    return f"missing here: {', '.join(repr(one.name) for one in missing)}: {'; '.join(parts)}"
