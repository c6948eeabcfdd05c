"""One served connection: its socket and its behaviour.

Everything here runs under the loop's lock, without ever waiting: what has to wait is left to
an event or a timer, and :meth:`Link.pump` goes on.  A connection with faults has an
:class:`~wirecut.server.interpreter.Interpreter` between the socket and the behaviour; one
without is spared the cost.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from wirecut.deadline import now
from wirecut.errors import CapabilityMissing
from wirecut.faults.fault import Fault
from wirecut.script.machine import Fail, Finish, Machine, Output, Say, Silent, StrikeNow
from wirecut.server.interpreter import Interpreter
from wirecut.server.journal import Ended, Record
from wirecut.server.loop import Timer
from wirecut.server.severing import uncut
from wirecut.wire.action import Direction
from wirecut.wire.closing import abort, close_now, shut_down_writing
from wirecut.wire.kernel import TcpState, bytes_unsent, notify_when_all_sent, tcp_state
from wirecut.wire.repair import die_silently

if TYPE_CHECKING:
    from wirecut.server.host import Host

__all__ = ["Link"]

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

# Below glibc's threshold for mmap, above which each read would map and unmap its buffer.
READ_BYTES: Final = 65536
_WRITE_BYTES: Final = 1 << 20
_SILENT: Final = Silent()


class Link:
    """A connection while it lives; its record outlives it.

    Args:
        host: The server, which is told what happens.
        sock: The accepted socket, non-blocking; owned from here on.
        record: The journal's entry.
        machine: The behaviour.
        faults: What may strike this connection.
    """

    __slots__ = (
        "_fin_sent",
        "_linger",
        "_mask",
        "_out",
        "_timers",
        "fin",
        "finished",
        "host",
        "interpreter",
        "machine",
        "record",
        "sock",
        "up_end",
    )

    def __init__(
        self,
        host: Host,
        sock: socket.socket,
        record: Record,
        machine: Machine,
        faults: Sequence[Fault],
    ) -> None:
        self.host = host
        self.sock: socket.socket | None = sock
        self.record = record
        self.machine: Machine | None = machine
        self.interpreter = Interpreter(self, faults) if faults else None
        self.up_end = False
        self.finished = False
        self.fin = False
        self._fin_sent = False
        self._mask = 0
        self._out: bytearray | None = None
        self._linger: Timer | None = None
        self._timers: list[Timer] | None = None

    # What the server and the behaviour ask for.

    def start(self, greeting: bytes) -> None:
        """The connection was accepted: strike what strikes there, then begin."""
        self._guarded(lambda: self._begin(greeting))

    def on_event(self, mask: int) -> None:
        """The socket is ready."""
        self._guarded(lambda: self._ready(mask))

    def say(self, data: bytes) -> None:
        """Send bytes of the behaviour, through the faults; :meth:`pump` must follow."""
        if self.sock is None or self.fin or self.finished or not data:
            return
        if self.interpreter is not None:
            self.interpreter.say(data)
        else:
            self.emit(data)

    def finish(self) -> None:
        """The behaviour is done: close in good order; :meth:`pump` must follow."""
        if not self.finished:
            self.finished = True
            if self.interpreter is None:
                self.end_down()

    def strike(self, fault: Fault) -> None:
        """Let a fault strike now; :meth:`pump` must follow."""
        if self.sock is not None:
            self._need_interpreter().strike(fault)

    def add(self, fault: Fault) -> None:
        """Place a fault that counts from the connection's first byte."""
        if self.sock is not None:
            self._need_interpreter().add(fault)

    def pump(self) -> None:
        """Do all that can be done now, then wait for the right events."""
        self._guarded(self._pump)

    @property
    def backlog(self) -> int:
        """Bytes that the behaviour has said and the kernel has not taken."""
        said = self.interpreter.said if self.interpreter is not None else 0
        return said + len(self._out or b"")

    def end(self, ended: Ended, reason: str = "", *, delivers: bool = False) -> None:
        """Give up the socket: in good order if nothing is left to send, else by RST.

        With ``delivers`` the kernel may still have to send what it has taken.
        """
        sock = self.sock
        if sock is None:
            return
        resets = ended is Ended.RESET_BY_SERVER or bool(self._out)
        if not resets and not delivers:
            with contextlib.suppress(CapabilityMissing, OSError):
                resets = bytes_unsent(sock) > 0
        uncut(self)
        self._forget(ended, reason)
        if ended is Ended.VANISHED:
            die_silently(sock)
        elif resets:
            abort(sock)
        else:
            close_now(sock)

    # Events.

    def _begin(self, greeting: bytes) -> None:
        # First of all, so that a handler is called whether or not the bytes that strike its
        # connection came along with it.
        outputs = self.machine.begin() if self.machine is not None else ()
        if self.interpreter is not None:
            self.interpreter.run()
        if self.sock is not None:
            self.say(greeting)
            self._perform(outputs)
            self._pump()

    def _ready(self, mask: int) -> None:
        if mask & WRITE:
            self._flush()
        if mask & READ and self._mask & READ and self.interpreter is None:
            data = self.read(READ_BYTES)
            if data:
                self.deliver(data)
            elif data is not None:
                self.peer_ended()
        self._pump()

    def read(self, count: int, flags: int = 0, *, noted: bool = True) -> bytes | None:
        """Bytes, b"" for the end, None if there is nothing or the peer has reset."""
        if self.sock is None:
            return None
        try:
            data = self.sock.recv(count, flags)
        except BlockingIOError:
            return None
        except OSError:
            self.end(Ended.RESET_BY_CLIENT, "reset")
            return None
        if data and noted:
            self.host.note(self.record, Direction.UP, data)
        return data

    def deliver(self, data: bytes) -> None:
        """Give the behaviour bytes that have passed all faults."""
        if self.machine is not None and not self.finished:
            self._perform(self.machine.receive(data))

    def peer_ended(self) -> None:
        """The peer's end has passed all faults."""
        self.up_end = True
        if self.machine is not None and not self.finished:
            self._perform(self.machine.receive_end())

    def _perform(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Say(data=data):
                    self.say(data)
                case Finish():
                    self.finish()
                case StrikeNow(fault=fault):
                    if self.sock is not None:
                        self._need_interpreter().strike_here(fault)
                case Fail(error=error):
                    self.host.report(error, self.record)
                    self.end(Ended.RESET_BY_SERVER)

    # Writing.

    def emit(self, data: bytes) -> None:
        """Send bytes that have passed all faults."""
        if self._out:
            self._out += data
            return
        sent = self._send(data)
        if sent < len(data) and self.sock is not None:
            self._out = bytearray(memoryview(data)[sent:])

    def end_down(self) -> None:
        """FIN after all that has passed; what would follow is discarded."""
        self.fin = True
        if not self._out and not self._fin_sent:
            self._send_fin()

    def all_sent(self) -> bool:
        """Whether the wire has all that has passed; if not, "writable" will mean it has."""
        if self._out or self.sock is None:
            return False
        with contextlib.suppress(CapabilityMissing):  # elsewhere: what the kernel has taken
            if bytes_unsent(self.sock):
                notify_when_all_sent(self.sock, True)
                return False
        return True

    def notice_reset(self) -> None:
        """End if the client has reset: what is not on the wire then never will be.

        Who waits for that is told of a reset as of room to write, and so for ever.
        """
        with contextlib.suppress(CapabilityMissing):
            if (
                self.sock is not None
                and bytes_unsent(self.sock)
                and tcp_state(self.sock) is TcpState.CLOSE
            ):
                self.end(Ended.RESET_BY_CLIENT, "reset")

    def unsent(self) -> int:
        """Bytes that have passed all faults and are not on the wire."""
        unsent = len(self._out or b"")
        with contextlib.suppress(CapabilityMissing):
            unsent += bytes_unsent(self.sock) if self.sock is not None else 0
        # The kernel counts FIN as a byte.
        return unsent - 1 if unsent and self._fin_sent else unsent

    def _send(self, data: bytes | memoryview) -> int:
        if self.sock is None:
            return 0
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.end(Ended.RESET_BY_CLIENT, "reset")
            return 0
        self.host.note(self.record, Direction.DOWN, data[:sent])
        return sent

    def _flush(self) -> None:
        if self._out:
            with memoryview(self._out) as view:
                sent = self._send(view[:_WRITE_BYTES])
            if self.sock is None or self._out is None:
                return
            del self._out[:sent]
            if self._out:
                return
            self._out = None
        if self.fin and not self._fin_sent:
            self._send_fin()

    def _send_fin(self) -> None:
        if self.sock is None:
            return
        if not self.up_end and (self.finished or self.is_closing):
            # The client may see it as soon as it is sent.
            self.record.ended = Ended.CLOSED_BY_SERVER
        shut_down_writing(self.sock)
        self._fin_sent = True

    @property
    def is_struck(self) -> bool:
        """Whether a fault has ended our direction, though the socket may still be read."""
        return self.fin and not self.finished

    @property
    def is_closing(self) -> bool:
        """Whether a fault is closing the connection in good order."""
        return self.interpreter is not None and self.interpreter.closing

    def silence(self) -> None:
        """Nothing will pass any more: a behaviour that plays no thread's part is not needed."""
        if self.machine is not None and not hasattr(self.machine, "lose"):
            self.machine = _SILENT

    # Small things.

    def later(self, seconds: float, work: Callable[[], object]) -> Timer:
        """Do some work in a while, unless the connection has ended by then."""
        timer = self.host.loop.call_at(now() + seconds, lambda: self._guarded(work))
        self._timers = [one for one in self._timers or () if one.callback is not None]
        self._timers.append(timer)
        return timer

    def close(self) -> None:
        """Both sides have ended, or the patience has: give up the socket, without RST."""
        self.end(Ended.CLOSED_BY_CLIENT if self.up_end else Ended.CLOSED_BY_SERVER)

    def _pump(self) -> None:
        if self.interpreter is not None:
            self.interpreter.run()
        busy = self.interpreter is not None and self.interpreter.is_busy
        if self.finished and self._fin_sent and not busy:
            if self.up_end:
                # Both ends are there: the kernel delivers what a slow reader has still to read.
                self.end(Ended.CLOSED_BY_CLIENT, delivers=True)
            elif self._linger is None:
                self._linger = self.later(self.host.patience_seconds, self.close)
        self._set_interest()
        make_room = getattr(self.machine, "make_room", None)
        if make_room is not None:
            make_room()

    def _need_interpreter(self) -> Interpreter:
        if self.interpreter is None:
            self.interpreter = Interpreter(self, ())
        return self.interpreter

    def _set_interest(self) -> None:
        if self.sock is None:
            return
        interpreter = self.interpreter
        reads = not self.up_end and not getattr(self.machine, "full", False)
        if interpreter is not None:
            reads = interpreter.reads(reads)
        mask = READ if reads else 0
        if self._out or (interpreter is not None and interpreter.waits_until_sent):
            mask |= WRITE
        if mask == self._mask:
            return
        # A descriptor that waits for nothing must go: epoll reports errors and hang-ups
        # even for an empty mask, and a level-triggered loop would spin on them.
        loop, fd = self.host.loop, self.sock.fileno()
        if not self._mask:
            loop.watch(fd, mask, self.on_event)
        elif mask:
            loop.rewatch(fd, mask, self.on_event)
        else:
            loop.unwatch(fd)
        self._mask = mask

    def _forget(self, ended: Ended, reason: str) -> None:
        """Leave the loop and tell the server; the caller closes the socket right after."""
        if self._mask and self.sock is not None:
            self.host.loop.unwatch(self.sock.fileno())
            self._mask = 0
        for timer in self._timers or ():
            timer.cancel()
        self._timers = self._out = None
        self.sock = None
        if self.interpreter is not None:
            self.interpreter.leave(self.record)
            self.interpreter = None
        machine, self.machine = self.machine, None
        self.host.ended(self, machine, ended, reason)

    def _guarded(self, work: Callable[[], object]) -> None:
        """An exception ends this connection and reaches the test; never the loop."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall know
            self.host.report(error, self.record)
            self.end(Ended.RESET_BY_SERVER)
