"""What client and server said to each other, read as far as it can be read in the clear."""

import re
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from typing import Final, NamedTuple

from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.handshake import RANDOM_OCTETS, Event, Handshake
from probe.ssh.identification import Identification, LineBefore
from probe.ssh.kexinit import KexInit, decode_kexinit, negotiate
from probe.ssh.messages import Debug, Disconnect, ExtInfo, Ignore, Message, decode_disconnect
from probe.ssh.packet import read_payload
from probe.ssh.rules import Findings, ProtocolViolation

KEY_EXCHANGE: Final = range(30, 50)
"""Messages of a key exchange method: RFC 4250 §4.1.2."""

_MOST_MESSAGES: Final = 64

_LIKE_IDENTIFICATION: Final = re.compile(rb"^SSH-.*\n", re.MULTILINE)
"""What some client or other may take for a whole identification string."""


class Sent(NamedTuple):
    """What a client said.

    Attributes:
        identification: Its identification string, without the line end.
        messages: The numbers of its packets, in order, the first 64.
        kexinit: Its KEXINIT.
        disconnect: Its DISCONNECT.
    """

    identification: bytes | None = None
    messages: tuple[int, ...] = ()
    kexinit: KexInit | None = None
    disconnect: Disconnect | None = None

    @property
    def guessed(self) -> bool:
        """Whether it guessed the method, and began key exchange before it had seen anything."""
        return self.kexinit is not None and self.kexinit.first_kex_packet_follows

    @property
    def went_on(self) -> bool:
        """Whether it began key exchange."""
        return any(number in KEY_EXCHANGE for number in self.messages)


class Heard(IntEnum):
    """How far a server went."""

    NOTHING = 0
    OCTETS = 1
    IDENTIFICATION = 2
    KEXINIT = 3


def read_client(octets: bytes) -> Sent:
    """Read what a client sent, as far as it makes sense. Never raises."""
    line, end, rest = octets.partition(b"\n")
    if not end:
        return Sent()
    payloads = list(_payloads(rest))
    first = {payload[0]: payload for payload in reversed(payloads)}
    bye = first.get(Message.DISCONNECT)
    return Sent(
        identification=line.removesuffix(b"\r"),
        messages=tuple(payload[0] for payload in payloads),
        kexinit=_kexinit(first.get(Message.KEXINIT)),
        disconnect=None if bye is None else decode_disconnect(bye, Findings()),
    )


def read_server(octets: bytes) -> Heard:
    """Read how far a server went that sent ``octets``. Never raises."""
    if any(isinstance(event, KexInit) for event in _events(octets)):
        return Heard.KEXINIT
    if _LIKE_IDENTIFICATION.search(octets):
        return Heard.IDENTIFICATION
    return Heard.OCTETS if octets else Heard.NOTHING


def share_algorithms(client: KexInit, by_server: bytes) -> bool:
    """Return whether ``client`` could have gone on with the KEXINIT that the server sent."""
    for event in _events(by_server):
        if isinstance(event, KexInit):
            return None not in negotiate(client.algorithms, event.algorithms)
    return False


def _payloads(octets: bytes) -> Iterator[bytes]:
    """Give the payloads of whole packets, none empty, until something makes no sense."""
    buffer = ReceiveBuffer()
    buffer.append(octets)
    with suppress(ProtocolViolation):
        for _ in range(_MOST_MESSAGES):
            payload = read_payload(buffer, len(octets), Findings())
            if payload is None:
                return
            yield payload


def _kexinit(payload: bytes | None) -> KexInit | None:
    if payload is not None:
        with suppress(ProtocolViolation):
            return decode_kexinit(payload, Findings())
    return None


def _events(octets: bytes) -> Iterator[Event]:
    """Give what a client makes of a server's octets, up to KEXINIT or what ends it."""
    machine = Handshake(b"suite", bytes(RANDOM_OCTETS))
    if octets:
        machine.receive_octets(octets)
    while (event := machine.next_event()) is not None:
        yield event
        if not isinstance(event, LineBefore | Identification | Ignore | Debug | ExtInfo):
            return
