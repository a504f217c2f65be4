"""Each requirement of RFC 4253 and its kin that bears on a client before keys, held by octets.

The numbers R01 to R63 are the project's own; the comment beside each says what it is about. A
number has cases, or a reason why the machine has nothing to do with it. What we send ourselves is
held to the same numbers in test_ssh_handshake.py.
"""

from typing import NamedTuple

import pytest
from ssh_pieces import (
    COOKIE,
    DEBUG,
    DISCONNECT,
    IDENTIFICATION,
    IGNORE,
    KEXINIT,
    LISTS,
    Names,
    kexinit_payload,
    packet,
    packet_of,
)
from ssh_talk import hear

Event = tuple[object, ...]


class Case(NamedTuple):
    """What a server says before it ends its stream, and what must come of it."""

    octets: bytes
    events: list[Event]
    findings: str = ""


def identification(octets: bytes, softwareversion: bytes, comments: bytes | None = None) -> Event:
    protoversion = octets.split(b"-")[1]
    return ("identification", octets, protoversion, softwareversion, comments)


def kexinit(lists: tuple[Names, ...] = LISTS, *, follows: bool = False) -> Event:
    return ("kexinit", COOKIE, lists, follows, 0)


def with_list(index: int, *names: bytes) -> tuple[Names, ...]:
    return (*LISTS[:index], names, *LISTS[index + 1 :])


def sends(lists: tuple[Names, ...], *, follows: int = 0) -> bytes:
    return IDENTIFICATION + packet(kexinit_payload(lists, follows=follows))


def offering(lists: tuple[Names, ...], findings: str = "") -> Case:
    return Case(sends(lists), [X, kexinit(lists)], findings)


def violation(code: str) -> Event:
    return ("violation", code)


X = identification(b"SSH-2.0-x", b"x")
"""The identification string of the faultless server."""
FAULTLESS = [X, kexinit()]
CLOSED: Event = ("closed",)
WITHOUT_COMMON_MAC = (
    *LISTS[:2],
    (b"aes256-gcm@openssh.com",),
    LISTS[3],
    (b"hmac-md5",),
    *LISTS[5:],
)
"""The cipher to the server authenticates by itself."""

REQUIREMENTS: dict[str, dict[str, Case]] = {
    "R01": {  # §4.2: both sides send an identification string, in no order
        "never": Case(b"", [CLOSED]),
        "at once": Case(IDENTIFICATION, [X, CLOSED]),
    },
    "R02": {  # §4.2: SSH-protoversion-softwareversion SP comments CR LF
        "comments": Case(
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            [
                identification(b"SSH-2.0-OpenSSH_9.2p1 Debian-2", b"OpenSSH_9.2p1", b"Debian-2"),
                CLOSED,
            ],
        ),
        "no softwareversion": Case(b"SSH-2.0-\r\n", [violation("identification-incomplete")]),
        "no second minus": Case(b"SSH-2.0\r\n", [violation("identification-incomplete")]),
    },
    "R03": {  # §4.2: protoversion is 2.0
        "2.0": Case(IDENTIFICATION + KEXINIT, FAULTLESS),
        "1.5": Case(b"SSH-1.5-x\r\n", [violation("protoversion-unsupported")]),
        "3.0": Case(b"SSH-3.0-x\r\n", [violation("protoversion-unsupported")]),
    },
    "R04": {  # §4.2: a single space before comments
        "two": Case(
            b"SSH-2.0-x  y\r\n",
            [identification(b"SSH-2.0-x  y", b"x", b" y"), CLOSED],
            "comments-spacing",
        ),
        "no comments": Case(
            b"SSH-2.0-x \r\n",
            [identification(b"SSH-2.0-x ", b"x", b""), CLOSED],
            "comments-spacing",
        ),
    },
    "R05": {  # §4.2: one CR and one LF at the end
        "CR LF": Case(IDENTIFICATION, [X, CLOSED]),
        "LF": Case(b"SSH-2.0-x\n", [X, CLOSED], "identification-lf-only"),
        "CR CR LF": Case(b"SSH-2.0-x\r\r\n", [X, CLOSED], "identification-cr-repeated"),
        "CR": Case(b"SSH-2.0-x\ry\r\n", [violation("cr-in-identification")]),
    },
    "R06": {  # §4.2: no NUL
        "inside": Case(b"SSH-2.0-x\0\r\n", [violation("nul-in-identification")]),
        "before": Case(b"\0SSH-2.0-x\r\n", [violation("nul-before-identification")]),
    },
    "R07": {  # §4.2: at most 255 octets with CR LF
        "255": Case(
            b"SSH-2.0-" + b"x" * 245 + b"\r\n",
            [identification(b"SSH-2.0-" + b"x" * 245, b"x" * 245), CLOSED],
        ),
        "256": Case(
            b"SSH-2.0-" + b"x" * 246 + b"\r\n",
            [identification(b"SSH-2.0-" + b"x" * 246, b"x" * 246), CLOSED],
            "identification-over-255",
        ),
    },
    "R08": {  # §4.2: printable US-ASCII without space and minus
        "minus": Case(
            b"SSH-2.0-x-y\r\n",
            [identification(b"SSH-2.0-x-y", b"x-y"), CLOSED],
            "softwareversion-minus",
        ),
        "tab": Case(
            b"SSH-2.0-x\ty\r\n",
            [identification(b"SSH-2.0-x\ty", b"x\ty"), CLOSED],
            "softwareversion-not-printable",
        ),
        "8 bits": Case(
            b"SSH-2.0-\xe4\r\n",
            [identification(b"SSH-2.0-\xe4", b"\xe4"), CLOSED],
            "softwareversion-not-printable",
        ),
        "minus in protoversion": Case(b"SSH-2-0-x\r\n", [violation("protoversion-unsupported")]),
    },
    "R09": {  # §4.2: other lines before, which should end with CR LF
        "CR LF": Case(b"hello\r\n" + IDENTIFICATION, [("line-before", b"hello"), X, CLOSED]),
        "LF": Case(
            b"hello\n" + IDENTIFICATION,
            [("line-before", b"hello"), X, CLOSED],
            "line-before-lf-only",
        ),
    },
    "R10": {  # §4.2: they do not begin with SSH-, and should be UTF-8
        "SSH-": Case(b"SSH-hello\r\n" + IDENTIFICATION, [violation("identification-incomplete")]),
        "ssh-": Case(b"ssh-2.0-x\r\n", [("line-before", b"ssh-2.0-x"), CLOSED]),
        "UTF-8": Case(b"\xc3\xa4\r\n", [("line-before", b"\xc3\xa4"), CLOSED]),
        "Latin-1": Case(b"\xe4\r\n", [("line-before", b"\xe4"), CLOSED], "line-before-not-utf-8"),
    },
    "R11": {  # §4.2: clients must be able to process them
        "a hundred": Case(
            b"hello\r\n" * 100 + IDENTIFICATION + KEXINIT,
            [("line-before", b"hello")] * 100 + FAULTLESS,
        ),
        "long": Case(
            b"h" * 8000 + b"\r\n" + IDENTIFICATION + KEXINIT,
            [("line-before", b"h" * 8000), *FAULTLESS],
            "line-before-long",
        ),
    },
    "R12": {  # RFC 4251 §9.2: control characters need filtering, all but tab, CR and LF
        "ESC": Case(
            b"\x1b[2J\r\n",
            [("line-before", b"\x1b[2J"), CLOSED],
            "line-before-control-characters",
        ),
        "tab": Case(b"a\tb\r\n", [("line-before", b"a\tb"), CLOSED]),
    },
    "R13": {  # §5.1: 1.99 is taken for 2.0
        "1.99": Case(
            b"SSH-1.99-x\r\n" + KEXINIT,
            [identification(b"SSH-1.99-x", b"x"), kexinit()],
            "protoversion-1.99",
        ),
    },
    "R14": {  # §5.1: with 1.99 there should be no CR
        "no CR": Case(
            b"SSH-1.99-x\n" + KEXINIT,
            [identification(b"SSH-1.99-x", b"x"), kexinit()],
            "protoversion-1.99",
        ),
    },
    "R15": {  # §5.1: key exchange data may follow at once
        "in one segment": Case(IDENTIFICATION + KEXINIT, FAULTLESS),
    },
    "R16": {  # §4.2: after the identification string come packets and nothing else
        "text": Case(IDENTIFICATION + b"hello\r\n", [X, violation("text-instead-of-packet")]),
        "another": Case(IDENTIFICATION * 2, [X, violation("text-instead-of-packet")]),
    },
    "R20": {  # §6: n1 = packet_length - padding_length - 1
        "smallest": Case(
            IDENTIFICATION + b"\0\0\0\x0c\x0a\x02" + bytes(10) + KEXINIT,
            [X, ("ignore",), kexinit()],
            "strict-kex-broken",
        ),
        "n1 = 0": Case(IDENTIFICATION + b"\0\0\0\x0c\x0b", [X, violation("payload-empty")]),
        "n1 < 0": Case(
            IDENTIFICATION + b"\0\0\0\x0c\x0c", [X, violation("padding-longer-than-packet")]
        ),
        "half": Case(IDENTIFICATION + KEXINIT[:90], [X, CLOSED]),
    },
    "R21": {  # §6: a multiple of 8, to be enforced
        "20": Case(IDENTIFICATION + b"\0\0\0\x10", [X, violation("packet-length-misaligned")]),
    },
    "R22": {  # §6: at least 4 octets of padding, at most 255
        "3": Case(IDENTIFICATION + b"\0\0\0\x0c\x03", [X, violation("padding-too-short")]),
        "4": Case(IDENTIFICATION + b"\0\0\0\x0c\x04\x02" + bytes(10), [X, ("ignore",), CLOSED]),
        "255": Case(IDENTIFICATION + b"\0\0\1\x04\xff\x02" + bytes(258), [X, ("ignore",), CLOSED]),
    },
    "R23": {  # §6: at least 16 octets
        "15": Case(IDENTIFICATION + b"\0\0\0\x0b", [X, violation("packet-length-too-short")]),
        "8": Case(IDENTIFICATION + b"\0\0\0\x04", [X, violation("packet-length-too-short")]),
    },
    "R24": {  # §6.1: 35000 octets must be borne, more should; beyond reason is refused
        "35000": Case(IDENTIFICATION + packet_of(35000), [X, ("ignore",), CLOSED]),
        "35008": Case(
            IDENTIFICATION + packet_of(35008), [X, ("ignore",), CLOSED], "packet-over-35000"
        ),
        "4 GiB": Case(
            IDENTIFICATION + b"\xff\xff\xff\xfc", [X, violation("packet-length-too-long")]
        ),
    },
    "R25": {  # §6: before keys there is no compression, no cipher, no MAC
        "packet after packet": Case(
            IDENTIFICATION + IGNORE + DEBUG + KEXINIT,
            [X, ("ignore",), ("debug",), kexinit()],
            "strict-kex-broken",
        ),
    },
    "R26": {  # RFC 4251 §5: a boolean that is not 0 is TRUE; only 0 and 1 may be sent
        "1": Case(sends(LISTS, follows=1), [X, kexinit(follows=True)]),
        "2": Case(
            sends(LISTS, follows=2),
            [X, kexinit(follows=True)],
            "first-kex-packet-follows-not-0-or-1",
        ),
    },
    "R27": {  # RFC 4251 §5: name-lists
        "empty name": offering(with_list(1, b"ssh-ed25519", b""), "name-empty"),
        "NUL at the end": offering(with_list(1, b"ssh-ed25519", b"a\0"), "name-not-printable"),
        "beyond the payload": Case(
            IDENTIFICATION + KEXINIT[:22] + b"\0\0\0\xff" + KEXINIT[26:],
            [X, violation("name-list-beyond-payload")],
        ),
    },
    "R28": {  # RFC 4251 §7: numbers of other layers do not come before KEXINIT
        "user authentication": Case(
            IDENTIFICATION + packet(b"\x35"), [X, violation("message-unexpected")]
        ),
        "connection": Case(IDENTIFICATION + packet(b"\x50"), [X, violation("message-unexpected")]),
        "reserved": Case(IDENTIFICATION + packet(b"\x80"), [X, violation("message-unexpected")]),
        "local": Case(IDENTIFICATION + packet(b"\xff"), [X, violation("message-unexpected")]),
    },
    "R30": {  # §7.1: the layout of KEXINIT, a random cookie, a reserved 0
        "whole": Case(IDENTIFICATION + KEXINIT, FAULTLESS),
        "cut off": Case(
            IDENTIFICATION + packet(KEXINIT[5:-7]), [X, violation("kexinit-truncated")]
        ),
        "octets after": Case(
            IDENTIFICATION + packet(KEXINIT[5:-6] + b"\0"),
            [X, violation("kexinit-trailing-octets")],
        ),
        "cookie": Case(
            IDENTIFICATION + packet(kexinit_payload(cookie=b"c" * 16)),
            [X, ("kexinit", b"c" * 16, LISTS, False, 0)],
            "cookie-not-random",
        ),
        "reserved": Case(
            IDENTIFICATION + packet(kexinit_payload(reserved=258)),
            [X, ("kexinit", COOKIE, LISTS, False, 258)],
            "reserved-not-zero",
        ),
    },
    "R31": {  # §7.1: in order of preference, at least one name
        "order": offering(with_list(1, b"b", b"ssh-ed25519", b"a")),
        "no name": Case(sends(with_list(4)), [X, violation("algorithms-empty")]),
    },
    "R32": {  # §7.1: lists of languages should be empty
        "languages": offering(with_list(9, b"en"), "languages-not-empty"),
    },
    "R33": {  # §6.2-6.4: "none" is acceptable only if it is listed
        "compression": offering(with_list(7, b"zlib"), "no-common-algorithm"),
        "cipher": offering(with_list(3, b"none"), "no-common-algorithm"),
    },
    "R34": {  # §7.1: the choice of the key exchange method
        "none": offering(
            with_list(0, b"diffie-hellman-group1-sha1", b"kex-strict-s-v00@openssh.com"),
            "no-common-algorithm",
        ),
    },
    "R35": {  # §7.1: the choice of the others
        "host key": offering(with_list(1, b"ssh-dss"), "no-common-algorithm"),
        "MAC": offering(with_list(4, b"hmac-md5"), "no-common-algorithm"),
        "no MAC needed": offering(WITHOUT_COMMON_MAC),
    },
    "R36": {  # §7: a wrong guess is ignored
        "guess": Case(
            sends(LISTS, follows=1) + packet(b"\x1e\0\0\0\x20" + b"g" * 32),
            [X, kexinit(follows=True)],
        ),
    },
    "R37": {  # §7.1: first_kex_packet_follows is TRUE exactly if a guess follows
        "FALSE": Case(sends(LISTS, follows=0), FAULTLESS),
        "TRUE, and nothing": Case(sends(LISTS, follows=1), [X, kexinit(follows=True)]),
    },
    "R38": {  # §7.1: no service message, no NEWKEYS, no second KEXINIT
        "SERVICE_REQUEST": Case(
            IDENTIFICATION + packet(b"\x05"), [X, violation("message-unexpected")]
        ),
        "SERVICE_ACCEPT": Case(
            IDENTIFICATION + packet(b"\x06"), [X, violation("message-unexpected")]
        ),
        "NEWKEYS": Case(IDENTIFICATION + packet(b"\x15"), [X, violation("message-unexpected")]),
        "second KEXINIT is not read": Case(IDENTIFICATION + KEXINIT * 2, FAULTLESS),
    },
    "R39": {  # RFC 4251 §6: algorithm names
        "64": offering(with_list(1, b"ssh-ed25519", b"a" * 64)),
        "65": offering(with_list(1, b"ssh-ed25519", b"a" * 65), "name-over-64"),
        "DEL": offering(with_list(1, b"ssh-ed25519", b"a\x7f"), "name-not-printable"),
        "two @": offering(with_list(1, b"ssh-ed25519", b"a@b@c"), "name-at-signs"),
        "case": offering(with_list(1, b"SSH-ED25519"), "no-common-algorithm"),
    },
    "R40": {  # §11.1: DISCONNECT is processed, and nothing is accepted after it
        "and KEXINIT": Case(IDENTIFICATION + DISCONNECT + KEXINIT, [X, ("disconnect", 11, b"bye")]),
        "truncated": Case(
            IDENTIFICATION + packet(b"\x01\0\0\0\x0b"),
            [X, ("disconnect", 11, b"")],
            "disconnect-truncated",
        ),
    },
    "R41": {  # §11.1: reason codes
        "12": Case(
            IDENTIFICATION + packet(b"\x01\0\0\0\x0c\0\0\0\0\0\0\0\0"),
            [X, ("disconnect", 12, b"")],
        ),
        "private": Case(
            IDENTIFICATION + packet(b"\x01\xfe\0\0\0\0\0\0\0\0\0\0\0"),
            [X, ("disconnect", 4261412864, b"")],
        ),
    },
    "R42": {  # §11.2: IGNORE at any time after the identification string
        "one": Case(
            IDENTIFICATION + IGNORE + KEXINIT, [X, ("ignore",), kexinit()], "strict-kex-broken"
        ),
        "not before": Case(IGNORE, [violation("nul-before-identification")]),
    },
    "R43": {  # §11.3: DEBUG
        "one": Case(
            IDENTIFICATION + DEBUG + KEXINIT, [X, ("debug",), kexinit()], "strict-kex-broken"
        ),
    },
    "R44": {  # §11.4: a client that goes on answers UNIMPLEMENTED; this one stops, and says why
        "99": Case(IDENTIFICATION + packet(b"\x63"), [X, violation("message-unexpected")]),
        "answer to us": Case(
            IDENTIFICATION + packet(b"\x03\0\0\0\0"),
            [X, violation("unimplemented-before-kexinit")],
        ),
    },
    "R45": {  # RFC 4251 §9.2: texts are filtered where they are shown, so they stay octets here
        "ESC": Case(
            IDENTIFICATION + packet(b"\x01\0\0\0\2\0\0\0\4\x1b[2J\0\0\0\0"),
            [X, ("disconnect", 2, b"\x1b[2J")],
        ),
    },
    "R60": {  # strict KEX: the server's marker
        "absent": offering(with_list(0, b"curve25519-sha256"), "strict-kex-absent"),
        "the client's is not it": offering(
            with_list(0, b"curve25519-sha256", b"kex-strict-c-v00@openssh.com"), "strict-kex-absent"
        ),
    },
    "R61": {  # strict KEX: the first packet is KEXINIT
        "it is": Case(IDENTIFICATION + KEXINIT, FAULTLESS),
        "it is not": Case(
            IDENTIFICATION + DEBUG + KEXINIT, [X, ("debug",), kexinit()], "strict-kex-broken"
        ),
        "it is not, lawfully": Case(
            IDENTIFICATION
            + DEBUG
            + sends(with_list(0, b"curve25519-sha256"))[len(IDENTIFICATION) :],
            [X, ("debug",), kexinit(with_list(0, b"curve25519-sha256"))],
            "strict-kex-absent",
        ),
    },
}

NOT_OURS = {
    "R17": "we compute no exchange hash",
    "R18": "the machine knows no port",
    "R50": "we send no ext-info-c, and negotiate no indicator of the server's",
    "R51": "after NEWKEYS; before it, EXT_INFO is K26 of test_ssh_behaviours.py",
    "R52": "we verify no signature",
    "R53": "advice on what to offer",
    "R62": "after NEWKEYS",
    "R63": "there are fewer packets than sequence numbers: limits.PACKETS_CAP",
}

NUMBERS = {
    f"R{number:02}"
    for numbers in (range(1, 19), range(20, 29), range(30, 46), range(50, 54), range(60, 64))
    for number in numbers
}

CASES = [
    pytest.param(case, id=f"{number} {name}")
    for number, cases in REQUIREMENTS.items()
    for name, case in cases.items()
]


@pytest.mark.parametrize("case", CASES)
def test_requirement(case: Case) -> None:
    heard = hear(case.octets, eof=True)
    assert heard.events == case.events
    assert heard.findings == set(case.findings.split())


# Law 3: no requirement is forgotten, and none is both ours and not ours.
def test_every_requirement_is_accounted_for() -> None:
    assert sorted([*REQUIREMENTS, *NOT_OURS]) == sorted(NUMBERS)
    assert all(REQUIREMENTS.values())
