"""Flip bits of the bytes right after the moment.

TCP's checksum does not protect against a broken middlebox, disk or memory on the way: what
arrives is well-formed for TCP and wrong for the application.

Source: RFC 9293 section 3.1 (the checksum covers one hop's segment, not the data's origin).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_count
from wirecut.wire.action import Action, Again, Transform, View

__all__ = ["Corrupt"]


@dataclass(frozen=True, slots=True)
class Corrupt(Fault):
    """Flip the first bits of what follows, lowest bit of each byte first.

    Attributes:
        bits: How many, >= 1; eight for every whole byte.

    Raises:
        MisuseError: ``bits`` is not a whole number >= 1.
    """

    bits: int = 1
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "corrupt"
    peer_sees: ClassVar[str] = "as many bytes as usual, the flipped ones wrong"
    source: ClassVar[str] = "RFC 9293 section 3.1 (checksum)"
    needs_bytes: ClassVar[bool] = True
    acts_on_bytes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("bits", self.bits, minimum=1)
        Fault.__post_init__(self)

    @property
    def window_bytes(self) -> int:
        """The bytes that hold the bits."""
        return (self.bits + 7) // 8

    def act(self, view: View) -> tuple[Action, ...]:
        """Flip what has come; ask again for the rest."""
        size = min(view.waiting, self.window_bytes - view.done)
        flipped = bytes(
            byte ^ self._mask(view.done + index) for index, byte in enumerate(view.head[:size])
        )
        again = () if view.done + size == self.window_bytes or view.end else (Again(),)
        return (Transform(size, flipped), *again)

    def _mask(self, index: int) -> int:
        return (1 << min(8, self.bits - 8 * index)) - 1
