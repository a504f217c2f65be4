"""The machine: its states, its ends, and what it sends."""

from itertools import product

import pytest
import reference
from ssh_pieces import DEBUG, DISCONNECT, EXT_INFO, IDENTIFICATION, IGNORE, KEXINIT, capture
from ssh_talk import ENDS, NAMES, RANDOM, hear, new_machine

from probe.ssh import rules
from probe.ssh.handshake import (
    DECODERS,
    RANDOM_OCTETS,
    READERS,
    TRANSITIONS,
    Closed,
    Event,
    Handshake,
    State,
    Violation,
)
from probe.ssh.identification import Identification, LineBefore
from probe.ssh.kexinit import OFFER, KexInit, encode_kexinit
from probe.ssh.messages import Debug, Disconnect, ExtInfo, Ignore
from probe.ssh.packet import encode_packet

# Every pair of state and event. ------------------------------------------------------------------

INTO: dict[State, bytes] = {
    State.IDENTIFICATION: b"",
    State.KEXINIT: IDENTIFICATION,
    State.COMPLETE: IDENTIFICATION + KEXINIT,
    State.DISCONNECTED: IDENTIFICATION + DISCONNECT,
    State.VIOLATED: b"\0",
    State.CLOSED: b"SSH-2.0-half",
}
"""What brings a new machine into a state, the end of the stream apart."""

CAUSE: dict[type[Event], bytes] = {
    LineBefore: b"hello\r\n",
    Identification: IDENTIFICATION,
    Ignore: IGNORE,
    Debug: DEBUG,
    ExtInfo: EXT_INFO,
    Disconnect: DISCONNECT,
    KexInit: KEXINIT,
    Violation: b"\0\0\0\0",
    Closed: b"",
}
"""What makes an event happen in the states in which it can."""


def machine_in(state: State) -> Handshake:
    machine = new_machine()
    machine.receive_octets(INTO[state] or b"S")
    if state is State.CLOSED:
        machine.receive_eof()
    while machine.state is not state:
        assert machine.next_event() is not None
    return machine


def in_words(value: object) -> str:
    return value.value if isinstance(value, State) else getattr(value, "__name__", str(value))


# Law 3: what is in TRANSITIONS is reached.
@pytest.mark.parametrize(("state", "event_type"), [*TRANSITIONS], ids=in_words)
def test_transition_is_reached(state: State, event_type: type[Event]) -> None:
    machine = new_machine()
    if INTO[state]:
        machine.receive_octets(INTO[state])
        assert isinstance(machine.next_event(), Identification)
    if CAUSE[event_type]:
        machine.receive_octets(CAUSE[event_type])
    else:
        machine.receive_eof()
    assert machine.state is state
    assert type(machine.next_event()) is event_type
    assert machine.state is TRANSITIONS[state, event_type]


# … and what is not in it does not happen, whatever comes.
@pytest.mark.parametrize(("state", "event_type"), [*product(READERS, CAUSE)], ids=in_words)
def test_no_other_transition_happens(state: State, event_type: type[Event]) -> None:
    machine = new_machine()
    machine.receive_octets(INTO[state] + CAUSE[event_type] or b"S")
    machine.receive_eof()
    while machine.state is not state:
        machine.next_event()
    event = machine.next_event()
    assert event is not None
    assert (state, type(event)) in TRANSITIONS
    assert (type(event) is event_type) == ((state, event_type) in TRANSITIONS)


# An end is for ever: the same event, whatever comes.
@pytest.mark.parametrize(
    ("state", "event_type"),
    [*product((state for state in INTO if state in ENDS), CAUSE)],
    ids=in_words,
)
def test_an_end_stays(state: State, event_type: type[Event]) -> None:
    machine = machine_in(state)
    end = machine.next_event()
    findings = machine.findings()
    machine.octets_to_send()
    machine.receive_octets(CAUSE[event_type] or b"S")
    machine.receive_eof()
    assert machine.next_event() is end
    assert machine.next_event() is end
    assert machine.state is state
    assert machine.findings() == findings
    assert machine.octets_to_send() == b""


# Law 3: the tables fit each other.
def test_tables() -> None:
    assert set(READERS) == {state for state, _ in TRANSITIONS} == set(State) - ENDS
    assert set(NAMES) == set(CAUSE) == {event_type for _, event_type in TRANSITIONS}
    assert set(INTO) == set(State)
    assert set(DECODERS) == {1, 2, 4, 7, 20}


# The two tables of types say the same as TRANSITIONS about where an end leads.
@pytest.mark.parametrize(
    ("event_type", "state"),
    [
        (KexInit, State.COMPLETE),
        (Disconnect, State.DISCONNECTED),
        (Violation, State.VIOLATED),
        (Closed, State.CLOSED),
    ],
)
def test_ends(event_type: type[Event], state: State) -> None:
    assert {to for (_, event), to in TRANSITIONS.items() if event is event_type} == {state}


# What comes in. ----------------------------------------------------------------------------------


def test_nothing_has_happened_at_first() -> None:
    machine = new_machine()
    assert machine.next_event() is None
    assert machine.state is State.IDENTIFICATION
    assert machine.findings() == ()
    assert machine.unread_octets(99) == b""


# An empty read must not mean two things.
def test_no_octets_are_refused() -> None:
    machine = new_machine()
    with pytest.raises(ValueError, match="receive_eof"):
        machine.receive_octets(b"")
    machine.receive_octets(IDENTIFICATION)
    assert isinstance(machine.next_event(), Identification)


# What came before the end of the stream is told first, and the end once it is reached.
def test_eof_comes_after_what_came_before_it() -> None:
    machine = new_machine()
    machine.receive_octets(b"hello\r\nSSH-2.")
    machine.receive_eof()
    machine.receive_eof()
    assert machine.next_event() == LineBefore(b"hello")
    assert machine.next_event() == Closed()
    assert machine.next_event() == Closed()


# Law 5: the last words that belong to no line or packet can be had, as many as are asked for.
@pytest.mark.parametrize(
    ("octets", "unread"),
    [
        (b"go away", b"go away"),
        (b"hello\r\ngo away", b"go away"),
        (IDENTIFICATION + b"bye", b"bye"),
        (IDENTIFICATION + b"Protocol mismatch.\n", b"Protocol mismatch.\n"),
        (IDENTIFICATION + KEXINIT + IGNORE, IGNORE),
    ],
)
def test_last_words(octets: bytes, unread: bytes) -> None:
    machine = hear(octets, eof=True).machine
    assert machine.unread_octets(1000) == unread
    assert machine.unread_octets(4) == unread[:4]


# Law 6: findings keep their order, and the first of each kind.
def test_findings_in_order() -> None:
    machine = hear(b"a\nb\xff\nSSH-2.0-x-y\n").machine
    assert [(finding.rule, finding.detail) for finding in machine.findings()] == [
        (rules.LINE_BEFORE_LF_ONLY, b"a"),
        (rules.LINE_BEFORE_NOT_UTF_8, b"b\xff"),
        (rules.IDENTIFICATION_LF_ONLY, b"SSH-2.0-x-y"),
        (rules.SOFTWAREVERSION_MINUS, b"x-y"),
    ]


# An operator must see which lists have nothing in common.
def test_no_common_algorithm_names_the_rows() -> None:
    machine = hear(
        capture("paramiko-5.1.0").replace(b"ecdsa-sha2-nistp256\0", b"ecdsa-sha2-nistp999\0")
    ).machine
    details = {finding.rule.code: finding.detail for finding in machine.findings()}
    assert details["no-common-algorithm"] == "server_host_key_algorithm"


# A violation says what was seen.
@pytest.mark.parametrize(
    ("octets", "rule", "detail"),
    [
        (b"SSH-1.5-x\r\n", rules.PROTOVERSION_UNSUPPORTED, b"SSH-1.5-x"),
        (IDENTIFICATION + b"hell", rules.TEXT_INSTEAD_OF_PACKET, b"hell"),
        (
            IDENTIFICATION + b"\0\0\0\x0c\x0a\x63" + bytes(10),
            rules.MESSAGE_UNEXPECTED,
            "message 99",
        ),
        (b"SSH-2.0-" + b"A" * 8184, rules.LINE_TOO_LONG, b"SSH-2.0-" + b"A" * 247),
        (
            b"SSH-3.0-" + b"A" * 300 + b"\n",
            rules.PROTOVERSION_UNSUPPORTED,
            b"SSH-3.0-" + b"A" * 248,
        ),
    ],
)
def test_violation(octets: bytes, rule: rules.Rule, detail: str | bytes) -> None:
    machine = hear(octets).machine
    assert machine.next_event() == Violation(rules.Finding(rule, detail))


# What goes out. ----------------------------------------------------------------------------------


# R01, V01: we speak at once, and once, whatever the server says or does not say.
def test_identification_string_goes_out_at_once() -> None:
    machine = Handshake(b"tester_1", RANDOM)
    assert machine.octets_to_send() == b"SSH-2.0-tester_1\r\n"
    assert machine.octets_to_send() == b""


# R16, K04: KEXINIT goes out as soon as the server's identification string is in, and once.
def test_kexinit_goes_out_after_the_servers_identification_string() -> None:
    machine = new_machine()
    machine.octets_to_send()
    for octet in b"hello\r\n" + IDENTIFICATION:
        assert machine.octets_to_send() == b""
        machine.receive_octets(bytes([octet]))
        machine.next_event()
    assert machine.octets_to_send() != b""
    machine.receive_octets(IGNORE + KEXINIT)
    while machine.state not in ENDS:
        assert machine.next_event() is not None
        assert machine.octets_to_send() == b""


# A client that sends late loses nothing: both go out together.
def test_both_go_out_together() -> None:
    machine = hear(IDENTIFICATION).machine
    assert machine.octets_to_send().startswith(b"SSH-2.0-tester_1\r\n\0\0")


# To a server that cannot go on we do not go on.
@pytest.mark.parametrize("octets", [b"SSH-1.5-x\r\n", b"\0", b"a" * 8192])
def test_no_kexinit_for_a_server_that_broke_a_rule(octets: bytes) -> None:
    assert hear(octets, eof=True).machine.octets_to_send() == b"SSH-2.0-tester_1\r\n"


# R02, R03, R20-R23, R30, R32, R37, R39, R60: the reference reads what we send, and finds nothing
# odd but the server's marker, which a client has no business to send.
def test_what_we_send_is_lawful() -> None:
    sent = hear(IDENTIFICATION).machine.octets_to_send()
    reading = reference.Reading(sent, OFFER)
    assert reading.events == [
        ("identification", b"SSH-2.0-tester_1", b"2.0", b"tester_1", None),
        ("kexinit", b"sixteen random o", tuple(OFFER), False, 0),
    ]
    assert reading.findings == {"strict-kex-absent"}


# R20-R22, R30: its layout, octet for octet; cookie and padding are what was given as random.
def test_layout_of_our_kexinit() -> None:
    packet = hear(IDENTIFICATION).machine.octets_to_send()[len(b"SSH-2.0-tester_1\r\n") :]
    padding = packet[4]
    assert len(packet) % 8 == 0
    assert len(packet) >= 16
    assert packet[:4] == (len(packet) - 4).to_bytes(4)
    assert 4 <= padding <= 11
    assert packet[5:22] == b"\x14sixteen random o"
    assert packet[-padding:] == b"ctets, and more."[:padding]
    assert packet[-padding - 5 : -padding] == bytes(5)


# R60: no marker, so that a lawful IGNORE stays lawful; and no ext-info-c, for we read no EXT_INFO.
@pytest.mark.parametrize("marker", [b"kex-strict", b"ext-info"])
def test_no_marker_is_sent(marker: bytes) -> None:
    assert marker not in hear(IDENTIFICATION).machine.octets_to_send()


# R22, R30: what is drawn at random is the cookie and the padding.
def test_random_octets() -> None:
    random_octets = bytes(range(RANDOM_OCTETS))
    machine = Handshake(b"tester_1", random_octets)
    machine.octets_to_send()
    machine.receive_octets(IDENTIFICATION)
    machine.next_event()
    expected = encode_packet(encode_kexinit(random_octets[:16]), random_octets[16:])
    assert machine.octets_to_send() == expected
    assert 16 + expected[4] == RANDOM_OCTETS


# R45, R12: nothing is escaped here, or it would be escaped twice.
def test_a_peers_octets_stay_octets() -> None:
    heard = hear(b"\x1b[2J\r\n")
    assert heard.events == [("line-before", b"\x1b[2J")]
    (finding,) = heard.machine.findings()
    assert finding.detail == b"\x1b[2J"
