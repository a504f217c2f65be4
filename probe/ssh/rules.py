"""What a server can do wrong: two tables, one sentence a row.

A **finding** is a deviation that the probe notes and survives. A **violation** ends the
handshake. Both carry a stable code, which is an API, and the section that was broken.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from probe.ssh import limits


class Subject(StrEnum):
    """The part of the handshake that a rule is about."""

    LINES = "lines-before-identification"
    IDENTIFICATION = "identification"
    PROTOVERSION = "protoversion"
    PACKET = "packet"
    MESSAGE = "message"
    KEXINIT = "kexinit"
    FLOOD = "flood"
    TCP = "tcp"


class Rule(NamedTuple):
    """A rule that a server can break.

    Attributes:
        code: Kebab-case name, stable across versions.
        subject: What the rule is about.
        section: Where it is written.
        sentence: What the server did, for a person.
    """

    code: str
    subject: Subject
    section: str
    sentence: str


class Finding(NamedTuple):
    """A rule that was broken, and how.

    Attributes:
        rule: The broken rule.
        detail: What was seen. ``bytes`` are the peer's own, and hostile until escaped.
    """

    rule: Rule
    detail: str | bytes = ""


class ProtocolViolation(Exception):  # noqa: N818 - the RFC's noun says it better than an -Error
    """The server broke a rule that the handshake cannot survive.

    Attributes:
        finding: Which rule, and what was seen.
    """

    def __init__(self, rule: Rule, detail: str | bytes = "") -> None:
        super().__init__(rule.code, detail)
        self.finding = Finding(rule, detail[: limits.DETAIL_CAP_OCTETS])


class Findings:
    """The findings of one handshake: the first of each rule, so that a flood adds nothing."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: tuple[Finding, ...] = ()

    def note(self, rule: Rule, detail: str | bytes = "") -> None:
        """Keep the first ``detail`` of ``rule``; a later one changes nothing."""
        for finding in self._seen:
            if finding.rule is rule:
                return
        self._seen += (Finding(rule, detail[: limits.DETAIL_CAP_OCTETS]),)

    def seen(self) -> tuple[Finding, ...]:
        """All findings in the order in which they were first noted."""
        return self._seen


# Findings: noted, survived. ----------------------------------------------------------------------

LINE_BEFORE_LF_ONLY: Final = Rule(
    "line-before-lf-only",
    Subject.LINES,
    "RFC 4253 §4.2",
    "A line before the identification string ends in LF without CR.",
)
LINE_BEFORE_LONG: Final = Rule(
    "line-before-long",
    Subject.LINES,
    "RFC 4253 §4.2",
    "A line before the identification string is longer than some clients bear (255 octets).",
)
LINE_BEFORE_NOT_UTF_8: Final = Rule(
    "line-before-not-utf-8",
    Subject.LINES,
    "RFC 4253 §4.2",
    "A line before the identification string is not UTF-8.",
)
LINE_BEFORE_CONTROL: Final = Rule(
    "line-before-control-characters",
    Subject.LINES,
    "RFC 4251 §9.2",
    "A line before the identification string holds control characters.",
)
LINES_BEFORE_MANY: Final = Rule(
    "lines-before-many",
    Subject.LINES,
    "RFC 4253 §4.2",
    "More lines come before the identification string than some clients bear (100).",
)
IDENTIFICATION_LF_ONLY: Final = Rule(
    "identification-lf-only",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The identification string ends in LF without CR.",
)
IDENTIFICATION_CR_REPEATED: Final = Rule(
    "identification-cr-repeated",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "More than one CR comes before the LF of the identification string.",
)
IDENTIFICATION_LONG: Final = Rule(
    "identification-over-255",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The identification string is longer than 255 octets.",
)
PROTOVERSION_1_99: Final = Rule(
    "protoversion-1.99",
    Subject.PROTOVERSION,
    "RFC 4253 §5.1",
    "The server offers SSH-1 besides SSH-2 (protoversion 1.99).",
)
SOFTWAREVERSION_MINUS: Final = Rule(
    "softwareversion-minus",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The softwareversion holds a minus sign.",
)
SOFTWAREVERSION_NOT_PRINTABLE: Final = Rule(
    "softwareversion-not-printable",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The softwareversion holds characters other than printable US-ASCII.",
)
COMMENTS_SPACING: Final = Rule(
    "comments-spacing",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "More than a single space, or a space and nothing, follows the softwareversion.",
)
COMMENTS_CONTROL: Final = Rule(
    "comments-control-characters",
    Subject.IDENTIFICATION,
    "RFC 4251 §9.2",
    "The comments of the identification string hold control characters.",
)
PACKET_OVER_LAW: Final = Rule(
    "packet-over-35000",
    Subject.PACKET,
    "RFC 4253 §6.1",
    "A packet is longer than the 35000 octets that every client must bear.",
)
EXT_INFO_EARLY: Final = Rule(
    "ext-info-before-newkeys",
    Subject.MESSAGE,
    "RFC 8308 §2.4",
    "EXT_INFO came in the clear, before NEWKEYS.",
)
STRICT_KEX_BROKEN: Final = Rule(
    "strict-kex-broken",
    Subject.MESSAGE,
    "draft-ietf-sshm-strict-kex",
    "The server offers strict key exchange, but its first packet was not KEXINIT.",
)
STRICT_KEX_ABSENT: Final = Rule(
    "strict-kex-absent",
    Subject.KEXINIT,
    "draft-ietf-sshm-strict-kex",
    "The server does not offer strict key exchange, the remedy against Terrapin.",
)
DISCONNECT_TRUNCATED: Final = Rule(
    "disconnect-truncated",
    Subject.MESSAGE,
    "RFC 4253 §11.1",
    "DISCONNECT ends before its last field.",
)
NAME_EMPTY: Final = Rule(
    "name-empty",
    Subject.KEXINIT,
    "RFC 4251 §5",
    "A name-list holds an empty name.",
)
NAME_LONG: Final = Rule(
    "name-over-64",
    Subject.KEXINIT,
    "RFC 4251 §6",
    "An algorithm name is longer than 64 characters.",
)
NAME_NOT_PRINTABLE: Final = Rule(
    "name-not-printable",
    Subject.KEXINIT,
    "RFC 4251 §6",
    "An algorithm name holds characters other than printable US-ASCII.",
)
NAME_AT_SIGNS: Final = Rule(
    "name-at-signs",
    Subject.KEXINIT,
    "RFC 4251 §6",
    "An algorithm name holds more than one @, or has nothing on one side of it.",
)
NAME_TWICE: Final = Rule(
    "name-twice",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "A name-list holds a name twice.",
)
LANGUAGES_NOT_EMPTY: Final = Rule(
    "languages-not-empty",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "A list of languages is not empty.",
)
BOOLEAN_NOT_0_OR_1: Final = Rule(
    "first-kex-packet-follows-not-0-or-1",
    Subject.KEXINIT,
    "RFC 4251 §5",
    "first_kex_packet_follows is neither 0 nor 1; it counts as TRUE.",
)
RESERVED_NOT_ZERO: Final = Rule(
    "reserved-not-zero",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "The reserved field of KEXINIT is not 0.",
)
COOKIE_NOT_RANDOM: Final = Rule(
    "cookie-not-random",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "The cookie of KEXINIT is one octet repeated, so nobody drew it at random.",
)
NO_COMMON_ALGORITHM: Final = Rule(
    "no-common-algorithm",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "The server and a current client have no algorithm in common; a real session would end here.",
)

# Violations: the handshake ends. -----------------------------------------------------------------

NUL_BEFORE_IDENTIFICATION: Final = Rule(
    "nul-before-identification",
    Subject.LINES,
    "RFC 4253 §4.2",
    "A NUL octet came before any identification string: these are not lines of text.",
)
LINE_TOO_LONG: Final = Rule(
    "line-too-long",
    Subject.FLOOD,
    "RFC 4253 §4.2",
    "A line has no end within 8192 octets.",
)
TOO_MANY_LINES: Final = Rule(
    "too-many-lines",
    Subject.FLOOD,
    "RFC 4253 §4.2",
    "1024 lines came and none was an identification string.",
)
TOO_MANY_PACKETS: Final = Rule(
    "too-many-packets",
    Subject.FLOOD,
    "RFC 4253 §7.1",
    "1024 packets came and none was KEXINIT.",
)
TOO_MANY_OCTETS: Final = Rule(
    "too-many-octets",
    Subject.FLOOD,
    "RFC 4253 §7.1",
    "More than 1 MiB came or was announced before KEXINIT was complete.",
)
NUL_IN_IDENTIFICATION: Final = Rule(
    "nul-in-identification",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The identification string holds a NUL octet.",
)
CR_IN_IDENTIFICATION: Final = Rule(
    "cr-in-identification",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The identification string holds a CR that LF does not follow.",
)
IDENTIFICATION_INCOMPLETE: Final = Rule(
    "identification-incomplete",
    Subject.IDENTIFICATION,
    "RFC 4253 §4.2",
    "The identification string lacks its protoversion or its softwareversion.",
)
PROTOVERSION_UNSUPPORTED: Final = Rule(
    "protoversion-unsupported",
    Subject.PROTOVERSION,
    "RFC 4253 §4.2",
    "The protoversion is neither 2.0 nor 1.99.",
)
TEXT_INSTEAD_OF_PACKET: Final = Rule(
    "text-instead-of-packet",
    Subject.PACKET,
    "RFC 4253 §6",
    "Text came where a packet must begin.",
)
PACKET_LENGTH_SHORT: Final = Rule(
    "packet-length-too-short",
    Subject.PACKET,
    "RFC 4253 §6",
    "packet_length is below 12, the least that a packet can have.",
)
PACKET_LENGTH_LONG: Final = Rule(
    "packet-length-too-long",
    Subject.PACKET,
    "RFC 4253 §6.1",
    "packet_length is beyond 256 KiB.",
)
PACKET_LENGTH_MISALIGNED: Final = Rule(
    "packet-length-misaligned",
    Subject.PACKET,
    "RFC 4253 §6",
    "The packet is not a multiple of 8 octets.",
)
PADDING_SHORT: Final = Rule(
    "padding-too-short",
    Subject.PACKET,
    "RFC 4253 §6",
    "padding_length is below 4.",
)
PADDING_LONG: Final = Rule(
    "padding-longer-than-packet",
    Subject.PACKET,
    "RFC 4253 §6",
    "padding_length leaves no room in the packet.",
)
PAYLOAD_EMPTY: Final = Rule(
    "payload-empty",
    Subject.PACKET,
    "RFC 4253 §6",
    "The packet has no payload, so no message number.",
)
KEXINIT_TRUNCATED: Final = Rule(
    "kexinit-truncated",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "KEXINIT ends before its last field.",
)
NAME_LIST_BEYOND_PAYLOAD: Final = Rule(
    "name-list-beyond-payload",
    Subject.KEXINIT,
    "RFC 4251 §5",
    "A name-list of KEXINIT claims more octets than the payload has left.",
)
KEXINIT_TRAILING: Final = Rule(
    "kexinit-trailing-octets",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "Octets follow the last field of KEXINIT.",
)
ALGORITHMS_EMPTY: Final = Rule(
    "algorithms-empty",
    Subject.KEXINIT,
    "RFC 4253 §7.1",
    "A list of algorithms of KEXINIT is empty.",
)
UNIMPLEMENTED_EARLY: Final = Rule(
    "unimplemented-before-kexinit",
    Subject.MESSAGE,
    "RFC 4253 §11.4",
    "The server answered our KEXINIT with UNIMPLEMENTED.",
)
MESSAGE_UNEXPECTED: Final = Rule(
    "message-unexpected",
    Subject.MESSAGE,
    "RFC 4253 §7.1",
    "A message came that has no place before KEXINIT.",
)

FINDINGS: Final = (
    LINE_BEFORE_LF_ONLY,
    LINE_BEFORE_LONG,
    LINE_BEFORE_NOT_UTF_8,
    LINE_BEFORE_CONTROL,
    LINES_BEFORE_MANY,
    IDENTIFICATION_LF_ONLY,
    IDENTIFICATION_CR_REPEATED,
    IDENTIFICATION_LONG,
    PROTOVERSION_1_99,
    SOFTWAREVERSION_MINUS,
    SOFTWAREVERSION_NOT_PRINTABLE,
    COMMENTS_SPACING,
    COMMENTS_CONTROL,
    PACKET_OVER_LAW,
    EXT_INFO_EARLY,
    STRICT_KEX_BROKEN,
    STRICT_KEX_ABSENT,
    DISCONNECT_TRUNCATED,
    NAME_EMPTY,
    NAME_LONG,
    NAME_NOT_PRINTABLE,
    NAME_AT_SIGNS,
    NAME_TWICE,
    LANGUAGES_NOT_EMPTY,
    BOOLEAN_NOT_0_OR_1,
    RESERVED_NOT_ZERO,
    COOKIE_NOT_RANDOM,
    NO_COMMON_ALGORITHM,
)
VIOLATIONS: Final = (
    NUL_BEFORE_IDENTIFICATION,
    LINE_TOO_LONG,
    TOO_MANY_LINES,
    TOO_MANY_PACKETS,
    TOO_MANY_OCTETS,
    NUL_IN_IDENTIFICATION,
    CR_IN_IDENTIFICATION,
    IDENTIFICATION_INCOMPLETE,
    PROTOVERSION_UNSUPPORTED,
    TEXT_INSTEAD_OF_PACKET,
    PACKET_LENGTH_SHORT,
    PACKET_LENGTH_LONG,
    PACKET_LENGTH_MISALIGNED,
    PADDING_SHORT,
    PADDING_LONG,
    PAYLOAD_EMPTY,
    KEXINIT_TRUNCATED,
    NAME_LIST_BEYOND_PAYLOAD,
    KEXINIT_TRAILING,
    ALGORITHMS_EMPTY,
    UNIMPLEMENTED_EARLY,
    MESSAGE_UNEXPECTED,
)
