"""Lose: one segment is lost once, and nothing is missing in the end."""

from __future__ import annotations

import pytest

from tests.lanes import view
from tests.privileged import needs
from tests.seeing import REPLY, seen_by_client
from wirecut import End, Lose, MisuseError, Observation, at, exchange, first, nth, parse_fault
from wirecut.faults.lose import losses_of
from wirecut.faults.plan import check_plan
from wirecut.wire.action import Direction, LoseNext


@pytest.mark.pure
def test_what_it_is() -> None:
    assert Lose() == Lose(at=at.up(0))
    assert Lose.word == "lose"
    assert Lose.tcp_only
    assert Lose.needs_bytes
    assert not Lose.stops_arrival
    assert not Lose.acts_on_bytes
    assert Lose().needs == ("raw packets", "packet filter", "tcp repair")
    assert Lose().ends(Direction.UP) is None
    assert Lose().act(view(b"abc")) == (LoseNext(),)
    assert "every byte" in Lose.peer_sees
    assert "RFC 6298" in Lose.source
    assert Lose(at=at.up(7), on=nth(2)).text == "lose/up:7/nth:2"
    assert parse_fault("lose/up:7/nth:2") == Lose(at=at.up(7), on=nth(2))


@pytest.mark.pure
def test_the_places_of_several_are_in_order() -> None:
    faults = [Lose(at=at.up(9)), parse_fault("reset/down:1"), Lose(at=at.up(4), on=first(2))]
    assert losses_of(faults) == (4, 9)
    assert losses_of([]) == ()


@pytest.mark.pure
@pytest.mark.parametrize(
    "text", ["down:3", "accept", "up.end", "request.end", "up:3/exchange:2"]
)
def test_its_byte_must_be_known_beforehand(text: str) -> None:
    with pytest.raises(MisuseError) as raised:
        parse_fault(f"lose/{text}")
    assert "lose/up:N" in str(raised.value) or "needs a byte after the moment" in str(
        raised.value
    )


@pytest.mark.pure
def test_a_moment_inside_an_exchange_is_one_sentence() -> None:
    with pytest.raises(MisuseError) as raised:
        Lose(at=at.up(3), on=exchange(2))
    assert str(raised.value) == (
        "lose must know its byte of the client's stream before it comes, "
        "got up:3/exchange:2; write lose/up:N"
    )


@pytest.mark.pure
def test_at_connect_there_is_nothing_to_lose_yet() -> None:
    with pytest.raises(MisuseError, match="lose needs a connection, and at connect there is"):
        Lose(at=at.connect)


@pytest.mark.pure
def test_a_connection_has_one_filter_for_it_and_a_partition() -> None:
    with pytest.raises(MisuseError) as raised:
        check_plan([parse_fault("partition/down:3"), parse_fault("lose/up:4/nth:2")])
    assert str(raised.value) == (
        "lose/up:4/nth:2 and partition/down:3 both need the connection's packet filter: "
        "select different connections"
    )
    check_plan([parse_fault("partition/down:3/nth:1"), parse_fault("lose/up:4/nth:2")])


@needs(*Lose.capabilities)
@pytest.mark.parametrize("count", [0, 3])
def test_the_client_sees_the_whole_reply(count: int) -> None:
    assert seen_by_client([Lose(at=at.up(count))]) == Observation(REPLY, End.EOF)
