"""Scanners: the same places for any split, as a search of the whole would find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import segments
from wirecut.faults.scan import PatternScanner

pytestmark = pytest.mark.pure

letters = st.lists(st.sampled_from([b"a", b"b"]), max_size=16).map(b"".join)


@given(
    data=letters,
    wanted=letters.filter(bool).map(lambda one: one[:4]),
    nth=st.integers(1, 3),
    position=st.integers(0, 5),
    draw=st.data(),
)
def test_the_nth_match_is_found_across_any_split(
    data: bytes, wanted: bytes, nth: int, position: int, draw: st.DataObject
) -> None:
    parts = data.split(wanted)
    place = sum(map(len, parts[:nth])) + nth * len(wanted) + position
    scanner = PatternScanner(wanted, nth, position)
    found = [scanner.feed(piece) for piece in draw.draw(segments(data))]
    assert [one for one in found if one is not None] == ([place] if len(parts) > nth else [])
    assert scanner.position == position + len(data)


def test_a_match_is_found_once_and_matches_do_not_overlap() -> None:
    scanner = PatternScanner(b"aa", 2)
    assert [scanner.feed(b"a") for _ in range(6)] == [None, None, None, 4, None, None]


def test_it_keeps_no_more_than_what_can_still_become_a_match() -> None:
    scanner = PatternScanner(b"abc", 1)
    scanner.feed(b"x" * 1000)
    assert len(scanner._tail) == 2
    scanner.feed(b"abc")
    assert scanner._tail == b""
