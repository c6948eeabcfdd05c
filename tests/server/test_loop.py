"""The loop's own promises: timers come, whoever does its work; nothing of it stays."""

from __future__ import annotations

import os
import select
import threading

import pytest

from tests.support import PATIENCE
from tests.tier import Tier
from wirecut import MisuseError
from wirecut.deadline import now
from wirecut.server.loop import Loop, lease_held, leased, own_descriptors, shared_loop


def test_catching_up_leaves_the_wake_up_for_the_thread_that_it_is_for() -> None:
    with leased() as loop, loop.lock:
        loop.call_at(now() - 1.0, lambda: None)
        loop.catch_up(lambda _: True)

        assert select.select([loop._wake_reader], [], [], 0)[0]


def test_catching_up_on_a_loop_that_another_thread_has_ended_does_nothing() -> None:
    loop = Loop()
    loop.start()
    loop.end()
    loop.catch_up(lambda _: True)


def test_a_timer_comes_while_another_thread_does_the_work(tier: Tier) -> None:
    """2,000 timers; 200 on the quick tier."""
    with leased() as loop:
        for _ in range(tier.count(quick=200, exhaustive=2000)):
            called = threading.Event()
            with loop.lock:
                loop.call_at(now(), called.set)
                loop.catch_up(lambda _: False)
            assert called.wait(PATIENCE)


def test_a_cancelled_timer_does_not_come() -> None:
    with leased() as loop:
        calls: list[str] = []
        called = threading.Event()
        with loop.lock:
            early = loop.call_at(now(), lambda: calls.append("cancelled"))
            loop.call_at(now(), called.set)
            early.cancel()
            early.cancel()
        assert called.wait(PATIENCE)
    assert calls == []


def test_timers_come_in_the_order_of_their_times() -> None:
    with leased() as loop:
        calls: list[int] = []
        called = threading.Event()
        start = now()
        with loop.lock:
            loop.call_at(start + 0.004, called.set)
            for place in (3, 1, 2):
                loop.call_at(start + place / 1000, lambda place=place: calls.append(place))  # type: ignore[misc] # mypy cannot type a lambda's default
        assert called.wait(PATIENCE)
    assert calls == [1, 2, 3]


def test_the_loop_runs_as_long_as_somebody_holds_a_lease() -> None:
    before = lease_held()
    with leased() as loop:
        with leased() as same:
            assert same is loop is shared_loop()
        assert lease_held()
        assert len(own_descriptors()) == 2
        for descriptor in own_descriptors():
            os.fstat(descriptor)
    assert lease_held() is before
    if not before:
        assert own_descriptors() == ()
        with pytest.raises(MisuseError, match="the loop is not running"):
            shared_loop()
