"""The catalogue of misbehaving and odd servers, as far as octets alone can show it.

Ids are those of the catalogue of server behaviours: N for network, V for identification, K for
packets and KEXINIT.
"""

from typing import NamedTuple

import pytest
import reference
from ssh_pieces import (
    DEBUG,
    DISCONNECT,
    EXT_INFO,
    IDENTIFICATION,
    IGNORE,
    KEXINIT,
    LISTS,
    UNIMPLEMENTED,
    Names,
    kexinit_payload,
    packet,
    packet_of,
)
from ssh_talk import hear

from probe.ssh import rules
from probe.ssh.kexinit import OFFER

WAITS_FOR_IDENTIFICATION = "identification"
WAITS_FOR_KEXINIT = "kexinit"
COMPLETE = "complete"
DISCONNECTED = "disconnected"
CLOSED = "closed"


class Behaviour(NamedTuple):
    """What a server does, and what must come of it.

    Attributes:
        name: Id and a few words.
        octets: All that it sends.
        outcome: The state in which it leaves the client, or the code of the broken rule.
        findings: The codes of what is odd, with spaces between.
        eof: Whether it ends its stream then.
    """

    name: str
    octets: bytes
    outcome: str
    findings: str = ""
    eof: bool = False


def kexinit(index: int, *names: bytes) -> bytes:
    """Identification string and KEXINIT, one of its name-lists replaced."""
    lists: tuple[Names, ...] = (*LISTS[:index], names, *LISTS[index + 1 :])
    return IDENTIFICATION + packet(kexinit_payload(lists))


REST = IDENTIFICATION + KEXINIT
NOT_STRICT = kexinit(0, b"curve25519-sha256")[len(IDENTIFICATION) :]
GUESS = packet(b"\x1e\0\0\0\x20" + b"g" * 32)
"""KEX_ECDH_INIT, message 30: a guess."""
OF_180_OCTETS = kexinit_payload((LISTS[0], (b"ssh-ed25519", b"abcdef"), *LISTS[2:]))
MANY_NAMES = [b"name-%04d@example.com" % number for number in range(1700)]

BEHAVIOURS = (
    Behaviour("N06 FIN at once", b"", CLOSED, eof=True),
    Behaviour("N11 FIN inside the identification", b"SSH-2.0-Op", CLOSED, eof=True),
    Behaviour("N13 FIN inside KEXINIT", REST[:60], CLOSED, eof=True),
    Behaviour("N14 N15 faultless", REST, COMPLETE),
    Behaviour("N15 lines, too, in one segment", b"a\r\nb\r\n" + REST, COMPLETE),
    # V: the identification exchange.
    Behaviour("V02 one octet", b"X", WAITS_FOR_IDENTIFICATION),
    Behaviour("V03 octets without LF", b"abcdefgh", WAITS_FOR_IDENTIFICATION),
    Behaviour("V03 identification without LF", b"SSH-2.0-abc", WAITS_FOR_IDENTIFICATION),
    Behaviour("V05 endlessh", b"X7\r\n;~ kQ0z\r\n  @\r\n", WAITS_FOR_IDENTIFICATION),
    Behaviour("V05 endlessh for hours", b"=b.\r\n" * 1024, "too-many-lines", "lines-before-many"),
    Behaviour("V06 empty lines", b"\r\n" * 1024, "too-many-lines", "lines-before-many"),
    Behaviour(
        "V06 long lines",
        (b"a" * 8190 + b"\r\n") * 129,
        "too-many-octets",
        "line-before-long lines-before-many",
    ),
    Behaviour("V07 no LF", b"a" * 8192, "line-too-long"),
    Behaviour("V08 endless softwareversion", b"SSH-2.0-" + b"A" * 8184, "line-too-long"),
    Behaviour("V09 1 line", b"hello\r\n" + REST, COMPLETE),
    Behaviour("V09 10 lines", b"hello\r\n" * 10 + REST, COMPLETE),
    Behaviour("V09 100 lines", b"hello\r\n" * 100 + REST, COMPLETE),
    Behaviour("V09 lines with LF only", b"hello\n" + REST, COMPLETE, "line-before-lf-only"),
    Behaviour("V10 1023 lines", b"a\r\n" * 1023 + REST, COMPLETE, "lines-before-many"),
    Behaviour("V10 1025 lines", b"a\r\n" * 1025 + REST, "too-many-lines", "lines-before-many"),
    Behaviour("V11 300", b"a" * 298 + b"\r\n" + REST, COMPLETE, "line-before-long"),
    Behaviour("V11 8191", b"a" * 8189 + b"\r\n" + REST, COMPLETE, "line-before-long"),
    Behaviour("V11 8193", b"a" * 8191 + b"\r\n" + REST, "line-too-long"),
    Behaviour("V12 UTF-8", b"Gr\xc3\xbc\xc3\x9fe\r\n" + REST, COMPLETE),
    Behaviour("V12 not UTF-8", b"Gr\xfc\xdfe\r\n" + REST, COMPLETE, "line-before-not-utf-8"),
    Behaviour("V13 LF only", b"SSH-2.0-x\n" + KEXINIT, COMPLETE, "identification-lf-only"),
    Behaviour("V13 CR CR LF", b"SSH-2.0-x\r\r\n" + KEXINIT, COMPLETE, "identification-cr-repeated"),
    Behaviour("V15 255", b"SSH-2.0-" + b"a" * 245 + b"\r\n" + KEXINIT, COMPLETE),
    Behaviour(
        "V16 256", b"SSH-2.0-" + b"a" * 246 + b"\r\n" + KEXINIT, COMPLETE, "identification-over-255"
    ),
    Behaviour(
        "V16 8192",
        b"SSH-2.0-" + b"a" * 8182 + b"\r\n" + KEXINIT,
        COMPLETE,
        "identification-over-255",
    ),
    Behaviour("V16 8193", b"SSH-2.0-" + b"a" * 8183 + b"\r\n", "line-too-long"),
    Behaviour("V17 NUL", b"SSH-2.0-a\0b\r\n", "nul-in-identification"),
    Behaviour("V17 NUL before", b"a\0b\r\n" + REST, "nul-before-identification"),
    Behaviour("V17 CR", b"SSH-2.0-a\rb\r\n", "cr-in-identification"),
    Behaviour("V18 ESC before", b"\x1b[2J\r\n" + REST, COMPLETE, "line-before-control-characters"),
    Behaviour(
        "V18 ESC in softwareversion",
        b"SSH-2.0-\x1b[2J\r\n" + KEXINIT,
        COMPLETE,
        "softwareversion-not-printable",
    ),
    Behaviour(
        "V18 C1 in comments",
        b"SSH-2.0-x \xc2\x9b2J\r\n" + KEXINIT,
        COMPLETE,
        "comments-control-characters",
    ),
    Behaviour("V19 SSH-1.5", b"SSH-1.5-x\r\n", "protoversion-unsupported"),
    Behaviour("V20 SSH-1.99", b"SSH-1.99-x\n" + KEXINIT, COMPLETE, "protoversion-1.99"),
    Behaviour("V21 SSH-3.0", b"SSH-3.0-x\r\n", "protoversion-unsupported"),
    Behaviour("V21 SSH-2.1", b"SSH-2.1-x\r\n", "protoversion-unsupported"),
    Behaviour("V21 SSH-2", b"SSH-2-x\r\n", "protoversion-unsupported"),
    Behaviour("V22 no second minus", b"SSH-2.0\r\n", "identification-incomplete"),
    Behaviour("V22 no softwareversion", b"SSH-2.0-\r\n", "identification-incomplete"),
    Behaviour("V23 SSH-2.0--", b"SSH-2.0--\r\n" + KEXINIT, COMPLETE, "softwareversion-minus"),
    Behaviour("V23 foo-bar", b"SSH-2.0-foo-bar\r\n" + KEXINIT, COMPLETE, "softwareversion-minus"),
    Behaviour("V23 two spaces", b"SSH-2.0-x  y\r\n" + KEXINIT, COMPLETE, "comments-spacing"),
    Behaviour(
        "V26 HTTP",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<h1>Bad Request</h1>",
        CLOSED,
        eof=True,
    ),
    Behaviour("V27 TLS alert", b"\x15\x03\x03\0\2\2\x28", "nul-before-identification"),
    Behaviour("V28 SMTP", b"220 mail ESMTP\r\n", WAITS_FOR_IDENTIFICATION),
    Behaviour("V29 Redis", b"-ERR unknown command\r\n", WAITS_FOR_IDENTIFICATION),
    Behaviour("V30 telnet", b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23", WAITS_FOR_IDENTIFICATION),
    Behaviour("V31 text, FIN", b"You are not welcome.\r\n", CLOSED, eof=True),
    Behaviour("V32 throttled", b"Not allowed at this time\r\n", CLOSED, eof=True),
    Behaviour("V34 identification, FIN", IDENTIFICATION, CLOSED, eof=True),
    Behaviour(
        "V35 random octets",
        bytes.fromhex("9d31f00a7be20c55c80041ad6e17"),
        "nul-before-identification",
        "line-before-lf-only line-before-control-characters line-before-not-utf-8",
    ),
    # K: packets and KEXINIT.
    Behaviour("K01 silent", IDENTIFICATION, WAITS_FOR_KEXINIT),
    Behaviour("K02 truncated KEXINIT", REST[:60], WAITS_FOR_KEXINIT),
    Behaviour("K03 35000 announced", IDENTIFICATION + b"\0\0\x88\xb4\x04", WAITS_FOR_KEXINIT),
    Behaviour("K05 0", IDENTIFICATION + b"\0\0\0\0", "packet-length-too-short"),
    Behaviour("K05 1", IDENTIFICATION + b"\0\0\0\1", "packet-length-too-short"),
    Behaviour("K05 4", IDENTIFICATION + b"\0\0\0\4", "packet-length-too-short"),
    Behaviour("K06 0xffffffff", IDENTIFICATION + b"\xff\xff\xff\xff", "packet-length-too-long"),
    Behaviour("K06 0x80000000", IDENTIFICATION + b"\x80\0\0\0", "packet-length-too-long"),
    Behaviour("K06 256 KiB + 1", IDENTIFICATION + b"\0\4\0\1", "packet-length-too-long"),
    Behaviour(
        "K06 35008", IDENTIFICATION + packet_of(35008), WAITS_FOR_KEXINIT, "packet-over-35000"
    ),
    Behaviour("K07 35001", IDENTIFICATION + b"\0\0\x88\xb9", "packet-length-misaligned"),
    Behaviour("K07 16", IDENTIFICATION + b"\0\0\0\x10\4", "packet-length-misaligned"),
    Behaviour("K08 padding 0", IDENTIFICATION + b"\0\0\0\x0c\0", "padding-too-short"),
    Behaviour("K08 padding 3", IDENTIFICATION + b"\0\0\0\x0c\3", "padding-too-short"),
    Behaviour(
        "K09 padding 12 of 12", IDENTIFICATION + b"\0\0\0\x0c\x0c", "padding-longer-than-packet"
    ),
    Behaviour(
        "K09 padding 255 of 12", IDENTIFICATION + b"\0\0\0\x0c\xff", "padding-longer-than-packet"
    ),
    Behaviour(
        "K10 padding 255",
        IDENTIFICATION + b"\0\0\1\xb4\xff" + OF_180_OCTETS + b"\x5a" * 255,
        COMPLETE,
    ),
    Behaviour("K11 no payload", IDENTIFICATION + b"\0\0\0\x0c\x0b", "payload-empty"),
    Behaviour(
        "K12 list beyond the packet",
        IDENTIFICATION + KEXINIT[:22] + b"\0\0\1\0" + KEXINIT[26:],
        "name-list-beyond-payload",
    ),
    Behaviour("K13 two lists", IDENTIFICATION + packet(KEXINIT[5:87]), "kexinit-truncated"),
    Behaviour("K13 no trailer", IDENTIFICATION + packet(KEXINIT[5:-11]), "kexinit-truncated"),
    Behaviour(
        "K13 octets after",
        IDENTIFICATION + packet(KEXINIT[5:-6] + b"\0"),
        "kexinit-trailing-octets",
    ),
    Behaviour("K15 no host keys", kexinit(1), "algorithms-empty"),
    Behaviour("K15 no compression", kexinit(7), "algorithms-empty"),
    Behaviour("K16 65 characters", kexinit(1, b"ssh-ed25519", b"a" * 65), COMPLETE, "name-over-64"),
    Behaviour("K16 a,,b", kexinit(1, b"ssh-ed25519", b"", b"b"), COMPLETE, "name-empty"),
    Behaviour("K16 comma last", kexinit(1, b"ssh-ed25519", b""), COMPLETE, "name-empty"),
    Behaviour("K16 NUL", kexinit(1, b"ssh-ed25519", b"a\0"), COMPLETE, "name-not-printable"),
    Behaviour("K16 space", kexinit(1, b"ssh-ed25519", b"a b"), COMPLETE, "name-not-printable"),
    Behaviour("K16 not ASCII", kexinit(1, b"ssh-ed25519", b"\xe4"), COMPLETE, "name-not-printable"),
    Behaviour("K16 two @", kexinit(1, b"ssh-ed25519", b"a@b@c"), COMPLETE, "name-at-signs"),
    Behaviour("K16 duplicate", kexinit(1, b"ssh-ed25519", b"ssh-ed25519"), COMPLETE, "name-twice"),
    Behaviour("K16 languages", kexinit(8, b"en"), COMPLETE, "languages-not-empty"),
    Behaviour(
        "K17 follows 2",
        IDENTIFICATION + packet(kexinit_payload(follows=2)),
        COMPLETE,
        "first-kex-packet-follows-not-0-or-1",
    ),
    Behaviour(
        "K17 reserved 7",
        IDENTIFICATION + packet(kexinit_payload(reserved=7)),
        COMPLETE,
        "reserved-not-zero",
    ),
    Behaviour(
        "K18 wrong guess", IDENTIFICATION + packet(kexinit_payload(follows=1)) + GUESS, COMPLETE
    ),
    Behaviour(
        "K19 no guess", IDENTIFICATION + packet(kexinit_payload(follows=1)), COMPLETE, eof=True
    ),
    Behaviour(
        "K20 no common kex",
        kexinit(0, b"diffie-hellman-group1-sha1"),
        COMPLETE,
        "no-common-algorithm strict-kex-absent",
    ),
    Behaviour("K20 no common MAC", kexinit(5, b"hmac-md5"), COMPLETE, "no-common-algorithm"),
    Behaviour("K21 second KEXINIT", REST + KEXINIT, COMPLETE),
    Behaviour("K22 DISCONNECT 11", IDENTIFICATION + DISCONNECT, DISCONNECTED),
    Behaviour(
        "K22 DISCONNECT 2, ESC",
        IDENTIFICATION + packet(b"\1\0\0\0\2\0\0\0\4\x1b[2J\0\0\0\0"),
        DISCONNECTED,
    ),
    Behaviour(
        "K22 DISCONNECT 7, 30 KB",
        IDENTIFICATION + packet(b"\1\0\0\0\7\0\0\x75\x30" + b"t" * 30000 + b"\0\0\0\0"),
        DISCONNECTED,
    ),
    Behaviour(
        "K22 DISCONNECT 12, empty",
        IDENTIFICATION + packet(b"\1\0\0\0\x0c\0\0\0\0\0\0\0\0"),
        DISCONNECTED,
    ),
    Behaviour(
        "K22 DISCONNECT, truncated",
        IDENTIFICATION + packet(b"\1\0\0\0\2\0\0"),
        DISCONNECTED,
        "disconnect-truncated",
    ),
    Behaviour("K23 IGNORE", IDENTIFICATION + IGNORE + NOT_STRICT, COMPLETE, "strict-kex-absent"),
    Behaviour("K23 DEBUG", IDENTIFICATION + DEBUG + NOT_STRICT, COMPLETE, "strict-kex-absent"),
    Behaviour("K24 IGNORE for ever", IDENTIFICATION + IGNORE * 1024, "too-many-packets"),
    Behaviour("K24 DEBUG for ever", IDENTIFICATION + DEBUG * 1024, "too-many-packets"),
    Behaviour("K25 UNIMPLEMENTED", IDENTIFICATION + UNIMPLEMENTED, "unimplemented-before-kexinit"),
    Behaviour(
        "K26 EXT_INFO",
        IDENTIFICATION + EXT_INFO + NOT_STRICT,
        COMPLETE,
        "ext-info-before-newkeys strict-kex-absent",
    ),
    *(
        Behaviour(
            f"K27 message {number}", IDENTIFICATION + packet(bytes([number])), "message-unexpected"
        )
        for number in (0, 5, 6, 8, 19, 21, 30, 31, 50, 53, 80, 99, 192, 255)
    ),
    Behaviour("K27 text", IDENTIFICATION + b"Protocol mismatch.\n", "text-instead-of-packet"),
    Behaviour("K29 hundreds of names", kexinit(1, b"ssh-ed25519", *MANY_NAMES[:700]), COMPLETE),
    Behaviour(
        "K30 packet over the law",
        kexinit(1, b"ssh-ed25519", *MANY_NAMES),
        COMPLETE,
        "packet-over-35000",
    ),
    Behaviour("K32 silent after KEXINIT", REST, COMPLETE),
    Behaviour(
        "K33 cookie",
        IDENTIFICATION + packet(kexinit_payload(cookie=bytes(16))),
        COMPLETE,
        "cookie-not-random",
    ),
    Behaviour(
        "K34 IGNORE, strict", IDENTIFICATION + IGNORE + KEXINIT, COMPLETE, "strict-kex-broken"
    ),
)
BY_NAME = [pytest.param(behaviour, id=behaviour.name) for behaviour in BEHAVIOURS]

NOT_IN_OCTETS = {
    "N01 N02 N03 N04 N05 N18 N20": "there is no connection yet",
    "N07 N08 N09 N10 N12 N17 N19 N21": "the kernel's story, or time's",
    "V01 K04": "test_ssh_handshake.py: we speak without waiting",
    "V04 V33": "only slow: the octets are N14's",
}
NUMBERS = {
    *(f"N{number:02}" for number in range(1, 22) if number != 16),
    *(f"V{number:02}" for number in range(1, 36) if number not in (14, 24, 25)),
    *(f"K{number:02}" for number in range(1, 35) if number not in (14, 28, 31)),
}


# N15: at once.
@pytest.mark.parametrize("behaviour", BY_NAME)
def test_behaviour(behaviour: Behaviour) -> None:
    heard = hear(behaviour.octets, eof=behaviour.eof)
    assert heard.outcome == behaviour.outcome
    assert heard.findings == set(behaviour.findings.split())


# N14: every octet in a segment of its own; of a flood, the first 100 000.
@pytest.mark.parametrize("behaviour", BY_NAME)
def test_behaviour_octet_by_octet(behaviour: Behaviour) -> None:
    heard = hear((bytes([octet]) for octet in behaviour.octets[:100_000]), eof=behaviour.eof)
    whole = hear(behaviour.octets[:100_000], eof=behaviour.eof)
    assert heard.events == whole.events
    assert (heard.outcome, heard.findings) == (whole.outcome, whole.findings)


# The slow reading of the RFCs, which shares no code with ours, comes to the same.
@pytest.mark.parametrize("behaviour", BY_NAME)
def test_the_reference_agrees(behaviour: Behaviour) -> None:
    reading = reference.Reading(behaviour.octets, OFFER)
    assert reading.events == hear(behaviour.octets, eof=True).events
    assert reading.findings == set(behaviour.findings.split())


# Law 10: every rule has been seen to bite.
def test_every_rule_is_broken_by_some_server() -> None:
    seen: set[str] = set()
    for behaviour in BEHAVIOURS:
        seen |= {behaviour.outcome, *behaviour.findings.split()}
    assert seen >= {rule.code for rule in (*rules.FINDINGS, *rules.VIOLATIONS)}


# Law 3: no behaviour of the catalogue is forgotten.
def test_every_number_is_accounted_for() -> None:
    words = " ".join([*NOT_IN_OCTETS, *(behaviour.name for behaviour in BEHAVIOURS)]).split()
    assert {word for word in words if word[0] in "NVK" and word[1:].isdigit()} == NUMBERS
