"""Selections: whom they select, what covers what, and their text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import selections
from wirecut import MisuseError, every, exchange, first, nth
from wirecut.faults.selection import (
    EVERY,
    Exchange,
    First,
    Nth,
    Selection,
    covers,
    parse_selection,
)

pytestmark = pytest.mark.pure

small = st.integers(1, 4)
small_selections = st.one_of(
    st.just(EVERY), st.builds(First, small), st.builds(Nth, small), st.builds(Exchange, small)
)


@given(selections)
def test_the_text_of_any_selection_reads_back(selection: Selection) -> None:
    assert parse_selection(selection.text) == selection


@pytest.mark.parametrize(
    ("selection", "text", "selected"),
    [
        (every, "every", [1, 2, 3, 4]),
        (first(1), "first:1", [1]),
        (first(3), "first:3", [1, 2, 3]),
        (nth(1), "nth:1", [1]),
        (nth(3), "nth:3", [3]),
        (exchange(2), "exchange:2", [1, 2, 3, 4]),
    ],
)
def test_each_selects_its_connections(
    selection: Selection, text: str, selected: list[int]
) -> None:
    assert selection.text == text
    assert [number for number in range(-1, 5) if selection.selects(number)] == selected


@given(small_selections, small_selections)
def test_one_covers_another_if_it_selects_all_that_the_other_does(
    one: Selection, other: Selection
) -> None:
    if isinstance(one, Exchange):
        assert covers(one, other) == (one == other)
        return
    theirs = {number for number in range(1, 9) if other.selects(number)}
    ours = {number for number in range(1, 9) if one.selects(number)}
    # An exchange is on every connection, and 8 stands for all that come later.
    assert covers(one, other) == (theirs <= ours) or (one, other) == (nth(1), first(1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all",
        "first",
        "first:",
        "first:x",
        "first:-1",
        "nth:1:2",
        "every:1",
        "First:1",
        "second:2",
        "nth:\u00b9",
        "exchange: 1",
    ],
)
def test_what_is_no_selection_is_one_sentence(text: str) -> None:
    with pytest.raises(MisuseError) as raised:
        parse_selection(text)
    assert str(raised.value) == (
        f"unknown selection {text!r}; one of every, first:N, nth:K, exchange:K (from 1)"
    )


@pytest.mark.parametrize("make", [first, nth, exchange])
def test_numbers_begin_with_one(make: Callable[..., object]) -> None:
    name = make.__name__
    for value, problem in (
        (0, ">= 1, got 0"),
        (-2, ">= 1, got -2"),
        ("1", "a whole number, got '1'"),
    ):
        with pytest.raises(MisuseError) as raised:
            make(value)
        assert str(raised.value) == f"{name} must be {problem}"
