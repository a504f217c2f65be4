"""Packets for rows that need one that no server was seen to send.

Written from RFC 4253 §6 and §7.1 for the catalogue alone: it shares no code with the prober. A
broken packet is a literal in its row; what is made here is whole but for the part that is given.
"""

from typing import Final

COOKIE: Final = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
STRICT: Final = "kex-strict-s-v00@openssh.com"

IGNORE: Final = bytes.fromhex("0000000c 06 02 00000000 000000000000")
UNIMPLEMENTED: Final = bytes.fromhex("0000000c 06 03 00000000 000000000000")
DEBUG: Final = bytes.fromhex("00000014 08 04 00 00000001 78 00000000 0000000000000000")
NEWKEYS: Final = bytes.fromhex("0000000c 0a 15 00000000000000000000")

_KEX: Final = f"curve25519-sha256,{STRICT}"
_HOST_KEY: Final = "ssh-ed25519"
_CIPHER: Final = "aes128-ctr"
_MAC: Final = "hmac-sha2-256"
_NONE: Final = "none"


def packet(payload: bytes, padding_length: int | None = None) -> bytes:
    """Wrap ``payload``, with the least padding unless told otherwise."""
    if padding_length is None:
        padding_length = 4 + -(len(payload) + 9) % 8
    packet_length = 1 + len(payload) + padding_length
    return packet_length.to_bytes(4) + bytes((padding_length,)) + payload + bytes(padding_length)


def string(octets: bytes) -> bytes:
    """RFC 4251 §5."""
    return len(octets).to_bytes(4) + octets


def kexinit(  # noqa: PLR0913 - a keyword for each part that a row gives
    *,
    kex: str | bytes = _KEX,
    host_key: str = _HOST_KEY,
    cipher: str = _CIPHER,
    mac: str = _MAC,
    languages: str = "",
    cookie: bytes = COOKIE,
    tail: bytes = bytes(5),
) -> bytes:
    """Return the payload of a KEXINIT.

    Args:
        kex: kex_algorithms, as they stand on the wire, like the other lists.
        host_key: server_host_key_algorithms.
        cipher: Both lists of encryption algorithms.
        mac: Both lists of MAC algorithms.
        languages: Both lists of languages.
        cookie: 16 octets.
        tail: first_kex_packet_follows, reserved, and whatever follows.
    """
    lists = (kex, host_key, cipher, cipher, mac, mac, _NONE, _NONE, languages, languages)
    octets = (names if isinstance(names, bytes) else names.encode() for names in lists)
    return b"\x14" + cookie + b"".join(map(string, octets)) + tail


def kexdh_reply() -> bytes:
    """Return the packet of a KEX_ECDH_REPLY whose signature is wrong: RFC 5656 §4, RFC 8731."""
    key = string(_HOST_KEY.encode()) + string(bytes(range(32)))
    signature = string(_HOST_KEY.encode()) + string(bytes(range(64)))
    return packet(b"\x1f" + string(key) + string(COOKIE * 2) + string(signature))


def disconnect(reason_code: int, description: bytes) -> bytes:
    """Return the packet of a DISCONNECT: RFC 4253 §11.1."""
    return packet(b"\x01" + reason_code.to_bytes(4) + string(description) + string(b""))
