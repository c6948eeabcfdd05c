"""The SYN gate: every attempt is decided, and what `connect()` makes of each decision."""

from __future__ import annotations

import collections
import errno
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.privileged import TCP_HOSTS, Gated, every_host, gated, needs
from tests.scheduling import Scheduling
from tests.support import PATIENCE, outcome_of_connect, patient, running
from tests.tier import Tier
from wirecut.deadline import now
from wirecut.errors import MisuseError
from wirecut.wire import (
    End,
    Observation,
    TcpState,
    abort,
    drain,
    observe,
    receive_exactly,
    send_exactly,
    tcp_state,
    wait_until_readable,
)
from wirecut.wire.filters import detach_filter, only_port
from wirecut.wire.gate import Attempt, Postponed, SynGate
from wirecut.wire.packets import open_raw
from wirecut.wire.partition import Partition
from wirecut.wire.segments import Flags, Unreachable, sequence_after

pytestmark = needs("raw packets", "packet filter", "tcp repair")

Later = tuple[Postponed, ...] | None


def let_pass(gate: SynGate, attempt: Attempt) -> None:
    gate.let_pass(attempt)


def reset(gate: SynGate, attempt: Attempt) -> None:
    gate.reset(attempt)


def refuse(gate: SynGate, attempt: Attempt) -> None:
    gate.refuse(attempt)


def drop(gate: SynGate, attempt: Attempt) -> None:
    gate.drop(attempt)


def unreachable(why: Unreachable) -> Callable[[SynGate, Attempt], Later]:
    return lambda gate, attempt: gate.unreachable(attempt, why)


def outcomes(served: Gated, count: int, timeout: float | None = PATIENCE) -> dict[str, int]:
    return dict(
        collections.Counter(outcome_of_connect(served.address, timeout) for _ in range(count))
    )


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])
@pytest.mark.parametrize(
    ("decide", "expected"),
    [
        pytest.param(reset, "ECONNRESET", id="reset"),
        pytest.param(refuse, "ECONNREFUSED", id="refuse"),
        pytest.param(let_pass, "served", id="let pass"),
    ],
)
@every_host
def test_a_connect_ends_as_the_gate_decides(
    family: socket.AddressFamily,
    decide: Callable[[SynGate, Attempt], Later],
    expected: str,
    timeout: float | None,
    tier: Tier,
) -> None:
    count = tier.count(quick=30, exhaustive=1000)
    with gated(family, decide) as served:
        assert outcomes(served, count, timeout) == {expected: count}
        assert len(served.attempts) == count


@pytest.mark.parametrize(
    ("why", "ipv4", "ipv6"),
    [
        (Unreachable.NETWORK, "ENETUNREACH", "ENETUNREACH"),
        (Unreachable.HOST, "EHOSTUNREACH", "EHOSTUNREACH"),
        (Unreachable.PROHIBITED, "EHOSTUNREACH", "EACCES"),
        (Unreachable.PORT, "ECONNREFUSED", "ECONNREFUSED"),
    ],
    ids=[why.value for why in Unreachable],
)
@every_host
def test_an_unreachable_destination_fails_as_the_family_has_it(
    family: socket.AddressFamily, why: Unreachable, ipv4: str, ipv6: str, tier: Tier
) -> None:
    """2,000 of 2,000 for each in the exhaustive tier.

    An error that its client missed would show as the second until the SYN is repeated.  More
    than 50 ms can only be the machine's doing: then a thread that does nothing but wait was
    late by as much.  On IPv4 Linux may wake a polling client before it can read the error.
    """
    count = tier.count(quick=20, exhaustive=2000)
    expected = ipv6 if family == socket.AF_INET6 else ipv4
    early = 0
    with gated(family, unreachable(why)) as served, Scheduling() as scheduling:
        for timeout in (None, PATIENCE):
            for made in range(count // 2):
                before = now()
                met = outcome_of_connect(served.address, timeout)
                after = now()
                if met == "not connected" and timeout and family == socket.AF_INET:
                    early += 1
                    assert early <= 1 + made // 500
                    continue
                assert met == expected
                assert after - before < 0.5
                if after - before >= 0.05:
                    assert after - before < 0.05 + scheduling.late(before, after)


@every_host
def test_httpx_raises_connect_error_with_connection_reset_by_peer(
    family: socket.AddressFamily, tier: Tier
) -> None:
    host = "[::1]" if family == socket.AF_INET6 else "127.0.0.1"
    with (
        gated(family, reset) as served,
        httpx.Client(trust_env=False, timeout=PATIENCE) as client,
    ):
        for _ in range(tier.count(quick=20, exhaustive=300)):
            with pytest.raises(httpx.ConnectError) as caught:
                client.get(f"http://{host}:{served.address[1]}/")
            assert str(caught.value) == f"[Errno {errno.ECONNRESET}] Connection reset by peer"


@every_host
def test_a_client_that_is_let_pass_talks_as_if_there_were_no_gate(
    family: socket.AddressFamily,
) -> None:
    payload = bytes(range(256)) * 4096
    with gated(family, let_pass) as served, socket.socket(family) as client:
        client.connect(served.address)
        ours, name = served.listener.accept()
        with ours, running(lambda _: client.sendall(payload)):
            assert name[:2] == client.getsockname()[:2]
            assert receive_exactly(ours, len(payload), patient()) == payload


@every_host
def test_each_attempt_meets_its_own_decision_in_order(
    family: socket.AddressFamily, tier: Tier
) -> None:
    """Refused twice, then served; and reset on the third: connections are counted."""
    plan = [refuse, refuse, let_pass, reset, let_pass]
    names = ["ECONNREFUSED", "ECONNREFUSED", "served", "ECONNRESET", "served"]
    seen: list[Attempt] = []

    def decide(gate: SynGate, attempt: Attempt) -> None:
        plan[len(seen) % len(plan)](gate, attempt)
        seen.append(attempt)

    with gated(family, decide) as served:
        for _ in range(tier.count(quick=4, exhaustive=300)):
            assert [outcome_of_connect(served.address) for _ in plan] == names


def test_concurrent_clients_of_three_gates_meet_only_their_own(tier: Tier) -> None:
    """20 clients at once on each of three ports: refused twice, then served."""
    rounds = tier.count(quick=2, exhaustive=15)

    def refused_twice() -> Callable[[SynGate, Attempt], Later]:
        seen: list[Attempt] = []

        def decide(gate: SynGate, attempt: Attempt) -> None:
            seen.append(attempt)
            (refuse if len(seen) % 3 else let_pass)(gate, attempt)

        return decide

    def connect_thrice(served: Gated, found: list[str]) -> None:
        found.extend(outcome_of_connect(served.address) for _ in range(3))

    for _ in range(rounds):
        found: list[str] = []
        with ExitStack() as cleanup:
            servers = [
                cleanup.enter_context(gated(socket.AF_INET, refused_twice())) for _ in range(3)
            ]

            threads = [
                threading.Thread(target=connect_thrice, args=(served, found))
                for served in servers
                for _ in range(20)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            assert [len(served.attempts) for served in servers] == [60, 60, 60]
        assert collections.Counter(found) == {"ECONNREFUSED": 120, "served": 60}


@pytest.mark.slow
@every_host
def test_a_repeated_syn_is_no_new_attempt_and_meets_the_same_decision(
    family: socket.AddressFamily,
) -> None:
    """A SYN is repeated after a second, which nothing shortens for the client."""
    with gated(family, drop) as served, socket.socket(family) as client:
        client.settimeout(1.3)
        with pytest.raises(TimeoutError):
            client.connect(served.address)
        assert len(served.attempts) == 1


@pytest.mark.slow
def test_a_repeated_syn_is_let_pass_again_when_the_first_was_lost() -> None:
    def lose_the_first(gate: SynGate, attempt: Attempt) -> None:
        # As if the replayed SYN had met a full queue: decided, but not sent.
        gate._remember(attempt, (attempt.syn.marked(0x7763),))

    with gated(socket.AF_INET, lose_the_first) as served:
        before = now()
        assert outcome_of_connect(served.address) == "served"
        assert now() - before >= 1.0
        assert len(served.attempts) == 1


@every_host
def test_deciding_later_is_a_delay(family: socket.AddressFamily) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((TCP_HOSTS[family], 0))
        listener.listen()
        address = listener.getsockname()[:2]
        with SynGate(listener, address) as gate:
            client.setblocking(False)
            assert client.connect_ex(address) == errno.EINPROGRESS
            wait_until_readable(gate.socket, patient())
            (attempt,) = gate.attempts()
            assert attempt.client == client.getsockname()[:2]
            assert tcp_state(client) is TcpState.SYN_SENT
            gate.let_pass(attempt)
            assert tcp_state(client) is TcpState.ESTABLISHED
            assert list(gate.attempts()) == []  # not even its own, marked SYN


@every_host
def test_a_repetition_is_recognised_before_and_after_the_decision(
    family: socket.AddressFamily,
) -> None:
    """The repetition is ours, byte for byte the client's, so that no second has to pass."""
    with ExitStack() as cleanup:
        listener, client = (cleanup.enter_context(socket.socket(family)) for _ in range(2))
        listener.bind((TCP_HOSTS[family], 0))
        listener.listen()
        gate = cleanup.enter_context(SynGate(listener, listener.getsockname()[:2]))
        raw = cleanup.enter_context(open_raw(family))
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        wait_until_readable(gate.socket, patient())
        (attempt,) = gate.attempts()
        for decided in (False, True):
            if decided:
                gate.drop(attempt)
            raw.send(attempt.syn)
            wait_until_readable(gate.socket, patient())
            assert list(gate.attempts()) == []
            assert tcp_state(client) is TcpState.SYN_SENT
        # Another first number is another attempt.
        raw.send(replace(attempt.syn, sequence=sequence_after(attempt.syn.sequence, 1)))
        wait_until_readable(gate.socket, patient())
        assert len(list(gate.attempts())) == 1


@every_host
def test_a_reset_is_a_syn_and_a_rst_with_the_numbers_the_client_expects(
    family: socket.AddressFamily,
) -> None:
    with ExitStack() as cleanup:
        listener, client = (cleanup.enter_context(socket.socket(family)) for _ in range(2))
        listener.bind((TCP_HOSTS[family], 0))
        listener.listen()
        gate = cleanup.enter_context(SynGate(listener, listener.getsockname()[:2]))
        client.bind((TCP_HOSTS[family], 0))
        port = client.getsockname()[1]
        raw = cleanup.enter_context(open_raw(family, only_port(family, port)))
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        wait_until_readable(gate.socket, patient())
        (attempt,) = gate.attempts()
        gate.reset(attempt)
        wait_until_readable(raw.socket, patient())
        syn, rst = raw.receive(), raw.receive()
        assert syn is not None
        assert rst is not None
        assert (syn.flags, rst.flags) == (Flags.SYN, Flags.RST | Flags.ACK)
        assert rst.sequence == syn.end
        assert rst.acknowledgement == attempt.syn.end
        assert raw.receive() is None


@every_host
def test_nobody_gets_in_undecided(family: socket.AddressFamily) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((TCP_HOSTS[family], 0))
        listener.listen()
        listener.setblocking(False)
        with SynGate(listener, listener.getsockname()[:2]):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            with pytest.raises(BlockingIOError):
                listener.accept()


@every_host
def test_a_closed_gate_leaves_no_filter_and_no_descriptor(
    family: socket.AddressFamily,
) -> None:
    with socket.socket(family) as listener:
        listener.bind((TCP_HOSTS[family], 0))
        listener.listen()
        descriptors = set(Path("/proc/self/fd").iterdir())
        gate = SynGate(listener, listener.getsockname()[:2])
        gate.close()
        gate.close()
        assert gate.fileno() == -1
        assert set(Path("/proc/self/fd").iterdir()) == descriptors
        assert not detach_filter(listener)
        assert list(gate.attempts()) == []
        with socket.socket(family) as client:
            client.settimeout(PATIENCE)
            client.connect(listener.getsockname())


def test_a_gate_may_be_closed_after_its_listener_and_before_what_was_postponed() -> None:
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        gate = SynGate(listener, listener.getsockname())
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        wait_until_readable(gate.socket, patient())
        (attempt,) = gate.attempts()
        postponed = gate.unreachable(attempt, Unreachable.HOST)
        listener.close()
        gate.close()
        for item in postponed:
            gate.send(item)
        assert tcp_state(client) is TcpState.SYN_SENT


@pytest.mark.parametrize("up_bytes", [0, 1, 7, 4096])
@every_host
def test_a_client_can_be_let_pass_with_its_cable_cut_from_the_start(
    family: socket.AddressFamily, up_bytes: int
) -> None:
    """However early its bytes come: they come before anybody could accept it."""
    payload = bytes(range(256)) * 32

    def cut(gate: SynGate, attempt: Attempt) -> None:
        gate.let_pass(attempt, up_bytes=up_bytes)

    with gated(family, cut) as served, socket.socket(family) as client:
        client.connect(served.address)
        send_exactly(client, payload, patient())
        ours, _ = served.listener.accept()
        with ours:
            got = receive_exactly(ours, up_bytes, patient())
            ours.setblocking(False)
            with pytest.raises(BlockingIOError):
                ours.recv(1)
            Partition(ours).heal()
            ours.setblocking(True)
            rest = receive_exactly(ours, len(payload) - up_bytes, patient())
            assert got + rest == payload


def test_the_cut_of_one_client_is_not_the_cut_of_another() -> None:
    with ExitStack() as cleanup:
        listener = cleanup.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        gate = cleanup.enter_context(SynGate(listener, listener.getsockname()))
        clients = [cleanup.enter_context(socket.socket()) for _ in range(3)]
        for number, client in enumerate(clients):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            wait_until_readable(gate.socket, patient())
            (attempt,) = gate.attempts()
            gate.let_pass(attempt, up_bytes=(2, None, 4)[number])
            send_exactly(client, b"abcdef", patient())
        for expected in (b"ab", b"abcdef", b"abcd"):
            ours = cleanup.enter_context(listener.accept()[0])
            gate.accepted(ours.getpeername())
            assert receive_exactly(ours, len(expected), patient()) == expected
            ours.setblocking(False)
            with pytest.raises(BlockingIOError):
                ours.recv(1)
        assert gate._cuts == {}


def test_a_cut_needs_a_count() -> None:
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with SynGate(listener, listener.getsockname()) as gate:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            wait_until_readable(gate.socket, patient())
            (attempt,) = gate.attempts()
            with pytest.raises(MisuseError, match="up_bytes must be >= 0, got -1"):
                gate.let_pass(attempt, up_bytes=-1)


def test_old_decisions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wirecut.wire.gate._REMEMBERED_DECISIONS", 3)
    gates: list[SynGate] = []

    def decide(gate: SynGate, attempt: Attempt) -> None:
        gates.append(gate)
        gate.refuse(attempt)

    with gated(socket.AF_INET, decide) as served:
        outcomes(served, 5)
        assert len(gates[0]._decisions) == 3
        assert not gates[0]._undecided


def test_an_attempt_is_a_syn_without_its_acknowledgement() -> None:
    with gated(socket.AF_INET, let_pass) as served:
        assert outcome_of_connect(served.address) == "served"
        (attempt,) = served.attempts
        assert attempt.syn.flags & (Flags.SYN | Flags.ACK) == Flags.SYN
        assert attempt.syn.urgent_pointer == 0


@every_host
def test_an_accepted_connection_can_still_be_reset_as_always(
    family: socket.AddressFamily,
) -> None:
    """The control: what it inherits from the gate's listener does not get in the way."""
    with gated(family, let_pass) as served, socket.socket(family) as client:
        client.connect(served.address)
        ours, _ = served.listener.accept()
        with ours:
            ours.sendall(b"abc")
            abort(ours)
        assert observe(client, patient()) == Observation(b"abc", End.RESET)
        with socket.socket(family) as second:
            second.connect(served.address)
            theirs, _ = served.listener.accept()
            with theirs:
                abort(second)
                assert drain(theirs, patient()) == 0
