"""Scripts: the same outputs for any split, and one sentence for each thing that goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import segments
from wirecut import (
    AwaitEnd,
    Expect,
    Match,
    MisuseError,
    Repeat,
    Reset,
    Script,
    Send,
    Strike,
    UnmetExpectation,
    Until,
)
from wirecut.script import Fail, Finish, Output, Say, Step, StrikeNow
from wirecut.script.steps import LIMIT_BYTES

pytestmark = pytest.mark.pure


def run(script: Script, pieces: Sequence[bytes], *, end: bool = True) -> list[str]:
    """All that a script puts out, as text; ``Say`` values that follow each other as one."""
    machine = script.machine()
    outputs: list[Output] = [*machine.begin()]
    for piece in pieces:
        outputs += machine.receive(piece)
    if end:
        outputs += machine.receive_end()
    return shown(outputs)


def shown(outputs: Sequence[Output]) -> list[str]:
    lines: list[str] = []
    for output in outputs:
        match output:
            case Say(data=data):
                lines.append(f"say {data!r}")
            case Finish():
                lines.append("finish")
            case StrikeNow(fault=fault):
                lines.append(f"strike {fault}")
            case Fail(error=error):
                lines.append(f"fail {error}")
    return lines


# Any script against a model that works on the whole input at once.

letters = st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=3).map(b"".join)
simple_steps = st.one_of(
    st.builds(Expect, letters),
    st.builds(Until, letters),
    st.builds(Send, letters),
    st.just(AwaitEnd()),
    st.just(Strike("delay")),
    st.sampled_from([Match(b"a+b"), Match(b"(a|b)b"), Match(b"[ab]{3}")]),
)
steps = st.one_of(
    simple_steps,
    st.builds(
        lambda inner, times: Repeat(*inner, times=times),
        st.lists(simple_steps, min_size=1, max_size=2),
        st.integers(1, 3),
    ),
    st.builds(
        lambda first, inner: Repeat(first, *inner),
        st.builds(Expect, letters) | st.builds(Until, letters) | st.just(Match(b"a+b")),
        st.lists(simple_steps, max_size=2),
    ),
)


class Waits(Exception):
    """A step waits for more than there is."""


def model(  # noqa: C901 - one case per step
    script: Script, data: bytes
) -> tuple[list[str], bool]:
    """The outputs for the whole input and its end, and whether the script got through."""
    out: list[str] = []
    rest = data

    def do(step: Step) -> None:  # noqa: C901, PLR0912 - one case per step
        nonlocal rest
        match step:
            case Send(data=say):
                out.append(f"say {say!r}")
            case Strike(fault=fault):
                out.append(f"strike {fault}")
            case AwaitEnd():
                if rest:
                    raise UnmetExpectation
            case Expect(data=wanted):
                if not wanted.startswith(rest[: len(wanted)]):
                    raise UnmetExpectation
                if len(rest) < len(wanted):
                    raise Waits
                rest = rest[len(wanted) :]
            case Until(terminator=wanted):
                if wanted not in rest:
                    raise Waits
                rest = rest[rest.index(wanted) + len(wanted) :]
            case Match(pattern=pattern):
                longest = {b"a+b": _a_then_b, b"(a|b)b": _any_then_b, b"[ab]{3}": _three}
                taken = longest[pattern](rest)
                if taken is None:
                    raise Waits
                rest = rest[taken:]
            case Repeat(steps=inner, times=times):
                done = 0
                while rest if times is None else done < times:
                    done += 1
                    for one in inner:
                        do(one)

    try:
        for step in script.steps:
            do(step)
    except UnmetExpectation:
        return [*out, "fail"], False
    except Waits:
        return [*out, "finish"], False
    return [*out, "finish"], True


def _a_then_b(data: bytes) -> int | None:
    count = len(data) - len(data.lstrip(b"a"))
    return count + 1 if count and data[count : count + 1] == b"b" else None


def _any_then_b(data: bytes) -> int | None:
    return 2 if data[1:2] == b"b" else None


def _three(data: bytes) -> int | None:
    return 3 if len(data) >= 3 else None


@given(
    given_steps=st.lists(steps, min_size=1, max_size=4),
    data=st.lists(st.sampled_from([b"a", b"b"]), max_size=12).map(b"".join),
    draw=st.data(),
)
def test_any_script_does_the_same_for_any_split(
    given_steps: list[Step], data: bytes, draw: st.DataObject
) -> None:
    script = Script(*given_steps)
    machine = script.machine()
    outputs = [*machine.begin()]
    for piece in draw.draw(segments(data)):
        outputs += machine.receive(piece)
    outputs += machine.receive_end()
    lines, met = model(script, data)
    assert [line.split(" the script")[0] for line in shown(outputs)] == lines
    failed = lines[-1] == "fail"
    assert (machine.unmet() is None) == (met or failed)


# Each step by itself.


def test_expect_takes_its_bytes_and_leaves_the_rest() -> None:
    assert run(Script(Expect(b"ab"), Expect(b"c"), Send(b"x")), [b"abc"]) == [
        "say b'x'",
        "finish",
    ]


def test_expect_fails_at_the_first_wrong_byte_without_waiting_for_the_others() -> None:
    assert run(Script(Expect(b"abcd")), [b"ax"], end=False) == [
        (
            "fail the script failed at Expect(data=b'abcd'): expected b'abcd', got b'ax': byte "
            "1 is b'x', not b'b'"
        )
    ]


def test_a_failure_shows_no_more_than_200_bytes() -> None:
    (line,) = run(Script(Expect(b"b")), [b"a" * 500], end=False)
    assert f"got {b'a' * 200!r}:" in line


def test_until_reads_the_terminator_too() -> None:
    script = Script(Until(b"\r\n"), Expect(b"x"), Send(b"ok"))
    assert (
        run(script, [b"line\r\nx"])
        == run(script, [b"line\r", b"\nx"])
        == ["say b'ok'", "finish"]
    )


@pytest.mark.parametrize(
    "pieces", [[bytes(LIMIT_BYTES)], [bytes(LIMIT_BYTES - 1), b"\0", b"x"]]
)
def test_until_says_when_what_it_waits_for_does_not_come(pieces: list[bytes]) -> None:
    assert run(Script(Until(b"x")), pieces, end=False) == [
        (
            "fail the script failed at Until(terminator=b'x'): expected the terminator b'x' "
            "within 1048576 bytes"
        )
    ]


@pytest.mark.parametrize(
    "pieces", [[bytes(LIMIT_BYTES - 1) + b"x"], [bytes(LIMIT_BYTES - 1), b"x"]]
)
def test_until_finds_what_ends_within_its_limit(pieces: list[bytes]) -> None:
    assert run(Script(Until(b"x")), pieces, end=False) == ["finish"]


@pytest.mark.parametrize("split", [1, LIMIT_BYTES - 1, LIMIT_BYTES, LIMIT_BYTES + 1])
def test_how_the_limit_is_passed_does_not_matter(split: int) -> None:
    data = bytes(LIMIT_BYTES) + b"x"
    (line,) = run(Script(Until(b"x")), [data[:split], data[split:]], end=False)
    assert line.endswith("expected the terminator b'x' within 1048576 bytes")


def test_match_takes_the_shortest_prefix_that_matches_as_a_whole() -> None:
    script = Script(Match(rb"\d+;"), Expect(b"2;"), Send(b"ok"))
    assert run(script, [b"1;2;"]) == ["say b'ok'", "finish"]
    assert run(Script(Match(b"a.c"), Send(b"ok")), [b"a\nc"]) == ["say b'ok'", "finish"]


def test_match_says_when_what_it_waits_for_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Match, "limit_bytes", 8)
    sentence = (
        "fail the script failed at Match(pattern=b'.*x'): expected a match of b'.*x' within 8 "
        "bytes"
    )
    for pieces in ([b"12345678"], [b"1234567", b"8"], [b"12345678x"], [b"12345678", b"x"]):
        assert run(Script(Match(b".*x")), pieces, end=False) == [sentence]
    assert run(Script(Match(b".*x")), [b"1234567x"], end=False) == ["finish"]


def test_await_end_fails_on_a_byte() -> None:
    assert run(Script(AwaitEnd(), Send(b"bye")), []) == ["say b'bye'", "finish"]
    assert run(Script(AwaitEnd()), [b"x" * 300], end=False) == [
        f"fail the script failed at AwaitEnd(): expected the end, got {b'x' * 200!r}"
    ]
    assert run(Script(AwaitEnd()), [], end=False) == []


def test_strike_takes_a_fault_or_its_text() -> None:
    assert run(Script(Strike("delay"), Strike(Reset())), [], end=False) == [
        "strike delay/request.end",
        "strike reset/request.end",
        "finish",
    ]
    assert Strike("reset") == Strike(Reset())


def test_a_repeat_without_times_ends_with_the_client_between_two_rounds() -> None:
    script = Script(Repeat(Until(b"\n"), Send(b"ok")), Send(b"bye"))
    assert run(script, [b"a\nb\n"]) == ["say b'ok'", "say b'ok'", "say b'bye'", "finish"]
    assert run(script, []) == ["say b'bye'", "finish"]


def test_a_repeat_without_times_is_unmet_if_the_client_ends_within_a_round() -> None:
    machine = Script(Repeat(Until(b"\n"), Send(b"ok"))).machine()
    outputs = [*machine.begin(), *machine.receive(b"a\nb"), *machine.receive_end()]
    assert shown(outputs) == ["say b'ok'", "finish"]
    assert machine.unmet() == "the script waits at Until(terminator=b'\\n') with b'b'"


def test_between_two_rounds_the_script_stands_at_the_repeat() -> None:
    repeat = Repeat(Until(b"\n"))
    machine = Script(repeat).machine()
    machine.begin()
    machine.receive(b"a\n")
    assert machine.unmet() == f"the script waits at {repeat!r}"


def test_a_repeat_with_times_goes_on_after_them() -> None:
    script = Script(Repeat(Expect(b"a"), Send(b"x"), times=2), Expect(b"b"), Send(b"y"))
    assert run(script, [b"aab"]) == ["say b'x'", "say b'x'", "say b'y'", "finish"]
    assert run(Script(Repeat(Send(b"x"), times=3)), [], end=False) == ["say b'x'"] * 3 + [
        "finish"
    ]


def test_a_script_that_is_over_ignores_what_comes() -> None:
    machine = Script(Send(b"x")).machine()
    assert shown(machine.begin()) == ["say b'x'", "finish"]
    assert list(machine.receive(b"late")) == []
    assert list(machine.receive_end()) == []
    assert machine.unmet() is None


def test_a_script_that_has_failed_has_told_so_and_says_no_more() -> None:
    machine = Script(Send(b"x"), Expect(b"a")).machine()
    machine.begin()
    (failed,) = machine.receive(b"b")
    assert isinstance(failed, Fail)
    assert isinstance(failed.error, UnmetExpectation)
    assert list(machine.receive(b"a")) == []
    assert list(machine.receive_end()) == []
    assert machine.unmet() is None


def test_what_was_put_out_before_a_failure_is_kept() -> None:
    script = Script(Expect(b"a"), Send(b"x"), Expect(b"c"))
    assert run(script, [b"ab"], end=False)[0] == "say b'x'"


def test_an_unmet_script_says_where_it_stands_and_what_it_has() -> None:
    machine = Script(Expect(b"a"), Expect(b"bcd")).machine()
    assert machine.unmet() is None
    machine.begin()
    assert machine.unmet() == "the script waits at Expect(data=b'a')"
    machine.receive(b"ab")
    assert machine.unmet() == "the script waits at Expect(data=b'bcd') with b'b'"


def test_each_connection_runs_the_script_from_the_beginning() -> None:
    script = Script(Expect(b"a"), Send(b"x"))
    assert run(script, [b"a"]) == run(script, [b"a"]) == ["say b'x'", "finish"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Expect(b""), "Expect takes bytes, at least one, got b''"),
        (
            lambda: Until("x"),  # type: ignore[arg-type] # wrong on purpose
            "Until takes bytes, at least one, got 'x'",
        ),
        (lambda: Send(b""), "Send takes bytes, at least one, got b''"),
        (lambda: Match(b""), "Match takes bytes, at least one, got b''"),
        (
            lambda: Match(b"("),
            (
                "Match(b'(') is no regular expression: missing ), unterminated "
                "subpattern at position 0"
            ),
        ),
        (
            lambda: Match(b"a*"),
            "Match(b'a*') matches no bytes at all, so it would never read any",
        ),
        (
            lambda: Strike("refuse"),
            (
                "Strike('refuse/connect') cannot be a step: refuse happens at connect, and a "
                "script runs on a connection"
            ),
        ),
        (
            lambda: Strike(3),  # type: ignore[arg-type] # wrong on purpose
            (
                "fault must be a fault such as Reset() or its text such as "
                "'reset/down:117', got 3"
            ),
        ),
        (Script, "Script needs at least one step"),
        (Repeat, "Repeat needs at least one step"),
        (
            lambda: Script(b"a"),  # type: ignore[arg-type] # wrong on purpose
            "Script takes steps such as Expect(b'...'), got b'a'",
        ),
        (
            lambda: Repeat(Send(b"a"), None),  # type: ignore[arg-type] # wrong on purpose
            "Repeat takes steps such as Expect(b'...'), got None",
        ),
        (lambda: Repeat(Send(b"a"), times=0), "times must be >= 1, got 0"),
        (
            lambda: Repeat(Send(b"a")),
            ("Repeat without times must read something, or it never ends"),
        ),
        (
            lambda: Repeat(Repeat(Send(b"a"), times=2)),
            ("Repeat without times must read something, or it never ends"),
        ),
    ],
)
def test_a_step_that_cannot_be_right_is_one_sentence(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(MisuseError) as raised:
        make()
    assert str(raised.value) == message


@pytest.mark.parametrize("step", [Expect(b"a"), Until(b"a"), Match(b"a"), AwaitEnd()])
def test_a_repeat_without_times_may_hold_any_step_that_reads(step: Step) -> None:
    assert Repeat(step).times is None
    assert Repeat(Send(b"x"), Repeat(step, times=2)).steps[0] == Send(b"x")
