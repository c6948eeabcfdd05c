"""The two simplest behaviours: one answer, and none."""

from __future__ import annotations

import pytest

from wirecut.script import Answer, Finish, Say, Silent

pytestmark = pytest.mark.pure


def test_an_answer_comes_once_after_the_first_input() -> None:
    answer = Answer(b"hello")
    assert list(answer.begin()) == []
    assert list(answer.receive(b"a")) == [Say(b"hello"), Finish()]
    assert list(answer.receive(b"b")) == []
    assert list(answer.receive_end()) == []
    assert answer.unmet() is None


def test_an_answer_that_nobody_asked_for_is_not_given() -> None:
    answer = Answer(b"hello")
    assert list(answer.receive_end()) == [Finish()]
    assert answer.unmet() is None


def test_silence_ends_when_the_client_does() -> None:
    silent = Silent()
    assert list(silent.begin()) == []
    assert list(silent.receive(b"a")) == []
    assert list(silent.receive_end()) == [Finish()]
    assert silent.unmet() is None
