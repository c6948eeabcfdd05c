"""Faults at connect as events: chosen and counted attempt by attempt, on one port."""

from __future__ import annotations

import collections
import errno
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.privileged import needs
from tests.scheduling import Scheduling
from tests.server.talking import HOSTS, connect, descriptors
from tests.support import PATIENCE, outcome_of_connect, patient
from tests.tier import Tier
from wirecut import (
    ConnectAttempt,
    Delay,
    MisuseError,
    Partition,
    Refuse,
    Reset,
    TcpServer,
    UnmetExpectation,
    at,
    first,
    forever,
    nth,
    observe,
    serve_tcp,
)
from wirecut.deadline import now
from wirecut.server import attempts
from wirecut.server.core import open_cores
from wirecut.wire import TcpState, tcp_state
from wirecut.wire.gate import Attempt, SynGate

pytestmark = needs("raw packets", "packet filter")


def outcome(server: TcpServer, timeout: float | None = PATIENCE) -> str:
    """What a plain `connect()` makes of the server."""
    return outcome_of_connect((server.host, server.port), timeout)


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_reset_at_connect_fails_the_connect_itself(
    host: str, timeout: float | None, tier: Tier
) -> None:
    count = tier.count(quick=30, exhaustive=1000)
    with serve_tcp(b"reply", host=host, faults=["reset/connect"]) as server:
        found = collections.Counter(outcome(server, timeout) for _ in range(count))
        assert dict(found) == {"ECONNRESET": count}
        assert len(server.attempts) == count
        assert not server.connections


@pytest.mark.parametrize("host", HOSTS)
def test_refused_twice_then_served(host: str, tier: Tier) -> None:
    """300 of 300 in the exhaustive tier; the port never changes."""
    for _ in range(tier.count(quick=10, exhaustive=300)):
        with serve_tcp(b"reply", host=host, faults=["refuse/connect/first:2"]) as server:
            assert [outcome(server) for _ in range(2)] == ["ECONNREFUSED"] * 2
            with connect(server, b"?") as client:
                assert observe(client, patient()).data == b"reply"


@pytest.mark.parametrize("host", HOSTS)
def test_reset_on_the_third_connect(host: str, tier: Tier) -> None:
    """300 of 300 in the exhaustive tier."""
    expected = ["served", "served", "ECONNRESET", "served"]
    for _ in range(tier.count(quick=10, exhaustive=300)):
        with serve_tcp(host=host, faults=["reset/connect/nth:3"]) as server:
            assert [outcome(server) for _ in expected] == expected


def _until_served(server: TcpServer) -> list[str]:
    """A client that tries again until it is let in; what it met."""
    met = [outcome(server)]
    while met[-1] != "served":
        met.append(outcome(server))
    return met


@pytest.mark.parametrize(
    ("fault", "met"),
    [
        ("refuse/connect/first:2", {"ECONNREFUSED": 2, "served": 20}),
        ("reset/connect/nth:3", {"ECONNRESET": 1, "served": 20}),
    ],
)
def test_twenty_clients_at_once_of_three_servers_meet_what_was_planned(
    fault: str, met: dict[str, int], tier: Tier
) -> None:
    """300 of 300 in the exhaustive tier."""
    with ThreadPoolExecutor(60, "test-client") as clients:
        for _ in range(tier.count(quick=4, exhaustive=300)):
            with ExitStack() as cleanup:
                servers = [cleanup.enter_context(serve_tcp(faults=[fault])) for _ in range(3)]
                runs = [
                    (server, clients.submit(_until_served, server))
                    for _ in range(20)
                    for server in servers
                ]
                for server in servers:
                    found = collections.Counter[str]()
                    for one, run in runs:
                        found.update(run.result(PATIENCE) if one is server else ())
                    assert found == met
                    assert len(server.attempts) == sum(met.values())
                    server.wait_for_connections(20)


@pytest.mark.parametrize(
    ("why", "ipv4", "ipv6"),
    [
        ("net", "ENETUNREACH", "ENETUNREACH"),
        ("host", "EHOSTUNREACH", "EHOSTUNREACH"),
        ("prohibited", "EHOSTUNREACH", "EACCES"),
        ("port", "ECONNREFUSED", "ECONNREFUSED"),
    ],
)
@pytest.mark.parametrize("host", HOSTS)
def test_an_unreachable_host_fails_as_the_family_has_it_and_soon(
    host: str, why: str, ipv4: str, ipv6: str, tier: Tier
) -> None:
    """2,000 of 2,000 for each in the exhaustive tier, none later than 50 ms.

    An error that its client missed would show as the second until the SYN is repeated.  An
    attempt is made once more if the machine was late by as much in the same moment, as a
    thread that does nothing but wait has noticed; and if Linux has woken a polling client
    before it could read the error.
    """
    count = tier.count(quick=20, exhaustive=2000)
    expected = ipv6 if ":" in host else ipv4
    made = early = 0
    with (
        serve_tcp(host=host, faults=[f"unreachable:{why}/connect"]) as server,
        Scheduling() as scheduling,
    ):
        while made < count:
            begun = now()
            timeout = None if made % 2 else PATIENCE
            met = outcome(server, timeout)
            ended = now()
            if met == "not connected" and timeout is not None and ":" not in host:
                early += 1
                assert early <= 1 + made // 500
                continue
            assert met == expected
            made += 1
            assert ended - begun < 0.5
            if ended - begun >= 0.05:
                assert ended - begun < 0.05 + scheduling.late(begun, ended)
                made -= 1


@pytest.mark.parametrize("host", HOSTS)
def test_a_delayed_connect_takes_so_long_and_is_then_served(host: str) -> None:
    with serve_tcp(b"reply", host=host, faults=["delay:0.05/connect"]) as server:
        begun = now()
        with connect(server, b"?") as client:
            assert now() - begun >= 0.05
            assert observe(client, patient()).data == b"reply"
        (attempt,) = server.attempts
        assert attempt.struck == (Delay(0.05, at=at.connect),)
        assert server.connections[0].opened_seconds >= attempt.seconds + 0.05


def _dialling(server: TcpServer, cleanup: ExitStack) -> socket.socket:
    """A client whose SYN is on its way, and that waits for nothing."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    client = cleanup.enter_context(socket.socket(family))
    client.setblocking(False)
    assert client.connect_ex((server.host, server.port)) == errno.EINPROGRESS
    return client


@pytest.mark.parametrize("host", HOSTS)
def test_while_it_is_delayed_nothing_is_decided_and_another_attempt_is_not_held_up(
    host: str,
) -> None:
    with (
        serve_tcp(host=host, faults=["delay:9/connect/nth:1"]) as server,
        ExitStack() as cleanup,
    ):
        client = _dialling(server, cleanup)
        server.wait_for(lambda s: s.attempts)
        assert outcome(server) == "served"
        assert tcp_state(client) is TcpState.SYN_SENT
        assert [len(one.struck) for one in server.attempts] == [1, 0]


def test_after_a_delay_the_next_fault_strikes_the_same_attempt() -> None:
    plan = [Delay(0.02, at=at.connect), Reset(at=at.connect, on=first(1))]
    with serve_tcp(faults=plan) as server:
        begun = now()
        assert outcome(server) == "ECONNRESET"
        assert now() - begun >= 0.02
        assert server.attempts[0].struck == tuple(plan)
        assert outcome(server) == "served"
        assert server.attempts[1].struck == (plan[0],)


@pytest.mark.parametrize("host", HOSTS)
def test_one_attempt_is_left_without_an_answer_and_the_next_one_is_served(host: str) -> None:
    # No answer comes to the first, so its timeout has to.
    with serve_tcp(b"reply", host=host, faults=["blackhole/connect/first:1"]) as server:
        assert outcome(server, 0.05) == "timeout"
        with connect(server, b"?") as client:
            assert observe(client, patient()).data == b"reply"


def test_what_is_given_last_for_every_attempt_gets_those_that_are_left() -> None:
    """With events beside it, even a state of the address is one."""
    with serve_tcp(faults=["reset/connect/nth:2", "refuse/connect"]) as server:
        found = [outcome(server) for _ in range(3)]
        assert found == ["ECONNREFUSED", "ECONNRESET", "ECONNREFUSED"]
        assert [one.struck[0].word for one in server.attempts] == ["refuse", "reset", "refuse"]


def test_the_journal_has_every_attempt_with_its_client_and_what_struck_it() -> None:
    with serve_tcp(b"reply", faults=["refuse/connect/first:1"]) as server:
        assert not server.attempts
        with socket.socket() as client:
            client.bind(("127.0.0.1", 0))
            name = client.getsockname()
            client.settimeout(PATIENCE)
            assert client.connect_ex((server.host, server.port)) == errno.ECONNREFUSED
        with connect(server, b"?") as client:
            observe(client, patient())
            first_one, second = server.attempts
            assert first_one == ConnectAttempt(
                0, name, first_one.seconds, (Refuse(on=first(1)),)
            )
            assert second == ConnectAttempt(1, client.getsockname(), second.seconds, ())
            assert 0 <= first_one.seconds <= second.seconds
            # Connections are counted apart: this is the first.
            assert server.connections[0].client == second.client
            assert server.connections[0].index == 0


def test_without_an_event_at_connect_there_is_no_gate_and_nothing_is_noted() -> None:
    with serve_tcp(b"reply", faults=["reset/down:2"]) as server:
        with connect(server, b"?") as client:
            observe(client, patient())
        assert server.attempts == ()


def _told(server: TcpServer) -> str:
    (finding,) = server.shut_down()
    assert isinstance(finding, UnmetExpectation)
    return str(finding)


def test_what_never_struck_is_named_with_the_attempts_there_were() -> None:
    server = serve_tcp(faults=["reset/connect/nth:3"])
    outcome(server)
    assert _told(server) == (
        "reset/connect/nth:3 never struck: only 1 attempt to connect was made"
    )
    server = serve_tcp(faults=["refuse/connect/first:1", "reset/connect/nth:9"])
    outcome(server)
    outcome(server)
    assert _told(server) == (
        "reset/connect/nth:9 never struck: only 2 attempts to connect were made"
    )


def test_what_was_added_too_late_is_named_with_the_reason() -> None:
    server = serve_tcp(faults=["refuse/connect/first:1"])
    outcome(server)
    outcome(server)
    server.add("reset/connect/nth:2")
    assert _told(server) == (
        "reset/connect/nth:2 never struck: attempt 1 to connect came before it was added"
    )


def test_what_was_behind_a_delay_is_named_with_the_reason() -> None:
    server = serve_tcp(faults=["delay:9/connect", "reset/connect/nth:1"])
    with ExitStack() as cleanup:
        _dialling(server, cleanup)
        server.wait_for(lambda s: s.attempts)
        assert _told(server) == (
            "reset/connect/nth:1 never struck: attempt 0 to connect was struck by "
            "delay:9.0/connect"
        )


@pytest.mark.parametrize(
    "fault", ["reset/connect/nth:3/optional", "delay:0/connect/nth:3/optional"]
)
def test_an_optional_one_and_an_unused_server_are_no_finding(fault: str) -> None:
    with serve_tcp(faults=[fault]) as server:
        outcome(server)
    with serve_tcp(faults=["reset/connect/nth:3"]):
        pass


@pytest.mark.parametrize("host", HOSTS)
def test_a_fault_at_connect_can_be_added_to_a_running_server(host: str) -> None:
    with serve_tcp(b"reply", host=host) as server, connect(server) as early:
        server.wait_for_connections(1)
        server.add("reset/connect/first:2")
        found = [outcome(server) for _ in range(3)]
        assert found == ["ECONNRESET", "ECONNRESET", "served"]
        # Those that came before there was a gate are not among the attempts.
        assert len(server.attempts) == 3
        server.add(Refuse(on=nth(4)))
        assert outcome(server) == "ECONNREFUSED"
        early.sendall(b"?")
        assert observe(early, patient()).data == b"reply"


@pytest.mark.parametrize("host", HOSTS)
def test_a_gate_comes_and_goes_with_the_listener_and_the_count_goes_on(host: str) -> None:
    with serve_tcp(host=host, faults=["reset/connect/nth:3"]) as server:
        assert outcome(server) == "served"
        with server.refusing():
            assert outcome(server) == "ECONNREFUSED"
        assert outcome(server) == "served"
        server.stop()
        server.stop()
        assert outcome(server) == "ECONNREFUSED"
        server.start()
        server.start()
        assert outcome(server) == "ECONNRESET"
        # Who is refused because nothing listens makes no attempt that anybody sees.
        assert len(server.attempts) == 3


def test_what_was_delayed_when_the_server_stopped_is_never_decided() -> None:
    with (
        serve_tcp(faults=["delay:0.02/connect/nth:1", "reset/connect/first:2"]) as server,
        ExitStack() as cleanup,
    ):
        client = _dialling(server, cleanup)
        server.wait_for(lambda s: s.attempts)
        server.stop()
        server.start()
        assert outcome(server) == "ECONNRESET"
        assert tcp_state(client) is TcpState.SYN_SENT
        assert [len(one.struck) for one in server.attempts] == [1, 1]


def test_nobody_gets_in_between_the_listener_and_its_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        serve_tcp(faults=["reset/connect/nth:9/optional"]) as server,
        ExitStack() as cleanup,
    ):
        clients: list[socket.socket] = []

        def late(*args: object, **options: object) -> SynGate:
            clients.append(_dialling(server, cleanup))
            return SynGate(*args, **options)  # type: ignore[arg-type] # as they came

        monkeypatch.setattr(attempts, "SynGate", late)
        server.stop()
        server.start()
        assert [tcp_state(client) for client in clients] == [TcpState.SYN_SENT]
        assert not server.connections
        assert not server.attempts
        assert outcome(server) == "served"


def _failing(_: object, __: object, *, allow_remote: bool) -> SynGate:
    del allow_remote
    raise OSError(errno.EMFILE, "out of descriptors")


def test_a_gate_that_cannot_be_opened_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_tcp(faults=["reset/connect"]) as server:
        before = descriptors(), open_cores()
        monkeypatch.setattr(attempts, "SynGate", _failing)
        with pytest.raises(OSError, match="out of descriptors"):
            serve_tcp(faults=["reset/connect"])
        assert (descriptors(), open_cores()) == before
        server.stop()
        with pytest.raises(OSError, match="out of descriptors"):
            server.start()
        assert outcome(server) == "ECONNREFUSED"
        monkeypatch.undo()
        server.start()
        assert outcome(server) == "ECONNRESET"


def _has_failed(count: int) -> Callable[[TcpServer], bool]:
    return lambda s: sum(isinstance(one, RuntimeError) for one in s.findings()) == count


def test_an_error_of_the_gate_reaches_the_test_and_not_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: SynGate, attempt: Attempt) -> None:
        raise RuntimeError(f"cannot refuse {attempt.client[0]}")

    monkeypatch.setattr(SynGate, "refuse", broken)
    server = serve_tcp(faults=["delay:0/connect/nth:2", "refuse/connect/first:2"])
    with ExitStack() as cleanup, serve_tcp(b"reply") as other:
        for index in range(2):
            _dialling(server, cleanup)
            server.wait_for(_has_failed(index + 1))
        with connect(other, b"?") as client:
            assert observe(client, patient()).data == b"reply"
    assert [str(one) for one in server.shut_down()] == ["cannot refuse 127.0.0.1"] * 2


def test_out_of_descriptors_the_gate_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the accepting that pauses, and no attempt gets around the faults meanwhile."""
    with serve_tcp(b"reply", faults=["reset/connect/nth:2"]) as server:
        listening = server._core.listening
        real = listening.accept

        def once() -> Iterator[OSError]:
            yield OSError(errno.EMFILE, "Too many open files")

        errors = once()

        def accept() -> object:
            for error in errors:
                raise error
            return real()

        monkeypatch.setattr(type(listening), "accept", lambda _: accept())
        with connect(server, b"?") as client:
            server.wait_for(lambda s: s.findings())
            assert outcome(server) == "ECONNRESET"
            assert observe(client, patient()).data == b"reply"
            assert outcome(server) == "served"
        findings = server.shut_down()
    assert len(findings) == 1
    assert "raise the limit on open descriptors" in str(findings[0])


@pytest.mark.parametrize(
    "fault",
    ["refuse/connect/first:1", "delay/connect", "reset/connect", "unreachable/connect"],
)
def test_a_path_has_no_attempts_to_choose_among(fault: str, tmp_path: object) -> None:
    with pytest.raises(MisuseError, match=r"has no meaning on a Unix-domain socket .* TCP's"):
        serve_tcp(path=f"{tmp_path}/s", faults=[fault])


def _with_bytes(server: TcpServer, cleanup: ExitStack, count: int = 1) -> None:
    """Clients whose bytes have arrived before any of them is accepted."""
    with server._core.loop.lock:
        clients = [_dialling(server, cleanup) for _ in range(count)]
        server._core.attempts.on_event(0)
        for client in clients:
            client.settimeout(PATIENCE)  # until it is connected
            client.sendall(b"abcdef")


def _received(server: TcpServer) -> list[bytes]:
    return [connection.received for connection in server.connections]


def test_a_cut_is_prepared_for_the_connection_that_it_is_for(tier: Tier) -> None:
    """Several attempts are let pass before the first of them is accepted."""
    for _ in range(tier.count(quick=3, exhaustive=100)):
        fault = Partition(at=at.up(2), on=nth(2))
        with serve_tcp(faults=[fault]) as server, ExitStack() as cleanup:
            _with_bytes(server, cleanup, 3)
            server.wait_for(lambda s: sum(c.received_count for c in s.connections) == 14)
            assert _received(server) == [b"abcdef", b"ab", b"abcdef"]
            server.heal()
            server.wait_for(lambda s: s.connections[1].received == b"abcdef")


@pytest.mark.parametrize("behaviour", ["partition/up:2", "partition/accept"])
def test_a_cut_is_prepared_for_a_behaviour_too(behaviour: str) -> None:
    expected = b"" if "accept" in behaviour else b"ab"
    with serve_tcp([None, behaviour, forever(None)]) as server, ExitStack() as cleanup:
        _with_bytes(server, cleanup, 3)
        server.wait_for(lambda s: len(s.connections) == 3 and s.connections[1].struck)
        assert _received(server) == [b"abcdef", expected, b"abcdef"]
        server.heal()


def _given_up(server: TcpServer) -> None:
    """A client that is gone by the time it is let pass, so that nobody accepts it."""
    count = len(server.attempts)
    with server._core.loop.lock, ExitStack() as cleanup:
        _dialling(server, cleanup)
        cleanup.close()
    assert len(server.attempts) == count + 1


def test_who_gives_up_before_being_accepted_moves_no_cut_to_another() -> None:
    with (
        serve_tcp(faults=[Partition(at=at.up(2), on=nth(2))]) as server,
        ExitStack() as cleanup,
    ):
        _given_up(server)
        cleanup.enter_context(connect(server, b"abcdef"))
        server.wait_for(lambda s: s.connections and s.connections[0].received == b"abcdef")
        # From here on the count is right again.
        _with_bytes(server, cleanup)
        server.wait_for(lambda s: len(s.connections) == 2 and s.connections[1].struck)
        assert _received(server) == [b"abcdef", b"ab"]
        server.heal()


def test_who_gave_up_is_forgotten_when_the_server_stops() -> None:
    with (
        serve_tcp(faults=[Partition(at=at.up(2), on=nth(1))]) as server,
        ExitStack() as cleanup,
    ):
        _given_up(server)
        server.stop()
        server.start()
        _with_bytes(server, cleanup)
        server.wait_for(lambda s: s.connections and s.connections[0].struck)
        assert _received(server) == [b"ab"]
        server.heal()
