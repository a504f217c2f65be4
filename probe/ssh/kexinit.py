"""KEXINIT: RFC 4253 §7.1."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import md5
from typing import Final, NamedTuple

from probe.ssh import limits, rules
from probe.ssh.messages import Message
from probe.ssh.rules import Finding, Findings, ProtocolViolation, Rule
from probe.ssh.wire import (
    UINT32,
    LengthBeyondError,
    PayloadReader,
    TruncatedError,
    encode_name_list,
)

NameList = tuple[bytes, ...]

STRICT_KEX_SERVER: Final = b"kex-strict-s-v00@openssh.com"
"""The server's marker in kex_algorithms: OpenSSH PROTOCOL §1.9, draft-ietf-sshm-strict-kex."""

AEAD_CIPHERS: Final = frozenset(
    (
        b"chacha20-poly1305@openssh.com",
        b"aes128-gcm@openssh.com",
        b"aes256-gcm@openssh.com",
    ),
)
"""Ciphers that authenticate by themselves: no MAC is negotiated (OpenSSH PROTOCOL §1.6)."""


class Algorithms(NamedTuple):
    """The ten name-lists of KEXINIT, in wire order and under the names of RFC 4253 §7.1."""

    kex_algorithms: NameList
    server_host_key_algorithms: NameList
    encryption_algorithms_client_to_server: NameList
    encryption_algorithms_server_to_client: NameList
    mac_algorithms_client_to_server: NameList
    mac_algorithms_server_to_client: NameList
    compression_algorithms_client_to_server: NameList
    compression_algorithms_server_to_client: NameList
    languages_client_to_server: NameList
    languages_server_to_client: NameList


class KexInit(NamedTuple):
    """A KEXINIT. Names are the peer's own octets, and hostile until escaped.

    Attributes:
        cookie: 16 octets.
        algorithms: The ten name-lists.
        first_kex_packet_follows: Whether a guessed packet follows.
        reserved: 0 from every server known.
    """

    cookie: bytes
    algorithms: Algorithms
    first_kex_packet_follows: bool
    reserved: int

    @property
    def offers_strict_kex(self) -> bool:
        """Whether the server's marker of strict key exchange is among its kex_algorithms."""
        return STRICT_KEX_SERVER in self.algorithms.kex_algorithms


class Negotiated(NamedTuple):
    """What a key exchange would use, a name a row of RFC 4253 §7.1; ``None``: nothing in common.

    A MAC is ``b""`` where the cipher authenticates by itself.
    """

    kex_algorithm: bytes | None
    server_host_key_algorithm: bytes | None
    encryption_algorithm_client_to_server: bytes | None
    encryption_algorithm_server_to_client: bytes | None
    mac_algorithm_client_to_server: bytes | None
    mac_algorithm_server_to_client: bytes | None
    compression_algorithm_client_to_server: bytes | None
    compression_algorithm_server_to_client: bytes | None


_CIPHERS_AND_MACS: Final = ((2, 4), (3, 5))
"""Which of ``Negotiated`` is a cipher, and which is the MAC of the same direction."""

_CIPHERS: Final = (
    b"chacha20-poly1305@openssh.com",
    b"aes128-gcm@openssh.com",
    b"aes256-gcm@openssh.com",
    b"aes128-ctr",
    b"aes192-ctr",
    b"aes256-ctr",
)
_MACS: Final = (
    b"umac-64-etm@openssh.com",
    b"umac-128-etm@openssh.com",
    b"hmac-sha2-256-etm@openssh.com",
    b"hmac-sha2-512-etm@openssh.com",
    b"hmac-sha1-etm@openssh.com",
    b"umac-64@openssh.com",
    b"umac-128@openssh.com",
    b"hmac-sha2-256",
    b"hmac-sha2-512",
    b"hmac-sha1",
)
_COMPRESSIONS: Final = (b"none", b"zlib@openssh.com")

OFFER: Final = Algorithms(
    kex_algorithms=(
        b"mlkem768x25519-sha256",
        b"sntrup761x25519-sha512",
        b"sntrup761x25519-sha512@openssh.com",
        b"curve25519-sha256",
        b"curve25519-sha256@libssh.org",
        b"ecdh-sha2-nistp256",
        b"ecdh-sha2-nistp384",
        b"ecdh-sha2-nistp521",
        b"diffie-hellman-group-exchange-sha256",
        b"diffie-hellman-group16-sha512",
        b"diffie-hellman-group18-sha512",
        b"diffie-hellman-group14-sha256",
    ),
    server_host_key_algorithms=(
        b"ssh-ed25519",
        b"ecdsa-sha2-nistp256",
        b"ecdsa-sha2-nistp384",
        b"ecdsa-sha2-nistp521",
        b"rsa-sha2-512",
        b"rsa-sha2-256",
    ),
    encryption_algorithms_client_to_server=_CIPHERS,
    encryption_algorithms_server_to_client=_CIPHERS,
    mac_algorithms_client_to_server=_MACS,
    mac_algorithms_server_to_client=_MACS,
    compression_algorithms_client_to_server=_COMPRESSIONS,
    compression_algorithms_server_to_client=_COMPRESSIONS,
    languages_client_to_server=(),
    languages_server_to_client=(),
)
"""What we offer: OpenSSH 10's client defaults without certificates, tokens and markers.

With it a common choice exists with every server that a current client can use, so that none logs
a failed negotiation. ``kex-strict-c`` is left out: with it a lawful IGNORE would be a violation.
"""

_PLAIN_NAMES: Final = re.compile(
    rb"[!-+\--?A-~]+(?:@[!-+\--?A-~]+)?(?:,[!-+\--?A-~]+(?:@[!-+\--?A-~]+)?)*",
)
"""A name-list all of whose names are lawful, their lengths apart: RFC 4251 §6."""

_MUST_NOT_BE_EMPTY: Final = 8
"""The first eight name-lists hold algorithms, at least one each; the last two hold languages."""


KNOWN_OFFERS: Final = 64
"""Offers that are remembered: servers of one version and configuration make the same, their
cookies apart, and of a fleet's few dozen versions each is read once."""

KNOWN_OCTETS: Final = 4096
"""The longest offer that is remembered, so that hostile servers fill no more than 6 MiB, names of
two octets being the dearest: twice as long as that of any server known."""

_LISTS_BEGIN: Final = 1 + limits.COOKIE_OCTETS


def decode_kexinit(payload: bytes, findings: Findings) -> KexInit:
    """Read a KEXINIT.

    Args:
        payload: Of a packet, message number included.
        findings: Where deviations are noted.

    Raises:
        ProtocolViolation: A field is missing or lies about its length, a list of algorithms is
            empty, or octets follow the last field.

    Source:
        RFC 4253 §7.1; OpenSSH, too, refuses octets after the last field.
    """
    return _decode(payload, findings)[0]


def decode_offer(payload: bytes, findings: Findings) -> KexInit:
    """Read a server's KEXINIT, and note what a client like ours would miss in it.

    Raises:
        ProtocolViolation: As for ``decode_kexinit``.
    """
    kexinit, missed = _decode(payload, findings)
    for rule, detail in missed:
        findings.note(rule, detail)
    return kexinit


def _decode(payload: bytes, findings: Findings) -> tuple[KexInit, tuple[Finding, ...]]:
    cookie, octets = payload[1:_LISTS_BEGIN], payload[_LISTS_BEGIN:]
    read = _read_lists if len(octets) > KNOWN_OCTETS else _read_known_lists
    try:
        lists = read(octets)
    except LengthBeyondError as error:
        raise ProtocolViolation(rules.NAME_LIST_BEYOND_PAYLOAD, str(error)) from None
    except TruncatedError:
        raise ProtocolViolation(rules.KEXINIT_TRUNCATED, f"{len(payload)} octets") from None
    for rule, detail in lists.broken:
        findings.note(rule, detail)
    if lists.empty is not None:
        raise ProtocolViolation(rules.ALGORITHMS_EMPTY, lists.empty)
    if cookie == cookie[:1] * limits.COOKIE_OCTETS:
        findings.note(rules.COOKIE_NOT_RANDOM, cookie)
    return KexInit(cookie, lists.algorithms, lists.follows, lists.reserved), lists.missed


class _Lists(NamedTuple):
    """What follows the cookie, and all that can be said of it alone.

    Attributes:
        algorithms: As in ``KexInit``, and so are the next two.
        follows: A boolean.
        reserved: 0, or it is among ``broken``.
        broken: The rules that it breaks.
        empty: The list of algorithms that is empty; what follows that is not judged.
        missed: What a client like ours would miss in it.
    """

    algorithms: Algorithms
    follows: bool
    reserved: int
    broken: tuple[Finding, ...]
    empty: str | None
    missed: tuple[Finding, ...]


def _read_lists(octets: bytes) -> _Lists:
    reader = PayloadReader(octets)
    algorithms = Algorithms._make([reader.name_list() for _ in Algorithms._fields])
    follows = reader.byte()
    reserved = reader.uint32()
    if reader.left():
        raise ProtocolViolation(rules.KEXINIT_TRAILING, f"{reader.left()} octets")
    broken = Findings()
    empty = _judge_names(algorithms, broken)
    if empty is None and follows not in (0, 1):
        broken.note(rules.BOOLEAN_NOT_0_OR_1, f"{follows}")
    if empty is None and reserved:
        broken.note(rules.RESERVED_NOT_ZERO, f"{reserved}")
    missed = tuple(_judge_offer(algorithms))
    return _Lists(algorithms, bool(follows), reserved, broken.seen(), empty, missed)


_read_known_lists = lru_cache(KNOWN_OFFERS)(_read_lists)


def _judge_offer(algorithms: Algorithms) -> Iterator[Finding]:
    if STRICT_KEX_SERVER not in algorithms.kex_algorithms:
        yield Finding(rules.STRICT_KEX_ABSENT)
    chosen = negotiate(OFFER, algorithms)
    missing = [field for field, name in chosen._asdict().items() if name is None]
    if missing:
        yield Finding(rules.NO_COMMON_ALGORITHM, ", ".join(missing))


def encode_kexinit(cookie: bytes, algorithms: Algorithms = OFFER) -> bytes:
    """Write the payload of a KEXINIT after which no guessed packet follows.

    Args:
        cookie: 16 random octets.
        algorithms: What to offer.
    """
    lists = _OFFERED if algorithms is OFFER else _encode_lists(algorithms)
    return _MESSAGE + cookie + lists + _NOTHING_FOLLOWS


def _encode_lists(algorithms: Algorithms) -> bytes:
    return b"".join(map(encode_name_list, algorithms))


_MESSAGE: Final = bytes((Message.KEXINIT,))
_OFFERED: Final = _encode_lists(OFFER)
_NOTHING_FOLLOWS: Final = b"\0" + UINT32.pack(0)


def negotiate(client: Algorithms, server: Algorithms) -> Negotiated:
    """Choose as both sides would: the first of the client's names that the server has, too.

    Every kex method and host key that we offer can sign, so the needs of the one never rule out
    the other.

    Source:
        RFC 4253 §7.1.
    """
    rows = zip(client[:_MUST_NOT_BE_EMPTY], server[:_MUST_NOT_BE_EMPTY], strict=True)
    chosen = [_first_common(ours, theirs) for ours, theirs in rows]
    for cipher, mac in _CIPHERS_AND_MACS:
        if chosen[cipher] in AEAD_CIPHERS:
            chosen[mac] = b""
    return Negotiated._make(chosen)


def hassh_server(algorithms: Algorithms) -> str:
    """Return the hasshServer fingerprint: 32 hexadecimal digits.

    Source:
        hassh, the method of salesforce/hassh and corelight/hassh: MD5 over four of the lists.
    """
    lists = (
        algorithms.kex_algorithms,
        algorithms.encryption_algorithms_server_to_client,
        algorithms.mac_algorithms_server_to_client,
        algorithms.compression_algorithms_server_to_client,
    )
    text = b";".join(b",".join(names) for names in lists)
    return md5(text, usedforsecurity=False).hexdigest()


def _first_common(ours: NameList, theirs: NameList) -> bytes | None:
    for name in ours:
        if name in theirs:
            return name
    return None


def _judge_names(algorithms: Algorithms, findings: Findings) -> str | None:
    """Judge the lists up to the first that may not be empty and is, and return its field."""
    for index, (field, names) in enumerate(zip(Algorithms._fields, algorithms, strict=True)):
        if index < _MUST_NOT_BE_EMPTY and not names:
            return field
        if index >= _MUST_NOT_BE_EMPTY and names:
            findings.note(rules.LANGUAGES_NOT_EMPTY, b",".join(names))
        if names and not _are_plain(names):
            _note_names(field, names, findings)
    return None


def _are_plain(names: NameList) -> bool:
    return (
        len(set(names)) == len(names)
        and len(max(names, key=len)) <= limits.NAME_LAW_OCTETS
        and _PLAIN_NAMES.fullmatch(b",".join(names)) is not None
    )


_NAME_RULES: Final[tuple[tuple[Rule, Callable[[bytes], bool]], ...]] = (
    (rules.NAME_EMPTY, lambda name: not name),
    (rules.NAME_LONG, lambda name: len(name) > limits.NAME_LAW_OCTETS),
    (rules.NAME_NOT_PRINTABLE, lambda name: re.search(rb"[^!-~]", name) is not None),
    (rules.NAME_AT_SIGNS, lambda name: b"@" in name and not all(name.partition(b"@"))),
    (rules.NAME_AT_SIGNS, lambda name: name.count(b"@") > 1),
)


def _note_names(field: str, names: NameList, findings: Findings) -> None:
    where = field.encode() + b": "
    for rule, is_broken_by in _NAME_RULES:
        for name in filter(is_broken_by, names):
            findings.note(rule, where + name)
            break
    for name, count in Counter(names).items():
        if count > 1:
            findings.note(rules.NAME_TWICE, where + name)
            break
