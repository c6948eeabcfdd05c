"""Who is to blame: the type of an exception says it.

========================  ==============================================================
the caller misused us     :class:`MisuseError` (also a ``ValueError``), raised on the line
                          that made the mistake; :class:`CapabilityMissing` when the
                          platform, not the argument, is in the way
the peer broke the wire   :class:`PeerClosed`, :class:`PeerReset`
we broke it, on purpose   :class:`ConnectionStruck`
time ran out              :class:`DeadlineExceeded` (also a ``TimeoutError``)
a plan was not met        :class:`UnmetExpectation` (also an ``AssertionError``)
a handler does not end    :class:`HandlerStuck`
wirecut is wrong          :class:`InternalError`
========================  ==============================================================

None of them derives from ``OSError``: code under test that catches ``OSError`` must not
swallow what wirecut has to say.  ``TimeoutError`` is the one exception to that, because a
caller who waits expects it.
"""

from __future__ import annotations

__all__ = [
    "CapabilityMissing",
    "ConnectionStruck",
    "DeadlineExceeded",
    "HandlerStuck",
    "InternalError",
    "MisuseError",
    "PeerClosed",
    "PeerReset",
    "UnmetExpectation",
    "WirecutError",
]


class WirecutError(Exception):
    """Base of everything wirecut raises by itself; never raised as such."""


class MisuseError(WirecutError, ValueError):
    """An argument cannot be right; the message names it, its value and the way out."""


class CapabilityMissing(MisuseError):
    """This platform or user may not do what was asked; the message names the capability."""


class PeerClosed(WirecutError):
    """The peer ended its stream (FIN) before what was awaited had arrived."""


class PeerReset(WirecutError):
    """The peer reset the connection (RST)."""


class ConnectionStruck(WirecutError):
    """A fault has ended this connection, so nothing can be sent or read on it any more.

    Raised in handlers by the first call after the strike.  A handler that lets it pass ends
    quietly: being struck is what the test asked for.
    """


class DeadlineExceeded(WirecutError, TimeoutError):
    """What was waited for did not happen in time; the message says what and how long."""


class UnmetExpectation(WirecutError, AssertionError):
    """A fault, script step or sequence item was not reached, or not as planned."""


class HandlerStuck(WirecutError):
    """A handler did not end by the deadline of ``close()``; the message has its stack."""


class InternalError(WirecutError):
    """A bug in wirecut; please report it with the message."""
