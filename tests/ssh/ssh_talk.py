"""Feeds the machine and writes down what it says, as plain tuples like those of ``reference``."""

from collections.abc import Iterable
from itertools import count
from typing import Final, NamedTuple

from probe.ssh.handshake import (
    LARGEST_HANDSHAKE_OCTETS,
    Closed,
    Event,
    Handshake,
    State,
    Violation,
)
from probe.ssh.identification import Identification, LineBefore
from probe.ssh.kexinit import KexInit
from probe.ssh.messages import Debug, Disconnect, ExtInfo, Ignore

SOFTWAREVERSION: Final = b"tester_1"
RANDOM: Final = b"sixteen random octets, and more."

NAMES: Final[dict[type[Event], str]] = {
    LineBefore: "line-before",
    Identification: "identification",
    Ignore: "ignore",
    Debug: "debug",
    ExtInfo: "ext-info",
    Disconnect: "disconnect",
    KexInit: "kexinit",
    Violation: "violation",
    Closed: "closed",
}

ENDS: Final = frozenset((State.COMPLETE, State.DISCONNECTED, State.VIOLATED, State.CLOSED))


class Heard(NamedTuple):
    """What a machine made of a conversation.

    Attributes:
        events: Plain tuples; an end comes last and once.
        findings: Codes.
        machine: As the conversation left it.
    """

    events: list[tuple[object, ...]]
    findings: set[str]
    machine: Handshake

    @property
    def outcome(self) -> str:
        """The code of the violation, or the state."""
        if self.machine.state is State.VIOLATED:
            return str(self.events[-1][1])
        return str(self.machine.state.value)


def new_machine() -> Handshake:
    """A client that has heard nothing."""
    return Handshake(SOFTWAREVERSION, RANDOM)


def hear(octets: bytes | Iterable[bytes], *, eof: bool = False) -> Heard:
    """Feed a new machine, one piece after the other, and ask it for events after each."""
    machine = new_machine()
    events: list[tuple[object, ...]] = []
    for piece in [octets] if isinstance(octets, bytes) else octets:
        if piece:
            machine.receive_octets(piece)
        events += _events(machine)
    if eof:
        machine.receive_eof()
        events += _events(machine)
    return Heard(events, codes(machine), machine)


def flood(first: bytes, again: bytes, octets_a_read: int) -> Handshake:
    """Feed a new machine ``first``, then ``again`` for ever, until it ends.

    It is given as many octets as it may take at the most. Should it want more, there are none,
    and it refuses to be given none.
    """
    times = 1 + LARGEST_HANDSHAKE_OCTETS // len(again)
    octets = (first + again * times)[:LARGEST_HANDSHAKE_OCTETS]
    machine = new_machine()
    for begin in count(0, octets_a_read):
        machine.receive_octets(octets[begin : begin + octets_a_read])
        while machine.state not in ENDS and machine.next_event() is not None:
            pass
        if machine.state in ENDS:
            break
    return machine


def codes(machine: Handshake) -> set[str]:
    """The codes of the machine's findings."""
    return {finding.rule.code for finding in machine.findings()}


def plain(event: Event) -> tuple[object, ...]:
    """An event as a tuple of its name and its fields; a violation is its code."""
    if isinstance(event, Violation):
        return ("violation", event.finding.rule.code)
    return (NAMES[type(event)], *event)


def _events(machine: Handshake) -> Iterable[tuple[object, ...]]:
    while machine.state not in ENDS:
        event = machine.next_event()
        if event is None:
            return
        yield plain(event)
