"""The handshake as a machine: octets in, events out; no socket, no clock.

Theory of operation
===================

The server speaks in two stages, and the machine has a state for each.

``IDENTIFICATION``
    Lines come (RFC 4253 §4.2). The first that begins with ``SSH-`` is the identification string;
    any number of other lines may come before it. Our own identification string may go out at
    once, since neither side has to wait (§4.2), and some servers wait for it.

``KEXINIT``
    Packets come (§6, in the clear, because no keys exist yet). The one that is waited for is
    KEXINIT (§7.1). IGNORE and DEBUG may come before it (§11.2, §11.3), EXT_INFO may not but does
    no harm (RFC 8308 §2.4), and DISCONNECT ends everything (§11.1). Our own KEXINIT goes out when
    this state begins, because some servers wait for that, too.

The other states are ends. What is not in ``TRANSITIONS`` cannot happen: the readers refuse every
message but those above, so an unexpected message is a violation, not a transition. What follows
KEXINIT is not read: a prober stops there.

It always ends
==============

Each octet counts against ``limits.HANDSHAKE_CAP_OCTETS`` when its line is taken or its packet is
announced; what does not yet count is at most one line, and a line has a cap of its own. So a
machine that has been given ``LARGEST_HANDSHAKE_OCTETS`` has ended, and since
``receive_octets`` takes at least one octet, so has one that has been fed that many times.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from probe.ssh import kexinit, limits, messages, packet, rules
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.identification import Identification, LineBefore, encode_identification, read_line
from probe.ssh.kexinit import KexInit
from probe.ssh.messages import Debug, Disconnect, ExtInfo, Ignore, Message
from probe.ssh.rules import Finding, Findings, ProtocolViolation

LARGEST_HANDSHAKE_OCTETS: Final = limits.HANDSHAKE_CAP_OCTETS + limits.LINE_CAP_OCTETS
"""No handshake takes more octets, so none takes more non-empty reads."""

_COOKIE: Final = bytes(range(limits.COOKIE_OCTETS))
_OFFER: Final = kexinit.encode_kexinit(_COOKIE)
_PADDING_OCTETS: Final = packet.padding_length(len(_OFFER))
_BEFORE_COOKIE, _, _AFTER_COOKIE = packet.encode_packet(_OFFER, b"").partition(_COOKIE)
"""Our KEXINIT in its packet without padding: but for what is random, always the same."""

RANDOM_OCTETS: Final = limits.COOKIE_OCTETS + _PADDING_OCTETS
"""What a handshake needs of randomness: the cookie, and the padding of our KEXINIT."""


class State(StrEnum):
    """What the machine waits for, or how it ended."""

    IDENTIFICATION = "identification"
    KEXINIT = "kexinit"
    COMPLETE = "complete"
    DISCONNECTED = "disconnected"
    VIOLATED = "violated"
    CLOSED = "closed"


class Violation(NamedTuple):
    """The server broke a rule that the handshake cannot survive."""

    finding: Finding


class Closed(NamedTuple):
    """The server ended its stream before KEXINIT was complete."""


Event = (
    LineBefore
    | Identification
    | Ignore
    | Debug
    | ExtInfo
    | Disconnect
    | KexInit
    | Violation
    | Closed
)

TRANSITIONS: Final[Mapping[tuple[State, type[Event]], State]] = MappingProxyType(
    {
        (State.IDENTIFICATION, LineBefore): State.IDENTIFICATION,  # RFC 4253 §4.2
        (State.IDENTIFICATION, Identification): State.KEXINIT,  # RFC 4253 §4.2
        (State.IDENTIFICATION, Violation): State.VIOLATED,
        (State.IDENTIFICATION, Closed): State.CLOSED,
        (State.KEXINIT, Ignore): State.KEXINIT,  # RFC 4253 §11.2
        (State.KEXINIT, Debug): State.KEXINIT,  # RFC 4253 §11.3
        (State.KEXINIT, ExtInfo): State.KEXINIT,  # RFC 8308 §2.4, with a finding
        (State.KEXINIT, Disconnect): State.DISCONNECTED,  # RFC 4253 §11.1
        (State.KEXINIT, KexInit): State.COMPLETE,  # RFC 4253 §7.1
        (State.KEXINIT, Violation): State.VIOLATED,
        (State.KEXINIT, Closed): State.CLOSED,
    },
)

_Decoder = Callable[[bytes, Findings], Ignore | Debug | ExtInfo | Disconnect | KexInit]

DECODERS: Final[Mapping[int, _Decoder]] = MappingProxyType(
    {
        Message.DISCONNECT: messages.decode_disconnect,
        Message.IGNORE: messages.decode_ignore,
        Message.DEBUG: messages.decode_debug,
        Message.EXT_INFO: messages.decode_ext_info,
        Message.KEXINIT: kexinit.decode_offer,
    },
)
"""The messages that may come before KEXINIT, and it; every other number is a violation."""


class Handshake:
    """One handshake with one server, as a client that stops at KEXINIT.

    Feed it with ``receive_octets`` and ``receive_eof``, ask it with ``next_event`` until it says
    ``None``, send what ``octets_to_send`` returns. It ends after at most
    ``LARGEST_HANDSHAKE_OCTETS`` octets, and then gives the same event for ever.

    Args:
        softwareversion: Ours: printable US-ASCII without space and minus.
        random_octets: ``RANDOM_OCTETS`` octets that nobody can predict.
    """

    __slots__ = (
        "_buffer",
        "_closed",
        "_end",
        "_findings",
        "_outgoing",
        "_random",
        "_units",
        "state",
    )

    def __init__(self, softwareversion: bytes, random_octets: bytes) -> None:
        self.state = State.IDENTIFICATION
        self._buffer = ReceiveBuffer()
        self._closed = False
        self._end: Event | None = None
        self._findings = Findings()
        self._outgoing = encode_identification(softwareversion)
        self._random = random_octets
        self._units = 0  # lines or packets taken in this state

    def receive_octets(self, octets: bytes) -> None:
        """Take octets that came. They must not be empty: an end is ``receive_eof``."""
        if not octets:
            message = "no octets: say receive_eof() when the stream ends"
            raise ValueError(message)
        self._buffer.append(octets)

    def receive_eof(self) -> None:
        """Take note that no more octets come. A second call changes nothing."""
        self._closed = True

    def octets_to_send(self) -> bytes:
        """Return what must be sent now, once; empty if there is nothing new."""
        outgoing, self._outgoing = self._outgoing, b""
        return outgoing

    def next_event(self) -> Event | None:
        """Return what happened next.

        Returns:
            An event; ``None`` while octets are missing; after an end that end again.
        """
        if self._end is not None:
            return self._end
        try:
            event = READERS[self.state](self)
        except ProtocolViolation as violation:
            event = Violation(violation.finding)
        if event is None:
            if not self._closed:
                return None
            event = Closed()
        self.state = TRANSITIONS[self.state, type(event)]
        if isinstance(event, Identification):
            self._begin_kexinit()
        elif self.state not in READERS:
            self._end = event
        return event

    def findings(self) -> tuple[Finding, ...]:
        """Return the deviations noted so far, the first of each kind."""
        return self._findings.seen()

    def unread_octets(self, most: int) -> bytes:
        """Return up to ``most`` octets that came and belong to no event: a peer's last words."""
        return self._buffer.peek(most)

    def _begin_kexinit(self) -> None:
        self._units = 0
        cookie = self._random[: limits.COOKIE_OCTETS]
        padding = self._random[limits.COOKIE_OCTETS : RANDOM_OCTETS]
        self._outgoing += _BEFORE_COOKIE + cookie + _AFTER_COOKIE + padding

    def _read_line(self) -> LineBefore | Identification | None:
        line = read_line(self._buffer, self._findings)
        if self._room_octets() < 0:
            raise ProtocolViolation(rules.TOO_MANY_OCTETS)
        if isinstance(line, LineBefore):
            self._count_line()
        return line

    def _count_line(self) -> None:
        self._units += 1
        if self._units >= limits.LINES_CAP:
            raise ProtocolViolation(rules.TOO_MANY_LINES)
        if self._units > limits.LINES_BEFORE_COMMON:
            self._findings.note(rules.LINES_BEFORE_MANY)

    def _read_packet(self) -> Ignore | Debug | ExtInfo | Disconnect | KexInit | None:
        payload = packet.read_payload(self._buffer, self._room_octets(), self._findings)
        if payload is None:
            return None
        event = _decode(payload, self._findings)
        if isinstance(event, KexInit):
            self._judge_order(event)
        elif not isinstance(event, Disconnect):
            self._count_packet()
        return event

    def _judge_order(self, offer: KexInit) -> None:
        if self._units and offer.offers_strict_kex:
            self._findings.note(rules.STRICT_KEX_BROKEN)

    def _count_packet(self) -> None:
        self._units += 1
        if self._units >= limits.PACKETS_CAP:
            raise ProtocolViolation(rules.TOO_MANY_PACKETS)

    def _room_octets(self) -> int:
        """Return how many octets the server may still send: below 0 it has sent too many."""
        return limits.HANDSHAKE_CAP_OCTETS - self._buffer.taken_octets


def _decode(payload: bytes, findings: Findings) -> Ignore | Debug | ExtInfo | Disconnect | KexInit:
    number = payload[0]
    decode = DECODERS.get(number)
    if decode is not None:
        return decode(payload, findings)
    if number == Message.UNIMPLEMENTED:
        raise ProtocolViolation(rules.UNIMPLEMENTED_EARLY)
    raise ProtocolViolation(rules.MESSAGE_UNEXPECTED, f"message {number}")


READERS: Final[Mapping[State, Callable[[Handshake], Event | None]]] = MappingProxyType(
    {
        State.IDENTIFICATION: Handshake._read_line,  # noqa: SLF001 - the class's own table
        State.KEXINIT: Handshake._read_packet,  # noqa: SLF001 - the class's own table
    },
)
"""What takes the next event off the buffer. A state without a reader is an end."""
