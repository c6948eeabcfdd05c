"""Our client side: one connection that we dial, with faults on it.

A :class:`Line` is to a server what a handler's ``Peer`` is to a client: the same calls, the
same faults, the same moments.  *Up* is what we send here and *down* what we read, so
``reset/up:5`` sends exactly five bytes and resets when there is a sixth, or the end, to send;
``reset/down:5`` reads exactly five bytes and resets.

There is no thread: a fault strikes within the call that reaches its moment.
"""

from __future__ import annotations

from wirecut.dialing.dialer import dial
from wirecut.dialing.line import Line

__all__ = ["Line", "dial"]
