"""What the tests of ``probe.net`` share: real sockets over loopback, and a real server's octets."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"

CAPTURED = Path(__file__).parent.parent / "data" / "openssh-10.5p1.json"


def _received() -> list[bytes]:
    events = json.loads(CAPTURED.read_text())["events"]
    return [bytes.fromhex(e["octets_hex"]) for e in events if e["direction"] == "received"]


IDENTIFICATION, KEXINIT = _received()
"""What OpenSSH 10.5p1 said, each in one segment."""


@contextmanager
def connected_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two sockets over loopback, neither of which blocks; close what is left open."""
    with socket.create_server((HOST, 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.settimeout(0)
    far.settimeout(0)
    with near, far:
        yield near, far


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
