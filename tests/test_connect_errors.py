"""The table of what clients raise when they cannot connect is what they raise."""

from __future__ import annotations

import pytest

from tests.privileged import needs
from tools import connect_errors
from tools.connect_errors import PAGE, without_versions


@needs("raw packets", "packet filter")
@pytest.mark.clients
@pytest.mark.slow
def test_the_table_of_connect_errors_is_what_the_clients_raise() -> None:
    """Each fault with each client, as `wirecut try` runs them; versions may differ."""
    text = PAGE.read_text("utf-8")
    made = connect_errors.filled_in(text)
    assert without_versions(made) == without_versions(text), (
        "run: wirecut lab -- python -m tools.connect_errors"
    )


def test_control_another_class_is_a_difference_and_another_version_is_none() -> None:
    text = PAGE.read_text("utf-8")
    row = "`httpx.ConnectError`<br>ECONNRESET"
    assert row in text
    assert without_versions(text.replace(row, "`httpx.ReadError`<br>ECONNRESET")) != (
        without_versions(text)
    )
    head = "`httpx`<br>"
    assert head in text
    assert without_versions(text.replace(head, f"{head}9")) == without_versions(text)
    assert "<br>ECONNRESET" in without_versions(text)
