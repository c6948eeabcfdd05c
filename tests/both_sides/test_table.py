"""Loop, player and fake mean the same: every row of the table, in several segmentations."""

from __future__ import annotations

import pytest

from tests.both_sides.case import Case, Split
from tests.both_sides.fake import Fake
from tests.both_sides.runs import run_loop, run_player
from tests.both_sides.table import CASES
from tests.tier import Tier
from wirecut.wire.action import Direction

SPLITS = [Split(), Split(3, 3), Split(1, 1)]

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.mark.parametrize("outbound", [Direction.UP, Direction.DOWN], ids=["up", "down"])
@every_case
def test_without_a_socket_it_comes_out_as_written(case: Case, outbound: Direction) -> None:
    for how in SPLITS:
        assert Fake(case, outbound, how).outcome == case.expected, how


@every_case
def test_on_the_loop_it_comes_out_as_written(case: Case, tier: Tier) -> None:
    assert case.expected is not None
    for how in tier.points(SPLITS, quick=2):
        stuck = Fake(case, Direction.DOWN, how).stuck
        assert run_loop(case, how, case.expected, stuck=stuck) == case.expected, how


@every_case
def test_with_the_player_it_comes_out_as_written(case: Case, tier: Tier) -> None:
    assert case.expected is not None
    for how in tier.points(SPLITS, quick=2):
        stalled = Fake(case, Direction.UP, how).stalled
        assert run_player(case, how, case.expected, stalled=stalled) == case.expected, how
