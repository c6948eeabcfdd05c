"""What every fault has, and what does not go together."""

from __future__ import annotations

import dataclasses

import pytest

from wirecut import MisuseError, Reset, at, exchange, first, nth
from wirecut.faults import EFFECTS, Fault
from wirecut.faults.fault import parameter_fields
from wirecut.faults.selection import EVERY
from wirecut.wire import CAPABILITIES
from wirecut.wire.action import Direction, Turn, View

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at": "down:5"}, "at must be a moment such as at.down(117), got 'down:5'"),
        ({"on": 2}, "on must be a selection such as first(2), got 2"),
        ({"optional": 1}, "optional must be True or False, got 1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_one_sentence(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(MisuseError) as raised:
        Reset(**arguments)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


def test_a_stream_that_was_not_called_is_no_moment() -> None:
    with pytest.raises(
        MisuseError, match=r"^at must be a moment such as at\.down\(117\), got "
    ):
        Reset(at=at.up)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize("word", list(EFFECTS))
def test_every_effect_describes_itself(word: str) -> None:
    effect = EFFECTS[word]
    assert effect.peer_sees
    assert effect.source
    assert not effect.peer_sees.endswith(".")


@pytest.mark.parametrize("word", list(EFFECTS))
def test_every_fault_is_a_frozen_value(word: str) -> None:
    fault = EFFECTS[word]()
    assert fault.on is EVERY
    assert not fault.optional
    assert hash(fault) == hash(EFFECTS[word]())
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault.optional = True  # type: ignore[misc] # wrong on purpose


@pytest.mark.parametrize("word", list(EFFECTS))
def test_when_and_whom_are_named_when_they_are_given(word: str) -> None:
    values = [field.name for field in parameter_fields(EFFECTS[word])]
    named = [field.name for field in dataclasses.fields(EFFECTS[word]) if field.kw_only]
    assert sorted([*values, *named]) == sorted([*values, "at", "on", "optional"])


@pytest.mark.parametrize("moment", [at.up(1), at.down(1), at.pattern(b"a"), at.request.end])
def test_a_moment_inside_an_exchange_goes_with_an_exchange(moment: at.Moment) -> None:
    assert Reset(at=moment, on=exchange(2)).text.endswith("/exchange:2")


@pytest.mark.parametrize("moment", [at.accept, at.up.end, at.down.end])
def test_any_moment_goes_with_connections(moment: at.Moment) -> None:
    assert Reset(at=moment, on=first(2)).text.endswith("/first:2")


def test_the_parameters_of_an_effect_are_the_fields_it_adds() -> None:
    assert [field.name for field in parameter_fields(EFFECTS["dribble"])] == [
        "size_bytes",
        "seconds",
    ]
    assert parameter_fields(Reset) == ()


@pytest.mark.parametrize("word", list(EFFECTS))
def test_what_strikes_at_connect_says_what_it_does_with_an_attempt(word: str) -> None:
    effect = EFFECTS[word]
    if not (effect.connect_only or effect.works_at_connect):
        with pytest.raises(NotImplementedError):
            effect().turn()
        with pytest.raises(MisuseError, match="at connect there is none yet"):
            effect(at=at.connect)
        return
    for fault in (effect(at=at.connect), effect(at=at.connect, on=nth(3))):
        assert fault.at_connect
        assert isinstance(fault.turn(), Turn)
        assert fault.address_state == (effect.is_state_for_all and fault.on is EVERY)
        assert ("raw packets" in fault.needs) != fault.address_state


@pytest.mark.parametrize("word", list(EFFECTS))
def test_what_an_effect_needs_are_capabilities(word: str) -> None:
    names = {one.name for one in CAPABILITIES}
    assert set(EFFECTS[word]().needs) <= names


def test_a_fault_without_an_effect_does_nothing_it_says_so() -> None:
    fault = Fault()
    assert (fault.word, fault.peer_sees, fault.source) == ("", "", "")
    assert fault.ends(Direction.DOWN) is None
    assert fault.window_bytes == 0
    with pytest.raises(NotImplementedError):
        fault.act(View(Direction.DOWN, 0))
