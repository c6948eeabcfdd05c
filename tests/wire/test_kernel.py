"""What the kernel tells about a connection, and the capabilities by name."""

from __future__ import annotations

import contextlib
import select
import socket
import sys

import pytest

from tests.privileged import needs
from tests.support import FAMILIES, PATIENCE, connected_pair, patient
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.wire import (
    CAPABILITIES,
    Capability,
    TcpState,
    abort,
    available,
    bytes_unacknowledged,
    bytes_unread,
    bytes_unsent,
    drain,
    kernel,
    notify_when_all_sent,
    receive_exactly,
    require,
    set_no_delay,
    shut_down_writing,
    tcp_state,
    wait_until_readable,
    why_missing,
)
from wirecut.wire.privileges import PRIVILEGES

every_family = pytest.mark.parametrize("family", FAMILIES)
every_tcp = pytest.mark.parametrize("family", FAMILIES[:2])
every_name = pytest.mark.parametrize("name", [known.name for known in CAPABILITIES])
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a question to Linux")

NAMES = {
    "exact cuts",
    "full backlog",
    "held ports",
    "ipv6 loopback",
    "packet filter",
    "raw packets",
    "received data survives a reset",
    "tcp repair",
    "tcp state",
    "unix sockets",
    "user namespaces",
    "wait until sent as an event",
}


@linux_only
@every_tcp
def test_what_does_not_fit_the_peers_window_is_unsent(family: socket.AddressFamily) -> None:
    with connected_pair(family, peer_buffer=4096) as (ours, peer):
        assert bytes_unsent(ours) == 0
        ours.setblocking(False)
        accepted = ours.send(bytes(1 << 17))
        unsent = bytes_unsent(ours)
        assert 0 < unsent < accepted
        assert unsent <= bytes_unacknowledged(ours) <= accepted
        receive_exactly(peer, accepted, patient())
        assert bytes_unsent(ours) == 0


@linux_only
def test_what_was_sent_but_not_acknowledged_is_told_from_what_was_not_sent() -> None:
    with connected_pair() as (ours, peer):
        # Acknowledgements wait 40 ms now (tcp(7), TCP_QUICKACK); a busy machine may need
        # more than one attempt to look within them.
        for _ in range(100):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            ours.sendall(b"x")
            if bytes_unacknowledged(ours) and not bytes_unsent(ours):
                return
            receive_exactly(peer, 1, patient())
        pytest.fail("nothing was ever sent and not acknowledged")


@linux_only
@every_tcp
def test_a_reset_at_zero_unsent_delivers_every_byte(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        for _ in range(100):
            ours.sendall(b"x")
        deadline = patient()
        while bytes_unsent(ours):
            deadline.require("the kernel")
        abort(ours)
        assert drain(peer, patient()) == 100


def test_on_a_unix_socket_nothing_is_ever_unsent() -> None:
    with connected_pair(socket.AF_UNIX) as (ours, peer):
        ours.sendall(b"abc")
        assert bytes_unsent(ours) == bytes_unacknowledged(ours) == 0
        assert bytes_unread(peer) == 3


@every_family
def test_what_has_arrived_is_counted_until_it_is_read(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        assert bytes_unread(ours) == 0
        peer.sendall(b"abc")
        wait_until_readable(ours, patient())
        assert bytes_unread(ours) == 3
        assert ours.recv(1) == b"a"
        assert bytes_unread(ours) == 2


@linux_only
@every_tcp
def test_the_state_follows_the_connection(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, peer):
        assert tcp_state(ours) is TcpState.ESTABLISHED
        shut_down_writing(peer)
        wait_until_readable(ours, patient())
        assert tcp_state(ours) is TcpState.CLOSE_WAIT
        # Which of the two depends on when our kernel acknowledges the FIN.
        assert tcp_state(peer) in {TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2}
        abort(peer)
        assert drain(ours, patient()) == 0
        assert tcp_state(ours) is TcpState.CLOSE


@linux_only
def test_a_listener_and_a_new_socket_have_states_too() -> None:
    with socket.socket() as sock:
        assert tcp_state(sock) is TcpState.CLOSE
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        assert tcp_state(sock) is TcpState.LISTEN


def test_only_tcp_has_a_state() -> None:
    with (
        connected_pair(socket.AF_UNIX) as (ours, _),
        pytest.raises(MisuseError, match="sock must be a TCP socket"),
    ):
        tcp_state(ours)


def writable(sock: socket.socket, seconds: float = 0) -> bool:
    return bool(select.select([], [sock], [], seconds)[1])


@linux_only
@every_tcp
def test_writable_can_mean_that_all_was_sent(family: socket.AddressFamily) -> None:
    with connected_pair(family, peer_buffer=4096) as (ours, peer):
        ours.setblocking(False)
        accepted = ours.send(bytes(1 << 15))
        assert bytes_unsent(ours) > 0
        # The control: without it, room in the buffer is enough.
        assert writable(ours)
        notify_when_all_sent(ours, on=True)
        assert not writable(ours)
        notify_when_all_sent(ours, on=False)
        assert writable(ours)
        notify_when_all_sent(ours, on=True)
        receive_exactly(peer, accepted, patient())
        assert writable(ours, PATIENCE)
        assert bytes_unsent(ours) == 0


def test_the_notice_means_nothing_on_a_unix_socket_and_does_no_harm() -> None:
    with connected_pair(socket.AF_UNIX) as (ours, _):
        notify_when_all_sent(ours, on=True)
        assert writable(ours)


@every_tcp
def test_no_delay_is_set(family: socket.AddressFamily) -> None:
    with connected_pair(family) as (ours, _):
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        set_no_delay(ours)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_delay_is_nothing_on_a_unix_socket() -> None:
    with connected_pair(socket.AF_UNIX) as (ours, _):
        set_no_delay(ours)


def test_the_capabilities_are_these() -> None:
    assert {capability.name for capability in CAPABILITIES} == NAMES
    assert len(CAPABILITIES) == len(NAMES)


@linux_only
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one.name, marks=needs(one.name) if one in PRIVILEGES else ())
        for one in CAPABILITIES
    ],
)
def test_linux_has_every_capability(name: str) -> None:
    if name == "ipv6 loopback" and not available(name):
        pytest.skip("platform: no ::1 here")
    require(name)


def test_why_one_is_missing_is_what_its_probe_ran_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> bool:
        raise OSError(1, "no wings")

    planted = [
        Capability("flying", "pigs fly", "use a trebuchet", fail),
        Capability("swimming", "pigs swim", "use a boat", lambda: False),
        Capability("eating", "pigs eat", "feed them", lambda: True),
    ]
    monkeypatch.setattr(kernel, "CAPABILITIES", tuple(planted))
    monkeypatch.setattr(kernel, "_why_missing", {})
    available.cache_clear()
    try:
        reasons = [why_missing(one.name) for one in planted]
    finally:
        available.cache_clear()
    assert reasons == ["[Errno 1] no wings", "", ""]


@every_name
def test_a_probe_leaves_no_descriptor(name: str) -> None:
    (capability,) = (known for known in CAPABILITIES if known.name == name)
    with socket.socket() as before:
        lowest = before.fileno()
    with contextlib.suppress(OSError, CapabilityMissing):
        capability.probe()
    with socket.socket() as after:
        assert after.fileno() == lowest


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("exact cuts", "bytes_unsent"),
        ("wait until sent as an event", "notify_when_all_sent"),
        ("received data survives a reset", "abort"),
        ("tcp state", "tcp_state"),
    ],
)
def test_a_probe_really_tries_what_it_promises(
    name: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(sock: socket.socket, **_: object) -> int:
        if broken == "abort":  # as a kernel that drops what was received
            sock.close()
            raise ConnectionResetError
        return 0

    (capability,) = (known for known in CAPABILITIES if known.name == name)
    assert capability.probe()
    monkeypatch.setattr(kernel, broken, wrong)
    monkeypatch.setattr(kernel, "CAPABILITIES", (capability,))
    available.cache_clear()
    try:
        assert not available(name)
    finally:
        available.cache_clear()


def test_a_backlog_that_is_not_full_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Roomy(socket.socket):
        def listen(self, _backlog: int = 128) -> None:
            super().listen(128)

    monkeypatch.setattr(socket, "socket", Roomy)
    assert not kernel._probe_full_backlog()


def test_a_backlog_that_takes_not_even_the_filler_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Deaf(socket.socket):
        def listen(self, _backlog: int = 128) -> None:
            pass

    monkeypatch.setattr(socket, "socket", Deaf)
    monkeypatch.setattr(kernel, "_PROBE_PATIENCE_SECONDS", 0.01)
    assert not kernel._probe_full_backlog()


def test_a_port_that_is_not_held_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sharing(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:  # type: ignore[override]
            super().setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Sharing)
    assert not kernel._probe_held_ports()


def test_a_missing_capability_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails() -> bool:
        raise OSError

    missing = (
        Capability("teleporting", "bytes arrive before they are sent", "wait", lambda: False),
        Capability("levitating", "bytes hover", "try harder", fails),
    )
    monkeypatch.setattr(kernel, "CAPABILITIES", missing)
    assert not available("teleporting")
    with pytest.raises(CapabilityMissing) as caught:
        require("levitating")
    assert str(caught.value) == "'levitating' is not available here (bytes hover): try harder"


def test_a_name_that_is_no_capability_is_misuse() -> None:
    with pytest.raises(MisuseError, match=r"name must be one of exact cuts, .*, got 'flying'"):
        require("flying")


def test_where_the_kernel_cannot_be_asked_the_capability_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with connected_pair() as (ours, _):
        monkeypatch.setattr(kernel, "_TCP_NOTSENT_LOWAT", -1)
        with pytest.raises(CapabilityMissing, match="'wait until sent as an event' is not"):
            notify_when_all_sent(ours, on=True)
        monkeypatch.setattr(sys, "platform", "darwin")
        for ask in (bytes_unsent, bytes_unacknowledged):
            with pytest.raises(CapabilityMissing, match="'exact cuts' is not"):
                ask(ours)
        with pytest.raises(CapabilityMissing, match="'tcp state' is not"):
            tcp_state(ours)
        assert bytes_unread(ours) == 0
        monkeypatch.setattr(sys, "platform", "win32")
        with pytest.raises(CapabilityMissing, match="bytes_unread is not available"):
            bytes_unread(ours)


def test_without_unix_sockets_the_probe_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    assert not kernel._probe_unix_sockets()
