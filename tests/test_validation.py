"""Checks of arguments: what passes, and the one sentence for what does not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecut import MisuseError
from wirecut.validation import check_choice, check_count, check_seconds, is_count

pytestmark = pytest.mark.pure


@given(st.integers(0))
def test_a_count_is_returned_as_it_is(value: int) -> None:
    assert check_count("n", value) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "n must be >= 0, got -1"),
        (1.0, "n must be a whole number, got 1.0"),
        ("1", "n must be a whole number, got '1'"),
        (True, "n must be a whole number, got True"),
        (None, "n must be a whole number, got None"),
    ],
)
def test_what_is_no_count_is_one_sentence(value: object, message: str) -> None:
    with pytest.raises(MisuseError) as raised:
        check_count("n", value)
    assert str(raised.value) == message


def test_the_borders_of_a_count_belong_to_it() -> None:
    assert check_count("n", 3, minimum=3, maximum=3) == 3
    with pytest.raises(MisuseError, match=r"^n must be >= 3, got 2$"):
        check_count("n", 2, minimum=3)
    with pytest.raises(MisuseError, match=r"^n must be <= 3, got 4$"):
        check_count("n", 4, maximum=3)


@given(st.floats(0, allow_nan=False, allow_infinity=False) | st.integers(0, 10**9))
def test_seconds_are_returned_as_a_float(value: float) -> None:
    seconds = check_seconds("t", value)
    assert seconds == value
    assert type(seconds) is float


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-0.5, "t must be >= 0 seconds, got -0.5"),
        (-math.inf, "t must be >= 0 seconds, got -inf"),
        (-(10**400), f"t must be >= 0 seconds, got {-(10**400)}"),
        (math.nan, "t must be a number of seconds, got nan"),
        (math.inf, "t must be finite, got inf"),
        (10**400, f"t must be finite, got {10**400}"),
        ("1", "t must be a number of seconds, got '1'"),
        (False, "t must be a number of seconds, got False"),
        (None, "t must be a number of seconds, got None"),
    ],
    ids=repr,
)
def test_what_is_no_time_span_is_one_sentence(value: object, message: str) -> None:
    with pytest.raises(MisuseError) as raised:
        check_seconds("t", value)
    assert str(raised.value) == message


@pytest.mark.parametrize("value", [math.inf, 10**400], ids=["inf", "huge"])
def test_infinity_is_a_time_span_where_it_may_be_one(value: float) -> None:
    assert check_seconds("t", value, infinite=True) == math.inf


def test_a_choice_is_one_of_its_words() -> None:
    assert check_choice("way", "up", ("up", "down")) == "up"
    for wrong in ("left", "", None, 1):
        with pytest.raises(MisuseError) as raised:
            check_choice("way", wrong, ("up", "down"))
        assert str(raised.value) == f"way must be one of up, down, got {wrong!r}"


@pytest.mark.parametrize("text", ["0", "007", "9" * 640])
def test_digits_are_a_count(text: str) -> None:
    assert is_count(text)
    assert int(text) >= 0


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1_0", "\u0663", "\u00b2", "1.0", "9" * 641]
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_count(text)
