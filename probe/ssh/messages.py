"""Message numbers, and the messages that may come before KEXINIT: RFC 4253 §11, RFC 8308."""

from enum import IntEnum
from typing import Final, NamedTuple

from probe.ssh import rules
from probe.ssh.rules import Findings
from probe.ssh.wire import PayloadReader, TruncatedError


class Message(IntEnum):
    """The message numbers that mean something before KEXINIT (RFC 4250 §4.1.2, RFC 8308 §2.3)."""

    DISCONNECT = 1
    IGNORE = 2
    UNIMPLEMENTED = 3
    DEBUG = 4
    EXT_INFO = 7
    KEXINIT = 20


REASONS: Final = {
    1: "host not allowed to connect",
    2: "protocol error",
    3: "key exchange failed",
    4: "reserved",
    5: "MAC error",
    6: "compression error",
    7: "service not available",
    8: "protocol version not supported",
    9: "host key not verifiable",
    10: "connection lost",
    11: "by application",
    12: "too many connections",
    13: "authentication cancelled by user",
    14: "no more authentication methods available",
    15: "illegal user name",
}
"""What the reason codes of DISCONNECT mean: RFC 4253 §11.1."""


class Disconnect(NamedTuple):
    """DISCONNECT: the server ends the connection, and says why.

    Attributes:
        reason_code: A key of ``REASONS``, or any other uint32; ``None`` if it did not come whole.
        description: UTF-8 if the server is lawful; hostile until escaped.
    """

    reason_code: int | None
    description: bytes


class Ignore(NamedTuple):
    """IGNORE: anything, to be ignored (RFC 4253 §11.2)."""


class Debug(NamedTuple):
    """DEBUG: a text that a client may show (RFC 4253 §11.3); this one does not."""


class ExtInfo(NamedTuple):
    """EXT_INFO: extensions, here too early (RFC 8308 §2.4)."""


def decode_disconnect(payload: bytes, findings: Findings) -> Disconnect:
    """Read as much of a DISCONNECT as there is; a truncated one is a finding, not a violation."""
    reader = PayloadReader(payload, 1)
    reason_code: int | None = None
    description = b""
    try:
        reason_code = reader.uint32()
        description = reader.string()
        reader.string()  # language tag
    except TruncatedError:
        findings.note(rules.DISCONNECT_TRUNCATED, f"{len(payload)} octets")
    return Disconnect(reason_code, description)


def decode_ignore(_payload: bytes, _findings: Findings) -> Ignore:
    """Accept an IGNORE, whatever it holds."""
    return Ignore()


def decode_debug(_payload: bytes, _findings: Findings) -> Debug:
    """Accept a DEBUG, whatever it holds."""
    return Debug()


def decode_ext_info(_payload: bytes, findings: Findings) -> ExtInfo:
    """Accept an EXT_INFO, whatever it holds, and note that it came too early."""
    findings.note(rules.EXT_INFO_EARLY)
    return ExtInfo()
