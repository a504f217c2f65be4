"""However it is cut, a line is understood, waited for, or refused as the slow reading has it."""

import reference
from ssh_talk import plain

from fuzz.cuts import cut
from fuzz.readers import read_lines
from probe.ssh import rules
from probe.ssh.identification import Identification, encode_identification
from probe.ssh.kexinit import OFFER
from probe.ssh.rules import Subject

SUBJECTS = (Subject.LINES, Subject.IDENTIFICATION, Subject.PROTOVERSION)
NOTED = {rule.code for rule in rules.FINDINGS if rule.subject in SUBJECTS} - {"lines-before-many"}
REFUSED = {rule.code for rule in rules.VIOLATIONS if rule.subject in SUBJECTS} | {"line-too-long"}


def one_input(data: bytes) -> None:
    """Read lines up to the identification string, whole and cut, and compare."""
    events, findings, left = read_lines([data])
    assert read_lines(cut(data)) == (events, findings, left)
    assert data.endswith(left)
    slow = reference.Reading(data, OFFER)
    expected = [event for event in slow.events if event[0] in ("line-before", "identification")]
    expected += [slow.events[-1]] * ((end := slow.events[-1][-1]) in REFUSED)
    assert list(map(plain, events))[: len(expected)] == expected
    if end not in ("too-many-lines", "too-many-octets"):  # only the machine counts
        assert len(events) == len(expected)
        assert {finding.rule.code for finding in findings} == slow.findings & NOTED
    if events and isinstance(events[-1], Identification):
        encode_and_decode(events[-1])


def encode_and_decode(seen: Identification) -> None:
    """An identification string is its parts, and ours is read as it was written."""
    comments = b"" if seen.comments is None else b" " + seen.comments
    assert seen.octets == b"SSH-%b-%b%b" % (seen.protoversion, seen.softwareversion, comments)
    [again], _, left = read_lines([encode_identification(seen.softwareversion)])
    assert isinstance(again, Identification)
    assert (again.softwareversion, left) == (seen.softwareversion, b"")
