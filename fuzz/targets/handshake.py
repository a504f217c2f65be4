"""The machine says what the slow reading says, keeps every octet, ends, and works linearly."""

import sys
from collections.abc import Iterable
from zlib import crc32

import reference
from ssh_talk import ENDS, codes, flood, hear, new_machine, plain

from fuzz.cuts import cut
from probe.ssh.handshake import Event, Handshake
from probe.ssh.kexinit import OFFER
from probe.ssh.limits import LINE_CAP_OCTETS, PACKET_LENGTH_CAP_OCTETS

LARGEST_UNREAD_OCTETS = max(LINE_CAP_OCTETS, 4 + PACKET_LENGTH_CAP_OCTETS) - 1
ALL_OF_IT = 1 << 20
CALLS_A_READ, CALLS_AN_EVENT, CALLS_AN_OCTET = 20, 100, 8
FLOODS = 128
"""One input in so many is repeated until the machine ends, because that takes a while."""


def one_input(data: bytes) -> None:
    """Hear a conversation, whole and cut, and compare."""
    slow, pieces = reference.Reading(data, OFFER), list(cut(data))
    whole = hear(data, eof=True)
    events, calls, machine = count_calls(pieces)
    assert whole.events == list(map(plain, events)) == slow.events
    assert whole.findings == codes(machine) == slow.findings
    assert whole.machine.findings() == machine.findings()
    assert whole.machine.unread_octets(ALL_OF_IT) == data[slow.consumed :]
    assert machine.next_event() is machine.next_event() is events[-1]
    work = CALLS_A_READ * len(pieces) + CALLS_AN_EVENT * len(events) + CALLS_AN_OCTET * len(data)
    assert calls <= work + 1000, (calls, work)
    if data and crc32(data) % FLOODS == 0:
        assert flood(b"", data, max(4096, len(data))).state in ENDS


def count_calls(pieces: Iterable[bytes]) -> tuple[list[Event], int, Handshake]:
    """Feed a machine until it ends: what it said, and how many functions that took."""
    calls, before = 0, sys.getprofile()

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"  # and not "c_call": Atheris puts such calls everywhere

    sys.setprofile(count)
    try:
        events, machine = feed(pieces)
    finally:
        sys.setprofile(before)
    return events, calls, machine


def feed(pieces: Iterable[bytes]) -> tuple[list[Event], Handshake]:
    """Feed a machine until it ends, and see that it keeps no more than it must."""
    machine, events = new_machine(), list[Event]()
    for piece in (*pieces, b""):
        if piece:
            machine.receive_octets(piece)
        else:
            machine.receive_eof()
        while machine.state not in ENDS and (event := machine.next_event()) is not None:
            events.append(event)
        if machine.state in ENDS:
            break
        assert len(machine.unread_octets(ALL_OF_IT)) <= LARGEST_UNREAD_OCTETS
    return events, machine
