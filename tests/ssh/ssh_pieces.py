"""What servers say, in pieces, written by hand or captured. It imports nothing of probe."""

import json
from pathlib import Path
from struct import pack
from typing import Final

Names = tuple[bytes, ...]

IDENTIFICATION: Final = b"SSH-2.0-x\r\n"

COOKIE: Final = b"0123456789abcdef"

LISTS: Final[tuple[Names, ...]] = (
    (b"curve25519-sha256", b"kex-strict-s-v00@openssh.com"),
    (b"ssh-ed25519",),
    (b"aes128-ctr",),
    (b"aes128-ctr",),
    (b"hmac-sha2-256",),
    (b"hmac-sha2-256",),
    (b"none",),
    (b"none",),
    (),
    (),
)
"""Ten name-lists without a fault: something in common with every current client."""

KEXINIT: Final = (
    b"\0\0\0\xb4\x06"  # packet_length 180, padding_length 6
    b"\x14"
    b"0123456789abcdef"
    b"\0\0\0\x2ecurve25519-sha256,kex-strict-s-v00@openssh.com"
    b"\0\0\0\x0bssh-ed25519"
    b"\0\0\0\x0aaes128-ctr"
    b"\0\0\0\x0aaes128-ctr"
    b"\0\0\0\x0dhmac-sha2-256"
    b"\0\0\0\x0dhmac-sha2-256"
    b"\0\0\0\x04none"
    b"\0\0\0\x04none"
    b"\0\0\0\0"
    b"\0\0\0\0"
    b"\0"  # first_kex_packet_follows
    b"\0\0\0\0"  # reserved
    b"\0\0\0\0\0\0"  # random padding
)
"""RFC 4253 §6, §7.1: the KEXINIT of ``LISTS`` and ``COOKIE``, as octets."""

IGNORE: Final = b"\0\0\0\x0c\x06\x02\0\0\0\0\0\0\0\0\0\0"
DEBUG: Final = b"\0\0\0\x14\x05\x04\1\0\0\0\2hi\0\0\0\2en\0\0\0\0\0"
EXT_INFO: Final = b"\0\0\0\x0c\x06\x07\0\0\0\0\0\0\0\0\0\0"
DISCONNECT: Final = b"\0\0\0\x1c\x0b\x01\0\0\0\x0b\0\0\0\3bye\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
UNIMPLEMENTED: Final = b"\0\0\0\x0c\x06\x03\0\0\0\0\0\0\0\0\0\0"

_DATA: Final = Path(__file__).parent.parent / "data"


def kexinit_payload(
    lists: tuple[Names, ...] = LISTS,
    *,
    cookie: bytes = COOKIE,
    follows: int = 0,
    reserved: int = 0,
) -> bytes:
    """The payload of a KEXINIT; a test holds it against the octets above."""
    texts = [b",".join(names) for names in lists]
    fields = b"".join(pack(">I", len(text)) + text for text in texts)
    return b"\x14" + cookie + fields + pack(">BI", follows, reserved)


def packet(payload: bytes, more_padding_blocks: int = 0) -> bytes:
    """``payload`` in a packet in the clear, with the least padding and whole blocks of 8 more."""
    padding = 4
    while (4 + 1 + len(payload) + padding) % 8:
        padding += 1
    padding += 8 * more_padding_blocks
    return pack(">IB", 1 + len(payload) + padding, padding) + payload + b"\0" * padding


def packet_of(octets: int, payload: bytes = b"\x02") -> bytes:
    """A packet of so many octets, its payload filled up with zeros: IGNORE, unless told."""
    return pack(">IB", octets - 4, 4) + payload.ljust(octets - 9, b"\0") + b"\0\0\0\0"


def capture(name: str) -> bytes:
    """All octets that a real server sent, from ``tests/data``."""
    conversation = json.loads((_DATA / f"{name}.json").read_text())
    return b"".join(
        bytes.fromhex(event["octets_hex"])
        for event in conversation["events"]
        if event["direction"] == "received"
    )


PENALISED: Final = (
    "openssh-10.5p1-penalised-listening-first",
    "openssh-10.5p1-penalised-speaking-first",
)
COMPLETE: Final = tuple(
    sorted({path.stem for path in _DATA.glob("*.json")} - set(PENALISED)),
)
"""The captures that go as far as KEXINIT."""
