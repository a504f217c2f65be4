"""The report: what a program, a monitor and a person are told, whatever a peer says (law 9)."""

import errno
import json
import pickle
import re
from typing import NamedTuple

import pytest
from evidence_pieces import (
    FIN,
    KEXINIT,
    arbitrary,
    broken,
    consistent,
    dialled,
    evidence,
    failed,
    heard,
    identified,
    ran_out,
    tcp,
    unconnected,
    violated,
)
from hypothesis import given, settings
from report_pieces import strings

from probe import report as report_module
from probe.budget import Stage
from probe.evidence import Attempt, CallError, End, Evidence
from probe.report import Report
from probe.ssh import rules
from probe.ssh.identification import Identification
from probe.ssh.kexinit import Algorithms, KexInit
from probe.ssh.messages import Disconnect
from probe.ssh.rules import Finding
from probe.verdict import State, Verdict


def good(**seen: object) -> Evidence:
    """Evidence of a good server."""
    return identified(**{"end": End.COMPLETE, "kexinit": KEXINIT, "spent_s": 0.0123} | seen)


def at(stage: Stage, spent_s: float) -> dict[str, object]:
    """Attributes of a probe that ended in ``stage``, not for want of time."""
    return {"where": stage, "spent_s": spent_s}


# One line, for a person. -------------------------------------------------------------------------

GOOD_LINES = {
    "ok": (good(), "OK        host.example:22  ok  SSH-2.0-OpenSSH_10.5  0.012 s"),
    "findings": (
        good(findings=(Finding(rules.NAME_EMPTY), Finding(rules.NAME_TWICE, b"k"))),
        "OK        host.example:22  ok  SSH-2.0-OpenSSH_10.5  0.012 s  (name-empty, name-twice)",
    ),
    "IPv6": (
        good(host="2001:db8::7", port=2222),
        "OK        [2001:db8::7]:2222  ok  SSH-2.0-OpenSSH_10.5  0.012 s",
    ),
    "a stream of the caller's": (
        good(host="", port=0),
        "OK        stream  ok  SSH-2.0-OpenSSH_10.5  0.012 s",
    ),
}


@pytest.mark.parametrize(("seen", "line"), GOOD_LINES.values(), ids=GOOD_LINES)
def test_the_line_of_a_good_server(seen: Evidence, line: str) -> None:
    assert Report(seen).line() == line


class BadLine(NamedTuple):
    """Evidence, how its line begins, and what it says of the circumstances."""

    seen: Evidence
    head: str
    circumstances: tuple[str, ...]


BAD_LINES = (
    BadLine(
        heard(
            b"Not allowed at this time\r\n",
            end=End.BROKEN,
            errors=failed(errno.ECONNRESET, text="Connection reset by peer"),
            **at(Stage.IDENTIFICATION, 0.02),
        ),
        "WARNING   host.example:22  throttled",
        (
            'it said "Not allowed at this time"',
            "recv: Connection reset by peer",
            "in identification after 0.020 s",
        ),
    ),
    BadLine(
        evidence(
            end=End.UNRESOLVED,
            errors=failed(-2, "getaddrinfo", "Name or service not known"),
            **at(Stage.RESOLVE, 0.5),
        ),
        "CRITICAL  host.example:22  name-error",
        ("getaddrinfo: Name or service not known", "in resolve after 0.500 s"),
    ),
    BadLine(
        evidence(**unconnected(errno.EHOSTUNREACH, errno.ECONNREFUSED), spent_s=0.002),
        "CRITICAL  host.example:22  refused",
        (
            "connect to 192.0.2.1: EHOSTUNREACH",
            "connect to 192.0.2.2: ECONNREFUSED",
            "in connect after 0.002 s",
        ),
    ),
    BadLine(
        evidence(**ran_out(Stage.CONNECT)),
        "CRITICAL  host.example:22  connect-timeout",
        ("in connect, where its limit of 4 s ran out",),
    ),
    BadLine(
        evidence(**ran_out(Stage.PROBE, Stage.CONNECT)),
        "CRITICAL  host.example:22  budget-exhausted",
        ("in connect, where the probe's limit of 10 s ran out",),
    ),
    BadLine(
        evidence(**unconnected(errno.EMFILE), spent_s=0.001),
        "UNKNOWN   host.example:22  local-error",
        ("connect to 192.0.2.1: EMFILE", "in connect after 0.001 s"),
    ),
    BadLine(
        heard(b"220 (vsFTPd 3.0.5)\r\n", **ran_out(Stage.IDENTIFICATION)),
        "CRITICAL  host.example:22  not-ssh",
        (
            "it speaks FTP",
            'it said "220 (vsFTPd 3.0.5)"',
            "in identification, where its limit of 5 s ran out",
        ),
    ),
    BadLine(
        heard(b"You are not welcome\r\n", **FIN, **at(Stage.IDENTIFICATION, 0.01)),
        "CRITICAL  host.example:22  closed-before-identification",
        ('it said "You are not welcome"', "in identification after 0.010 s"),
    ),
    BadLine(
        evidence(
            octets_received=10,
            **violated(rules.IDENTIFICATION_INCOMPLETE, b"SSH-2.0-"),
            **at(Stage.IDENTIFICATION, 0.01),
        ),
        "CRITICAL  host.example:22  identification-malformed",
        (
            "identification-incomplete (RFC 4253 §4.2): SSH-2.0-",
            "in identification after 0.010 s",
        ),
    ),
    BadLine(
        identified(
            unread_octets=b"Invalid SSH identification string.\r\n",
            **violated(rules.TEXT_INSTEAD_OF_PACKET, b"Inva"),
            **at(Stage.KEXINIT, 0.03),
        ),
        "CRITICAL  host.example:22  packet-malformed",
        (
            "text-instead-of-packet (RFC 4253 §6): Inva",
            'it said "Invalid SSH identification string.\\x0d\\x0a"',
            "in kexinit after 0.030 s",
        ),
    ),
    BadLine(
        identified(
            end=End.DISCONNECT,
            disconnect=Disconnect(12, b"Too many users"),
            **at(Stage.KEXINIT, 0.04),
        ),
        "CRITICAL  host.example:22  disconnected",
        ('DISCONNECT 12 (too many connections): "Too many users"', "in kexinit after 0.040 s"),
    ),
    BadLine(
        identified(
            end=End.DISCONNECT,
            disconnect=Disconnect(4096, b""),
            **at(Stage.KEXINIT, 0.04),
        ),
        "CRITICAL  host.example:22  disconnected",
        ('DISCONNECT 4096 (unknown reason): ""', "in kexinit after 0.040 s"),
    ),
    BadLine(
        identified(end=End.DISCONNECT, disconnect=Disconnect(None, b""), **at(Stage.KEXINIT, 0.04)),
        "CRITICAL  host.example:22  disconnected",
        ('DISCONNECT without a reason: ""', "in kexinit after 0.040 s"),
    ),
    BadLine(
        identified(**broken(errno.ECONNRESET), **at(Stage.KEXINIT, 0.02)),
        "CRITICAL  host.example:22  reset-before-kexinit",
        ("recv: ECONNRESET", "in kexinit after 0.020 s"),
    ),
    BadLine(
        identified(**ran_out(Stage.KEXINIT)),
        "CRITICAL  host.example:22  kexinit-stalled",
        ("in kexinit, where its limit of 5 s ran out",),
    ),
    BadLine(
        evidence(tcp=tcp(), **ran_out(Stage.FIRST_OCTET)),
        "CRITICAL  host.example:22  silent",
        (
            "its kernel acknowledged all that we sent, the last time 0.9 s before",
            "in first-octet, where its limit of 4 s ran out",
        ),
    ),
    BadLine(
        evidence(tcp=tcp(probes=3), **ran_out(Stage.FIRST_OCTET)),
        "CRITICAL  host.example:22  half-open",
        (
            "it answered none of 3 keepalive probes",
            "in first-octet, where its limit of 4 s ran out",
        ),
    ),
    BadLine(
        evidence(tcp=tcp(unacked=1, retransmits=3), **ran_out(Stage.FIRST_OCTET)),
        "CRITICAL  host.example:22  half-open",
        (
            "it acknowledged nothing, though sent again 3 times",
            "in first-octet, where its limit of 4 s ran out",
        ),
    ),
    BadLine(
        identified(tcp=tcp(window=0, unsent=370), **ran_out(Stage.KEXINIT)),
        "CRITICAL  host.example:22  send-stalled",
        (
            "its window is shut, and 370 octets of ours wait",
            "in kexinit, where its limit of 5 s ran out",
        ),
    ),
    BadLine(
        evidence(end=End.INTERNAL, internal_error="KeyError('x')", **at(Stage.PROBE, 0.001)),
        "UNKNOWN   host.example:22  internal-error",
        ("KeyError('x')", "in probe after 0.001 s"),
    ),
)


@pytest.mark.parametrize(
    ("seen", "head", "circumstances"),
    BAD_LINES,
    ids=[bad.head.split()[-1] for bad in BAD_LINES],
)
def test_the_line_of_a_bad_server(
    seen: Evidence,
    head: str,
    circumstances: tuple[str, ...],
) -> None:
    report = Report(seen)
    assert report.line() == f"{head}  {'; '.join(circumstances)}.  {report.sentence}"


def test_the_whole_line_of_a_failure() -> None:
    assert Report(evidence(**unconnected(errno.ECONNREFUSED), spent_s=0.002)).line() == (
        "CRITICAL  host.example:22  refused  connect to 192.0.2.1: ECONNREFUSED;"
        " in connect after 0.002 s.  The host is up and nothing listens on this port, or a firewall"
        " rejects it: check that sshd runs and on which port."
    )


# The members, for a program. ---------------------------------------------------------------------


def documented() -> dict[str, str]:
    """The members in the table of the module's docstring, and what it says of each."""
    lines = (report_module.__doc__ or "").splitlines()
    first, last = (number for number, line in enumerate(lines) if line.startswith("=="))
    rows = [re.split(r" {2,}", line, maxsplit=1) for line in lines[first + 1 : last]]
    return {name: says for names, says in rows for name in names.split(", ")}


FULL = evidence(
    addresses=("192.0.2.1", "192.0.2.2"),
    attempts=(
        *dialled(errno.ECONNREFUSED),
        Attempt("192.0.2.2", 0.25, 0.0123456789, "connected"),
    ),
    address="192.0.2.2",
    lines_before=(b"Authorised users only.", b"\xff\x1b[2J"),
    lines_before_count=2,
    identification=Identification(b"SSH-2.0-x \xc3\xa4\x1b", b"2.0", b"x", b"\xc3\xa4\x1b"),
    messages_before=3,
    kexinit=KEXINIT,
    disconnect=Disconnect(2, b"bye\r\n"),
    violation=Finding(rules.TEXT_INSTEAD_OF_PACKET, b"\x1bbye"),
    findings=(Finding(rules.NAME_TWICE, b"kex_algorithms: \xff"), Finding(rules.STRICT_KEX_ABSENT)),
    errors=(CallError("send", errno.EPIPE, "Broken pipe"), CallError("recv", None, "\x1b")),
    unread_octets=b"bye\r\n",
    tcp=tcp(unacked=1, retransmits=2),
    octets_sent=1500,
    octets_received=1100,
    first_octet_s=0.3000000004,
    last_octet_s=0.5,
    end=End.DISCONNECT,
    **at(Stage.KEXINIT, 0.6000000004),
)
"""Evidence in which nothing is missing, though no server could cause all of it."""


def test_every_member_is_in_the_table_and_every_row_of_the_table_is_a_member() -> None:
    for seen in (Evidence(), good(), FULL):
        assert Report(seen).to_dict().keys() == documented().keys()


MEMBERS_OF = {
    "stages": evidence(**ran_out(Stage.KEXINIT)),
    "attempts": FULL,
    "identification": FULL,
    "disconnect": FULL,
    "findings": FULL,
    "errors": FULL,
    "octets": FULL,
}
"""Members that have members, and evidence for them."""


@pytest.mark.parametrize(("member", "seen"), MEMBERS_OF.items(), ids=MEMBERS_OF)
def test_the_table_names_the_members_of_a_member(member: str, seen: Evidence) -> None:
    value = Report(seen).to_dict()[member]
    inner = value[0] if isinstance(value, list) else value
    assert isinstance(inner, dict)
    listed = re.search(r"\w+(, \w+)+$", documented()[member])
    assert listed is not None
    assert ", ".join(inner) == listed[0]


def test_an_empty_report_has_nulls_where_nothing_was_seen() -> None:
    report = Report(Evidence()).to_dict()
    nulls = {
        "where",
        "whose",
        "address",
        "identification",
        "kexinit",
        "disconnect",
        "violation",
        "last_words",
        "tcp",
    }
    assert {name for name, value in report.items() if value is None} >= nulls
    assert report["octets"] == {"sent": 0, "received": 0, "first_s": None, "last_s": None}


EXPECTED = {
    "schema": "sshprobe-report-1",
    "target": "host.example:22",
    "host": "host.example",
    "port": 22,
    "verdict": "disconnected",
    "state": "critical",
    "sentence": Report(FULL).sentence,
    "where": "kexinit",
    "whose": None,
    "spent_s": 0.6,
    "stages": [],
    "address": "192.0.2.2",
    "addresses": ["192.0.2.1", "192.0.2.2"],
    "attempts": [
        {
            "address": "192.0.2.1",
            "began_s": 0.0,
            "spent_s": 0.001,
            "outcome": "failed",
            "errno": "ECONNREFUSED",
        },
        {
            "address": "192.0.2.2",
            "began_s": 0.25,
            "spent_s": 0.012346,
            "outcome": "connected",
            "errno": None,
        },
    ],
    "lines_before": ["Authorised users only.", "\\xff\\x1b[2J"],
    "lines_before_count": 2,
    "identification": {
        "text": "SSH-2.0-x ä\\x1b",
        "protoversion": "2.0",
        "softwareversion": "x",
        "comments": "ä\\x1b",
    },
    "messages_before": 3,
    "disconnect": {"reason_code": 2, "reason": "protocol error", "description": "bye\\x0d\\x0a"},
    "violation": {
        "code": "text-instead-of-packet",
        "subject": "packet",
        "section": "RFC 4253 §6",
        "sentence": "Text came where a packet must begin.",
        "detail": "\\x1bbye",
    },
    "findings": [
        {
            "code": "name-twice",
            "subject": "kexinit",
            "section": "RFC 4253 §7.1",
            "sentence": "A name-list holds a name twice.",
            "detail": "kex_algorithms: \\xff",
        },
        {
            "code": "strict-kex-absent",
            "subject": "kexinit",
            "section": "draft-ietf-sshm-strict-kex",
            "sentence": "The server does not offer strict key exchange, the remedy against"
            " Terrapin.",
            "detail": None,
        },
    ],
    "errors": [
        {"call": "send", "errno": "EPIPE", "text": "Broken pipe"},
        {"call": "recv", "errno": None, "text": "\\x1b"},
    ],
    "last_words": "bye\\x0d\\x0a",
    "tcp": {
        "state": 1,
        "retransmits": 2,
        "keepalive_probes": 0,
        "unacked_segments": 1,
        "since_sent_ms": 3000,
        "since_ack_ms": 950,
        "path_mtu_octets": 1500,
        "rtt_us": 300,
        "total_retransmits": 2,
        "acked_octets": 23,
        "unsent_octets": 0,
        "out_of_order_segments": 0,
        "peer_window_octets": 65536,
    },
    "octets": {"sent": 1500, "received": 1100, "first_s": 0.3, "last_s": 0.5},
    "end": "disconnect",
    "internal_error": None,
    "first_hex": None,
    "unread_hex": "6279650d0a",
    "transcript": None,
}
"""Its members but ``error``, which is the line's, and ``kexinit``, which is below."""


@pytest.mark.parametrize("member", EXPECTED)
def test_each_member_says_what_was_seen(member: str) -> None:
    assert json.loads(Report(FULL).to_json())[member] == EXPECTED[member]


def test_kexinit_has_its_fields_and_what_would_be_negotiated() -> None:
    report = json.loads(Report(FULL).to_json())["kexinit"]
    assert report == {
        "cookie": "000102030405060708090a0b0c0d0e0f",
        "kex_algorithms": ["curve25519-sha256", "kex-strict-s-v00@openssh.com"],
        "server_host_key_algorithms": ["ssh-ed25519"],
        "encryption_algorithms_client_to_server": ["aes128-ctr"],
        "encryption_algorithms_server_to_client": ["aes128-ctr"],
        "mac_algorithms_client_to_server": ["hmac-sha2-256"],
        "mac_algorithms_server_to_client": ["hmac-sha2-256"],
        "compression_algorithms_client_to_server": ["none"],
        "compression_algorithms_server_to_client": ["none"],
        "languages_client_to_server": [],
        "languages_server_to_client": [],
        "first_kex_packet_follows": False,
        "reserved": 0,
        "strict_kex": True,
        # md5 of "curve25519-sha256,kex-strict-s-v00@openssh.com;aes128-ctr;hmac-sha2-256;none"
        "hassh_server": "8b3764e46a3321472796e450bf3ee338",
        "negotiated": {
            "kex_algorithm": "curve25519-sha256",
            "server_host_key_algorithm": "ssh-ed25519",
            "encryption_algorithm_client_to_server": "aes128-ctr",
            "encryption_algorithm_server_to_client": "aes128-ctr",
            "mac_algorithm_client_to_server": "hmac-sha2-256",
            "mac_algorithm_server_to_client": "hmac-sha2-256",
            "compression_algorithm_client_to_server": "none",
            "compression_algorithm_server_to_client": "none",
        },
    }


# K20: what has nothing in common is null, which is not the same as no MAC besides the cipher.
def test_what_could_not_be_negotiated_is_null() -> None:
    strange = KEXINIT.algorithms._replace(
        kex_algorithms=(b"\x1b[2J",),
        encryption_algorithms_client_to_server=(b"chacha20-poly1305@openssh.com",),
    )
    report = json.loads(Report(good(kexinit=KEXINIT._replace(algorithms=strange))).to_json())
    assert report["kexinit"]["kex_algorithms"] == ["\\x1b[2J"]
    assert report["kexinit"]["negotiated"]["kex_algorithm"] is None
    assert report["kexinit"]["negotiated"]["mac_algorithm_client_to_server"] == ""


# Law 9: hostile text. ----------------------------------------------------------------------------


def assert_harmless(seen: Evidence) -> None:
    report = Report(seen)
    assert report.line().isprintable()
    assert repr(report).isprintable()
    assert all(text.isprintable() for text in strings(report.to_dict()))
    assert all(line.isprintable() for line in report.explain(whole=True).split("\n"))
    written = report.to_json()
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == report.to_dict()


@settings(deadline=None)
@given(consistent())
def test_whatever_a_server_says_the_report_is_one_printable_line(seen: Evidence) -> None:
    assert_harmless(seen)


@settings(deadline=None)
@given(arbitrary)
def test_whatever_evidence_holds_the_report_is_one_printable_line(seen: Evidence) -> None:
    assert_harmless(seen)


HOSTILE = b"\x1b]0;gone\x07\r\n\0\x7f\x9b\xc2\x85\"}'<\\ \xe2\x80\xae\xe2\x80\xa8"
HARMLESS = "\\x1b]0;gone\\x07\\x0d\\x0a\\x00\\x7f\\x9b\\u0085\"}'<\\\\ \\u202e\\u2028"
TEXT = HOSTILE.decode(errors="surrogateescape")

PLACES = {
    "identification": good(identification=Identification(HOSTILE, HOSTILE, HOSTILE, HOSTILE)),
    "lines": heard(b"", lines_before=(HOSTILE, HOSTILE), **FIN),
    "octets that are no line": heard(b"", unread_octets=HOSTILE, **FIN),
    "DISCONNECT": identified(end=End.DISCONNECT, disconnect=Disconnect(2, HOSTILE)),
    "algorithm names": good(
        kexinit=KexInit(
            bytes(16), Algorithms(*[(HOSTILE,)] * 10), first_kex_packet_follows=True, reserved=1
        ),
    ),
    "findings": good(findings=(Finding(rules.NAME_NOT_PRINTABLE, HOSTILE),)),
    "violation": identified(**violated(rules.TEXT_INSTEAD_OF_PACKET, HOSTILE)),
    "violation in text": identified(**violated(rules.TEXT_INSTEAD_OF_PACKET, TEXT)),
    "host": good(host=TEXT),
    "text of an error": evidence(end=End.UNRESOLVED, errors=failed(-2, "getaddrinfo", TEXT)),
    "our own bug": evidence(end=End.INTERNAL, internal_error=TEXT),
}


@pytest.mark.parametrize("seen", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_escaped_and_whole(seen: Evidence) -> None:
    assert_harmless(seen)
    report = Report(seen)
    assert any(HARMLESS in text for text in (report.line(), *strings(report.to_dict())))
    shown = re.sub(r"\n *", "", report.explain())  # as if the lines had no end
    assert HARMLESS.replace(" ", "") in shown.replace(" ", "").replace('\\"', '"')


# Law 1: a text of a peer that is shown has a length.
@pytest.mark.parametrize("octets", [b"A" * 9999, b"\x1b" * 9999], ids=["A", "ESC"])
def test_long_text_is_cut_wherever_it_is_shown(octets: bytes) -> None:
    text = octets.decode()
    seen = evidence(
        host=text,
        lines_before=(octets,),
        identification=Identification(octets, octets, octets, octets),
        kexinit=KexInit(
            bytes(16), Algorithms(*[(octets,)] * 10), first_kex_packet_follows=False, reserved=0
        ),
        disconnect=Disconnect(2, octets),
        violation=Finding(rules.TEXT_INSTEAD_OF_PACKET, octets),
        findings=(Finding(rules.NAME_LONG, octets),),
        errors=failed(None, "recv", text),
        internal_error=text,
        unread_octets=octets,
    )
    members = Report(seen).to_dict()
    error, target = members.pop("error"), members.pop("target")
    assert members.pop("unread_hex") == octets[:512].hex()
    assert 253 <= max(len(text) for text in strings(members)) <= 256
    assert isinstance(target, str)
    assert len(target) <= 256 + len(":22")
    assert isinstance(error, str)
    assert len(error) < 1024
    assert len(Report(seen).line()) < 2048


# The attributes, for a program. -------------------------------------------------------------------


def test_a_good_report() -> None:
    finding = Finding(rules.STRICT_KEX_ABSENT)
    report = Report(good(findings=(finding,)))
    assert report.ok
    assert (report.verdict, report.state) == (Verdict.OK, State.OK)
    assert (report.where, report.whose, report.error) == (None, None, None)
    assert report.identification == "SSH-2.0-OpenSSH_10.5"
    assert report.findings == (finding,)
    assert report.spent_s == 0.0123
    assert repr(report) == "<Report host.example:22 ok>"


def test_a_bad_report() -> None:
    report = Report(evidence(**ran_out(Stage.IDENTIFICATION, Stage.FIRST_OCTET)))
    assert not report.ok
    assert (report.verdict, report.state) == (Verdict.SILENT, State.CRITICAL)
    assert (report.where, report.whose) == (Stage.FIRST_OCTET, Stage.IDENTIFICATION)
    assert report.error is not None
    assert report.error.endswith("in first-octet, where the identification's limit of 5 s ran out")
    assert report.identification is None
    assert repr(report) == "<Report host.example:22 silent>"


@pytest.mark.parametrize(
    ("host", "port", "target"),
    [
        ("host.example", 22, "host.example:22"),
        ("192.0.2.1", 2222, "192.0.2.1:2222"),
        ("2001:db8::7", 22, "[2001:db8::7]:22"),
        ("fe80::1%eth0", 22, "[fe80::1%eth0]:22"),
        ("", 0, "stream"),
    ],
)
def test_the_target_is_written_as_it_can_be_given(host: str, port: int, target: str) -> None:
    report = Report(good(host=host, port=port))
    assert report.target == target
    assert report.to_dict()["target"] == target


@pytest.mark.parametrize("seen", [good(), FULL, *PLACES.values()])
def test_a_report_survives_a_pickle(seen: Evidence) -> None:
    report = Report(seen)
    other = pickle.loads(pickle.dumps(report))  # noqa: S301 - our own
    assert other.to_dict() == report.to_dict()
    assert other.line() == report.line()
    assert other.verdict is report.verdict


def test_an_unfinished_packet_is_counted_and_not_quoted() -> None:
    seen = identified(unread_octets=bytes.fromhex("000003dc 07 14 51"), **ran_out(Stage.KEXINIT))
    error = Report(seen).error or ""
    assert error.startswith("7 octets of a packet came; ")
    assert Report(seen).to_dict()["last_words"] is None


def test_a_line_names_a_few_addresses_and_counts_the_rest() -> None:
    seen = evidence(**unconnected(*[errno.ECONNREFUSED] * 20))
    error = Report(seen).error or ""
    assert error.count("ECONNREFUSED") == 4
    assert "and 16 addresses more" in error
