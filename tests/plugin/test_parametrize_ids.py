"""Faults are the ids of the tests that are parametrized by them."""

from __future__ import annotations

from tests.plugin.conftest import Suite

SOURCE = """
    import pytest
    from wirecut import Delay, Reset, Stall, at, first

    @pytest.mark.parametrize("fault", [
        Reset(at=at.down(117)),
        Stall(on=first(2)),
        Delay(0.5),
        "refuse/connect",
        "reset/up:3/nth:2",
    ])
    def test_fault(fault): ...

    @pytest.mark.parametrize("other", [object(), 5, b"bytes"])
    def test_other(other): ...
"""


def test_a_fault_and_its_text_have_the_text_as_id(suite: Suite) -> None:
    result = suite(SOURCE, "--collect-only", "-q")
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == [
        "test_fault[reset/down:117]",
        "test_fault[stall/request.end/first:2]",
        "test_fault[delay:0.5/request.end]",
        "test_fault[refuse/connect]",
        "test_fault[reset/up:3/nth:2]",
        "test_other[other0]",
        "test_other[5]",
        "test_other[bytes]",
    ]


def test_such_an_id_can_be_selected(suite: Suite) -> None:
    suite(SOURCE, "-k", "reset/down:117").assert_outcomes(passed=1, deselected=7)
    suite(SOURCE, "test_it.py::test_fault[refuse/connect]").assert_outcomes(passed=1)
