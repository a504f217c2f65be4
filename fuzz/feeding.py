"""Feeds a machine piece by piece, and watches what that costs."""

import sys
from collections.abc import Iterable
from typing import Final

from ssh_talk import ENDS, new_machine

from probe.ssh.handshake import Event, Handshake
from probe.ssh.limits import LINE_CAP_OCTETS, PACKET_LENGTH_CAP_OCTETS

LARGEST_UNREAD_OCTETS: Final = max(LINE_CAP_OCTETS, 4 + PACKET_LENGTH_CAP_OCTETS) - 1

ALL_OF_IT: Final = 1 << 20


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
