"""Insert bytes that nobody sent.

The bytes come from a generator with a fixed seed, so a run is repeatable; the first of them
is never printable ASCII, so that no text protocol takes them for the start of a message.

Source: RFC 9112 section 2.2 (what a recipient does with octets that match no grammar).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar

from wirecut.faults import at
from wirecut.faults.at import Moment
from wirecut.faults.fault import Fault
from wirecut.validation import check_count
from wirecut.wire.action import Action, Transform, View

__all__ = ["Garbage"]


@dataclass(frozen=True, slots=True)
class Garbage(Fault):
    """Insert noise at the moment.

    Attributes:
        size_bytes: How many bytes, >= 1.
        seed: Which noise, >= 0; the same seed gives the same bytes.

    Raises:
        MisuseError: A value is out of its range.
    """

    size_bytes: int = 16
    seed: int = 0
    at: Moment = field(default=at.down(0), kw_only=True)

    word: ClassVar[str] = "garbage"
    peer_sees: ClassVar[str] = "that many bytes of noise, then the stream goes on"
    source: ClassVar[str] = "RFC 9112 section 2.2 (octets that match no grammar)"
    acts_on_bytes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("size_bytes", self.size_bytes, minimum=1)
        check_count("seed", self.seed)
        Fault.__post_init__(self)

    @property
    def noise(self) -> bytes:
        """The bytes that are inserted."""
        # Mersenne Twister's sequence for a seed is promised by the standard library.
        noise = bytearray(random.Random(self.seed).randbytes(self.size_bytes))  # noqa: S311 - noise, not secrets
        noise[0] |= 0x80
        return bytes(noise)

    def act(self, view: View) -> tuple[Action, ...]:
        """Insert, and be done."""
        del view
        return (Transform(0, self.noise),)
