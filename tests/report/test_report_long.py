"""The long form: all that a person can act on, in 80 columns, read aloud or searched."""

import errno
import re

import pytest
from evidence_pieces import (
    KEXINIT,
    arbitrary,
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
from hypothesis import strategies as st

from probe import Report, Stage, State
from probe.budget import StageTime
from probe.evidence import Attempt, End, Evidence, Passage, Side
from probe.explanations import BY_CODE
from probe.ssh import rules
from probe.ssh.messages import Disconnect
from probe.ssh.rules import Finding

SECTIONS = (
    "What happened",
    "How sure",
    "What looks the same",
    "For clients",
    "What to do",
    "Where to look next",
    "Where it is written",
    "A server that shows it",
    "Stages",
    "Addresses",
    "What the server sent",
    "Rules it broke",
    "What a current client and this server would use",
    "What the server offers",
    "What our kernel knows of the connection",
    "Transcript",
)
"""In this order; what nothing is under is left out."""


def sections(seen: Evidence, *, whole: bool = False) -> dict[str, list[str]]:
    """What is under each title; under "" what comes before the first."""
    found: dict[str, list[str]] = {"": []}
    for line in Report(seen).explain(whole=whole).split("\n"):
        if line and line[0] != " " and len(found) + len(found[""]) > 1 and line in SECTIONS:
            found[line] = []
        elif line:
            found[list(found)[-1]].append(line)
    return found


def good(**seen: object) -> Evidence:
    made: dict[str, object] = {"end": End.COMPLETE, "kexinit": KEXINIT, "spent_s": 0.0123}
    return identified(**made | seen)


# What a person sees first. -----------------------------------------------------------------------


def test_the_sentence_comes_first() -> None:
    [head, blank, *rest] = Report(evidence(**ran_out(Stage.FIRST_OCTET))).explain().split("\n")
    assert head == "CRITICAL  host.example:22  silent"
    assert blank == ""
    assert " ".join(rest).startswith(BY_CODE["silent"].sentence)


def test_the_head_can_say_what_was_expected() -> None:
    text = Report(good()).explain(state=State.CRITICAL, notes=("expected refused", "at ::1"))
    assert text.startswith("CRITICAL  host.example:22  ok (expected refused; at ::1)\n")


def test_what_happened_is_what_the_line_says() -> None:
    seen = heard(b"You are not welcome\r\n", end=End.EOF, where=Stage.IDENTIFICATION)
    assert "; ".join(line.strip() for line in sections(seen)["What happened"]) == Report(seen).error


def test_commands_name_the_server_and_can_be_pasted() -> None:
    seen = evidence(host="fe80::1%eth0 'x'", port=2222, **ran_out(Stage.FIRST_OCTET))
    steps = sections(seen)["Where to look next"]
    quoted = """'[fe80::1%eth0 '"'"'x'"'"']:2222'"""
    assert f"    sshprobe check -v --limit 60 {quoted}" in steps
    assert "    ss -ltnp 'sport = :2222'" in steps


def test_a_stream_of_the_callers_has_a_page_too() -> None:
    assert Report(good(host="", port=0)).explain().startswith("OK        stream  ok\n")


# The evidence. -----------------------------------------------------------------------------------


def test_stages_have_seconds_limits_and_a_bar_at_the_end() -> None:
    stages = (
        StageTime(Stage.PROBE, 0.0, 2.5, 10.0, completed=False),
        StageTime(Stage.CONNECT, 0.0, 0.5, 4.0, completed=True),
        StageTime(Stage.FIRST_OCTET, 0.5, 2.0, 2.0, completed=False),
    )
    seen = evidence(stages=stages, whose=Stage.FIRST_OCTET, end=End.DEADLINE)
    assert sections(seen)["Stages"] == [
        "   probe             2.500 s of   10 s  cut short  #####",
        "   connect           0.500 s of    4 s  done       ##",
        "   first-octet       2.000 s of    2 s  ran out    ####################",
    ]


def test_a_bar_that_is_late_is_no_longer() -> None:
    late = (StageTime(Stage.PROBE, 0.0, 99.0, 10.0, completed=False),)
    [line] = sections(evidence(stages=late, end=End.DEADLINE, whose=Stage.PROBE))["Stages"]
    assert line.count("#") == 20


def test_each_address_says_what_came_of_it() -> None:
    connected = Attempt("192.0.2.2", 0.25, 0.012, "connected")
    seen = good(
        attempts=(*dialled(errno.ECONNREFUSED), connected),
        addresses=("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    )
    assert sections(seen)["Addresses"] == [
        "  192.0.2.1: ECONNREFUSED after 0.001 s",
        "  192.0.2.2: connected after 0.012 s",
        "  192.0.2.3: not tried",
    ]


def test_what_the_server_sent_is_told_in_order() -> None:
    seen = good(
        lines_before=(b"Authorised users only.", b""),
        lines_before_count=2,
        messages_before=3,
        octets_received=1100,
        octets_sent=1192,
        first_octet_s=0.01,
        last_octet_s=0.02,
    )
    assert sections(seen)["What the server sent"] == [
        "  lines before the identification string: 2",
        '    "Authorised users only."',
        '    ""',
        "  identification string: SSH-2.0-OpenSSH_10.5",
        "  protoversion: 2.0",
        "  softwareversion: OpenSSH_10.5",
        "  messages before KEXINIT: 3",
        "  KEXINIT: whole",
        "  1100 octets, from 0.010 s to 0.020 s; we sent 1192",
    ]


def test_comments_last_words_and_disconnect_are_told() -> None:
    seen = identified(
        end=End.DISCONNECT,
        disconnect=Disconnect(11, b"bye"),
        unread_octets=b"Oops\r\n",
    )
    assert seen.identification is not None
    seen.identification = seen.identification._replace(comments=b"Debian")
    told = sections(seen)["What the server sent"]
    assert "  comments: Debian" in told
    assert '  DISCONNECT 11 (by application): "bye"' in told
    assert '  last words: "Oops\\x0d\\x0a"' in told


def test_broken_rules_have_their_section_and_what_was_seen() -> None:
    seen = identified(
        findings=(Finding(rules.NAME_TWICE, b"kex_algorithms: x\x1b"),),
        **violated(rules.TEXT_INSTEAD_OF_PACKET, b"Inva"),
    )
    assert sections(seen)["Rules it broke"] == [
        "  text-instead-of-packet (RFC 4253 §6)",
        "    Text came where a packet must begin.",
        '    seen: "Inva"',
        "  name-twice (RFC 4253 §7.1)",
        "    A name-list holds a name twice.",
        '    seen: "kex_algorithms: x\\x1b"',
    ]


def test_algorithms_say_what_would_be_used() -> None:
    told = sections(good())["What a current client and this server would use"]
    assert "  kex algorithm: curve25519-sha256" in told
    assert "  mac algorithm client to server: hmac-sha2-256" in told
    assert "  strict key exchange: offered" in told
    assert told[-1] == "  hasshServer: 8b3764e46a3321472796e450bf3ee338"


def test_algorithms_say_where_there_is_nothing_in_common_and_where_none_is_needed() -> None:
    strange = KEXINIT.algorithms._replace(
        kex_algorithms=(b"strange",),
        encryption_algorithms_client_to_server=(b"chacha20-poly1305@openssh.com",),
    )
    told = sections(good(kexinit=KEXINIT._replace(algorithms=strange)))
    used = told["What a current client and this server would use"]
    assert "  kex algorithm: nothing in common" in used
    assert "  mac algorithm client to server: none is needed: the cipher authenticates" in used
    assert "  strict key exchange: not offered" in used


def test_lists_that_are_equal_both_ways_are_told_once() -> None:
    one_way = KEXINIT.algorithms._replace(mac_algorithms_client_to_server=(b"hmac-sha1",))
    told = sections(good(kexinit=KEXINIT._replace(algorithms=one_way)))["What the server offers"]
    assert "  encryption algorithms, both ways: aes128-ctr" in told
    assert "  mac algorithms client to server: hmac-sha1" in told
    assert "  mac algorithms server to client: hmac-sha2-256" in told
    assert "  languages, both ways: (empty)" in told


def test_a_long_list_is_cut_and_counted() -> None:
    names = tuple(b"n%d" % number for number in range(200))
    offer = KEXINIT._replace(algorithms=KEXINIT.algorithms._replace(kex_algorithms=names))
    told = " ".join(sections(good(kexinit=offer))["What the server offers"])
    assert "n63, and 136 more" in re.sub(" +", " ", told)


def test_the_kernels_evidence_is_in_words() -> None:
    told = sections(evidence(tcp=tcp(probes=3), **ran_out(Stage.FIRST_OCTET)))
    assert told["What our kernel knows of the connection"] == [
        "  it answered none of 3 keepalive probes",
        "  state: established",
        "  round trip time: 0.300 ms",
        "  path MTU: 1500 octets",
        "  segments that we sent again: 0",
        "  segments that it has not acknowledged: 0",
        "  keepalive probes that it has not answered: 3",
        "  octets that wait to be sent: 0",
        "  segments that came before a missing one: 0",
        "  octets that it would take: 65536",
    ]


def test_what_an_older_kernel_does_not_know_is_left_out() -> None:
    old = tcp()._replace(
        state=99, unsent_octets=None, out_of_order_segments=None, peer_window_octets=None
    )
    told = sections(evidence(tcp=old, **ran_out(Stage.FIRST_OCTET)))
    kernel = told["What our kernel knows of the connection"]
    assert "  state: number 99" in kernel
    assert len(kernel) == 7


# The transcript. ---------------------------------------------------------------------------------


def test_the_transcript_says_when_who_and_what() -> None:
    passages = (
        Passage(0.0012, Side.CLIENT, 0, 24, b"SSH-2.0-sshprobe_0.1.0\r\n"),
        Passage(0.0123, Side.SERVER, 0, 4, b"\x1b[2J"),
    )
    assert sections(evidence(transcript=passages))["Transcript"] == [
        "  0.001 s: we sent 24 octets",
        "     0000  53 53 48 2d 32 2e 30 2d 73 73 68 70 72 6f 62 65  SSH-2.0-sshprobe",
        "     0010  5f 30 2e 31 2e 30 0d 0a                          _0.1.0..",
        "  0.012 s: the server sent 4 octets",
        "     0000  1b 5b 32 4a                                      .[2J",
    ]


def test_what_is_not_kept_is_counted() -> None:
    passages = (
        Passage(0.0, Side.SERVER, 0, 1, b"a"),
        Passage(9.0, Side.SERVER, 100, 50, b"b"),
    )
    told = sections(evidence(transcript=passages))["Transcript"]
    assert "  then the server sent 99 octets that are not kept" in told
    assert told[-1] == "     …     49 octets are not kept"


def test_a_passage_is_cut_unless_all_is_asked_for() -> None:
    seen = evidence(transcript=(Passage(0.0, Side.SERVER, 0, 256, bytes(range(256))),))
    cut, whole = (sections(seen, whole=whole)["Transcript"] for whole in (False, True))
    assert len(cut) == 1 + 4 + 1
    assert cut[-1] == "     …     192 octets more"
    assert len(whole) == 1 + 16


# Form. -------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(arbitrary | consistent(), st.booleans())
def test_a_page_fits_80_columns_and_any_terminal(seen: Evidence, whole: bool) -> None:  # noqa: FBT001 - drawn
    head, *lines = Report(seen).explain(whole=whole).split("\n")
    assert head.isprintable()
    for line in lines:
        assert line.isprintable() or not line
        assert line == line.rstrip()
        assert len(line) <= 80 or line.startswith("    "), line


@settings(deadline=None)
@given(consistent())
def test_sections_come_in_order_and_none_is_empty(seen: Evidence) -> None:
    titles = [title for title in sections(seen) if title]
    assert titles == [title for title in SECTIONS if title in titles]
    assert all(sections(seen)[title] for title in titles)


# A screen reader reads lines in order, and bars as noise: nothing may be said by them alone.
def test_nothing_is_said_by_bars_alone() -> None:
    text = Report(evidence(**ran_out(Stage.FIRST_OCTET))).explain()
    for line in text.split("\n"):
        if "#" in line:
            assert re.search(r"\d s of +\d+ s +(done|ran out|cut short)", line.partition("#")[0])


@pytest.mark.parametrize("code", ["refused", "local-error"])
def test_a_failure_before_any_octet_leaves_the_rest_out(code: str) -> None:
    number = errno.ECONNREFUSED if code == "refused" else errno.EMFILE
    titles = set(sections(evidence(**unconnected(number))))
    assert not titles & {"What the server sent", "Transcript", "Rules it broke"}


def test_a_failed_call_is_told() -> None:
    seen = identified(end=End.BROKEN, errors=failed(errno.ECONNRESET))
    assert "  recv: ECONNRESET" in sections(seen)["What happened"]
