"""What one socket can be made to do, on either side of the wire; no threads.

Every function takes a plain connected socket and says who owns it afterwards.  Whatever
waits takes a :class:`~wirecut.deadline.Deadline`.
"""

from __future__ import annotations

from wirecut.wire.closing import abort, close_now, close_orderly, shut_down_writing
from wirecut.wire.kernel import (
    CAPABILITIES,
    Capability,
    TcpState,
    available,
    bytes_unacknowledged,
    bytes_unread,
    bytes_unsent,
    notify_when_all_sent,
    require,
    set_no_delay,
    tcp_state,
    why_missing,
)
from wirecut.wire.listening import DEFAULT_BACKLOG, ListenerState, Listening
from wirecut.wire.observing import End, Observation, observe
from wirecut.wire.stream import (
    drain,
    receive_exactly,
    receive_until,
    receive_up_to,
    send_exactly,
    wait_for_hangup,
    wait_until_readable,
    wait_until_writable,
)

__all__ = [
    "CAPABILITIES",
    "DEFAULT_BACKLOG",
    "Capability",
    "End",
    "ListenerState",
    "Listening",
    "Observation",
    "TcpState",
    "abort",
    "available",
    "bytes_unacknowledged",
    "bytes_unread",
    "bytes_unsent",
    "close_now",
    "close_orderly",
    "drain",
    "notify_when_all_sent",
    "observe",
    "receive_exactly",
    "receive_until",
    "receive_up_to",
    "require",
    "send_exactly",
    "set_no_delay",
    "shut_down_writing",
    "tcp_state",
    "wait_for_hangup",
    "wait_until_readable",
    "wait_until_writable",
    "why_missing",
]
