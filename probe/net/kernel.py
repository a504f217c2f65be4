"""What the kernel knows of a connection: keepalive as an instrument, TCP_INFO as its reading.

A peer that vanished after it acknowledged what we sent looks like a silent one until something is
sent. A keepalive probe is that something: a live kernel answers it, whatever its processes do.
"""

import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from struct import Struct, calcsize, pack, unpack_from
from typing import Any, Final

from probe.evidence import Evidence, TcpInfo

KEEPALIVE_IDLE_S: Final = 1
"""Silence before the first probe: the third has gone unanswered by the limit of first-octet."""

KEEPALIVE_INTERVAL_S: Final = 1

KEEPALIVE_COUNT: Final = 127
"""Unanswered probes after which the kernel gives up: the most that Linux takes, so that our own
deadline ends the wait and not the kernel's."""

_TCP_KEEPIDLE: Final[int] = getattr(socket, "TCP_KEEPIDLE", 0x10)  # macOS: TCP_KEEPALIVE

_LARGEST_TCP_INFO: Final = 512
"""Linux 6.18 returns 280 octets; newer kernels append."""

_LAYOUT: Final = {
    "state": ("B", 0),
    "retransmits": ("B", 2),
    "keepalive_probes": ("B", 3),
    "unacked_segments": ("I", 24),
    "since_sent_ms": ("I", 44),
    "since_ack_ms": ("I", 56),
    "path_mtu_octets": ("I", 60),
    "rtt_us": ("I", 68),
    "total_retransmits": ("I", 100),
    "acked_octets": ("Q", 120),
    "unsent_octets": ("I", 144),
    "out_of_order_segments": ("I", 224),
    "peer_window_octets": ("I", 228),
}
"""Where the fields of ``TcpInfo`` stand in ``struct tcp_info`` of ``linux/tcp.h``, in order."""


def _whole(layout: Iterable[tuple[str, int]]) -> Struct:
    """Make one ``Struct`` of fields and their offsets, which are in order."""
    formats = "="
    for field, offset in layout:
        formats += f"{offset - calcsize(formats)}x{field}"
    return Struct(formats)


_WHOLE: Final = _whole(_LAYOUT.values())
"""All fields at once: four times as fast as one by one."""


def begin_keepalive(sock: socket.socket) -> None:
    """Have the kernel ask a silent peer every second whether it is there.

    There is no ``TCP_USER_TIMEOUT``: it would turn our deadline into the kernel's.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)


def read_tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Ask the kernel, without consuming an error; ``None`` where it has no such thing to say."""
    if sys.platform != "linux":
        return None
    try:
        return parse_tcp_info(
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LARGEST_TCP_INFO),
        )
    except OSError:  # a socket that was closed meanwhile
        return None


def parse_tcp_info(octets: bytes) -> TcpInfo:
    """Read ``struct tcp_info``. A kernel too old for a field returns too few octets: ``None``."""
    if len(octets) >= _WHOLE.size:
        return TcpInfo._make(_WHOLE.unpack_from(octets))
    fields: dict[str, Any] = {
        field: unpack_from(f"={layout}", octets, offset)[0]
        if len(octets) >= offset + calcsize(f"={layout}")
        else None
        for field, (layout, offset) in _LAYOUT.items()
    }
    return TcpInfo(**fields)


def record(sock: socket.socket, evidence: Evidence) -> None:
    """Record what the kernel knows at the end of a probe, before the socket is closed.

    TCP_INFO first: SO_ERROR consumes the error that it returns, an ICMP's for example. A peer
    that does not acknowledge, or whose window is shut, is left with RST: FIN would leave an orphan
    with our kernel.
    """
    evidence.tcp = tcp = read_tcp_info(sock)
    if evidence.kexinit is not None:
        return
    with suppress(OSError):  # what the kernel does not do for us must not hide how it ended
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            evidence.add_error("getsockopt(SO_ERROR)", error, os.strerror(error))
        if tcp is not None and (tcp.unacked_segments or tcp.unsent_octets or tcp.keepalive_probes):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
