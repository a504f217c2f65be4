"""Where asyncssh or paramiko read something else than we do: each row with the rule, and why."""

from typing import Final, NamedTuple

from fuzz.peers import NOT_ASCII
from probe.ssh import rules


class Disagreement(NamedTuple):
    """A rule that another program sees otherwise.

    Attributes:
        program: Which.
        code: Of the rule that we found broken.
        section: Where it is written.
        rule: What is written there, in short.
        why: What it does, and why we do not.
    """

    program: str
    code: str
    section: str
    rule: str
    why: str


_LINES = (
    (
        rules.NUL_BEFORE_IDENTIFICATION,
        "The null character MUST NOT be sent.",
        "It takes NUL for any other character of a line; we know by it that no text comes.",
    ),
    (
        rules.NUL_IN_IDENTIFICATION,
        "The null character MUST NOT be sent.",
        "It takes NUL into the identification string.",
    ),
    (
        rules.CR_IN_IDENTIFICATION,
        "The string ends with a single CR and a single LF.",
        "It takes CR into the identification string, where a terminal would obey it.",
    ),
    (
        rules.IDENTIFICATION_CR_REPEATED,
        "The string ends with a single CR and a single LF.",
        "It takes all CRs but the last into the string; OpenSSH's client, like us, none.",
    ),
    (
        rules.IDENTIFICATION_INCOMPLETE,
        "The string is SSH-protoversion-softwareversion.",
        "It wants no softwareversion.",
    ),
    (
        rules.IDENTIFICATION_LONG,
        "The string has at most 255 characters, CR and LF included.",
        "It refuses from 256 on, its CR and LF not counted; working servers cross the law.",
    ),
    (
        rules.TOO_MANY_LINES,
        "Other lines MAY come before; the RFC gives no number.",
        "It bears one line more.",
    ),
)
_PACKETS = (
    (
        rules.PACKET_LENGTH_SHORT,
        "The smallest packet has 16 octets.",
        "It believes any packet_length.",
    ),
    (
        rules.PACKET_LENGTH_MISALIGNED,
        "A packet is a multiple of 8 octets.",
        "It does not ask.",
    ),
    (
        rules.PADDING_SHORT,
        "There MUST be at least four octets of padding.",
        "It does not ask, and takes a padding of none for a payload of none.",
    ),
    (
        rules.PADDING_LONG,
        "The padding is a part of the packet.",
        "It waits for all of the packet, and only then fails to read a number.",
    ),
    (
        rules.PAYLOAD_EMPTY,
        "A payload begins with a message number.",
        "It waits for all of the packet, and only then fails to read a number.",
    ),
    (
        rules.TEXT_INSTEAD_OF_PACKET,
        "Binary packets follow the identification string.",
        "It takes text for a packet_length; both refuse, it once eight octets are in.",
    ),
    (
        rules.PACKET_LENGTH_LONG,
        "packet_length SHOULD be checked to be reasonable; the RFC gives no number.",
        "It has a cap of its own, which is set to ours for all octets of a handshake here.",
    ),
)
_MESSAGES = (
    (
        rules.UNIMPLEMENTED_EARLY,
        "UNIMPLEMENTED answers a message that was not understood.",
        "It passes over it; no KEXINIT can follow from a server that did not understand ours.",
    ),
    (
        rules.MESSAGE_UNEXPECTED,
        "Unknown messages MUST be answered with UNIMPLEMENTED, and ignored.",
        "It does so; a prober ends, because no server sends one here and goes on.",
    ),
    (
        rules.STRICT_KEX_BROKEN,
        "With strict key exchange KEXINIT MUST come first.",
        "It refuses, as both sides must once both offered it; we offer it not, and note it.",
    ),
    (
        rules.ALGORITHMS_EMPTY,
        "Each list MUST hold at least one name.",
        "It reads on, and finds nothing in common.",
    ),
    (
        rules.TOO_MANY_PACKETS,
        "The RFC gives no number.",
        "It has no cap on packets.",
    ),
)

DISAGREEMENTS: Final = (
    *(
        Disagreement("asyncssh", rule.code, rule.section, text, why)
        for rule, text, why in (*_LINES, *_PACKETS, *_MESSAGES)
    ),
    Disagreement(
        "asyncssh",
        NOT_ASCII,
        "RFC 4253 §4.2",
        "protoversion and softwareversion MUST be printable US-ASCII; of comments nothing is said.",
        "It decodes the whole string as US-ASCII, and fails as if by an error of its own.",
    ),
    Disagreement(
        "paramiko",
        rules.NAME_NOT_PRINTABLE.code,
        "RFC 4251 §6",
        "Names MUST be printable US-ASCII.",
        "It decodes names as UTF-8, and fails at what is none.",
    ),
)
