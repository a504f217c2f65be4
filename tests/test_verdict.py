"""What is concluded from what was seen. Evidence is made by hand; N01, V05 … are misbehaviours.

Expected verdicts come from what each of them means to an operator, not from the predicates.
"""

import errno
import re
from typing import NamedTuple

import pytest
from evidence_pieces import (
    FIN,
    KEXINIT,
    OPENSSH,
    arbitrary,
    broken,
    consistent,
    evidence,
    failed,
    heard,
    identified,
    ran,
    ran_out,
    tcp,
    unconnected,
    violated,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.budget import STAGES, Stage, StageRow
from probe.evidence import Attempt, End, Evidence
from probe.ssh import rules
from probe.ssh.messages import Disconnect
from probe.ssh.rules import Rule
from probe.verdict import (
    ERRNOS,
    ROWS,
    SIGNATURES,
    VERDICTS,
    State,
    Verdict,
    VerdictRow,
    judge,
    other_service,
)

RST = broken(errno.ECONNRESET)
KERNEL_GAVE_UP = broken(errno.ETIMEDOUT)
SILENT = ran_out(Stage.FIRST_OCTET)

ENDS_BEFORE_IDENTIFICATION: dict[str, dict[str, object]] = {
    "FIN": FIN,
    "RST": RST,
    "the stage's limit": ran_out(Stage.IDENTIFICATION),
    "the probe's limit": ran_out(Stage.PROBE, Stage.IDENTIFICATION),
    "the kernel gave up": KERNEL_GAVE_UP,
    "a NUL octet": violated(rules.NUL_BEFORE_IDENTIFICATION),
    "a flood": violated(rules.TOO_MANY_LINES),
}


# A verdict for each misbehaviour. ----------------------------------------------------------------


class Case(NamedTuple):
    """What must be concluded, and from what."""

    verdict: str
    seen: Evidence


CASES = {
    "a bug of ours": Case("internal-error", evidence(end=End.INTERNAL, internal_error="KeyError")),
    "a bug of ours after an answer": Case(
        "internal-error",
        identified(kexinit=KEXINIT, end=End.INTERNAL),
    ),
    "nothing that a peer could cause": Case("internal-error", evidence()),
    "a good server": Case("ok", identified(end=End.COMPLETE, kexinit=KEXINIT)),
    # Before a connection.
    "an unknown name": Case(
        "name-error",
        evidence(end=End.UNRESOLVED, errors=failed(-2, "getaddrinfo"), where=Stage.RESOLVE),
    ),
    "N20 a resolver that hangs": Case("name-timeout", evidence(**ran_out(Stage.RESOLVE))),
    "N03 a closed port": Case("refused", evidence(**unconnected(errno.ECONNREFUSED))),
    "N02 unreachable": Case("unreachable", evidence(**unconnected(errno.EHOSTUNREACH))),
    "N01 SYN black-holed": Case("connect-timeout", evidence(**ran_out(Stage.CONNECT))),
    "N01 and the kernel gave up": Case(
        "connect-timeout",
        evidence(**unconnected(errno.ETIMEDOUT)),
    ),
    "no file descriptors": Case("local-error", evidence(**unconnected(errno.EMFILE))),
    # Nothing came.
    "N08 silent": Case("silent", evidence(**ran_out(Stage.FIRST_OCTET))),
    "N08 and identification may take less than the first octet": Case(
        "silent",
        evidence(**ran_out(Stage.IDENTIFICATION, Stage.FIRST_OCTET)),
    ),
    "N09 vanished": Case("half-open", evidence(tcp=tcp(probes=3), **SILENT)),
    "N10 a window that stays shut": Case(
        "send-stalled",
        evidence(tcp=tcp(window=0, unsent=370), **SILENT),
    ),
    "N06 FIN at once": Case("closed-before-identification", evidence(**FIN)),
    "N07 RST at once": Case("reset-before-identification", evidence(**RST)),
    # FIELD-NOTES 8: RST after the TCP handshake; one to our SYN is ECONNREFUSED.
    "N07 RST sooner than we look": Case(
        "reset-before-identification",
        evidence(**unconnected(errno.ECONNRESET)),
    ),
    "a caller's stream that breaks": Case("reset-before-identification", evidence(**broken(None))),
    # Something came, but no identification string.
    "V02 an octet, then nothing": Case(
        "identification-stalled",
        heard(b"S", **ran_out(Stage.IDENTIFICATION)),
    ),
    "V03 an octet a second": Case(
        "identification-trickling",
        heard(b"SSH-2.0-", last_octet_s=4.9, **ran_out(Stage.IDENTIFICATION)),
    ),
    "V05 endlessh": Case(
        "identification-trickling",
        heard(b"6nX*4\r\nGd$\r\n", last_octet_s=4.9, **ran_out(Stage.IDENTIFICATION)),
    ),
    "V06 lines without end": Case("flooded", heard(b"~\r\n", **violated(rules.TOO_MANY_LINES))),
    "V07 octets without LF": Case("flooded", heard(b"A" * 512, **violated(rules.LINE_TOO_LONG))),
    "V17 NUL in the line": Case(
        "identification-malformed",
        heard(b"", **violated(rules.NUL_IN_IDENTIFICATION)),
    ),
    "V19 SSH-1.5": Case(
        "protocol-unsupported", heard(b"", **violated(rules.PROTOVERSION_UNSUPPORTED))
    ),
    "V22 no softwareversion": Case(
        "identification-malformed",
        heard(b"", **violated(rules.IDENTIFICATION_INCOMPLETE)),
    ),
    "V26 HTTP": Case("not-ssh", heard(b"HTTP/1.1 400 Bad Request\r\n", **FIN)),
    "V31 a line, then FIN": Case(
        "closed-before-identification", heard(b"You are not welcome\n", **FIN)
    ),
    "V32 throttled": Case("throttled", heard(b"Not allowed at this time\r\n", **RST)),
    "V35 random octets": Case(
        "not-ssh",
        heard(b"\x8e\xd4\x02\xfa", **violated(rules.NUL_BEFORE_IDENTIFICATION)),
    ),
    "N11 FIN in the line": Case("closed-before-identification", heard(b"SSH-2.0-Op", **FIN)),
    "N12 RST in the line": Case("reset-before-identification", heard(b"SSH-2.0-Op", **RST)),
    # An identification string came.
    "K01 then silent": Case("kexinit-stalled", identified(**ran_out(Stage.KEXINIT))),
    "K02 half of KEXINIT": Case(
        "kexinit-stalled",
        identified(unread_octets=b"\0\0\4\x0c\x07\x14", **ran_out(Stage.KEXINIT)),
    ),
    "K03 an octet a second": Case(
        "kexinit-trickling",
        identified(last_octet_s=5.0, **ran_out(Stage.KEXINIT)),
    ),
    "K05 packet_length 1": Case(
        "packet-malformed",
        identified(**violated(rules.PACKET_LENGTH_SHORT)),
    ),
    "6.1 sshd says that our line is bad": Case(
        "packet-malformed",
        identified(
            unread_octets=b"Invalid SSH identification string.\r\n",
            **violated(rules.TEXT_INSTEAD_OF_PACKET),
        ),
    ),
    "K12 a name-list that lies": Case(
        "kexinit-malformed",
        identified(**violated(rules.NAME_LIST_BEYOND_PAYLOAD)),
    ),
    "K22 DISCONNECT": Case(
        "disconnected",
        identified(end=End.DISCONNECT, disconnect=Disconnect(12, b"too many")),
    ),
    "K22 DISCONNECT without a word": Case(
        "disconnected",
        identified(end=End.DISCONNECT, disconnect=Disconnect(None, b"")),
    ),
    "K24 IGNORE without end": Case("flooded", identified(**violated(rules.TOO_MANY_PACKETS))),
    "K27 message 99": Case("unexpected-message", identified(**violated(rules.MESSAGE_UNEXPECTED))),
    "V34 FIN after it": Case("closed-before-kexinit", identified(**FIN)),
    "N13 RST after it": Case("reset-before-kexinit", identified(**RST)),
    "a caller's stream that breaks after it": Case(
        "reset-before-kexinit", identified(**broken(None))
    ),
    # The whole probe's limit, wherever it was.
    "resolving when all time is spent": Case(
        "budget-exhausted",
        evidence(**ran_out(Stage.PROBE, Stage.RESOLVE)),
    ),
    "connecting when all time is spent": Case(
        "budget-exhausted",
        evidence(**ran_out(Stage.PROBE, Stage.CONNECT)),
    ),
    "silent when all time is spent": Case(
        "budget-exhausted",
        evidence(**ran_out(Stage.PROBE, Stage.FIRST_OCTET)),
    ),
    "trickling when all time is spent": Case(
        "budget-exhausted",
        heard(b"SSH-2.0-", last_octet_s=9.9, **ran_out(Stage.PROBE, Stage.IDENTIFICATION)),
    ),
    "silent before KEXINIT when all time is spent": Case(
        "budget-exhausted",
        identified(**ran_out(Stage.PROBE, Stage.KEXINIT)),
    ),
}


@pytest.mark.parametrize(("verdict", "seen"), CASES.values(), ids=CASES)
def test_each_misbehaviour_has_its_verdict(verdict: str, seen: Evidence) -> None:
    assert judge(seen) == verdict


# Law 6: one probe, exactly one verdict, and none that no evidence leads to.
def test_every_verdict_is_concluded_from_something() -> None:
    assert {judge(case.seen) for case in CASES.values()} == set(Verdict)


@pytest.mark.compares_tables
def test_every_verdict_has_exactly_one_row() -> None:
    assert sorted(row.verdict for row in VERDICTS) == sorted(Verdict)
    assert {verdict: row.verdict for verdict, row in ROWS.items()} == {
        each: each for each in Verdict
    }


# DESIGN "Stages": what it means that a stage ran out.
@pytest.mark.parametrize("row", STAGES, ids=lambda row: row.stage)
def test_a_stage_that_ran_out_means_what_its_row_says(row: StageRow) -> None:
    cases = (*CASES.values(), *KNOWN.values())
    concluded = {judge(case.seen) for case in cases if case.seen.whose is row.stage}
    assert concluded >= set(row.ran_out)


# What the kernel says. ---------------------------------------------------------------------------


class Meaning(NamedTuple):
    """What an errno means of a dial, and of a connection before and after identification."""

    dialling: str
    connected: str
    identified: str


REFUSED = Meaning("refused", "reset-before-identification", "reset-before-kexinit")
RESET = REFUSED._replace(dialling="reset-before-identification")
TIMED_OUT = Meaning("connect-timeout", "half-open", "half-open")
UNREACHABLE = Meaning("unreachable", "unreachable", "unreachable")
LOCAL = Meaning("local-error", "local-error", "local-error")

MEANINGS = {
    "ECONNREFUSED": REFUSED,
    "ECONNRESET": RESET,
    "ECONNABORTED": RESET,
    "EPIPE": RESET,
    "ENOTCONN": RESET,
    "EPROTO": RESET,
    "EHOSTUNREACH": UNREACHABLE,
    "EHOSTDOWN": UNREACHABLE,
    "ENETUNREACH": UNREACHABLE,
    "ENETDOWN": UNREACHABLE,
    "ENETRESET": UNREACHABLE,
    "ENOPROTOOPT": UNREACHABLE,
    "ETIMEDOUT": TIMED_OUT,
    "EMFILE": LOCAL,
    "ENFILE": LOCAL,
    "EADDRNOTAVAIL": LOCAL,
    "EAFNOSUPPORT": LOCAL,
    "EACCES": LOCAL,
    "EPERM": LOCAL,
    "ENOBUFS": LOCAL,
    "EINVAL": LOCAL,
}


@pytest.mark.parametrize(("name", "meaning"), MEANINGS.items(), ids=MEANINGS)
def test_each_errno_has_its_meaning(name: str, meaning: Meaning) -> None:
    code = getattr(errno, name)
    assert judge(evidence(**unconnected(code))) == meaning.dialling
    assert judge(evidence(**broken(code))) == meaning.connected
    assert judge(identified(**broken(code))) == meaning.identified


def test_every_errno_of_the_table_is_tried() -> None:
    local = {name for name, meaning in MEANINGS.items() if meaning is LOCAL}
    assert {errno.errorcode[code] for code in ERRNOS} == MEANINGS.keys() - local


# A refusal tells most: it proves that the host lives. Trouble of our own tells nothing.
SEVERAL = {
    "refused": ("ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT", "EMFILE"),
    "reset-before-identification": ("ECONNRESET", "EHOSTUNREACH", "ETIMEDOUT", "EMFILE"),
    "unreachable": ("ENETUNREACH", "ETIMEDOUT", "EMFILE"),
    "connect-timeout": ("ETIMEDOUT", "EMFILE"),
    "local-error": ("EMFILE", "EADDRNOTAVAIL"),
}


@pytest.mark.parametrize(("verdict", "names"), SEVERAL.items(), ids=SEVERAL)
def test_of_several_addresses_the_most_telling_counts(verdict: str, names: tuple[str, ...]) -> None:
    codes = [getattr(errno, name) for name in names]
    assert judge(evidence(**unconnected(*codes))) == verdict
    assert judge(evidence(**unconnected(*reversed(codes)))) == verdict


def test_an_address_that_was_abandoned_says_nothing() -> None:
    seen = evidence(**unconnected(errno.EHOSTUNREACH))
    seen.add_attempt(Attempt("192.0.2.9", 0.25, 0.1, "abandoned"))
    assert judge(seen) is Verdict.UNREACHABLE


def test_a_dial_that_failed_without_an_errno_is_trouble_of_our_own() -> None:
    seen = evidence(end=End.UNCONNECTED)
    seen.add_attempt(Attempt("192.0.2.9", 0.0, 0.0, "failed"))
    assert judge(seen) is Verdict.LOCAL_ERROR


# FIELD-NOTES 8: RST, then send fails, then recv fails or gives nothing.
def test_an_error_of_send_is_kept_when_recv_says_another() -> None:
    errors = failed(errno.EPIPE, "send") + failed(errno.ETIMEDOUT)
    assert judge(evidence(end=End.BROKEN, errors=errors)) is Verdict.RESET_BEFORE_IDENTIFICATION


# What the kernel knows: the table and the rules of FIELD-NOTES 8. ---------------------------------

KNOWN = {
    "silent, and alive": Case("silent", evidence(tcp=tcp(), **SILENT)),
    "vanished before it had our identification string": Case(
        "half-open",
        evidence(tcp=tcp(unacked=1, retransmits=3), **SILENT),
    ),
    "its link went down before it had that, so that nothing was sent again": Case(
        "half-open",
        evidence(tcp=tcp(unacked=1, retransmits=3)._replace(total_retransmits=0), **SILENT),
    ),
    "too early to call it gone": Case(
        "silent", evidence(tcp=tcp(unacked=1, retransmits=1), **SILENT)
    ),
    "vanished after it had that": Case("half-open", evidence(tcp=tcp(probes=3), **SILENT)),
    "too few probes to call it gone": Case("silent", evidence(tcp=tcp(probes=2), **SILENT)),
    "it takes some octets and no more": Case(
        "send-stalled",
        identified(tcp=tcp(window=0, unsent=370), **ran_out(Stage.KEXINIT)),
    ),
    "its window is shut for a moment": Case(
        "kexinit-stalled",
        identified(tcp=tcp(window=0), **ran_out(Stage.KEXINIT)),
    ),
    "vanished before it had our KEXINIT": Case(
        "half-open",
        identified(tcp=tcp(unacked=1, retransmits=3), **ran_out(Stage.KEXINIT)),
    ),
    "vanished after an octet": Case(
        "half-open",
        heard(b"S", tcp=tcp(probes=4), **ran_out(Stage.IDENTIFICATION)),
    ),
    "its octets are lost on the way": Case(
        "kexinit-stalled",
        identified(tcp=tcp(), **ran_out(Stage.KEXINIT)),
    ),
    "it trickled, then vanished": Case(
        "kexinit-trickling",
        identified(tcp=tcp(probes=3), last_octet_s=4.9, **ran_out(Stage.KEXINIT)),
    ),
    "its socket is gone: RST answers a keepalive probe": Case(
        "half-open",
        evidence(tcp=tcp(probes=1), **RST),
    ),
    "it rebooted: RST answers the third": Case("half-open", identified(tcp=tcp(probes=3), **RST)),
    "a live process aborts": Case("reset-before-identification", evidence(tcp=tcp(), **RST)),
    "a live process aborts later": Case("reset-before-kexinit", identified(tcp=tcp(), **RST)),
    "a live process ends, whatever was not acknowledged": Case(
        "closed-before-kexinit",
        identified(tcp=tcp(unacked=1, retransmits=3), **FIN),
    ),
    "all time was spent, though the peer is gone": Case(
        "budget-exhausted",
        identified(tcp=tcp(probes=3), **ran_out(Stage.PROBE, Stage.KEXINIT)),
    ),
}


@pytest.mark.parametrize(("verdict", "seen"), KNOWN.values(), ids=KNOWN)
def test_what_the_kernel_knows_counts_as_far_as_it_goes(verdict: str, seen: Evidence) -> None:
    assert judge(seen) == verdict


# Throttled (FIELD-NOTES 6.1). --------------------------------------------------------------------

every_end = pytest.mark.parametrize(
    "end",
    ENDS_BEFORE_IDENTIFICATION.values(),
    ids=ENDS_BEFORE_IDENTIFICATION,
)


@every_end
@pytest.mark.parametrize("text", [b"Not allowed at this time", b"Exceeded MaxStartups"], ids=str)
@pytest.mark.parametrize("before", [b"", b"Authorised users only.\r\n"], ids=["first", "later"])
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b""], ids=["CR-LF", "LF", "no-end"])
def test_what_sshd_says_when_it_is_full_counts_more_than_the_end(
    end: dict[str, object],
    text: bytes,
    before: bytes,
    line_end: bytes,
) -> None:
    assert judge(heard(before + text + line_end, **end)) is Verdict.THROTTLED


# After a flood of other lines, too: the last is kept.
def test_throttled_is_seen_in_the_last_of_many_lines() -> None:
    seen = evidence(**FIN)
    for line in [*(b"line %d" % number for number in range(100)), b"Exceeded MaxStartups"]:
        seen.add_line_before(line)
    assert judge(seen) is Verdict.THROTTLED


@pytest.mark.parametrize(
    "octets",
    [b"Not allowed\r\n", b"You are Not allowed at this time\r\n", b"not allowed at this time\r\n"],
    ids=["less", "within", "lower-case"],
)
def test_another_text_is_not_throttled(octets: bytes) -> None:
    assert judge(heard(octets, **FIN)) is Verdict.CLOSED_BEFORE_IDENTIFICATION


def test_the_text_after_an_identification_string_is_not_throttled() -> None:
    text = b"Not allowed at this time\r\n"
    seen = identified(unread_octets=text, **violated(rules.TEXT_INSTEAD_OF_PACKET))
    assert judge(seen) is Verdict.PACKET_MALFORMED


def test_a_legal_notice_that_reads_so_does_no_harm_to_a_good_server() -> None:
    seen = heard(b"Not allowed at this time\r\n", end=End.COMPLETE, kexinit=KEXINIT)
    seen.identification = OPENSSH
    assert judge(seen) is Verdict.OK


# Other services (V26 to V30). --------------------------------------------------------------------

GREETINGS = {
    "HTTP 400": ("HTTP", b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"),
    "HTTP 0.9": ("HTTP", b"<html>\r\n<head><title>400 Bad Request</title></head>"),
    "HTML of type": ("HTTP", b'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'),
    "TLS alert handshake_failure": ("TLS", b"\x15\x03\x03\x00\x02\x02\x28"),
    "TLS alert protocol_version": ("TLS", b"\x15\x03\x01\x00\x02\x02\x46"),
    "Postfix": ("SMTP", b"220 mail.example.org ESMTP Postfix (Debian/GNU)\r\n"),
    "an SMTP server that refuses": ("SMTP", b"554 mail.example.org ESMTP not accepting mail\r\n"),
    "Exim on a host that has another name": ("SMTP", b"220 ftp.example.org ESMTP Exim 4.96\r\n"),
    "FileZilla": ("FTP", b"220-FileZilla Server 1.8.1\r\n220 Please visit https://\r\n"),
    "either": ("FTP or SMTP", b"220 server.example.org ready\r\n"),
    "either, and it refuses": ("FTP or SMTP", b"421 Too many connections\r\n"),
    "vsftpd": ("FTP", b"220 (vsFTPd 3.0.5)\r\n"),
    "ProFTPD": ("FTP", b"220 ProFTPD Server (Debian) [::ffff:192.0.2.1]\r\n"),
    "Pure-FTPd": ("FTP", b"220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n"),
    "Dovecot POP3": ("POP3", b"+OK Dovecot (Debian) ready.\r\n"),
    "a POP3 server that refuses": ("POP3", b"-ERR [SYS/TEMP] Server too busy\r\n"),
    "Dovecot IMAP": ("IMAP", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot ready.\r\n"),
    "an IMAP server that refuses": ("IMAP", b"* BYE Too many connections\r\n"),
    "IMAP in a tunnel": ("IMAP", b"* PREAUTH IMAP4rev1 server logged in as Smith\r\n"),
    "V29 Redis": (
        "Redis",
        b"-ERR unknown command 'SSH-2.0-sshprobe', with args beginning with: \r\n",
    ),
    "Redis, protected": ("Redis", b"-DENIED Redis is running in protected mode because\r\n"),
    "Redis with a password": ("Redis", b"-NOAUTH Authentication required.\r\n"),
    "memcached": ("memcached", b"ERROR\r\n"),
    "MySQL": ("MySQL", b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0\x01#Ea\x02Y8\x7f\0\xff\xff\xff\x02\0"),
    "MariaDB": ("MySQL", b"\x5d\0\0\0\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0\x1f\0\0\0"),
    "MySQL that refuses": ("MySQL", b"\x45\0\0\0\xff\x6a\x04Host '192.0.2.17' is not allowed"),
    "PostgreSQL": ("PostgreSQL", b"E\0\0\0\x5dSFATAL\0VFATAL\0C53300\0Msorry, too many clients\0"),
    "VNC": ("VNC", b"RFB 003.008\n"),
    "rsync": ("rsync", b"@RSYNCD: 31.0 sha512 sha256 sha1 md5 md4\n"),
    "AMQP 0-9-1": ("AMQP", b"AMQP\0\0\x09\x01"),
    "AMQP 1.0 with SASL": ("AMQP", b"AMQP\x03\x01\0\0"),
    "RDP": ("RDP", b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x01\x08\0\x02\0\0\0"),
    "XMPP": ("XMPP or other XML", b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'"),
    "XMPP without a declaration": ("XMPP or other XML", b"<stream:stream from='example.org'"),
    "V30 telnet": ("Telnet", b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"),
}

every_greeting = pytest.mark.parametrize(("name", "octets"), GREETINGS.values(), ids=GREETINGS)


@every_end
@every_greeting
def test_another_service_is_recognised_and_counts_more_than_the_end(
    end: dict[str, object],
    name: str,
    octets: bytes,
) -> None:
    seen = heard(octets, **end)
    assert other_service(seen) == name
    assert judge(seen) is Verdict.NOT_SSH


def test_every_signature_is_tried() -> None:
    assert {name for name, _ in GREETINGS.values()} == {name for name, _ in SIGNATURES}


def test_binary_data_that_nobody_knows_is_not_ssh() -> None:
    seen = heard(b"\x8e\xd4\x02\xfa\0", **violated(rules.NUL_BEFORE_IDENTIFICATION))
    assert other_service(seen) == "no known protocol"
    assert judge(seen) is Verdict.NOT_SSH


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"S",
        b"Authorised users only. HTTP/1.1 is elsewhere.\r\n",
        b"220ms of patience, please\r\n",
        b"** OK **\r\n",
        b"+++ OK +++\r\n",
        b"ERROR 5\r\n",
        b"< html >\r\n",
        b"\xc3\xa4\r\n",
    ],
    ids=str,
)
def test_other_text_is_no_service(octets: bytes) -> None:
    assert other_service(heard(octets, **FIN)) is None
    assert judge(heard(octets, **FIN)) is Verdict.CLOSED_BEFORE_IDENTIFICATION


# R10: what begins with SSH- is an identification string, or the beginning of one.
@settings(deadline=None)
@given(st.binary(max_size=100))
def test_what_begins_like_ssh_is_no_other_service(rest: bytes) -> None:
    assert other_service(heard(b"SSH-" + rest, **ran_out(Stage.IDENTIFICATION))) is None


# R09: a server may say what it likes before its identification string.
@every_greeting
def test_a_server_that_identified_itself_is_no_other_service(name: str, octets: bytes) -> None:
    seen = heard(octets, identification=OPENSSH, **FIN)
    assert other_service(seen) is None
    assert judge(seen) is Verdict.CLOSED_BEFORE_KEXINIT


# Stalled or trickling: whether the last octet came in the last third. ---------------------------

STALLED_OR_TRICKLING = {
    "just before the last third": (4.33, "stalled"),
    "just within the last third": (4.34, "trickling"),
    "at the end": (6.0, "trickling"),
    "at the beginning": (1.0, "stalled"),
    "before the stage": (0.9, "stalled"),
}
"""Of a stage of 5 s that began at 1 s: its last third begins at 4.333 s."""

last_octets = pytest.mark.parametrize(
    ("last_octet_s", "manner"),
    STALLED_OR_TRICKLING.values(),
    ids=STALLED_OR_TRICKLING,
)


@last_octets
def test_an_identification_string_stalls_or_trickles(last_octet_s: float, manner: str) -> None:
    end = ran_out(Stage.IDENTIFICATION, began_s=1.0)
    seen = heard(b"SSH-2.0-", last_octet_s=last_octet_s, **end)
    assert judge(seen) == f"identification-{manner}"


@last_octets
def test_kexinit_stalls_or_trickles(last_octet_s: float, manner: str) -> None:
    seen = identified(last_octet_s=last_octet_s, **ran_out(Stage.KEXINIT, began_s=1.0))
    assert judge(seen) == f"kexinit-{manner}"


# The third is one of the time that the stage had; a prober that stalled gave it more.
@pytest.mark.parametrize(("last_octet_s", "manner"), [(66.9, "stalled"), (67.1, "trickling")])
def test_a_stage_that_went_on_too_long_stalls_or_trickles(last_octet_s: float, manner: str) -> None:
    end = ran_out(Stage.KEXINIT) | {"stages": (ran(Stage.KEXINIT, 1.0, 99.0),)}
    assert judge(identified(last_octet_s=last_octet_s, **end)) == f"kexinit-{manner}"


# A stage that no evidence tells of cannot be called trickling.
def test_octets_without_a_stage_stall() -> None:
    seen = identified(last_octet_s=4.9, end=End.DEADLINE)
    assert judge(seen) is Verdict.KEXINIT_STALLED


# Every rule that ends a handshake. ---------------------------------------------------------------

VIOLATED = {
    rules.Subject.LINES: "not-ssh",
    rules.Subject.IDENTIFICATION: "identification-malformed",
    rules.Subject.PROTOVERSION: "protocol-unsupported",
    rules.Subject.PACKET: "packet-malformed",
    rules.Subject.KEXINIT: "kexinit-malformed",
    rules.Subject.MESSAGE: "unexpected-message",
    rules.Subject.FLOOD: "flooded",
}


@pytest.mark.parametrize("rule", rules.VIOLATIONS, ids=lambda rule: rule.code)
def test_each_violation_has_the_verdict_of_its_subject(rule: Rule) -> None:
    before = rules.Subject.LINES, rules.Subject.IDENTIFICATION, rules.Subject.PROTOVERSION
    end = violated(rule)
    seen = heard(b"~", **end) if rule.subject in before else identified(**end)
    assert judge(seen) == VIOLATED[rule.subject]


# Total and pure. ---------------------------------------------------------------------------------


def snapshot(seen: Evidence) -> list[object]:
    return [getattr(seen, name) for name in Evidence.__slots__]


@settings(deadline=None)
@given(arbitrary)
def test_any_evidence_has_one_verdict_and_is_left_as_it_was(seen: Evidence) -> None:
    before = snapshot(seen)
    verdict = judge(seen)
    assert isinstance(verdict, Verdict)
    assert judge(seen) is verdict
    assert snapshot(seen) == before


# Law 8: what a prober hands in is about the server, the network or the machine.
@settings(deadline=None)
@given(consistent())
def test_what_a_prober_can_see_is_never_called_a_bug_of_ours(seen: Evidence) -> None:
    assert judge(seen) is not Verdict.INTERNAL_ERROR


# Law 8: nor is a bug of ours ever blamed on the peer.
@settings(deadline=None)
@given(arbitrary)
def test_a_bug_of_ours_is_called_one_whatever_was_seen_before(seen: Evidence) -> None:
    seen.end = End.INTERNAL
    assert judge(seen) is Verdict.INTERNAL_ERROR


# What a monitor shows, and what a person reads. --------------------------------------------------


def test_states_go_from_best_to_worst() -> None:
    assert list(State) == ["ok", "warning", "unknown", "critical"]


STATES = {
    "ok": State.OK,
    "throttled": State.WARNING,
    "local-error": State.UNKNOWN,
    "internal-error": State.UNKNOWN,
}
"""All others are critical."""


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_has_its_state(verdict: Verdict) -> None:
    assert ROWS[verdict].state is STATES.get(verdict, State.CRITICAL)


@pytest.mark.parametrize("row", VERDICTS, ids=lambda row: row.verdict)
def test_each_sentence_is_short_and_whole(row: VerdictRow) -> None:
    assert len(row.sentence) <= 160
    assert row.sentence.isprintable()
    assert row.sentence.endswith(".")
    assert len(re.findall(r"[.!?](?: |$)", row.sentence)) <= 2


def test_no_two_verdicts_say_the_same() -> None:
    assert len({row.sentence for row in VERDICTS}) == len(VERDICTS)
