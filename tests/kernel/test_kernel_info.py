"""How the kernel is asked: keepalive, TCP_INFO of any age, and what is done before a close."""

import ctypes
import errno
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from evidence_pieces import KEXINIT

from probe.evidence import Evidence, TcpInfo
from probe.net.kernel import begin_keepalive, parse_tcp_info, read_tcp_info, record

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is Linux's")

HOST = "127.0.0.1"
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
TCP_USER_TIMEOUT = 18  # linux/tcp.h
PATIENCE_S = 20.0

# struct tcp_info of linux/tcp.h, Linux 6.18: eight octets of their own, then each octet group here
# holds its own offset.
NUMBERED = bytes([1, 2, 3, 4, 5, 6, 7, 8]) + struct.pack("=68I", *range(8, 280, 4))

WHOLE = TcpInfo(
    state=1,
    retransmits=3,
    keepalive_probes=4,
    unacked_segments=24,
    since_sent_ms=44,
    since_ack_ms=56,
    path_mtu_octets=60,
    rtt_us=68,
    total_retransmits=100,
    acked_octets=int.from_bytes(NUMBERED[120:128], sys.byteorder),
    unsent_octets=144,
    out_of_order_segments=224,
    peer_window_octets=228,
)

END_OCTETS = {
    "acked_octets": 128,
    "unsent_octets": 148,
    "out_of_order_segments": 228,
    "peer_window_octets": 232,
}
"""Where the fields end that Linux 4.1, 4.6 and 5.4 appended; before, all had 104 octets."""


@pytest.mark.parametrize("length", range(104, 281))
def test_fields_that_a_kernel_does_not_have_are_none(length: int) -> None:
    missing: dict[str, Any] = {field: None for field, end in END_OCTETS.items() if length < end}
    assert parse_tcp_info(NUMBERED[:length]) == WHOLE._replace(**missing)


def test_a_newer_kernel_says_more() -> None:
    assert parse_tcp_info(NUMBERED + bytes.fromhex("ff") * 100) == WHOLE


# Asking. -----------------------------------------------------------------------------------------


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and its server, connected over loopback. The server takes as little as it may."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.bind((HOST, 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            server, _ = listener.accept()
            with server:
                yield client, server


def test_other_systems_say_nothing(
    connected: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        assert read_tcp_info(connected[0]) is None


@on_linux
def test_a_live_connection_is_established(connected: tuple[socket.socket, socket.socket]) -> None:
    says_nothing(*connected)
    info = read_tcp_info(connected[0])
    assert info is not None
    assert (info.state, info.retransmits, info.keepalive_probes) == (1, 0, 0)
    assert info.acked_octets == 2  # its SYN, and the one that was sent


def test_a_closed_socket_says_nothing() -> None:
    sock = socket.socket()
    sock.close()
    assert read_tcp_info(sock) is None


@on_linux
def test_keepalive_asks_every_second_and_never_gives_up_before_us() -> None:
    with socket.socket() as sock:
        begin_keepalive(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, TCP_USER_TIMEOUT)
        assert [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [1, 1, 127, 0]


# Before a close. ---------------------------------------------------------------------------------


class Asked(socket.socket):
    """A socket that knows what it was asked."""

    def getsockopt(self, level: int, option: int, *length: int) -> Any:  # noqa: ANN401 - as the standard library's
        self.asked = [*getattr(self, "asked", []), (level, option)]
        return super().getsockopt(level, option, *length)


@on_linux
def test_tcp_info_is_read_before_the_error_is_consumed() -> None:
    """Law 5."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        address = unused.getsockname()
    evidence = Evidence(*address)
    with Asked() as sock:
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        sock.connect_ex(address)
        select.select([], [sock], [], PATIENCE_S)
        record(sock, evidence)
        assert sock.asked == [
            (socket.IPPROTO_TCP, socket.TCP_INFO),
            (socket.SOL_SOCKET, socket.SO_ERROR),
        ]
    assert [error.errno for error in evidence.errors] == [errno.ECONNREFUSED]
    assert evidence.tcp is not None
    assert evidence.tcp.state == 7


def linger(sock: socket.socket) -> tuple[int, int]:
    on, seconds = struct.unpack(
        "ii",
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.calcsize("ii")),
    )
    return on, seconds


WITH_FIN = (0, 0)
WITH_RST = (1, 0)


def vanish(server: socket.socket) -> None:
    """Attach a filter that keeps no octet of any segment: classic BPF, ``ret 0``."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(instruction))
    server.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def wait_until(client: socket.socket, is_so: Callable[[TcpInfo], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        info = read_tcp_info(client)
        assert info is not None
        if is_so(info):
            return
        pause.wait(0.01)
    pytest.fail(f"not within {PATIENCE_S} s: {info}")


def says_nothing(client: socket.socket, server: socket.socket) -> None:
    client.sendall(b"x")
    wait_until(client, lambda info: info.unacked_segments == 0)


def does_not_acknowledge(client: socket.socket, server: socket.socket) -> None:
    vanish(server)
    client.sendall(b"x")


def does_not_answer_keepalive(client: socket.socket, server: socket.socket) -> None:
    begin_keepalive(client)
    vanish(server)
    wait_until(client, lambda info: info.keepalive_probes > 0)


def shuts_its_window(client: socket.socket, server: socket.socket) -> None:
    client.setblocking(False)  # noqa: FBT003 - the standard library's signature
    client.send(bytes(64 * 1024))
    wait_until(client, lambda info: bool(info.unsent_octets) and info.unacked_segments == 0)


@on_linux
@pytest.mark.parametrize(
    ("befalls", "expected"),
    [
        (says_nothing, WITH_FIN),
        (does_not_acknowledge, WITH_RST),
        (does_not_answer_keepalive, WITH_RST),
        (shuts_its_window, WITH_RST),
    ],
)
def test_fin_is_for_a_peer_that_acknowledges_it(
    befalls: Callable[[socket.socket, socket.socket], None],
    expected: tuple[int, int],
    connected: tuple[socket.socket, socket.socket],
) -> None:
    client, server = connected
    befalls(client, server)
    evidence = Evidence()
    record(client, evidence)
    assert linger(client) == expected
    assert evidence.errors == ()


@on_linux
def test_fin_is_for_a_server_that_sent_kexinit(
    connected: tuple[socket.socket, socket.socket],
) -> None:
    """Whatever it has not acknowledged yet: its log is to say that we left, not a reset."""
    client, server = connected
    does_not_acknowledge(client, server)
    evidence = Evidence()
    evidence.kexinit = KEXINIT
    record(client, evidence)
    assert linger(client) == WITH_FIN
    assert evidence.tcp is not None


def test_elsewhere_a_probe_is_closed_with_fin(
    connected: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evidence = Evidence()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        record(connected[0], evidence)
    assert evidence.tcp is None
    assert linger(connected[0]) == WITH_FIN
