"""Laws that hold for every conversation: good ones, broken ones, and noise.

The conversations are drawn, the expected reading is ``reference``'s.
"""

from collections.abc import Iterator
from itertools import accumulate, cycle, pairwise

import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_pieces import (
    COMPLETE,
    DEBUG,
    DISCONNECT,
    EXT_INFO,
    IDENTIFICATION,
    IGNORE,
    KEXINIT,
    LISTS,
    PENALISED,
    UNIMPLEMENTED,
    Names,
    capture,
    kexinit_payload,
    packet,
    packet_of,
)
from ssh_talk import ENDS, flood, hear, new_machine

from probe.ssh.handshake import LARGEST_HANDSHAKE_OCTETS, TRANSITIONS
from probe.ssh.kexinit import OFFER

MANY = settings(max_examples=200, deadline=None)

# Conversations. ----------------------------------------------------------------------------------


class Octets(bytes):
    """Octets whose repr is short, so that a failure can be shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} octets: {self[:1000]!r}>"


CAPTURES = [capture(name) for name in (*COMPLETE, *PENALISED)]

text = st.text(max_size=12).map(str.encode)
line_ends = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\n", b"\r\r\n", b"\0", b"\r", b""])
lines = st.one_of(
    st.sampled_from([b"Welcome.\r\n", b"\r\n", b"a\n", b"\x1b[2J\r\n", b"\xe4\n", b"a\r\r\n"]),
    st.builds(bytes.__add__, text, st.just(b"\r\n")),
    st.builds(bytes.__add__, st.binary(max_size=12), line_ends),
    st.sampled_from([255, 256, 8191, 8192, 8193]).map(lambda octets: b"l" * (octets - 1) + b"\n"),
)
protoversions = st.sampled_from([b"2.0-"] * 8 + [b"1.99-", b"1.5-", b"2.0", b"-", b""])
softwareversions = st.sampled_from([b"OpenSSH_9.2p1"] * 3 + [b"a-b", b"", b"a" * 240]) | text
comments = st.sampled_from([b"", b"", b" ", b"  x", b" \xc2\x9b"]) | text.map(b" ".__add__)
identifications = st.just(IDENTIFICATION) | st.builds(
    b"SSH-%b%b%b%b".__mod__,
    st.tuples(protoversions, softwareversions, comments, line_ends),
)
names = st.one_of(
    st.sampled_from([b"ssh-ed25519", b"aes128-ctr", b"hmac-sha2-256", b"none", b"x@example.com"]),
    st.sampled_from([b"aes256-gcm@openssh.com", b"kex-strict-s-v00@openssh.com"]),
    st.sampled_from([b"", b"@", b"a@b@c", b"a b", b"\0", b"\xe4", b"n" * 64, b"n" * 65]),
    st.binary(max_size=4).filter(lambda name: b"," not in name),
)
name_lists = st.lists(names, min_size=1, max_size=5).map(tuple)


@st.composite
def lists_of_kexinit(draw: st.DrawFn) -> tuple[Names, ...]:
    """Ten faultless name-lists, some of them replaced, now and then by nothing."""
    lists = list(LISTS)
    for index in draw(st.lists(st.integers(0, 9), max_size=3)):
        lists[index] = draw(st.one_of(name_lists, name_lists, name_lists, st.just(())))
    return tuple(lists)


kexinits = st.builds(
    kexinit_payload,
    lists_of_kexinit(),
    cookie=st.sampled_from([b"0123456789abcdef", bytes(16)]) | st.binary(min_size=16, max_size=16),
    follows=st.sampled_from([0, 0, 0, 1, 2, 255]),
    reserved=st.sampled_from([0, 0, 0, 1, 0xFFFFFFFF]),
)
disconnects = st.builds(
    b"\1\0\0\0%b%b".__mod__,
    st.tuples(st.sampled_from([b"\2", b"\x0b", b"\x0c"]), st.binary(max_size=16)),
)
payloads = st.one_of(
    kexinits,
    kexinits,
    kexinits,
    kexinits.flatmap(lambda whole: st.integers(1, len(whole)).map(lambda end: whole[:end])),
    kexinits.map(lambda whole: whole + b"\0"),
    disconnects,
    st.binary(min_size=1, max_size=20),
)
harmless = st.sampled_from([IGNORE, DEBUG, EXT_INFO, packet_of(35000), packet_of(35008)]).map(
    Octets
)
packets = st.one_of(
    harmless,
    st.sampled_from([DISCONNECT, UNIMPLEMENTED, KEXINIT]),
    st.builds(packet, payloads, st.integers(0, 30)),
    st.builds(packet, payloads),
)
headers = st.one_of(
    st.sampled_from([b"\0\0\0\0", b"\0\0\0\x0b", b"\0\0\0\x10", b"\xff\xff\xff\xff", b"\0\4\0\1"]),
    st.sampled_from([b"\0\0\0\x0c\3", b"\0\0\0\x0c\x0b", b"\0\0\0\x0c\x0c", b"hell", b"\0\4\0\0"]),
    st.binary(max_size=6),
)
times = st.sampled_from([1] * 12 + [2, 300, 1100])


@st.composite
def assembled(draw: st.DrawFn) -> bytes:
    """A conversation of pieces. Few are broken, so that the later ones are reached."""
    pieces = [
        *draw(st.lists(lines, max_size=3)) * draw(times),
        draw(identifications),
        *draw(st.lists(harmless, max_size=3)) * draw(times),
        *draw(st.lists(packets, max_size=2)),
        draw(st.just(b"") | headers),
        KEXINIT,
    ]
    return b"".join(pieces)[: LARGEST_HANDSHAKE_OCTETS + 100]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """What a real server said, with a few octets overwritten, taken out or put in."""
    octets = draw(st.sampled_from(CAPTURES))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(octets)))
        end = begin + draw(st.integers(0, 6))
        octets = octets[:begin] + draw(st.binary(max_size=6)) + octets[end:]
    return octets


conversations = st.one_of(assembled(), assembled(), mutated(), st.binary(max_size=300)).map(Octets)


def cut(octets: bytes, sizes: list[int]) -> Iterator[bytes]:
    """``octets`` in pieces: of these sizes, again and again; of larger ones if there are many."""
    scale = 1 + len(octets) // 2000
    ends = accumulate((size * scale for size in cycle(sizes)), initial=0)
    for begin, end in pairwise(ends):
        if begin >= len(octets):
            return
        yield octets[begin:end]


# Laws. -------------------------------------------------------------------------------------------


def agree(octets: bytes) -> None:
    """The machine and a slow reading agree on every event, field, end and finding."""
    heard = hear(octets, eof=True)
    reading = reference.Reading(octets, OFFER)
    assert heard.events == reading.events
    assert heard.findings == reading.findings


@MANY
@given(st.lists(lines, max_size=3), identifications)
def test_lines_agree_with_the_reference(before: list[bytes], identification: bytes) -> None:
    agree(b"".join([*before, identification]))


@MANY
@given(st.just(b"") | harmless, kexinits)
def test_offers_agree_with_the_reference(before: bytes, payload: bytes) -> None:
    agree(IDENTIFICATION + before + packet(payload))


@MANY
@given(st.lists(harmless | packets, max_size=3), packets | headers)
def test_packets_agree_with_the_reference(before: list[bytes], last: bytes) -> None:
    agree(b"".join([IDENTIFICATION, *before, last]))


@MANY
@given(mutated())
def test_mutated_captures_agree_with_the_reference(octets: bytes) -> None:
    agree(octets)


@MANY
@given(conversations)
def test_conversations_agree_with_the_reference(octets: bytes) -> None:
    agree(octets)


# N14, N15: how the octets are cut changes nothing.
@MANY
@given(conversations, st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_cuts_change_nothing(octets: bytes, sizes: list[int]) -> None:
    whole, cut_up = hear(octets, eof=True), hear(cut(octets, sizes), eof=True)
    assert cut_up.events == whole.events
    assert cut_up.machine.findings() == whole.machine.findings()
    assert cut_up.machine.next_event() == whole.machine.next_event()
    assert cut_up.machine.unread_octets(1 << 20) == whole.machine.unread_octets(1 << 20)


# N14: octet by octet, too.
@MANY
@given(mutated() | st.binary(max_size=300))
def test_octet_by_octet_changes_nothing(octets: bytes) -> None:
    assert hear(cut(octets, [1]), eof=True).events == hear(octets, eof=True).events


# The end of the stream ends every conversation, and adds at most one event to it.
@MANY
@given(conversations)
def test_eof_adds_at_most_the_end(octets: bytes) -> None:
    opened, closed = hear(octets), hear(octets, eof=True)
    at_end = [] if opened.machine.state in ENDS else [("closed",)]
    assert closed.events == opened.events + at_end
    assert closed.machine.state in ENDS


# Law 5: no octet is invented: what is unread is the end of what came, and shrinks event by event.
@MANY
@given(conversations)
def test_unread_octets_are_the_last_that_came(octets: bytes) -> None:
    machine = new_machine()
    if octets:
        machine.receive_octets(octets)
    machine.receive_eof()
    unread = len(octets)
    while machine.state not in ENDS:
        before = machine.state
        event = machine.next_event()
        assert event is not None
        assert (before, type(event)) in TRANSITIONS
        left = machine.unread_octets(len(octets) + 1)
        assert octets.endswith(left)
        assert len(left) <= unread
        unread = len(left)


# Law 1: whatever comes again and again, the handshake ends within its bound.
@MANY
@given(
    st.just(IDENTIFICATION) | lines | conversations,
    st.lists(lines | packets | st.binary(max_size=50))
    .map(lambda them: b"".join(them) or b"a")
    .map(Octets),
    st.sampled_from([97, 4096, 65536]),
)
def test_whatever_is_repeated_ends(first: bytes, again: bytes, octets_a_read: int) -> None:
    assert flood(first, again, octets_a_read).state in ENDS


# The reference itself is held to a conversation read by hand.
def test_reference() -> None:
    reading = reference.Reading(b"hello\n" + IDENTIFICATION + IGNORE + KEXINIT, OFFER)
    assert reading.events == [
        ("line-before", b"hello"),
        ("identification", b"SSH-2.0-x", b"2.0", b"x", None),
        ("ignore",),
        ("kexinit", b"0123456789abcdef", LISTS, False, 0),
    ]
    assert reading.findings == {"line-before-lf-only", "strict-kex-broken"}
