"""The table: a row a behaviour.

Ids are stable and sort by layer: C the connection, I the identification, K packets and KEXINIT.
What a row expects was written from the RFCs and from what real clients and servers do; it holds
for a probe with the default budget on a path that takes no time. Broken octets are literals.
"""

from dataclasses import dataclass
from typing import Final

from probe.catalogue.captured import DROPBEAR, OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT, TINYSSHD
from probe.catalogue.moves import (
    Abort,
    Drip,
    HalfClose,
    Hold,
    Move,
    ReadLine,
    ReadPacket,
    Repeat,
    Send,
    Wait,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good prober says of a server.

    Attributes:
        verdict: The verdict's string.
        where: The stage in which the probe ended; ``None`` after success.
        whose: The stage whose limit ran out; ``None`` if none did.
        spent_s: How long it takes, in seconds.
        findings: The codes of what it notes, in order.
    """

    verdict: str
    where: str | None = None
    whose: str | None = None
    spent_s: float = 0.0
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """A row of the catalogue.

    Attributes:
        id: Stable and sortable.
        name: The behaviour, or the fault.
        section: Where the rule stands that it keeps or breaks.
        requirement: That rule, or the reason for the row, in one line.
        moves: What it does.
        expected: What a good prober says.
    """

    id: str
    name: str
    section: str
    requirement: str
    moves: tuple[Move, ...]
    expected: Expected


_IDENTIFICATION: Final = Send(OPENSSH_IDENTIFICATION)
_KEXINIT: Final = Send(OPENSSH_KEXINIT)
_KEXINIT_CUT: Final = Send(OPENSSH_KEXINIT[:40])
_FIN: Final = (HalfClose(), Hold())
_GOOD: Final = (_IDENTIFICATION, _KEXINIT, Hold())

_IGNORE: Final = bytes.fromhex("0000000c 06 02 00000000 000000000000")
_UNIMPLEMENTED: Final = bytes.fromhex("0000000c 06 03 00000000 000000000000")
_DISCONNECT: Final = bytes.fromhex(
    "0000001c 0a 01 0000000c 00000004 62757379 00000000 00000000000000000000",
)
_SERVICE_ACCEPT: Final = bytes.fromhex(
    "0000001c 0a 06 0000000c 7373682d7573657261757468 00000000000000000000",
)
_KEXINIT_WITHOUT_LISTS: Final = bytes.fromhex(
    "0000001c 0a 14 000102030405060708090a0b0c0d0e0f 00000000000000000000",
)
_KEXINIT_BOASTING: Final = bytes.fromhex(
    "0000001c 06 14 000102030405060708090a0b0c0d0e0f ffffffff 000000000000",
)
_KEXINIT_EMPTY: Final = bytes.fromhex(
    "00000044 06 14 000102030405060708090a0b0c0d0e0f"
    " 00000000 00000000 00000000 00000000 00000000"
    " 00000000 00000000 00000000 00000000 00000000"
    " 00 00000000 000000000000",
)

SERVERS: Final = (
    # The connection. ---------------------------------------------------------------------------
    Server(
        "C01",
        "silent",
        "RFC 4253 §4.2",
        "Both sides MUST send an identification string.",
        (Hold(),),
        Expected("silent", "first-octet", "first-octet", 4.0),
    ),
    Server(
        "C02",
        "closes-at-once",
        "RFC 4253 §4.2",
        "Both sides MUST send an identification string.",
        _FIN,
        Expected("closed-before-identification", "first-octet"),
    ),
    Server(
        "C03",
        "resets-at-once",
        "RFC 4253 §4.2",
        "Both sides MUST send an identification string.",
        (Abort(),),
        Expected("reset-before-identification", "first-octet"),
    ),
    # The identification. -----------------------------------------------------------------------
    Server(
        "I01",
        "one-octet-then-silent",
        "RFC 4253 §4.2",
        "The identification string ends with CR LF.",
        (Send(b"S"), Hold()),
        Expected("identification-stalled", "identification", "identification", 5.0),
    ),
    Server(
        "I02",
        "drips-without-line-end",
        "RFC 4253 §4.2",
        "The identification string ends with CR LF.",
        (Repeat(b"x", every_s=1.0),),
        Expected("identification-trickling", "identification", "identification", 5.0),
    ),
    Server(
        "I03",
        "drips-identification-without-end",
        "RFC 4253 §4.2",
        "The identification string has at most 255 octets.",
        (Send(b"SSH-2.0-"), Repeat(b"x", every_s=1.0)),
        Expected("identification-trickling", "identification", "identification", 5.0),
    ),
    Server(
        "I04",
        "tarpit-line-a-second",
        "RFC 4253 §4.2",
        "Lines may come before the identification string, which must come.",
        (Repeat(b"q7#]\r\n", every_s=1.0),),
        Expected("identification-trickling", "identification", "identification", 5.0),
    ),
    Server(
        "I05",
        "tarpit-line-in-ten-seconds",
        "RFC 4253 §4.2",
        "Lines may come before the identification string, which must come (endlessh's pace).",
        (Repeat(b"q7#]\r\n", every_s=10.0),),
        Expected("silent", "first-octet", "first-octet", 4.0),
    ),
    Server(
        "I06",
        "endless-lines",
        "RFC 4253 §4.2",
        "Lines may come before the identification string, which must come.",
        (Repeat(b"All work and no play makes sshd a dull server.\r\n" * 64),),
        Expected("flooded", "identification", findings=("lines-before-many",)),
    ),
    Server(
        "I07",
        "endless-octets",
        "RFC 4253 §4.2",
        "A line ends with CR LF.",
        (Repeat(b"x" * 4096),),
        Expected("flooded", "identification"),
    ),
    Server(
        "I08",
        "endless-identification",
        "RFC 4253 §4.2",
        "The identification string has at most 255 octets.",
        (Send(b"SSH-2.0-"), Repeat(b"A" * 4096)),
        Expected("flooded", "identification"),
    ),
    Server(
        "I09",
        "garbage",
        "RFC 4253 §4.2",
        "NUL MUST NOT be sent.",
        (Send(bytes.fromhex("9d3fc1e80b51aa00f26e0a77c4")), Hold()),
        Expected("not-ssh", "identification"),
    ),
    Server(
        "I10",
        "http",
        "RFC 4253 §4.2",
        "What answers must be an SSH server.",
        (
            ReadLine(),
            Send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            *_FIN,
        ),
        Expected("not-ssh", "identification"),
    ),
    Server(
        "I11",
        "tls",
        "RFC 4253 §4.2",
        "What answers must be an SSH server (RFC 8446 §6: alert decode_error).",
        (ReadLine(), Send(bytes.fromhex("15 0303 0002 02 32")), *_FIN),
        Expected("not-ssh", "identification"),
    ),
    Server(
        "I12",
        "smtp",
        "RFC 4253 §4.2",
        "What answers must be an SSH server (RFC 5321 §3.1: greeting).",
        (Send(b"220 mail.example.org ESMTP\r\n"), Hold()),
        Expected("not-ssh", "identification", "identification", 5.0),
    ),
    Server(
        "I13",
        "ssh-1.5",
        "RFC 4253 §4.2",
        "The protoversion MUST be 2.0.",
        (Send(b"SSH-1.5-1.2.27\n"), Hold()),
        Expected("protocol-unsupported", "identification"),
    ),
    Server(
        "I14",
        "text-then-closes",
        "RFC 4253 §4.2",
        "TCP wrappers may report an error and close.",
        (Send(b"You are not welcome.\r\n"), *_FIN),
        Expected("closed-before-identification", "identification"),
    ),
    Server(
        "I15",
        "closes-inside-identification",
        "RFC 4253 §4.2",
        "The identification string ends with CR LF.",
        (Send(b"SSH-2.0-Open"), *_FIN),
        Expected("closed-before-identification", "identification"),
    ),
    Server(
        "I16",
        "resets-inside-identification",
        "RFC 4253 §4.2",
        "The identification string ends with CR LF.",
        (Send(b"SSH-2.0-Open"), Abort()),
        Expected("reset-before-identification", "identification"),
    ),
    Server(
        "I17",
        "max-startups-then-closes",
        "sshd_config(5) MaxStartups",
        "OpenSSH 8.2 to 9.7 with too many connections.",
        (Send(b"Exceeded MaxStartups\r\n"), *_FIN),
        Expected("throttled", "identification"),
    ),
    Server(
        "I18",
        "max-startups-then-resets",
        "sshd_config(5) MaxStartups",
        "OpenSSH 8.2 to 9.7 with too many connections, towards a client that speaks first.",
        (ReadLine(), Send(b"Exceeded MaxStartups\r\n"), Abort()),
        Expected("throttled", "identification"),
    ),
    Server(
        "I19",
        "penalty-then-closes",
        "sshd_config(5) PerSourcePenalties",
        "OpenSSH 9.8 and later, full or with a penalty for this source.",
        (Send(b"Not allowed at this time\r\n"), *_FIN),
        Expected("throttled", "identification"),
    ),
    Server(
        "I20",
        "penalty-then-resets",
        "sshd_config(5) PerSourcePenalties",
        "OpenSSH 9.8 and later, towards a client that speaks first.",
        (ReadLine(), Send(b"Not allowed at this time\r\n"), Abort()),
        Expected("throttled", "identification"),
    ),
    Server(
        "I21",
        "nul-in-identification",
        "RFC 4253 §4.2",
        "NUL MUST NOT be sent.",
        (Send(b"SSH-2.0-Open\0SSH\r\n"), Hold()),
        Expected("identification-malformed", "identification"),
    ),
    Server(
        "I22",
        "no-softwareversion",
        "RFC 4253 §4.2",
        "The form is SSH-protoversion-softwareversion.",
        (Send(b"SSH-2.0\r\n"), Hold()),
        Expected("identification-malformed", "identification"),
    ),
    Server(
        "I23",
        "identification-ends-in-lf",
        "RFC 4253 §4.2",
        "The identification string ends with CR LF; many servers send LF alone.",
        (Send(b"SSH-2.0-OpenSSH_7.4\n"), _KEXINIT, Hold()),
        Expected("ok", findings=("identification-lf-only",)),
    ),
    Server(
        "I24",
        "waits-for-identification",
        "RFC 4253 §4.2",
        "Both sides send when connected; neither is told to begin.",
        (ReadLine(), *_GOOD),
        Expected("ok"),
    ),
    Server(
        "I25",
        "ten-lines-before",
        "RFC 4253 §4.2",
        "Clients MUST be able to process lines before the identification string.",
        (Send("Zugang nur für Befugte.\r\n".encode() * 10), *_GOOD),
        Expected("ok"),
    ),
    Server(
        "I26",
        "protoversion-1.99",
        "RFC 4253 §5.1",
        "Clients MUST take 1.99 for 2.0.",
        (Send(b"SSH-1.99-Cisco_1.25\n"), _KEXINIT, Hold()),
        Expected("ok", findings=("protoversion-1.99",)),
    ),
    Server(
        "I27",
        "slow-identification",
        "RFC 4253 §4.2",
        "Slow is not dead.",
        (Drip(OPENSSH_IDENTIFICATION, every_s=0.125), _KEXINIT, Hold()),
        Expected("ok", spent_s=2.75),
    ),
    Server(
        "I28",
        "identification-after-three-seconds",
        "RFC 4253 §4.2",
        "Slow is not dead: UseDNS and a lack of randomness delay sshd.",
        (Wait(3.0), *_GOOD),
        Expected("ok", spent_s=3.0),
    ),
    # Packets and KEXINIT. ----------------------------------------------------------------------
    Server(
        "K01",
        "silent-after-identification",
        "RFC 4253 §7.1",
        "Key exchange begins by each side sending KEXINIT.",
        (_IDENTIFICATION, Hold()),
        Expected("kexinit-stalled", "kexinit", "kexinit", 5.0),
    ),
    Server(
        "K02",
        "closes-after-identification",
        "RFC 4253 §7.1",
        "Key exchange begins by each side sending KEXINIT.",
        (_IDENTIFICATION, *_FIN),
        Expected("closed-before-kexinit", "kexinit"),
    ),
    Server(
        "K03",
        "resets-after-identification",
        "RFC 4253 §7.1",
        "Key exchange begins by each side sending KEXINIT.",
        (_IDENTIFICATION, Abort()),
        Expected("reset-before-kexinit", "kexinit"),
    ),
    Server(
        "K04",
        "kexinit-cut-then-silent",
        "RFC 4253 §6",
        "A packet has as many octets as it says.",
        (_IDENTIFICATION, _KEXINIT_CUT, Hold()),
        Expected("kexinit-stalled", "kexinit", "kexinit", 5.0),
    ),
    Server(
        "K05",
        "closes-inside-kexinit",
        "RFC 4253 §6",
        "A packet has as many octets as it says.",
        (_IDENTIFICATION, _KEXINIT_CUT, *_FIN),
        Expected("closed-before-kexinit", "kexinit"),
    ),
    Server(
        "K06",
        "resets-inside-kexinit",
        "RFC 4253 §6",
        "A packet has as many octets as it says.",
        (_IDENTIFICATION, _KEXINIT_CUT, Abort()),
        Expected("reset-before-kexinit", "kexinit"),
    ),
    Server(
        "K07",
        "drips-kexinit",
        "RFC 4253 §6.1",
        "Clients must bear packets of 35000 octets, not wait a day for them.",
        (_IDENTIFICATION, Drip(OPENSSH_KEXINIT)),
        Expected("kexinit-trickling", "kexinit", "kexinit", 5.0),
    ),
    Server(
        "K08",
        "ignore-for-ever",
        "RFC 4253 §11.2",
        "IGNORE MUST be ignored at any time; KEXINIT must come.",
        (_IDENTIFICATION, Repeat(_IGNORE, every_s=1.0)),
        Expected("kexinit-trickling", "kexinit", "kexinit", 5.0),
    ),
    Server(
        "K09",
        "ignore-flood",
        "RFC 4253 §11.2",
        "IGNORE MUST be ignored at any time; KEXINIT must come.",
        (_IDENTIFICATION, Repeat(_IGNORE * 256)),
        Expected("flooded", "kexinit"),
    ),
    Server(
        "K10",
        "packet-length-huge",
        "RFC 4253 §6.1",
        "Check that the packet length is reasonable.",
        (_IDENTIFICATION, Send(bytes.fromhex("fffffff8 04 14")), Hold()),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K11",
        "packet-length-zero",
        "RFC 4253 §6",
        "The smallest packet has 16 octets.",
        (_IDENTIFICATION, Send(bytes.fromhex("00000000")), Hold()),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K12",
        "packet-length-misaligned",
        "RFC 4253 §6",
        "A packet MUST be a multiple of 8 octets.",
        (_IDENTIFICATION, Send(bytes.fromhex("0000000d 06 14")), Hold()),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K13",
        "padding-too-short",
        "RFC 4253 §6",
        "There MUST be at least 4 octets of padding.",
        (_IDENTIFICATION, Send(bytes.fromhex("0000000c 03 02 00000003 000000 000000")), Hold()),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K14",
        "padding-longer-than-packet",
        "RFC 4253 §6",
        "The padding is part of the packet.",
        (_IDENTIFICATION, Send(bytes.fromhex("0000000c ff 02 00000000 000000000000")), Hold()),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K15",
        "payload-empty",
        "RFC 4253 §6",
        "A payload begins with a message number.",
        (_IDENTIFICATION, Send(bytes.fromhex("0000000c 0b 0000000000000000000000")), Hold()),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K16",
        "text-instead-of-packet",
        "RFC 4253 §4.2",
        "After the identification string all is packets (sshd's own answer to a bad client).",
        (_IDENTIFICATION, Send(b"Invalid SSH identification string.\r\n"), *_FIN),
        Expected("packet-malformed", "kexinit"),
    ),
    Server(
        "K17",
        "disconnect-first",
        "RFC 4253 §11.1",
        "DISCONNECT ends the connection, with a reason.",
        (_IDENTIFICATION, Send(_DISCONNECT), *_FIN),
        Expected("disconnected", "kexinit"),
    ),
    Server(
        "K18",
        "unimplemented-first",
        "RFC 4253 §11.4",
        "UNIMPLEMENTED answers a message that is not known; every server knows KEXINIT.",
        (_IDENTIFICATION, ReadLine(), ReadPacket(), Send(_UNIMPLEMENTED), Hold()),
        Expected("unexpected-message", "kexinit"),
    ),
    Server(
        "K19",
        "service-accept-first",
        "RFC 4253 §7.1",
        "Only messages 1 to 49 without SERVICE_ACCEPT may come during key exchange.",
        (_IDENTIFICATION, Send(_SERVICE_ACCEPT), Hold()),
        Expected("unexpected-message", "kexinit"),
    ),
    Server(
        "K20",
        "kexinit-without-lists",
        "RFC 4253 §7.1",
        "KEXINIT has ten name-lists.",
        (_IDENTIFICATION, Send(_KEXINIT_WITHOUT_LISTS), Hold()),
        Expected("kexinit-malformed", "kexinit"),
    ),
    Server(
        "K21",
        "name-list-beyond-packet",
        "RFC 4251 §5",
        "A name-list has as many octets as it says.",
        (_IDENTIFICATION, Send(_KEXINIT_BOASTING), Hold()),
        Expected("kexinit-malformed", "kexinit"),
    ),
    Server(
        "K22",
        "algorithms-empty",
        "RFC 4253 §7.1",
        "Each list of algorithms MUST hold at least one name.",
        (_IDENTIFICATION, Send(_KEXINIT_EMPTY), Hold()),
        Expected("kexinit-malformed", "kexinit"),
    ),
    Server(
        "K23",
        "openssh",
        "RFC 4253 §7.1",
        "A good server: OpenSSH 10.5p1 as captured.",
        _GOOD,
        Expected("ok"),
    ),
    Server(
        "K24",
        "dropbear",
        "RFC 4253 §5.1",
        "A good server: dropbear 2022.83 as captured, all in one segment.",
        (Send(DROPBEAR), Hold()),
        Expected("ok"),
    ),
    Server(
        "K25",
        "tinysshd",
        "RFC 4253 §7.1",
        "A good server: tinysshd 20230101 as captured, with its one cipher.",
        (Send(TINYSSHD), Hold()),
        Expected("ok", findings=("softwareversion-minus", "strict-kex-absent")),
    ),
    Server(
        "K26",
        "waits-for-kexinit",
        "RFC 4253 §7.1",
        "Each side sends KEXINIT; neither is told to begin.",
        (_IDENTIFICATION, ReadLine(), ReadPacket(), _KEXINIT, Hold()),
        Expected("ok"),
    ),
    Server(
        "K27",
        "ignore-before-kexinit",
        "RFC 4253 §11.2",
        "IGNORE MUST be ignored at any time, but a server of strict kex must not send it here.",
        (_IDENTIFICATION, Send(_IGNORE), _KEXINIT, Hold()),
        Expected("ok", findings=("strict-kex-broken",)),
    ),
    Server(
        "K28",
        "slow-kexinit",
        "RFC 4253 §7.1",
        "Slow is not dead: a link of one kilobyte a second.",
        (_IDENTIFICATION, Drip(OPENSSH_KEXINIT, every_s=1 / 1024), Hold()),
        Expected("ok", spent_s=len(OPENSSH_KEXINIT) / 1024),
    ),
    Server(
        "K29",
        "budget-eater",
        "RFC 4253 §7.1",
        "Every stage keeps its limit, barely, and the whole takes longer than anyone waits.",
        (
            Wait(3.875),
            Send(b"Be patient.\r\n"),
            Wait(1.0),
            _IDENTIFICATION,
            Repeat(_IGNORE, every_s=1.0),
        ),
        Expected("kexinit-trickling", "kexinit", "kexinit", 9.875),
    ),
)

BY_NAME: Final = {server.name: server for server in SERVERS}

NOT_SERVED: Final = {
    "name-error": "made by a resolver",
    "name-timeout": "made by a resolver",
    "refused": "made by a kernel: nothing listens",
    "unreachable": "made by a router, a firewall or a kernel",
    "connect-timeout": "made by a firewall or a host that is down",
    "budget-exhausted": "made by the caller: with the default budget a later stage ends first",
    "local-error": "made by the prober's own machine",
    "internal-error": "made by a bug of the prober's own",
}
"""Verdicts that no server can cause, and who does."""
