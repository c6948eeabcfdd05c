"""`wirecut explain` says what the code does, and real clients agree."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wirecut
from tests.privileged import needs
from wirecut.cli.app import run
from wirecut.cli.in_python import python_form
from wirecut.cli.knowledge import (
    MOMENTS,
    PROMISES,
    SEEN_AT_CONNECT,
    SELECTIONS,
    USUAL,
    USUAL_AT_CONNECT,
    capabilities_of,
)
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
    ):
        assert expected in facts
    (needs,) = [line for line in lines if line.startswith("needs  ")]
    if effect().needs:
        assert needs.partition("  ")[2].strip().startswith(f"{', '.join(effect().needs)}: ")
    else:
        assert needs.endswith("no privileges")
    assert all(f"{name} (" in facts for name in capabilities_of(effect()))
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


def test_an_event_at_connect_says_what_it_needs_and_what_the_peer_sees_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = explained(capsys, "reset/connect")
    assert "the peer sees   ECONNRESET from connect() itself" in text
    assert "needs           raw packets, packet filter: a privilege, or `wirecut lab" in text
    assert "a Unix-domain socket" not in text
    assert "Python          Reset(at=at.connect)" in text
    assert "at connect, from a GET:" in text
    assert "httpx: httpx.ConnectError" in text
    assert "needs           no privileges" in explained(capsys, "refuse")
    event = explained(capsys, "refuse/connect/first:2")
    assert "needs           raw packets, packet filter: a privilege" in event
    assert "held ports" not in event


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
    assert set(PROMISES) == set(USUAL) == set(EFFECTS.values())
    assert {name for names in PROMISES.values() for name in names} <= known
    assert {name for effect in EFFECTS.values() for name in effect().needs} <= known
    also_at_connect = {one for one in EFFECTS.values() if one.works_at_connect}
    assert set(SEEN_AT_CONNECT) == set(USUAL_AT_CONNECT) == also_at_connect


@needs("raw packets", "packet filter", "tcp repair")
@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("client", ["http.client", "requests", "httpx", "aiohttp", "curl"])
def test_what_clients_raise_is_what_they_raise(client: str) -> None:
    runner: Runner = (
        CommandRun(("curl", "-sS", "--max-time", "0.6", "{url}"))
        if client == "curl"
        else ClientRun(find_client(client), 0.6)
    )
    at_default = [parse_fault(QUICKER.get(one().text, one().text)) for one in EFFECTS.values()]
    at_connect = [parse_fault(f"{word}/connect") for word in ("reset", "delay:0.01")]
    rows = list(try_faults(runner, [*at_default, *at_connect]))[1:]
    seen = [
        f"exit {row.ran.exit_code}"
        if client == "curl"
        else row.ran.raised[0].name
        if row.ran.raised
        else "nothing"
        for row in rows
    ]
    at_both = [USUAL[type(one)] for one in at_default]
    at_both += [USUAL_AT_CONNECT[type(one)] for one in at_connect]
    assert {type(one) for one in at_connect} == set(USUAL_AT_CONNECT)
    assert all(row.has_struck for row in rows)
    assert seen == [usual[client] for usual in at_both]


# A segment to be lost must be known beforehand: it goes with no other moment than up:N.
faults_with_offsets = st.builds(
    lambda effect, moment, on, optional: effect(at=moment, on=on, optional=optional),
    st.sampled_from(
        [one for one in EFFECTS.values() if not one.connect_only and one is not wirecut.Lose]
    ),
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
        "lose/up:3/nth:2/optional",
        "refuse/connect",
        "blackhole/connect/optional",
        "dribble:3:0.5/down:0",
        "stall:both:2/up.end",
        "close/down.end",
        "reset/connect",
        "delay:0.2/connect/nth:3",
        "unreachable:net/connect/first:2",
        "forged_reset:client/down:3",
        "partition:both:0.5/up:3/nth:2",
        "vanish/accept",
        "delay:0.2/accept",
    ],
)
def test_the_python_form_of_the_others_makes_the_same_fault(text: str) -> None:
    fault = parse_fault(text)
    assert eval(python_form(fault), vars(wirecut)) == fault  # noqa: S307 - our own text
