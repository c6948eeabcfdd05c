"""One address, open, refusing or full: what clients meet, and what is left afterwards."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import FAMILIES, PATIENCE, connected_pair, patient
from wirecut.errors import CapabilityMissing, MisuseError
from wirecut.wire import (
    End,
    ListenerState,
    Listening,
    TcpState,
    available,
    bytes_unsent,
    kernel,
    listening,
    observe,
    receive_exactly,
    tcp_state,
    wait_until_readable,
    wait_until_writable,
)

every_family = pytest.mark.parametrize("family", FAMILIES)
every_tcp = pytest.mark.parametrize("family", FAMILIES[:2])
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="ports are held on Linux")


def make(family: socket.AddressFamily, tmp_path: Path) -> Listening:
    if family == socket.AF_INET:
        return Listening()
    if family == socket.AF_INET6:
        return Listening("::1")
    return Listening(path=tmp_path / "s")


def client(place: Listening, *, wait: bool = True) -> socket.socket:
    """A client of the address, connected unless ``wait`` is off."""
    sock = socket.socket(place.family)
    sock.settimeout(PATIENCE if wait else 0)
    try:
        sock.connect(place.address)
    except BlockingIOError:
        pass
    except BaseException:
        sock.close()
        raise
    return sock


def accept(place: Listening) -> socket.socket | None:
    """The next connection, without its address."""
    found = place.accept()
    return None if found is None else found[0]


def assert_serves(place: Listening) -> None:
    """The next connection accepted is the one made here, and bytes pass both ways."""
    with client(place) as theirs:
        assert place.socket is not None
        wait_until_readable(place.socket, patient())
        accepted = accept(place)
        assert accepted is not None
        with accepted:
            theirs.sendall(b"to")
            assert receive_exactly(accepted, 2, patient()) == b"to"
            accepted.sendall(b"fro")
            assert receive_exactly(theirs, 3, patient()) == b"fro"
    assert place.accept() is None


def assert_refuses(place: Listening) -> None:
    with pytest.raises(ConnectionRefusedError):
        client(place)


def is_answered(sock: socket.socket) -> bool:
    """Whether a connect under way has been answered by now, one way or the other."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        return bool(selector.select(0))


def bind_error(
    address: object, *options: int, family: socket.AddressFamily = socket.AF_INET
) -> int | None:
    """What a program meets that binds ``address`` itself; None if it gets it."""
    if isinstance(address, str):
        family = socket.AF_UNIX
    with socket.socket(family) as thief:
        for option in options:
            thief.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            thief.bind(address)  # type: ignore[arg-type]
        except OSError as error:
            return error.errno
    return None


def descriptors() -> set[str]:
    """The sockets of this process, by inode: descriptor numbers are used again."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            link = str(entry.readlink())
        except FileNotFoundError:
            continue
        if link.startswith("socket:"):
            found.add(link)
    return found


@every_family
def test_a_new_address_refuses(family: socket.AddressFamily, tmp_path: Path) -> None:
    with make(family, tmp_path) as place:
        assert place.state is ListenerState.REFUSING
        assert place.family == family
        assert place.socket is None
        assert place.accept() is None
        assert_refuses(place)


@every_family
def test_served_refused_and_served_on_one_address(
    family: socket.AddressFamily, tmp_path: Path
) -> None:
    with make(family, tmp_path) as place:
        address = place.address
        for _ in range(3):
            place.open()
            assert place.state.value == "open"
            assert_serves(place)
            place.refuse()
            assert place.state.value == "refusing"
            assert place.socket is None
            assert_refuses(place)
        assert place.address == address


@every_family
def test_a_switch_to_the_present_state_changes_nothing(
    family: socket.AddressFamily, tmp_path: Path
) -> None:
    with make(family, tmp_path) as place:
        place.refuse()
        assert_refuses(place)
        place.open()
        listener = place.socket
        place.open()
        assert place.socket is listener
        assert_serves(place)
        place.refuse()
        place.refuse()
        assert_refuses(place)


@every_family
def test_an_accepted_connection_survives_every_switch(
    family: socket.AddressFamily, tmp_path: Path
) -> None:
    with make(family, tmp_path) as place:
        place.open()
        with client(place) as theirs:
            accepted = accept(place)
            assert accepted is not None
            with accepted:
                place.refuse()
                place.open()
                if family != socket.AF_UNIX:
                    place.fill()
                place.close()
                theirs.sendall(b"still")
                assert receive_exactly(accepted, 5, patient()) == b"still"


@every_tcp
def test_a_connection_not_yet_accepted_is_reset_by_refusing(
    family: socket.AddressFamily, tmp_path: Path
) -> None:
    with make(family, tmp_path) as place:
        place.open()
        with client(place) as theirs:
            place.refuse()
            assert observe(theirs, patient()).end is End.RESET


def test_the_address_is_a_pair_also_on_ipv6_and_a_path_on_unix(tmp_path: Path) -> None:
    with Listening() as place:
        port = place.address[1]
        assert place.address == ("127.0.0.1", port)
        assert isinstance(port, int)
        assert 0 < port < 65536
    if available("ipv6 loopback"):
        with Listening("::1") as place:
            assert place.address == ("::1", place.address[1])
    with Listening(path=tmp_path / "s") as place:
        assert place.address == str(tmp_path / "s")


def test_the_listening_socket_does_not_block() -> None:
    with Listening() as place:
        place.open()
        assert place.socket is not None
        assert place.socket.gettimeout() == 0
        assert not os.get_blocking(place.socket.fileno())
        with pytest.raises(BlockingIOError):
            place.socket.accept()


@linux_only
@pytest.mark.parametrize("port", ["free", "given"])
def test_a_refusing_port_cannot_be_taken(port: str) -> None:
    number = 0
    if port == "given":
        with Listening() as free:
            number = int(free.address[1])
    with Listening(port=number) as place:
        for _ in range(2):
            for options in ((), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,)):
                assert bind_error(place.address, *options) == errno.EADDRINUSE
            place.open()
            assert bind_error(place.address, socket.SO_REUSEADDR) == errno.EADDRINUSE
            place.refuse()
    assert bind_error(place.address) is None


def test_a_refusing_path_cannot_be_taken(tmp_path: Path) -> None:
    with Listening(path=tmp_path / "s") as place:
        for _ in range(2):
            assert bind_error(place.address) == errno.EADDRINUSE
            place.open()
            place.refuse()
    assert bind_error(place.address) is None


def test_a_port_in_use_is_named() -> None:
    with Listening() as place:
        port = place.address[1]
        message = f"port {port} on 127.0.0.1 is in use: port=0 takes a free one"
        with pytest.raises(MisuseError, match=message):
            Listening(port=int(port))
        place.open()
        with pytest.raises(MisuseError, match=message):
            Listening(port=int(port))


def test_a_port_is_free_again_although_its_connections_linger() -> None:
    with Listening() as place:
        place.open()
        with client(place) as theirs:
            accepted = accept(place)
            assert accepted is not None
            accepted.close()  # first, so that TIME_WAIT is on the port's side
            assert theirs.recv(1) == b""
        port = int(place.address[1])
    # The control: somebody who does not ask for it cannot have the port now.
    assert bind_error(("127.0.0.1", port)) == errno.EADDRINUSE
    with Listening(port=port) as place:
        place.open()
        assert_serves(place)


@every_tcp
def test_a_full_address_answers_nobody(family: socket.AddressFamily, tmp_path: Path) -> None:
    with make(family, tmp_path) as place:
        place.fill()
        assert place.state is ListenerState.FULL
        assert place.socket is None
        assert place.accept() is None
        with client(place, wait=False) as theirs, client(place, wait=False) as another:
            assert not is_answered(theirs)
            assert not is_answered(another)
            assert tcp_state(theirs) is TcpState.SYN_SENT


def test_a_client_of_a_full_address_runs_into_its_connect_timeout() -> None:
    with Listening() as place:
        place.fill()
        with pytest.raises(TimeoutError):
            socket.create_connection(place.address, timeout=0.05)  # type: ignore[arg-type]


@every_tcp
@pytest.mark.parametrize("before", ["refusing", "open"])
def test_opening_a_full_address_serves_and_the_filler_is_nobodys_client(
    before: str, family: socket.AddressFamily, tmp_path: Path
) -> None:
    with make(family, tmp_path) as place:
        if before == "open":
            place.open()
        for _ in range(3):
            place.fill()
            place.open()
            # Not through accept() alone: who accepts by hand does not meet it either.
            assert place.socket is not None
            with pytest.raises(BlockingIOError):
                place.socket.accept()
            assert_serves(place)


@pytest.mark.slow
def test_a_client_that_waits_at_a_full_address_is_served_after_opening() -> None:
    with Listening() as place:
        place.fill()
        with client(place, wait=False) as theirs:
            assert not is_answered(theirs)
            place.open()
            wait_until_writable(theirs, patient())
            assert place.socket is not None
            wait_until_readable(place.socket, patient())
            accepted = accept(place)
            assert accepted is not None
            with accepted:
                assert accepted.getpeername() == theirs.getsockname()


def test_filling_twice_is_filling_once_and_refusing_ends_it() -> None:
    with Listening() as place:
        place.fill()
        before = descriptors()
        place.fill()
        assert descriptors() == before
        place.refuse()
        assert_refuses(place)
        place.fill()
        with client(place, wait=False) as theirs:
            assert not is_answered(theirs)


def test_clients_that_wait_to_be_accepted_outlive_being_full() -> None:
    with Listening() as place:
        place.open()
        with client(place) as first, client(place) as second:
            place.fill()
            with client(place, wait=False) as late:
                assert not is_answered(late)
            place.open()
            for theirs in (first, second):
                accepted = accept(place)
                assert accepted is not None
                with accepted:
                    assert accepted.getpeername() == theirs.getsockname()
            assert place.accept() is None
            assert_serves(place)


def test_a_busy_machine_that_finishes_the_fillers_handshake_late_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late: list[socket.socket] = []

    class Late(socket.socket):
        def connect_ex(self, _address: object) -> int:
            late.append(self)
            return errno.EINPROGRESS

    def finish_and_wait(listener: socket.socket, *rest: object) -> None:
        socket.socket.connect_ex(late.pop(), listener.getsockname())
        wait_until_readable(listener, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(listening, "new_socket", Late)
    monkeypatch.setattr(listening, "wait_until_readable", finish_and_wait)
    with Listening() as place:
        place.fill()
        with client(place, wait=False) as theirs:
            assert not is_answered(theirs)


def test_a_client_that_took_the_fillers_place_is_served() -> None:
    # The race of two handshakes on two cores cannot be forced; its outcome can: the filler
    # thinks that it is connected, and the one in the queue is somebody else.
    with Listening() as place:
        place.open()
        with client(place) as theirs:
            place.fill()
            with connected_pair() as (elsewhere, _):
                place._filler = socket.socket(fileno=elsewhere.detach())
                place.open()
            accepted = accept(place)
            assert accepted is not None
            with accepted:
                assert accepted.getpeername() == theirs.getsockname()
            assert place.accept() is None
            assert_serves(place)


def test_a_client_that_took_the_fillers_place_is_reset_by_refusing() -> None:
    with Listening() as place:
        place.open()
        with client(place) as theirs:
            place.fill()
            with connected_pair() as (elsewhere, _):
                place._filler = socket.socket(fileno=elsewhere.detach())
                place.open()
            place.refuse()
            assert observe(theirs, patient()).end is End.RESET


def test_a_path_cannot_be_full(tmp_path: Path) -> None:
    with Listening(path=tmp_path / "s") as place:
        with pytest.raises(MisuseError, match=r"cannot leave a connect unanswered .* TCP"):
            place.fill()
        place.open()
        assert_serves(place)


def test_without_the_capability_fill_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "available", lambda _name: False)
    with Listening() as place:
        with pytest.raises(CapabilityMissing, match="'full backlog' is not available here"):
            place.fill()
        assert place.state is ListenerState.REFUSING
        assert_refuses(place)


@every_family
def test_closing_twice_is_fine_and_after_it_nothing_works(
    family: socket.AddressFamily, tmp_path: Path
) -> None:
    place = make(family, tmp_path)
    place.open()
    place.close()
    place.close()
    assert place.state is ListenerState.CLOSED
    assert place.socket is None
    assert place.accept() is None
    for switch in (place.open, place.refuse, place.fill):
        with pytest.raises(MisuseError, match="was closed: make a new one"):
            switch()
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        client(place)
    assert repr(place) == f"<Listening {place.address!r} closed>"


@every_tcp
def test_a_connection_comes_with_its_address_and_does_not_block(
    family: socket.AddressFamily, tmp_path: Path
) -> None:
    with make(family, tmp_path) as place:
        place.open()
        with client(place) as theirs:
            found = place.accept()
            assert found is not None
            with found[0] as accepted:
                assert found[1] == theirs.getsockname()[:2]
                assert accepted.gettimeout() == 0


def test_a_connection_to_a_path_comes_without_an_address(tmp_path: Path) -> None:
    with Listening(path=tmp_path / "s") as place:
        place.open()
        with client(place):
            found = place.accept()
            assert found is not None
            with found[0] as accepted:
                assert found[1] == ""
                assert accepted.gettimeout() == 0


@linux_only
@every_family
@pytest.mark.parametrize("state", ["refuse", "open", "fill"])
def test_the_descriptors_it_names_are_all_it_holds(
    state: str, family: socket.AddressFamily, tmp_path: Path
) -> None:
    if state == "fill" and family == socket.AF_UNIX:
        pytest.skip("platform: a path cannot be full")
    available("full backlog")  # the probe's own sockets come and go before we count
    before = descriptors()
    with make(family, tmp_path) as place:
        getattr(place, state)()
        named = {
            str(Path(f"/proc/self/fd/{number}").readlink()) for number in place.descriptors
        }
        assert named == descriptors() - before
        assert len(named) == len(place.descriptors) > 0
    assert place.descriptors == ()


@linux_only
@every_family
@pytest.mark.parametrize("state", ["refuse", "open", "fill"])
def test_a_forked_child_lets_go_and_the_parent_keeps_the_address(
    state: str, family: socket.AddressFamily, tmp_path: Path
) -> None:
    if state == "fill" and family == socket.AF_UNIX:
        pytest.skip("platform: a path cannot be full")
    place = make(family, tmp_path)
    getattr(place, state)()
    # Duplicates keep the sockets alive, as the parent's descriptors do.
    parents = [os.dup(number) for number in place.descriptors]
    try:
        place.forked()
        place.close()
        assert place.state is ListenerState.CLOSED
        assert place.accept() is None
        if state == "open":
            client(place).close()
        elif state == "refuse":
            assert_refuses(place)
            assert bind_error(place.address, family=family) == errno.EADDRINUSE
        else:
            with client(place, wait=False) as theirs:
                assert not is_answered(theirs)
    finally:
        for number in parents:
            os.close(number)


def test_a_forked_child_lets_go_of_a_client_that_came_early() -> None:
    with Listening() as place:
        place.open()
        with client(place) as theirs:
            place.fill()
            with connected_pair() as (elsewhere, _):
                place._filler = socket.socket(fileno=elsewhere.detach())
                place.open()
            assert len(place.descriptors) == 3
            place.forked()
            assert observe(theirs, patient()).end is End.EOF
        # It is not the child that gives the port up.
        assert place.state is ListenerState.CLOSED


@linux_only
@every_family
@pytest.mark.parametrize("state", ["refuse", "open", "fill"])
def test_a_thousand_addresses_leave_no_descriptor(
    state: str, family: socket.AddressFamily, tmp_path: Path
) -> None:
    if state == "fill" and family == socket.AF_UNIX:
        pytest.skip("platform: a path cannot be full")
    before = descriptors()
    for _ in range(1000):
        with make(family, tmp_path) as place:
            getattr(place, state)()
    assert descriptors() == before
    assert list(tmp_path.iterdir()) == []


@linux_only
def test_a_thousand_switches_leave_no_descriptor(tmp_path: Path) -> None:
    with Listening() as place, Listening(path=tmp_path / "s") as path:
        place.fill()  # the capability is tried once
        place.refuse()
        path.open()
        path.refuse()
        before = descriptors()
        for _ in range(1000):
            place.open()
            place.fill()
            place.open()
            place.refuse()
        for _ in range(100):
            path.open()
            path.refuse()
        assert descriptors() == before
        assert_refuses(place)
        assert os.listdir(tmp_path) == ["s"]  # noqa: PTH208 - names are enough


def test_a_misuse_leaves_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    with Listening() as place:
        before = descriptors()
        misuses: list[dict[str, object]] = [
            {"port": place.address[1]},
            {"path": tmp_path / "s"},
            {"host": "203.0.113.1", "allow_remote": True},
        ]
        for arguments in misuses:
            with pytest.raises(MisuseError):
                Listening(**arguments)  # type: ignore[arg-type]
        assert descriptors() == before


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "fe80::1%lo"])
def test_other_machines_are_kept_out_unless_asked_for(host: str) -> None:
    with pytest.raises(MisuseError, match=r"host must be a loopback address, got .*allow"):
        Listening(host)


def test_other_machines_can_be_let_in_in_so_many_words() -> None:
    with Listening("0.0.0.0", allow_remote=True) as place:
        place.fill()
        place.open()
        with socket.create_connection(("127.0.0.1", int(place.address[1]))) as theirs:
            accepted = accept(place)
            assert accepted is not None
            with accepted:
                assert accepted.getpeername() == theirs.getsockname()


def test_every_address_of_the_loopback_net_is_loopback() -> None:
    with Listening("127.0.0.2") as place:
        place.open()
        assert_serves(place)


def test_the_ipv6_loopback_is_recognised_in_any_spelling() -> None:
    if not available("ipv6 loopback"):
        pytest.skip("no ::1 here")
    with Listening("0:0:0:0:0:0:0:1") as place:
        place.open()
        assert_serves(place)


@pytest.mark.parametrize("host", ["localhost", "example.org", "", "127.0.0", 7])
def test_a_host_that_is_no_address_is_misuse(host: str) -> None:
    with pytest.raises(MisuseError, match=r"host must be an address such as 127.0.0.1 or"):
        Listening(host)


def test_an_address_of_another_machine_is_misuse() -> None:
    with pytest.raises(MisuseError, match=r"'203.0.113.1' is not an address of this machine"):
        Listening("203.0.113.1", allow_remote=True)


@pytest.mark.parametrize(
    ("number", "host", "port", "kind", "message"),
    [
        (
            errno.EADDRINUSE,
            "127.0.0.1",
            0,
            MisuseError,
            "port 0 on .* used: .*in use",
        ),
        (errno.EACCES, "127.0.0.1", 80, MisuseError, "port 80 on 127.0.0.1 needs privileges"),
        (errno.EADDRNOTAVAIL, "::1", 0, CapabilityMissing, "'ipv6 loopback' is not"),
        (errno.EAFNOSUPPORT, "::1", 0, CapabilityMissing, "'ipv6 loopback' is not"),
        (errno.EMFILE, "127.0.0.1", 0, OSError, "too many open files"),
    ],
)
def test_what_the_kernel_refuses_is_explained(  # noqa: PLR0913, PLR0917 - one table, five columns
    number: int,
    host: str,
    port: int,
    kind: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refused(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(kind, match=f"(?i){message}") as caught:
        Listening(host, port)
    assert isinstance(caught.value, MisuseError) is (kind is not OSError)


def test_no_socket_at_all_is_not_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(OSError, match="too many"):
        Listening()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": -1}, "port must be >= 0, got -1"),
        ({"port": 65536}, "port must be <= 65535, got 65536"),
        ({"backlog": 0}, "backlog must be >= 1, got 0"),
        ({"receive_buffer_bytes": 0}, "receive_buffer_bytes must be >= 1, got 0"),
        ({"path": "x", "port": 1}, "path cannot be combined with port"),
        ({"path": "x", "receive_buffer_bytes": 1}, "path cannot be combined with"),
        ({"path": ""}, "path must be the name of a file, got ''"),
        ({"path": "\0abstract"}, "path must be the name of a file, got"),
        ({"path": "x" * 107}, "path must have at most 106 bytes, got 107"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        Listening(**arguments)  # type: ignore[arg-type]


def test_a_backlog_is_given_to_the_kernel() -> None:
    with Listening(backlog=1) as place:
        place.open()
        with client(place), client(place), client(place, wait=False) as third:
            assert not is_answered(third)


def test_a_small_receive_buffer_makes_a_client_block_early() -> None:
    with Listening(receive_buffer_bytes=4096) as small, Listening() as usual:
        left = []
        for place in (small, usual):
            place.open()
            with client(place) as theirs:
                accepted = accept(place)
                assert accepted is not None
                with accepted:
                    theirs.setblocking(False)
                    theirs.send(bytes(1 << 15))
                    left.append(bytes_unsent(theirs))
        assert left[0] > 0 == left[1]


def test_a_path_that_exists_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(MisuseError, match="exists already: remove it or take another"):
        Listening(path=path)
    assert path.read_text() == "mine"


def test_a_path_in_no_folder_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"cannot be used: .*No such file"):
        Listening(path=tmp_path / "none" / "s")


def test_a_file_that_took_our_paths_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Listening(path=path) as place:
        place.open()
        path.unlink()
        path.write_text("theirs")
    assert path.read_text() == "theirs"


def test_a_reopened_path_is_removed_too_and_a_missing_one_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Listening(path=path) as place:
        for _ in range(2):
            place.open()
            place.refuse()
    assert not path.exists()
    with Listening(path=path):
        path.unlink()


def test_the_longest_path_can_be_reopened(tmp_path: Path) -> None:
    room = 106 - len(os.fsencode(tmp_path)) - 1
    if room < 1:
        pytest.skip("the temporary folder's own name is too long")
    with Listening(path=tmp_path / ("x" * room)) as place:
        for _ in range(2):
            place.open()
            assert_serves(place)
            place.refuse()


def test_out_of_descriptors_is_not_the_paths_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Refused(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError(errno.ENOBUFS, "none left")

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(OSError, match="none left") as caught:
        Listening(path=tmp_path / "s")
    assert not isinstance(caught.value, MisuseError)


def test_without_unix_sockets_a_path_names_the_capability(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(CapabilityMissing, match="'unix sockets' are not available here"):
        Listening(path=tmp_path / "s")


def test_a_connection_aborted_while_it_waited_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aborted = [ConnectionAbortedError()]

    class Aborting(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if aborted:
                raise aborted.pop()
            return super().accept()

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Aborting)
        place = Listening()
        place.open()
    with place:
        assert_serves(place)
    assert not aborted


# Where ports cannot be held, seen from Linux: the same constants, set as there.  In a
# process of its own, since the port is nobody's for a moment.
ELSEWHERE = """
import socket
from wirecut.wire import Listening, keeping
keeping._HOLDS_PORTS = False
keeping._SOCK_NONBLOCK = 0
for port in (0, None):
    place = Listening(port=port if port is not None else number)
    number = place.address[1]
    for _ in range(2):
        try:
            socket.create_connection(place.address)
        except ConnectionRefusedError:
            pass
        else:
            raise SystemExit("served")
        place.open()
        assert place.accept() is None
        with socket.create_connection(place.address):
            place.accept()[0].close()
        place.fill()
        place.open()
        assert place.accept() is None
        place.refuse()
    place.open()
    place.close()
with Listening(): pass
raise SystemExit(17)
"""


def test_the_switches_work_where_ports_cannot_be_held() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ELSEWHERE], check=False, timeout=60
    )
    assert done.returncode == 17


def test_accepted_connections_send_small_pieces_at_once(loopback_host: str) -> None:
    with Listening(loopback_host) as place:
        place.open()
        with client(place):
            assert place.socket is not None
            wait_until_readable(place.socket, patient())
            accepted = place.accept()
            assert accepted is not None
            with accepted[0] as sock:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
