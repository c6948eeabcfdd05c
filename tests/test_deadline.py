"""Deadlines: a point on a clock that nothing stops."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import freezegun
import pytest
import time_machine

from wirecut import Deadline, DeadlineExceeded, MisuseError
from wirecut.deadline import DEFAULT_PATIENCE_SECONDS, now

LONG_AGO = dt.datetime(2001, 2, 3, tzinfo=dt.UTC)

frozen = pytest.mark.parametrize(
    "freeze",
    [
        pytest.param(lambda: freezegun.freeze_time(LONG_AGO), id="freezegun"),
        pytest.param(lambda: time_machine.travel(LONG_AGO, tick=False), id="time-machine"),
    ],
)


@frozen
def test_the_clock_runs_on_when_the_time_is_frozen(
    freeze: Callable[[], AbstractContextManager[object]],
) -> None:
    before = now()
    with freeze():
        assert dt.datetime.now(dt.UTC) == LONG_AGO
        deadline = Deadline.after(0.01)
        # Nobody sets the event: what ends the wait is the interpreter's own clock.
        threading.Event().wait(0.02)
        assert deadline.expired
        assert deadline.remaining() == 0.0
        assert 0.02 <= now() - before < 3600


@frozen
def test_a_deadline_from_before_the_freeze_still_comes(
    freeze: Callable[[], AbstractContextManager[object]],
) -> None:
    deadline = Deadline.after(0.01)
    with freeze():
        threading.Event().wait(0.02)
        with pytest.raises(DeadlineExceeded, match=r"^gave up waiting for the peer$"):
            deadline.require("the peer")


@pytest.mark.pure
def test_it_is_the_monotonic_clock() -> None:
    before = time.perf_counter()
    assert before <= now() <= time.perf_counter()
    assert time.get_clock_info("perf_counter").monotonic


@pytest.mark.pure
def test_a_deadline_lies_as_far_ahead_as_was_asked() -> None:
    before = now()
    deadline = Deadline.after(60)
    assert before + 60 <= deadline.at <= now() + 60
    assert not deadline.expired
    assert 0 < deadline.remaining() <= 60
    assert 0 < (deadline.timeout() or 0) <= 60
    deadline.require("nothing")


@pytest.mark.pure
def test_a_deadline_that_has_passed_has_nothing_left() -> None:
    deadline = Deadline(now() - 1)
    assert deadline.expired
    assert deadline.remaining() == 0.0
    assert deadline.timeout() == 0.0
    with pytest.raises(DeadlineExceeded, match=r"^gave up waiting for a byte$"):
        deadline.require("a byte")


@pytest.mark.pure
def test_the_point_itself_has_passed() -> None:
    assert Deadline.after(0).expired


@pytest.mark.pure
@pytest.mark.parametrize("deadline", [Deadline.never(), Deadline.after(math.inf)])
def test_a_deadline_that_never_comes_has_no_timeout(deadline: Deadline) -> None:
    assert deadline == Deadline.never()
    assert not deadline.expired
    assert deadline.remaining() == math.inf
    assert deadline.timeout() is None
    deadline.require("nothing")


@pytest.mark.pure
@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (-1, "seconds must be >= 0 seconds, got -1"),
        (math.nan, "seconds must be a number of seconds, got nan"),
        ("1", "seconds must be a number of seconds, got '1'"),
    ],
)
def test_a_time_that_is_none_is_one_sentence(seconds: object, message: str) -> None:
    with pytest.raises(MisuseError) as raised:
        Deadline.after(seconds)  # type: ignore[arg-type] # wrong on purpose
    assert str(raised.value) == message


@pytest.mark.pure
def test_the_default_patience_is_what_the_documentation_says() -> None:
    assert DEFAULT_PATIENCE_SECONDS == 5.0
