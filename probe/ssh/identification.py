"""The identification string and the lines before it: RFC 4253 §4.2."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from probe.ssh import limits, rules
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.rules import Finding, Findings, ProtocolViolation

PREFIX: Final = b"SSH-"
PROTOVERSION: Final = b"2.0"
COMPATIBLE_PROTOVERSION: Final = b"1.99"
"""RFC 4253 §5.1: what a server says that speaks SSH-1 too; it is to be taken for 2.0."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\udc80-\udc9f]")
"""RFC 4251 §9.2: C0 but tab, DEL, and C1: as UTF-8, or as octets that are none (surrogates)."""

_NOT_PRINTABLE_ASCII: Final = re.compile(rb"[^!-~]")

KNOWN_STRINGS: Final = 64
"""Identification strings of lawful length that are remembered: of a fleet's few dozen software
versions each is understood once."""


class LineBefore(NamedTuple):
    """A line before the identification string.

    Attributes:
        octets: The line without its end.
    """

    octets: bytes


class Identification(NamedTuple):
    """An identification string. All octets are the peer's own, and hostile until escaped.

    Attributes:
        octets: The whole string without CR LF.
        protoversion: ``b"2.0"`` or ``b"1.99"``.
        softwareversion: For example ``b"OpenSSH_9.2p1"``; never empty.
        comments: What follows the first space, or ``None`` if there is none.
    """

    octets: bytes
    protoversion: bytes
    softwareversion: bytes
    comments: bytes | None


def read_line(buffer: ReceiveBuffer, findings: Findings) -> LineBefore | Identification | None:
    """Take a line off the buffer.

    Returns:
        The line understood; ``None`` while its end is missing.

    Raises:
        ProtocolViolation: The line is too long, holds NUL, or is an identification string that
            no client can use.
    """
    line = buffer.take_line(limits.LINE_CAP_OCTETS)
    if line is not None:
        return _understand(line, findings)
    if len(buffer) >= limits.LINE_CAP_OCTETS:
        raise ProtocolViolation(rules.LINE_TOO_LONG, buffer.peek(limits.LINE_BEFORE_COMMON_OCTETS))
    return None


@lru_cache(1)  # a program has one
def encode_identification(softwareversion: bytes) -> bytes:
    """Write our own identification string, CR LF included."""
    return PREFIX + PROTOVERSION + b"-" + softwareversion + b"\r\n"


def _understand(line: bytes, findings: Findings) -> LineBefore | Identification:
    if line.startswith(PREFIX):
        return _identification(line, findings)
    return _line_before(line, findings)


def _line_before(line: bytes, findings: Findings) -> LineBefore:
    octets = line[:-1].rstrip(b"\r")
    if line.endswith(b"\0"):
        raise ProtocolViolation(rules.NUL_BEFORE_IDENTIFICATION, octets)
    if not line.endswith(b"\r\n"):
        findings.note(rules.LINE_BEFORE_LF_ONLY, octets)
    if len(line) > limits.LINE_BEFORE_COMMON_OCTETS:
        findings.note(rules.LINE_BEFORE_LONG, f"{len(line)} octets")
    if _holds_control(line[:-1].removesuffix(b"\r")):
        findings.note(rules.LINE_BEFORE_CONTROL, octets)
    if not _is_utf_8(octets):
        findings.note(rules.LINE_BEFORE_NOT_UTF_8, octets)
    return LineBefore(octets)


def _identification(line: bytes, findings: Findings) -> Identification:
    is_lawful = len(line) <= limits.IDENTIFICATION_LAW_OCTETS
    identification, noted = (_read_known if is_lawful else _read)(line)
    for rule, detail in noted:
        findings.note(rule, detail)
    return identification


def _read(line: bytes) -> tuple[Identification, tuple[Finding, ...]]:
    octets = line[:-1].rstrip(b"\r")
    if line.endswith(b"\0"):
        raise ProtocolViolation(rules.NUL_IN_IDENTIFICATION, octets)
    if b"\r" in octets:
        raise ProtocolViolation(rules.CR_IN_IDENTIFICATION, octets)
    identification = _split(octets)
    findings = Findings()
    _judge_line_end(line, identification, findings)
    _judge_softwareversion(identification.softwareversion, findings)
    _judge_comments(identification.comments, findings)
    return identification, findings.seen()


_read_known = lru_cache(KNOWN_STRINGS)(_read)


def _split(octets: bytes) -> Identification:
    protoversion, dash, rest = octets[len(PREFIX) :].partition(b"-")
    softwareversion, space, comments = rest.partition(b" ")
    if not protoversion or not dash:
        raise ProtocolViolation(rules.IDENTIFICATION_INCOMPLETE, octets)
    if protoversion not in (PROTOVERSION, COMPATIBLE_PROTOVERSION):
        raise ProtocolViolation(rules.PROTOVERSION_UNSUPPORTED, octets)
    if not softwareversion:
        raise ProtocolViolation(rules.IDENTIFICATION_INCOMPLETE, octets)
    return Identification(octets, protoversion, softwareversion, comments if space else None)


def _judge_line_end(line: bytes, identification: Identification, findings: Findings) -> None:
    compatible = identification.protoversion == COMPATIBLE_PROTOVERSION
    if compatible:
        findings.note(rules.PROTOVERSION_1_99, identification.octets)
    if not compatible and not line.endswith(b"\r\n"):  # §5.1: with 1.99 no CR SHOULD be sent
        findings.note(rules.IDENTIFICATION_LF_ONLY, identification.octets)
    if line.endswith(b"\r\r\n"):  # OpenSSH's client bears it
        findings.note(rules.IDENTIFICATION_CR_REPEATED, identification.octets)
    if len(line) > limits.IDENTIFICATION_LAW_OCTETS:
        findings.note(rules.IDENTIFICATION_LONG, f"{len(line)} octets")


def _judge_softwareversion(softwareversion: bytes, findings: Findings) -> None:
    if b"-" in softwareversion:
        findings.note(rules.SOFTWAREVERSION_MINUS, softwareversion)
    if _NOT_PRINTABLE_ASCII.search(softwareversion):
        findings.note(rules.SOFTWAREVERSION_NOT_PRINTABLE, softwareversion)


def _judge_comments(comments: bytes | None, findings: Findings) -> None:
    if comments is None:
        return
    if not comments or comments.startswith(b" "):
        findings.note(rules.COMMENTS_SPACING, comments)
    if _holds_control(comments):
        findings.note(rules.COMMENTS_CONTROL, comments)


def _holds_control(octets: bytes) -> bool:
    return _CONTROL.search(octets.decode(errors="surrogateescape")) is not None


def _is_utf_8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True
