"""However it is cut, a line is understood, waited for, or refused as the slow reading has it."""

from collections.abc import Iterable, Iterator

import reference
from ssh_talk import plain

from fuzz.cuts import cut
from probe.ssh import rules
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.handshake import Violation
from probe.ssh.identification import Identification, LineBefore, encode_identification, read_line
from probe.ssh.kexinit import OFFER
from probe.ssh.rules import Finding, Findings, ProtocolViolation, Subject

SUBJECTS = (Subject.LINES, Subject.IDENTIFICATION, Subject.PROTOVERSION)
CODES = {rule.code for rule in (*rules.FINDINGS, *rules.VIOLATIONS) if rule.subject in SUBJECTS} | {
    rules.LINE_TOO_LONG.code,
}
COUNTED = {rules.LINES_BEFORE_MANY.code}
"""What the machine notes of lines, and their reader cannot: it counts none."""


def one_input(data: bytes) -> None:
    """Read lines up to the identification string, whole and cut, and compare."""
    events, findings, left = read([data])
    assert read(cut(data)) == (events, findings, left)
    assert data.endswith(left)
    slow = reference.Reading(data, OFFER)
    expected = [event for event in slow.events if event[0] in ("line-before", "identification")]
    if slow.events[-1][0] == "violation" and slow.events[-1][1] in CODES:
        expected.append(slow.events[-1])
    assert list(map(plain, events))[: len(expected)] == expected
    if slow.events[-1] not in (("violation", "too-many-lines"), ("violation", "too-many-octets")):
        assert len(events) == len(expected)
        assert {finding.rule.code for finding in findings} == slow.findings & CODES - COUNTED
    for event in events:
        if isinstance(event, Identification):
            encode_and_decode(event)


Event = LineBefore | Identification | Violation


def read(pieces: Iterable[bytes]) -> tuple[list[Event], tuple[Finding, ...], bytes]:
    """Read all lines: what they are, what was noted, and the octets that are left."""
    buffer, findings, events = ReceiveBuffer(), Findings(), list[Event]()
    for piece in pieces:
        buffer.append(piece)
        events += (
            [] if events and not isinstance(events[-1], LineBefore) else all_in(buffer, findings)
        )
    return events, findings.seen(), buffer.peek(len(buffer))


def all_in(buffer: ReceiveBuffer, findings: Findings) -> Iterator[Event]:
    """Give every line that is whole, up to the identification string or a violation."""
    try:
        while line := read_line(buffer, findings):
            yield line
            if isinstance(line, Identification):
                return
    except ProtocolViolation as violation:
        yield Violation(violation.finding)


def encode_and_decode(seen: Identification) -> None:
    """An identification string is its parts, and ours is read as it was written."""
    comments = b"" if seen.comments is None else b" " + seen.comments
    assert seen.octets == b"SSH-%b-%b%b" % (seen.protoversion, seen.softwareversion, comments)
    [again], _, left = read([encode_identification(seen.softwareversion)])
    assert isinstance(again, Identification)
    assert (again.softwareversion, left) == (seen.softwareversion, b"")
