"""RFC 4253 §4.2, §5.1: the lines before the identification string, and the string itself."""

import pytest

from probe.ssh import rules
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.identification import (
    Identification,
    LineBefore,
    encode_identification,
    read_line,
)
from probe.ssh.rules import Finding, Findings, ProtocolViolation


def read(octets: bytes) -> tuple[LineBefore | Identification | None, set[str], bytes]:
    """What one line is taken for, its findings, and the octets that are left."""
    buffer = ReceiveBuffer()
    buffer.append(octets)
    findings = Findings()
    line = read_line(buffer, findings)
    return line, {finding.rule.code for finding in findings.seen()}, buffer.peek(1 << 20)


def refusal(octets: bytes) -> Finding:
    with pytest.raises(ProtocolViolation) as raised:
        read(octets)
    return raised.value.finding


# R02, R04, R13: the form SSH-protoversion-softwareversion SP comments CR LF.
@pytest.mark.parametrize(
    ("line", "protoversion", "softwareversion", "comments"),
    [
        (b"SSH-2.0-x\r\n", b"2.0", b"x", None),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", b"2.0", b"OpenSSH_9.2p1", b"Debian-2"),
        (b"SSH-2.0-x a b  c\r\n", b"2.0", b"x", b"a b  c"),
        (b"SSH-2.0-x \xc3\xa4\tb\r\n", b"2.0", b"x", b"\xc3\xa4\tb"),
        (b"SSH-2.0-!~\r\n", b"2.0", b"!~", None),
    ],
    ids=["shortest", "comments", "comments-with-spaces", "comments-in-utf-8", "printable-ends"],
)
def test_lawful_identification(
    line: bytes,
    protoversion: bytes,
    softwareversion: bytes,
    comments: bytes | None,
) -> None:
    event = Identification(line[:-2], protoversion, softwareversion, comments)
    assert read(line) == (event, set(), b"")


def octets_of(line: LineBefore | Identification | None) -> bytes:
    assert line is not None
    return line.octets


# What deviates and is survived: the octets that are kept, and the codes.
@pytest.mark.parametrize(
    ("line", "octets", "codes"),
    [
        (b"SSH-2.0-x\n", b"SSH-2.0-x", {"identification-lf-only"}),  # V13, R05
        (b"SSH-2.0-x\r\r\n", b"SSH-2.0-x", {"identification-cr-repeated"}),  # R05: one CR
        (b"SSH-1.99-x\r\n", b"SSH-1.99-x", {"protoversion-1.99"}),  # V20, R13
        (b"SSH-1.99-x\n", b"SSH-1.99-x", {"protoversion-1.99"}),  # R14: SHOULD NOT send CR
        (b"SSH-2.0--\r\n", b"SSH-2.0--", {"softwareversion-minus"}),  # V23, R08
        (b"SSH-2.0-a-b\r\n", b"SSH-2.0-a-b", {"softwareversion-minus"}),  # V23
        (b"SSH-2.0-a\tb\r\n", b"SSH-2.0-a\tb", {"softwareversion-not-printable"}),  # R08
        (b"SSH-2.0-\x1b[2J\r\n", b"SSH-2.0-\x1b[2J", {"softwareversion-not-printable"}),  # V18
        (b"SSH-2.0-\x7f\r\n", b"SSH-2.0-\x7f", {"softwareversion-not-printable"}),
        (b"SSH-2.0-\xe4\r\n", b"SSH-2.0-\xe4", {"softwareversion-not-printable"}),
        (b"SSH-2.0-x \r\n", b"SSH-2.0-x ", {"comments-spacing"}),  # R04
        (b"SSH-2.0-x  y\r\n", b"SSH-2.0-x  y", {"comments-spacing"}),  # R04
        (b"SSH-2.0-x \x1b\r\n", b"SSH-2.0-x \x1b", {"comments-control-characters"}),  # V18: C0
        (b"SSH-2.0-x \x7f\r\n", b"SSH-2.0-x \x7f", {"comments-control-characters"}),
        (b"SSH-2.0-x \x9b\r\n", b"SSH-2.0-x \x9b", {"comments-control-characters"}),  # V18: C1
        (b"SSH-2.0-x \xc2\x9b\r\n", b"SSH-2.0-x \xc2\x9b", {"comments-control-characters"}),
        (b"hello\n", b"hello", {"line-before-lf-only"}),  # R09
        (b"\n", b"", {"line-before-lf-only"}),
        (b"a\r\r\n", b"a", {"line-before-control-characters"}),
        (b"a\rb\r\n", b"a\rb", {"line-before-control-characters"}),
        (b"\x1b]0;x\x07\r\n", b"\x1b]0;x\x07", {"line-before-control-characters"}),  # V18, R12
        (b"\xc2\x9b2J\r\n", b"\xc2\x9b2J", {"line-before-control-characters"}),  # V18: C1
        (b"\xe4\r\n", b"\xe4", {"line-before-not-utf-8"}),  # R10
        (b"\x9b2J\r\n", b"\x9b2J", {"line-before-control-characters", "line-before-not-utf-8"}),
    ],
)
def test_deviation(line: bytes, octets: bytes, codes: set[str]) -> None:
    event, findings, left = read(line)
    assert (octets_of(event), findings, left) == (octets, codes, b"")


# R09, R10, R11: these are lines before, and faultless.
@pytest.mark.parametrize(
    "line",
    [
        b"Welcome.\r\n",
        b"\r\n",
        b"ssh-2.0-x\r\n",
        b" SSH-2.0-x\r\n",
        b"SSH\r\n",
        b"tab\there\r\n",
        b"Gr\xc3\xbc\xc3\x9fe \xe2\x82\xac \xf0\x9f\x90\xa1\r\n",  # V12; \x9f is no C1 here
    ],
)
def test_line_before(line: bytes) -> None:
    assert read(line) == (LineBefore(line[:-2]), set(), b"")


# Only the first line is taken.
def test_what_follows_a_line_is_left() -> None:
    assert read(b"a\r\nSSH-2.0-x\r\n") == (LineBefore(b"a"), set(), b"SSH-2.0-x\r\n")


# R11: a line is not judged before its end is there.
@pytest.mark.parametrize("begun", [b"", b"S", b"SSH-", b"SSH-1.5-", b"SSH-2.0-x\r", b"a" * 8191])
def test_line_without_its_end_is_waited_for(begun: bytes) -> None:
    assert read(begun) == (None, set(), begun)


# R03, R06, R08, V17, V19, V21, V22: what no client can use.
@pytest.mark.parametrize(
    ("octets", "rule", "detail"),
    [
        (b"SSH-1.5-x\r\n", rules.PROTOVERSION_UNSUPPORTED, b"SSH-1.5-x"),
        (b"SSH-3.0-x\r\n", rules.PROTOVERSION_UNSUPPORTED, b"SSH-3.0-x"),
        (b"SSH-2.1-x\r\n", rules.PROTOVERSION_UNSUPPORTED, b"SSH-2.1-x"),
        (b"SSH-2-x\r\n", rules.PROTOVERSION_UNSUPPORTED, b"SSH-2-x"),
        (b"SSH-2.0 x-y\r\n", rules.PROTOVERSION_UNSUPPORTED, b"SSH-2.0 x-y"),
        (b"SSH-2.0\r\n", rules.IDENTIFICATION_INCOMPLETE, b"SSH-2.0"),
        (b"SSH-2.0-\r\n", rules.IDENTIFICATION_INCOMPLETE, b"SSH-2.0-"),
        (b"SSH-2.0- y\r\n", rules.IDENTIFICATION_INCOMPLETE, b"SSH-2.0- y"),
        (b"SSH-\r\n", rules.IDENTIFICATION_INCOMPLETE, b"SSH-"),
        (b"SSH--x\r\n", rules.IDENTIFICATION_INCOMPLETE, b"SSH--x"),
        (b"SSH-2.0-a\rb\r\n", rules.CR_IN_IDENTIFICATION, b"SSH-2.0-a\rb"),
        (b"SSH-2.0-a\0", rules.NUL_IN_IDENTIFICATION, b"SSH-2.0-a"),
        (b"SSH-\0", rules.NUL_IN_IDENTIFICATION, b"SSH-"),
        (b"SSH\0-2.0-x\r\n", rules.NUL_BEFORE_IDENTIFICATION, b"SSH"),
        (b"\0", rules.NUL_BEFORE_IDENTIFICATION, b""),
        (b"a" * 8192, rules.LINE_TOO_LONG, b"a" * 255),
        (b"SSH-2.0-" + b"A" * 8184, rules.LINE_TOO_LONG, b"SSH-2.0-" + b"A" * 247),
    ],
)
def test_refusal(octets: bytes, rule: rules.Rule, detail: bytes) -> None:
    assert refusal(octets) == Finding(rule, detail)


# R02, R05: ours, to the octet.
def test_our_identification_string() -> None:
    assert encode_identification(b"x_1") == b"SSH-2.0-x_1\r\n"
