"""Errors: what each is caught as, and what none is."""

from __future__ import annotations

import pytest

import wirecut
from wirecut import errors

pytestmark = pytest.mark.pure

ALSO = {
    "MisuseError": ValueError,
    "CapabilityMissing": wirecut.MisuseError,
    "DeadlineExceeded": TimeoutError,
    "UnmetExpectation": AssertionError,
}


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_is_public_and_says_who_is_to_blame(name: str) -> None:
    error = getattr(errors, name)
    assert getattr(wirecut, name) is error
    assert issubclass(error, wirecut.WirecutError)
    assert error.__doc__


@pytest.mark.parametrize(("name", "also"), ALSO.items())
def test_some_are_also_what_python_calls_it(name: str, also: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), also)


@pytest.mark.parametrize("name", set(errors.__all__) - {"DeadlineExceeded"})
def test_code_that_catches_oserror_swallows_none(name: str) -> None:
    # TimeoutError is an OSError, and who waits expects it.
    assert not issubclass(getattr(errors, name), OSError)
