"""The options: taken where they are right, refused in a sentence where they are not."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SHOWS_PATIENCE = """
def test(wire):
    print("patience", wire.patience_seconds, wire.tcp()._core.patience_seconds,
          wire.tcp(patience_seconds=9)._core.patience_seconds)
"""


@pytest.mark.parametrize(
    ("ini", "args", "expected"),
    [
        (None, [], "patience 5.0 5.0 9"),
        ("2", [], "patience 2.0 2.0 9"),
        ("2", ["--wirecut-patience=0.5"], "patience 0.5 0.5 9"),
    ],
)
def test_the_patience_comes_from_the_command_line_or_else_from_the_file(
    suite: Suite, pytester: pytest.Pytester, ini: str | None, args: list[str], expected: str
) -> None:
    if ini is not None:
        pytester.makeini(f"[pytest]\nwirecut_patience = {ini}\n")
    suite(SHOWS_PATIENCE, "-s", *args).stdout.fnmatch_lines([f"*{expected}*"])


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", ""])
def test_a_bad_patience_is_refused_in_one_sentence(
    suite: Suite, pytester: pytest.Pytester, value: str
) -> None:
    pytester.makeini("[pytest]\nwirecut_patience = 3\n")
    result = suite("def test(): ...", f"--wirecut-patience={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [
        f"ERROR: --wirecut-patience must be a number of seconds greater than 0, got {value!r}",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("wirecut_patience = soon", "wirecut_patience must be a number of seconds greater*"),
        ("wirecut_patience = -1", "wirecut_patience must be a number of seconds*, got -1.0"),
        ("wirecut_leak_net = perhaps", "wirecut_leak_net must be true or false*'perhaps'"),
    ],
)
def test_a_bad_value_in_the_file_is_refused_in_one_sentence(
    suite: Suite, pytester: pytest.Pytester, line: str, sentence: str
) -> None:
    pytester.makeini(f"[pytest]\n{line}\n")
    result = suite("def test(): ...")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(result.errlines) == 2
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])


def test_the_options_are_in_the_help(suite: Suite) -> None:
    suite("", "--help").stdout.fnmatch_lines_random(
        [
            "wirecut: real TCP faults:",
            "  --wirecut-patience=SECONDS",
            "  --wirecut-no-leak-net",
            "  wirecut_patience (float):",
            "  wirecut_leak_net (bool):",
        ]
    )
