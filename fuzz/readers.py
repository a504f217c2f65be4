"""The parsers one by one, fed with pieces; and a slow reading of packets to compare with."""

from collections.abc import Iterable, Iterator

from reference import BrokenRuleError, judged_length, judged_payload_length

from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.handshake import Violation
from probe.ssh.identification import Identification, LineBefore, read_line
from probe.ssh.kexinit import KexInit, decode_kexinit
from probe.ssh.packet import read_payload
from probe.ssh.rules import Finding, Findings, ProtocolViolation

Line = LineBefore | Identification | Violation

Packets = tuple[list[bytes], str, bytes]
"""Payloads, the code of what was refused, and the octets that are left."""


def read_lines(pieces: Iterable[bytes]) -> tuple[list[Line], tuple[Finding, ...], bytes]:
    """Read all lines: what they are, what was noted, and the octets that are left."""
    buffer, findings, lines = ReceiveBuffer(), Findings(), list[Line]()
    for piece in pieces:
        buffer.append(piece)
        if not lines or isinstance(lines[-1], LineBefore):
            lines += _whole_lines(buffer, findings)
    return lines, findings.seen(), buffer.peek(len(buffer))


def _whole_lines(buffer: ReceiveBuffer, findings: Findings) -> Iterator[Line]:
    """Give every line that is whole, up to the identification string or a violation."""
    try:
        while line := read_line(buffer, findings):
            yield line
            if isinstance(line, Identification):
                return
    except ProtocolViolation as violation:
        yield Violation(violation.finding)


def read_packets(pieces: Iterable[bytes], room: int) -> Packets:
    """Read all packets, as the machine does."""
    buffer, fed, payloads, refused = ReceiveBuffer(), 0, list[bytes](), ""
    for piece in pieces:
        buffer.append(piece)
        fed += len(piece)
        try:
            while not refused and (
                payload := read_payload(buffer, room - (fed - len(buffer)), Findings())
            ):
                payloads.append(payload)
        except ProtocolViolation as violation:
            refused = violation.finding.rule.code
    return payloads, refused, buffer.peek(len(buffer))


def read_packets_slowly(octets: bytes, room: int) -> Packets:
    """Read by RFC 4253 §6, one field after the other."""
    payloads = list[bytes]()
    try:
        while len(octets) >= 4:
            length = judged_length(octets[:4])
            if len(octets) == 4:
                break
            payload_length = judged_payload_length(length, octets[4])
            if 4 + length > room:
                return payloads, "too-many-octets", octets
            if len(octets) < 4 + length:
                break
            payloads.append(octets[5 : 5 + payload_length])
            octets, room = octets[4 + length :], room - 4 - length
    except BrokenRuleError as broken:
        return payloads, broken.args[0], octets
    return payloads, "", octets


def read_offer(payload: bytes) -> tuple[KexInit | Violation, set[str]]:
    """Read a KEXINIT: what it is, and the codes of what was noted."""
    findings = Findings()
    try:
        seen = decode_kexinit(payload, findings)
    except ProtocolViolation as violation:
        return Violation(violation.finding), set()
    return seen, {finding.rule.code for finding in findings.seen()}
