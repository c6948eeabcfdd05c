"""What a server does with its connections: what the user gave, as machines.

==========================  ================================================================
``None``                    read, remember, say nothing; close when the client does
``bytes``                   wait for the first input, send them, close in good order
a :class:`Script`           a conversation planned in advance
an :class:`HttpReply`       the same HTTP response to every request
a function of a ``Peer``    a handler, on a worker thread
a fault or its text         read, remember, and be struck
a list of these             one per connection, each once; one connection too many is reset
                            and fails the test, unless the last one is ``forever(...)``
==========================  ================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from wirecut.errors import MisuseError
from wirecut.faults.fault import Fault
from wirecut.faults.selection import EVERY
from wirecut.faults.text import EFFECTS, as_fault
from wirecut.script.machine import Answer, Machine, Silent
from wirecut.server.worker import Handling, Peer

__all__ = ["Behaviour", "Behaviours", "Forever", "forever"]


@runtime_checkable
class _MakesMachines(Protocol):
    def machine(self) -> Machine: ...


Single: TypeAlias = bytes | Fault | str | _MakesMachines | Callable[[Peer], Any] | None


@dataclass(frozen=True, slots=True)
class Forever:
    """The last behaviour of a list, for all connections that are left."""

    behaviour: Single


Behaviour: TypeAlias = Single | Sequence[Single | Forever]


def forever(behaviour: Single) -> Forever:
    """Let the last behaviour of a list serve every further connection too."""
    return Forever(_checked(behaviour))


class Behaviours:
    """Gives each connection its machine, and the faults that come with it.

    Raises:
        MisuseError: Something given is no behaviour, or ``forever`` is not the last one.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.reply_bytes: int | None = None
        self._last: Single = None
        self._repeats = True
        self._given: list[Single] = []
        if isinstance(behaviour, list | tuple):
            self._take_list(behaviour)
            return
        if isinstance(behaviour, Forever):
            behaviour = behaviour.behaviour
        self._last = _checked(behaviour)
        if isinstance(behaviour, bytes):
            self.reply_bytes = len(behaviour)

    def _take_list(self, items: Sequence[Single | Forever]) -> None:
        if not items:
            raise MisuseError("behaviour is an empty list: give at least one, or None")
        self._repeats = False
        for index, item in enumerate(items):
            if not isinstance(item, Forever):
                self._given.append(_checked(item))
            elif index == len(items) - 1:
                self._repeats, self._last = True, item.behaviour
            else:
                raise MisuseError(
                    f"forever(...) must be the last behaviour of a list, and it is number "
                    f"{index + 1} of {len(items)}"
                )

    @property
    def given(self) -> int:
        """How many behaviours are for one connection each."""
        return len(self._given)

    @property
    def faults(self) -> list[Fault]:
        """The faults among the behaviours."""
        return [one for one in (*self._given, self._last) if isinstance(one, Fault)]

    def faults_of(self, index: int) -> tuple[Fault, ...]:
        """The fault that is the behaviour of connection ``index``, if it is one."""
        one = self._given[index] if index < len(self._given) else self._last
        return (one,) if isinstance(one, Fault) else ()

    def for_connection(self, index: int) -> tuple[Machine, tuple[Fault, ...]] | None:
        """The behaviour of connection ``index``, from 0; None if there is none left."""
        if index < len(self._given):
            return _machine(self._given[index])
        return _machine(self._last) if self._repeats else None


def _checked(behaviour: object) -> Any:  # noqa: ANN401 - narrowed by the checks below
    if behaviour is None or isinstance(behaviour, _MakesMachines):
        return behaviour
    if isinstance(behaviour, bytes):
        if not behaviour:
            raise MisuseError("a behaviour of b'' sends nothing: use None to say nothing")
        return behaviour
    if isinstance(behaviour, str) and behaviour.split(":")[0].split("/")[0] not in EFFECTS:
        raise MisuseError(
            f"a behaviour given as text is a fault's, and {behaviour!r} is none; to send it, "
            f"give bytes: b{behaviour!r}"
        )
    if isinstance(behaviour, Fault | str):
        fault = as_fault(behaviour)
        if fault.at_connect or fault.on != EVERY:
            raise MisuseError(
                f"{fault} as a behaviour strikes its own connection: no selection and no fault "
                "at connect; give it to faults= instead"
            )
        return fault
    if callable(behaviour):
        return behaviour
    raise MisuseError(
        f"a behaviour is bytes, a Script, an HttpReply, a function of a Peer, a fault, None, "
        f"or a list of these, got {behaviour!r}"
    )


def _machine(behaviour: Any) -> tuple[Machine, tuple[Fault, ...]]:  # noqa: ANN401 - see _checked
    if behaviour is None:
        return Silent(), ()
    if isinstance(behaviour, bytes):
        return Answer(behaviour), ()
    if isinstance(behaviour, Fault):
        return Silent(), (behaviour,)
    if isinstance(behaviour, _MakesMachines):
        return behaviour.machine(), ()
    return Handling(behaviour), ()
