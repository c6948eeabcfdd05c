"""Run a function on a thread of its own, and do not wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from wirecut.deadline import Deadline, now
from wirecut.trying.outcome import Raised, Ran, describe_exception

__all__ = ["call_watched"]

# After its connections are gone a client returns at once, unless it waits in connect(): the
# kernel tries again after 1 s (RFC 6298 section 2) and is then refused.
_GRACE_SECONDS: Final = 2.0


def call_watched(
    function: Callable[[], bytes], timeout_seconds: float, give_up: Callable[[], object]
) -> Ran:
    """Call ``function`` on a thread, and watch it from this one.

    Args:
        function: What to call.
        timeout_seconds: After so long it counts as hanging.
        give_up: Called then, on this thread; it must make the function return, by closing
            what it waits for.  A thread that stays all the same is abandoned; it is a daemon
            and delays no exit.
    """
    result: list[bytes] = []
    raised: list[tuple[Raised, ...]] = []
    started = now()
    took = [0.0]

    def run() -> None:
        try:
            result.append(function())
        except BaseException as error:  # noqa: BLE001 - whatever a client raises is told
            # Values only: the exception's frames hold the client's sockets.
            raised.append(describe_exception(error))
        finally:
            took[0] = now() - started

    thread = threading.Thread(target=run, name="wirecut-client", daemon=True)
    thread.start()
    thread.join(Deadline.after(timeout_seconds).timeout())
    if thread.is_alive():
        seconds = now() - started
        give_up()
        thread.join(_GRACE_SECONDS)
        return Ran(seconds, has_ended=False)
    return Ran(
        took[0],
        result=result[0] if result else None,
        raised=raised[0] if raised else (),
    )
