"""The text form: it reads back, a shell takes it as it is, and bad text is one sentence."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import faults
from wirecut import (
    Corrupt,
    Delay,
    Dribble,
    Fault,
    ForgedReset,
    Garbage,
    MisuseError,
    Partition,
    Refuse,
    Reset,
    Stall,
    Throttle,
    Unreachable,
    Vanish,
    at,
    exchange,
    first,
    nth,
    parse_fault,
)
from wirecut.faults import EFFECTS, as_fault, as_faults

pytestmark = pytest.mark.pure

ALL_WORDS = (
    "reset, close, half_close, stall, delay, throttle, dribble, corrupt, drop, duplicate, "
    "garbage, refuse, blackhole, unreachable, forged_reset, partition, lose, vanish"
)
ALL_MOMENTS = (
    "one of connect, accept, up:N, down:N, up.end, down.end, pattern:up:TEXT, "
    "pattern:down:TEXT, request.end (N is a count of bytes, >= 0)"
)
ALL_SELECTIONS = "one of every, first:N, nth:K, exchange:K (from 1)"


def message_of(text: object) -> str:
    with pytest.raises(MisuseError) as raised:
        parse_fault(text)  # type: ignore[arg-type] # wrong on purpose
    return str(raised.value)


@given(faults())
def test_the_text_of_any_fault_reads_back_and_needs_no_quotes(fault: Fault) -> None:
    assert parse_fault(fault.text) == fault
    assert re.fullmatch(r"[A-Za-z0-9.:/_-]+", fault.text)
    assert shlex.quote(fault.text) == fault.text
    assert str(fault) == fault.text


@given(st.text(max_size=20) | st.from_regex(r"[a-z]{4,6}(:\S{0,4})?/\S{0,9}", fullmatch=True))
def test_any_other_text_is_a_fault_or_one_sentence(text: str) -> None:
    try:
        assert isinstance(parse_fault(text), Fault)
    except MisuseError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("word", list(EFFECTS))
def test_every_effect_has_a_text_of_one_word_with_its_default_moment(word: str) -> None:
    assert parse_fault(word) == EFFECTS[word]()
    assert EFFECTS[word].word == word


def test_the_effects_are_listed_in_the_order_in_which_a_user_meets_them() -> None:
    assert ", ".join(EFFECTS) == ALL_WORDS


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset/down:117", Reset(at=at.down(117))),
        ("reset/optional", Reset(optional=True)),
        ("delay:0.5/request.end", Delay(0.5)),
        ("delay:1e-3", Delay(0.001)),
        ("stall:down/down:0/first:2", Stall("down", at=at.down(0), on=first(2))),
        ("stall:both:0.25", Stall("both", 0.25)),
        ("dribble:3:0.1/up:2", Dribble(3, 0.1, at=at.up(2))),
        ("garbage:16:7", Garbage(16, 7)),
        ("refuse/connect/first:2", Refuse(on=first(2))),
        ("reset/connect/nth:3", Reset(at=at.connect, on=nth(3))),
        ("delay:0.05/connect", Delay(0.05, at=at.connect)),
        ("unreachable:net/connect/nth:2", Unreachable("net", on=nth(2))),
        ("forged_reset:client/up:3", ForgedReset("client", at=at.up(3))),
        ("partition/up:3", Partition(at=at.up(3))),
        ("partition:both:0.3/down:3", Partition("both", 0.3, at=at.down(3))),
        ("vanish/down:0", Vanish(at=at.down(0))),
        (
            "corrupt/down:2/exchange:3/optional",
            Corrupt(at=at.down(2), on=exchange(3), optional=True),
        ),
        (
            "throttle:9/pattern:down:a_2Fb:2",
            Throttle(9, at=at.pattern(b"a/b", direction="down", nth=2)),
        ),
    ],
)
def test_a_text_is_its_fault(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(fault.text) == fault


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Reset(), "reset/request.end"),
        (Delay(1), "delay/request.end"),
        (Delay(1e-7), "delay:0.0000001/request.end"),
        (Delay(1e22), "delay:10000000000000000000000/request.end"),
        (Stall("up"), "stall:up/request.end"),
        (Stall(seconds=2), "stall:both:2.0/request.end"),
        (Garbage(16, 7), "garbage:16:7/down:0"),
        (Garbage(7), "garbage:7/down:0"),
        (Reset(on=first(1), optional=True), "reset/request.end/first:1/optional"),
        (Reset(optional=True), "reset/request.end/optional"),
    ],
)
def test_values_that_are_defaults_are_left_out_at_the_end(fault: Fault, text: str) -> None:
    assert fault.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rset", f"unknown effect 'rset' (did you mean reset?); one of {ALL_WORDS}"),
        ("zzz", f"unknown effect 'zzz'; one of {ALL_WORDS}"),
        ("", f"unknown effect ''; one of {ALL_WORDS}"),
        ("reset/nowhere", f"unknown moment 'nowhere'; {ALL_MOMENTS}"),
        ("reset/down:-1", f"unknown moment 'down:-1'; {ALL_MOMENTS}"),
        ("reset/down:\u0663", f"unknown moment 'down:\u0663'; {ALL_MOMENTS}"),
        ("reset//", f"unknown moment ''; {ALL_MOMENTS}"),
        ("reset/first:1", f"unknown moment 'first:1'; {ALL_MOMENTS}"),
        ("reset/accept/second", f"unknown selection 'second'; {ALL_SELECTIONS}"),
        ("reset/accept/nth:-1", f"unknown selection 'nth:-1'; {ALL_SELECTIONS}"),
        ("reset/accept/nth:0", "nth must be >= 1, got 0"),
        ("reset/accept/first:0", "first must be >= 1, got 0"),
        ("reset/up:1/exchange:0", "exchange must be >= 1, got 0"),
        (
            "reset/accept/every/more",
            (
                "fault 'reset/accept/every/more' has more parts than "
                "effect/moment/selection/optional: 'more'"
            ),
        ),
        ("reset/optional/accept", f"unknown moment 'optional'; {ALL_MOMENTS}"),
        ("reset:1", "reset takes at most 0 values, as reset, got '1'"),
        (
            "garbage:1:2:3",
            ("garbage takes at most 2 values, as garbage:[size_bytes]:[seed], got '1:2:3'"),
        ),
        ("drop:-1", "drop: size_bytes must be a whole number, got '-1'"),
        ("drop:x", "drop: size_bytes must be a whole number, got 'x'"),
        ("drop:0", "size_bytes must be >= 1, got 0"),
        ("drop:", "drop: size_bytes must be a whole number, got ''"),
        ("delay:soon", "delay: seconds must be a number of seconds, got 'soon'"),
        ("delay:sNaN", "delay: seconds must be a number of seconds, got 'sNaN'"),
        ("delay:1_0", "delay: seconds must be a number of seconds, got '1_0'"),
        ("delay: 1", "delay: seconds must be a number of seconds, got ' 1'"),
        ("delay:-1", "seconds must be >= 0 seconds, got -1.0"),
        ("delay:1e999", "seconds must be finite, got inf"),
        ("stall:left", "direction must be one of both, up, down, got 'left'"),
        ("stall:up:0", "seconds must be > 0, or None for ever, got 0.0"),
        (
            "close/connect",
            (
                "close needs a connection, and at connect there is none yet; the faults at "
                "connect are refuse, blackhole, unreachable, reset and delay, and the earliest "
                "moment for close is accept"
            ),
        ),
        ("refuse/accept", "refuse happens at connect, got accept; write refuse/connect"),
        (
            "drop/accept",
            (
                "drop acts on the bytes of one direction, and accept has none; write "
                "drop/up:0 or drop/down:0"
            ),
        ),
        (
            "drop/up.end",
            ("drop needs a byte after the moment, and after up.end there is none; write up:N"),
        ),
        (
            "reset/accept/exchange:2",
            (
                "exchange:2 goes with a moment inside an exchange (up:N, "
                "down:N, pattern, request.end), not with accept"
            ),
        ),
        (
            "reset/down.end/exchange:2",
            (
                "exchange:2 goes with a moment inside an exchange (up:N, "
                "down:N, pattern, request.end), not with down.end"
            ),
        ),
        (b"reset", "a fault's text must be a string, got b'reset'"),
    ],
)
def test_bad_text_is_one_sentence(text: object, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize("text", ["drop:{}", "reset/down:{}", "reset/accept/nth:{}"])
def test_a_number_of_any_length_is_read_or_refused_in_our_words(text: str) -> None:
    assert parse_fault(text.format("9" * 640)).text == text.format("9" * 640) + (
        "/down:0" if text.startswith("drop") else ""
    )
    assert message_of(text.format("9" * 5000))


def test_a_fault_or_its_text_will_do() -> None:
    assert as_fault("reset") == as_fault(Reset()) == Reset()
    assert as_faults("reset") == as_faults(Reset()) == (Reset(),)
    assert as_faults(["reset", Delay()]) == (Reset(), Delay())
    assert as_faults(()) == ()


def test_anything_else_is_no_fault() -> None:
    with pytest.raises(MisuseError) as raised:
        as_fault(7)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == (
        "fault must be a fault such as Reset() or its text such as 'reset/down:117', got 7"
    )
