"""A connection's transcript: its bytes in the order they passed, cut and masked."""

from __future__ import annotations

import pytest

from wirecut.report import Event, Stream, Talk, Transfer, render_talk
from wirecut.wire.action import Direction

pytestmark = pytest.mark.pure

UP, DOWN = Direction.UP, Direction.DOWN
NOTHING = Stream(b"")


def rendered(
    *sizes: int, up: Stream = NOTHING, down: Stream = NOTHING, direction: Direction = UP
) -> list[str]:
    transfers = tuple(Transfer(n / 1000, direction, size) for n, size in enumerate(sizes))
    return render_talk(Talk("title", up, down, transfers)).splitlines()


def test_what_passed_struck_and_ended_stands_in_the_order_of_time() -> None:
    talk = Talk(
        "connection 0 from 127.0.0.1 port 5",
        Stream(b"Hello\x00"),
        Stream(b"A\r\nB"),
        (Transfer(0.25, UP, 6), Transfer(0.5, DOWN, 3), Transfer(1.0, DOWN, 1)),
        (Event(1.0, "struck by reset/down:4"), Event(1.5, "reset by server")),
    )
    assert render_talk(talk).splitlines() == [
        "connection 0 from 127.0.0.1 port 5",
        r"  0.250000 s  up 6 bytes       b'Hello\x00'",
        r"  0.500000 s  down 3 bytes     b'A\r\n'",
        "  1.000000 s  down 1 byte      b'B'",
        "  1.000000 s  struck by reset/down:4",
        "  1.500000 s  reset by server",
    ]


def test_an_event_between_two_transfers_stands_between_them() -> None:
    talk = Talk(
        "t",
        Stream(b"ab"),
        Stream(b""),
        (Transfer(1, UP, 1), Transfer(3, UP, 1)),
        (Event(2, "x"),),
    )
    assert [line.split()[2] for line in render_talk(talk).splitlines()[1:]] == ["up", "x", "up"]


def test_three_hundred_bytes_are_shown_whole() -> None:
    data = bytes(range(100, 125)) * 12
    (_, line) = rendered(300, up=Stream(data))
    assert line.endswith(repr(data))


def test_of_more_than_three_hundred_bytes_only_the_ends_are_shown() -> None:
    data = b"a" * 240 + b"x" * 1000 + b"z" * 60
    (_, line) = rendered(1300, up=Stream(data))
    assert line.endswith(f"{b'a' * 240!r} ... 1,000 bytes ... {b'z' * 60!r}")
    assert "up 1,300 bytes" in line


def test_of_more_than_seventy_five_binary_bytes_only_the_ends_are_shown() -> None:
    assert rendered(75, up=Stream(b"\xff" * 75))[1].endswith(repr(b"\xff" * 75))
    data = b"\xfe" + b"\xff" * 76
    (_, line) = rendered(77, up=Stream(data))
    assert line.endswith(f"{data[:60]!r} ... 2 bytes ... {data[-15:]!r}")


def test_of_many_lines_only_the_first_and_the_last_are_shown() -> None:
    lines = rendered(*[1] * 100, down=Stream(bytes(range(100))), direction=DOWN)
    assert len(lines) == 1 + 16 + 1 + 8
    assert lines[16].endswith(repr(bytes([15])))
    assert lines[17] == "  ... 76 more lines ..."
    assert lines[-1].endswith(repr(bytes([99])))


def test_control_twenty_four_lines_are_all_shown() -> None:
    lines = rendered(*[1] * 24, up=Stream(bytes(24)))
    assert len(lines) == 25
    assert not [line for line in lines if "more lines" in line]


def test_what_the_journal_has_not_kept_is_said_and_the_rest_is_in_its_place() -> None:
    stream = Stream(b"abYZ", left_out=3)  # ab...YZ
    shown = [line[-12:].strip() for line in rendered(1, 1, 2, 1, 2, up=stream)[1:]]
    assert shown == ["b'a'", "b'b'", "(not kept)", "(not kept)", "b'YZ'"]
    assert rendered(3, 4, up=stream)[1].endswith("(not kept)")


def test_bytes_of_no_transfer_stand_at_the_end_without_a_time() -> None:
    lines = rendered(2, up=Stream(b"ab" + b"rest"), down=Stream(b"D"))
    assert lines[1:] == [
        "  0.000000 s  up 2 bytes       b'ab'",
        "              up 4 bytes       b'rest'",
        "              down 1 byte      b'D'",
    ]


def test_a_secret_that_came_in_pieces_is_hidden_in_each() -> None:
    data = b"Cookie: abcdef\r\nHost: x\r\n"
    lines = rendered(4, 8, 4, 9, up=Stream(data))
    assert "".join(line[line.index("b'") :] for line in lines[1:]) == (
        r"b'Cook'b'ie: ****'b'**\r\n'b'Host: x\r\n'"
    )


def test_both_directions_and_the_events_are_masked() -> None:
    talk = Talk(
        "t",
        Stream(b"token=abc"),
        Stream(b"Set-Cookie: abc\r\n"),
        (Transfer(0, UP, 9), Transfer(0, DOWN, 17)),
        (Event(0, "struck at token=abc"),),
    )
    assert "abc" not in render_talk(talk)
    assert render_talk(talk).count("***") == 3
