"""`wirecut explain` says what the code does, and real clients agree."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wirecut
from wirecut.cli.app import run
from wirecut.cli.in_python import python_form
from wirecut.cli.knowledge import MOMENTS, NEEDS, SELECTIONS, USUAL
from wirecut.faults import EFFECTS, Fault, at, every, first, parse_fault
from wirecut.faults.at import Moment, parse_moment
from wirecut.faults.selection import Selection, parse_selection
from wirecut.trying import ClientRun, CommandRun, Runner, find_client, try_faults
from wirecut.wire import CAPABILITIES

# A default delay of one second would only make the test slow.
QUICKER = {"delay/request.end": "delay:0.01/request.end"}


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["explain", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("word", EFFECTS)
def test_every_effect_is_explained_from_its_own_words(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    effect = EFFECTS[word]
    lines = explained(capsys, word).splitlines()
    assert lines[0] == effect().text
    facts = "\n".join(lines)
    for expected in (
        f"the peer sees   {effect.peer_sees}",
        f"default moment  {effect().at.text}",
        f"source          {effect.source}",
        f"text            {effect().text}",
        "needs           no privileges",
    ):
        assert expected in facts
    assert all(f"{name} (" in facts for name in NEEDS[effect])
    (python,) = [line for line in lines if line.startswith("Python ")]
    assert eval(python.partition("  ")[2], vars(wirecut)) == effect()  # noqa: S307 - our own
    for client, raised in USUAL[effect].items():
        assert f"{client}: {raised}" in facts


def test_moment_and_selection_of_the_fault_are_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = explained(capsys, "stall:down/down:7/first:2")
    assert "when            down:7: After so many bytes" in text
    assert "whom            first:2: The first N connections" in text
    assert "Stall(direction='down', at=at.down(7), on=first(2))" in text


def test_a_racy_fault_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "racy" in explained(capsys, "reset/accept")
    assert "racy" not in explained(capsys, "reset/request.end")


def test_without_a_fault_every_effect_moment_and_selection_is_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = explained(capsys).splitlines()
    first_words = [line.split()[0] for line in lines if line.strip()]
    for text in (
        *(effect().text for effect in EFFECTS.values()),
        *(moment.text for moment in MOMENTS),
        *(selection.text for selection in SELECTIONS),
    ):
        assert text in first_words


def test_the_samples_are_all_kinds_there_are() -> None:
    assert {type(moment) for moment in MOMENTS} == set(typing.get_args(Moment))
    assert {type(one) for one in SELECTIONS} == set(typing.get_args(Selection))
    assert [parse_moment(moment.text) for moment in MOMENTS] == list(MOMENTS)
    assert [parse_selection(one.text) for one in SELECTIONS] == list(SELECTIONS)


def test_every_effect_has_its_needs_and_they_exist() -> None:
    known = {capability.name for capability in CAPABILITIES}
    assert set(NEEDS) == set(USUAL) == set(EFFECTS.values())
    assert {name for names in NEEDS.values() for name in names} <= known


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("client", ["http.client", "requests", "httpx", "aiohttp", "curl"])
def test_what_clients_raise_is_what_they_raise(client: str) -> None:
    runner: Runner = (
        CommandRun(("curl", "-sS", "--max-time", "0.6", "{url}"))
        if client == "curl"
        else ClientRun(find_client(client), 0.6)
    )
    faults = [parse_fault(QUICKER.get(one().text, one().text)) for one in EFFECTS.values()]
    rows = list(try_faults(runner, faults))[1:]
    seen = {
        type(row.fault): (
            f"exit {row.ran.exit_code}"
            if client == "curl"
            else row.ran.raised[0].name
            if row.ran.raised
            else "nothing"
        )
        for row in rows
    }
    assert seen == {effect: usual[client] for effect, usual in USUAL.items()}


faults_with_offsets = st.builds(
    lambda effect, moment, on, optional: effect(at=moment, on=on, optional=optional),
    st.sampled_from([effect for effect in EFFECTS.values() if not effect.address_state]),
    st.builds(at.up, st.integers(0, 999))
    | st.builds(at.down, st.integers(0, 999))
    | st.builds(at.pattern, st.binary(min_size=1), nth=st.integers(1, 9))
    | st.just(at.pattern(b"x", direction="down")),
    st.sampled_from([every, first(3), wirecut.nth(2), wirecut.exchange(4)]),
    st.booleans(),
)


@given(faults_with_offsets)
def test_the_python_form_makes_the_same_fault(fault: Fault) -> None:
    assert eval(python_form(fault), vars(wirecut)) == fault  # noqa: S307 - our own text


@pytest.mark.parametrize(
    "text",
    [
        "refuse/connect",
        "blackhole/connect/optional",
        "dribble:3:0.5/down:0",
        "stall:both:2/up.end",
        "close/down.end",
        "delay:0.2/accept",
    ],
)
def test_the_python_form_of_the_others_makes_the_same_fault(text: str) -> None:
    fault = parse_fault(text)
    assert eval(python_form(fault), vars(wirecut)) == fault  # noqa: S307 - our own text
