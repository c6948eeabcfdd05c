"""Programs for the kernel's packet filter, written as named instructions and labels.

The machine is classic BPF: an accumulator A, an index X, a few words of memory M, and jumps
that only go forward, so that every program ends.  All arithmetic is on 32 bits without
sign, which is also how sequence numbers count.  A load past the packet's end drops it.

Sources: Linux ``Documentation/networking/filter.rst``, ``include/uapi/linux/filter.h``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wirecut.errors import MisuseError

__all__ = [
    "Instruction",
    "Program",
    "add_x",
    "and_bits",
    "assemble",
    "copy_to_x",
    "go_to",
    "if_above_x",
    "if_any_bit",
    "if_at_least",
    "if_at_least_x",
    "if_equal",
    "keep",
    "load",
    "load_byte",
    "load_half",
    "load_half_past_x",
    "load_length",
    "load_word",
    "load_x",
    "load_x_ip_header_length",
    "negate",
    "recall",
    "recall_x",
    "shift_right",
    "subtract_x",
    "take_all",
    "take_first_a",
    "take_nothing",
]

_MOST_INSTRUCTIONS: Final = 4096  # BPF_MAXINSNS
_LONGEST_JUMP: Final = 255
_GO_TO: Final = 0x05
_ALL: Final = 0xFFFF_FFFF
_WORD: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step of a program.

    Attributes:
        code: Its opcode in the kernel's numbering.
        operand: Its constant.
        yes: The label to go on at if a condition holds; None is the next step.
        no: The label to go on at if it does not.
    """

    code: int
    operand: int = 0
    yes: str | None = None
    no: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """An assembled program, as the kernel takes it (``struct sock_filter``, 8 bytes each)."""

    encoded: bytes

    @property
    def steps(self) -> tuple[tuple[int, int, int, int], ...]:
        """``(code, skip if true, skip if false, operand)`` of every instruction."""
        return tuple(struct.iter_unpack("=HBBI", self.encoded))


def load_byte(offset: int) -> Instruction:
    """A = the byte there."""
    return Instruction(0x30, offset)


def load_half(offset: int) -> Instruction:
    """A = the two bytes there, most significant first."""
    return Instruction(0x28, offset)


def load_half_past_x(offset: int) -> Instruction:
    """A = the two bytes at X + offset."""
    return Instruction(0x48, offset)


def load_word(offset: int) -> Instruction:
    """A = the four bytes there."""
    return Instruction(0x20, offset)


def load_length() -> Instruction:
    """A = the length of all there is."""
    return Instruction(0x80)


def load(constant: int) -> Instruction:
    """A = a constant."""
    return Instruction(0x00, constant & _WORD)


def load_x(constant: int) -> Instruction:
    """X = a constant."""
    return Instruction(0x01, constant & _WORD)


def load_x_ip_header_length() -> Instruction:
    """X = the length of the IPv4 header at offset 0."""
    return Instruction(0xB1, 0)


def keep(slot: int) -> Instruction:
    """M[slot] = A."""
    return Instruction(0x02, slot)


def recall(slot: int) -> Instruction:
    """A = M[slot]."""
    return Instruction(0x60, slot)


def recall_x(slot: int) -> Instruction:
    """X = M[slot]."""
    return Instruction(0x61, slot)


def and_bits(bits: int) -> Instruction:
    """A &= bits."""
    return Instruction(0x54, bits)


def shift_right(count: int) -> Instruction:
    """A >>= count."""
    return Instruction(0x74, count)


def subtract_x() -> Instruction:
    """A -= X, modulo 2**32."""
    return Instruction(0x1C)


def add_x() -> Instruction:
    """A += X, modulo 2**32."""
    return Instruction(0x0C)


def negate() -> Instruction:
    """A = -A, modulo 2**32."""
    return Instruction(0x84)


def copy_to_x() -> Instruction:
    """X = A."""
    return Instruction(0x07)


def go_to(label: str) -> Instruction:
    """Go on there, however far."""
    return Instruction(_GO_TO, yes=label)


def if_equal(constant: int, *, yes: str | None = None, no: str | None = None) -> Instruction:
    """If A == constant."""
    return Instruction(0x15, constant, yes, no)


def if_at_least(constant: int, *, yes: str | None = None, no: str | None = None) -> Instruction:
    """If A >= constant, unsigned."""
    return Instruction(0x35, constant, yes, no)


def if_any_bit(bits: int, *, yes: str | None = None, no: str | None = None) -> Instruction:
    """If A has one of these bits."""
    return Instruction(0x45, bits, yes, no)


def if_above_x(*, yes: str | None = None, no: str | None = None) -> Instruction:
    """If A > X, unsigned."""
    return Instruction(0x2D, 0, yes, no)


def if_at_least_x(*, yes: str | None = None, no: str | None = None) -> Instruction:
    """If A >= X, unsigned."""
    return Instruction(0x3D, 0, yes, no)


def take_all() -> Instruction:
    """Let the socket have all of it."""
    return Instruction(0x06, _ALL)


def take_nothing() -> Instruction:
    """Let it never have arrived."""
    return Instruction(0x06, 0)


def take_first_a() -> Instruction:
    """Let the socket have the first A bytes; of TCP never less than the header."""
    return Instruction(0x16)


def assemble(*lines: Instruction | str) -> Program:
    """Turn instructions, and labels between them, into a program.

    Raises:
        MisuseError: A label is missing or too far away, or the program is too long.
    """
    places: dict[str, int] = {}
    instructions: list[Instruction] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(instructions)
        else:
            instructions.append(line)
    if len(instructions) > _MOST_INSTRUCTIONS:
        raise MisuseError(
            f"lines must have <= {_MOST_INSTRUCTIONS} instructions, got {len(instructions)}"
        )
    return Program(
        b"".join(
            _encode(instruction, index, places)
            for index, instruction in enumerate(instructions)
        )
    )


def _encode(instruction: Instruction, index: int, places: Mapping[str, int]) -> bytes:
    if instruction.code == _GO_TO:
        distance = _distance(instruction.yes, index, places)
        return struct.pack("=HBBI", instruction.code, 0, 0, distance)
    skips = [_distance(label, index, places) for label in (instruction.yes, instruction.no)]
    if max(skips) > _LONGEST_JUMP:
        raise MisuseError(f"a condition reaches {_LONGEST_JUMP} steps, got {max(skips)}")
    return struct.pack("=HBBI", instruction.code, *skips, instruction.operand)


def _distance(label: str | None, index: int, places: Mapping[str, int]) -> int:
    if label is None:
        return 0
    if label not in places or places[label] <= index:
        raise MisuseError(f"a label must stand after the jump to it, got {label!r}")
    return places[label] - index - 1
