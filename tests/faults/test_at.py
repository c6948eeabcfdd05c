"""Moments: their text reads back, and what is none is one sentence."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import moments
from wirecut import MisuseError, at
from wirecut.faults.at import Moment, Offset, Pattern, StreamEnd, parse_moment
from wirecut.wire.action import Direction

pytestmark = pytest.mark.pure


@given(moments)
def test_the_text_of_any_moment_reads_back(moment: Moment) -> None:
    assert parse_moment(moment.text) == moment
    assert re.fullmatch(r"[A-Za-z0-9.:_-]+", moment.text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (at.connect, "connect"),
        (at.accept, "accept"),
        (at.up(0), "up:0"),
        (at.down(117), "down:117"),
        (at.up.end, "up.end"),
        (at.down.end, "down.end"),
        (at.request.end, "request.end"),
        (at.pattern(b"QUIT\r\n"), "pattern:up:QUIT_0D_0A"),
        (at.pattern(b"a-b_c/"), "pattern:up:a-b_5Fc_2F"),
        (at.pattern(b"\xff", direction="down", nth=3), "pattern:down:_FF:3"),
    ],
)
def test_each_moment_has_its_text(moment: Moment, text: str) -> None:
    assert moment.text == text
    assert parse_moment(text) == moment


def test_the_short_names_are_the_values() -> None:
    assert at.up(3) == Offset(Direction.UP, 3)
    assert at.down(3) == Offset(Direction.DOWN, 3)
    assert at.up.end == StreamEnd(Direction.UP)
    assert at.down.end == StreamEnd(Direction.DOWN)
    assert at.pattern(b"a") == Pattern(b"a") == Pattern(b"a", Direction.UP, 1)
    assert at.pattern(b"a", direction="down", nth=2) == Pattern(b"a", Direction.DOWN, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "up",
        "up:",
        "up:x",
        "up:-1",
        "up:1:2",
        "up: 1",
        "up:\u00b2",
        "side:1",
        "UP:1",
        "Connect",
        "pattern",
        "pattern:up",
        "pattern:up:",
        "pattern:side:a",
        "pattern:up:a:x",
        "pattern:up:a:1:2",
        "pattern:up:_0d",
        "pattern:up:_G0",
        "pattern:up:a b",
        "pattern:up:a\n",
        "pattern:up:a:",
        "up.",
        "request.head",
        "regex:up:a",
    ],
)
def test_what_is_no_moment_is_one_sentence(text: str) -> None:
    with pytest.raises(MisuseError) as raised:
        parse_moment(text)
    assert str(raised.value) == (
        f"unknown moment {text!r}; one of connect, accept, up:N, down:N, up.end, down.end, "
        "pattern:up:TEXT, pattern:down:TEXT, request.end (N is a count of bytes, >= 0)"
    )


def test_values_out_of_their_range_are_one_sentence() -> None:
    def message(make: object, *values: object, **named: object) -> str:
        assert callable(make)
        with pytest.raises(MisuseError) as raised:
            make(*values, **named)
        return str(raised.value)

    assert message(at.up, -1) == "up must be >= 0, got -1"
    assert message(at.down, 1.5) == "down must be a whole number, got 1.5"
    assert message(at.down, True) == "down must be a whole number, got True"
    assert message(at.pattern, b"") == "pattern must be bytes, at least one, got b''"
    assert message(at.pattern, "a") == "pattern must be bytes, at least one, got 'a'"
    assert message(at.pattern, b"a", nth=0) == "nth must be >= 1, got 0"
    assert message(at.pattern, b"a", direction="both") == (
        "direction must be one of up, down, got 'both'"
    )
    assert message(parse_moment, "pattern:up:a:0") == "nth must be >= 1, got 0"


@given(st.binary(min_size=1, max_size=30))
def test_any_bytes_can_be_a_pattern(data: bytes) -> None:
    assert parse_moment(at.pattern(data).text) == at.pattern(data)
