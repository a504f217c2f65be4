"""Other people's parsers, without their sockets: asyncssh's and paramiko's."""

from typing import Any, NamedTuple, cast

from asyncssh.connection import SSHClientConnection
from asyncssh.packet import SSHPacket
from paramiko import Message, Transport
from ssh_talk import ENDS, codes, new_machine

from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.handshake import Violation
from probe.ssh.identification import Identification
from probe.ssh.kexinit import KexInit
from probe.ssh.limits import HANDSHAKE_CAP_OCTETS
from probe.ssh.packet import read_payload
from probe.ssh.rules import Findings, ProtocolViolation

DISCONNECT, KEXINIT = 1, 20

NOT_ASCII = "identification-not-ascii"
"""No rule of ours: RFC 4253 §4.2 does not say in what characters comments are written."""

Offer = tuple[tuple[bytes, ...], ...]
"""The eight lists of algorithms of a KEXINIT."""


class Heard(NamedTuple):
    """What a client made of a conversation, up to KEXINIT or DISCONNECT.

    Attributes:
        identification: The identification string.
        payloads: Of packets, message number included.
        offer: The name-lists of KEXINIT.
        refused: Whether it gave the conversation up.
    """

    identification: bytes | None
    payloads: tuple[bytes, ...]
    offer: Offer | None
    refused: bool


# Ours. -------------------------------------------------------------------------------------------


def we_hear(data: bytes) -> tuple[Heard, set[str]]:
    """Hear it, and note the codes of all that was odd."""
    machine, found, rest = new_machine(), set[str](), data
    identification: bytes | None = None
    offer: Offer | None = None
    if data:
        machine.receive_octets(data)
    while machine.state not in ENDS and (event := machine.next_event()) is not None:
        if isinstance(event, Identification):
            identification, rest = event.octets, machine.unread_octets(len(data))
        elif isinstance(event, KexInit):
            offer = tuple(event.algorithms[:8])
        elif isinstance(event, Violation):
            found.add(event.finding.rule.code)
    if identification is not None and not identification.isascii():
        found.add(NOT_ASCII)
    payloads = _payloads(rest) if identification is not None else ()
    refused = bool(found - {NOT_ASCII})
    return Heard(identification, payloads, offer, refused), found | codes(machine)


def _payloads(octets: bytes) -> tuple[bytes, ...]:
    buffer, payloads = ReceiveBuffer(), list[bytes]()
    buffer.append(octets)
    try:
        while payload := read_payload(buffer, HANDSHAKE_CAP_OCTETS, Findings()):
            payloads.append(payload)
            if payload[0] in (DISCONNECT, KEXINIT):
                break
    except ProtocolViolation:
        pass
    return tuple(payloads)


# asyncssh. ---------------------------------------------------------------------------------------


class _OverError(BaseException):
    """The part of the conversation that is compared is over; asyncssh must not catch it."""


class _RefusedError(_OverError):
    """asyncssh gives the conversation up."""


_ORDER_OF_NOTES = (0, 1, 2, 5, 3, 6, 4, 7)
"""It tells of all that goes to the server before all that goes to the client."""


class _Notes:
    """Stands where asyncssh has its logger, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[object, ...]]] = []

    def debug1(self, message: str, *arguments: object) -> None:
        self.told.append((message, arguments))

    debug2 = debug1

    def offer(self) -> Offer | None:
        """The lists of algorithms that it was told of; ``None`` if of none."""
        told = [arguments[0] for message, arguments in self.told if " algs: %s" in message]
        lists = [tuple(names) if isinstance(names, list) else () for names in told]
        return tuple(lists[index] for index in _ORDER_OF_NOTES) if lists else None


class _Client(SSHClientConnection):
    """A client of asyncssh's of which the parsers live, and nothing else."""

    def __init__(self) -> None:  # not asyncssh's, which wants an event loop
        vars(self).update(
            dict.fromkeys(("_inpbuf", "_packet", "_server_version", "_session_id"), b"")
            | dict.fromkeys(("_pktlen", "_banner_lines", "_recv_seq", "_recv_macsize"), 0)
            | dict.fromkeys(("_server", "_strict_kex", "_auth_complete", "_gss_kex"), False)
            | dict.fromkeys(("_recv_encryption", "_decompressor", "_kex", "_gss", "_auth"))
            | {name: [] for name in ("_kex_algs", "_server_host_key_algs")}
            | {"_recv_blocksize": 8, "_max_recv_pktlen": HANDSHAKE_CAP_OCTETS, "_extra": {}}
            | {"_recv_handler": self._recv_version, "_transport": True, "_kexinit_sent": True},
        )
        self.notes = _Notes()
        self.identification: bytes | None = None
        self.payloads: list[bytes] = []

    @property
    def logger(self) -> Any:  # noqa: ANN401 - it is told as asyncssh's own would be
        return self.notes

    def process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> bool:
        """Read KEXINIT, and let whatever may come before it pass."""
        self.payloads.append(packet.get_full_payload())
        if pkttype == KEXINIT:
            self._process_kexinit(pkttype, pktid, packet).send(None)
        if pkttype == DISCONNECT:
            raise _OverError
        return True

    def log_received_packet(self, *_: object) -> None:
        pass

    def _send_kexinit(self) -> None:
        self.identification = self._server_version

    def _choose_alg(self, *_: object) -> bytes:
        raise _OverError

    def _force_close(self, exc: Exception | None) -> None:
        raise _RefusedError from exc

    def internal_error(self, *_: object) -> None:
        raise _RefusedError

    def _send_disconnect(self, *_: object) -> None:
        raise _RefusedError


def asyncssh_hears(data: bytes) -> Heard:
    """Hear it as asyncssh does."""
    client, refused = _Client(), False
    try:
        client.data_received(data)
    except _RefusedError:
        refused = True
    except _OverError:
        pass
    return Heard(
        client.identification,
        tuple(client.payloads),
        client.notes.offer(),
        refused,
    )


# paramiko. ---------------------------------------------------------------------------------------


def paramiko_reads_offer(payload: bytes) -> Offer | None:
    """Read a KEXINIT as paramiko does; ``None`` if it cannot."""
    reader = cast("Any", Transport)._really_parse_kex_init  # noqa: SLF001 - the parser, alone
    try:
        members = reader(None, Message(payload), ignore_first_byte=True)
    except UnicodeDecodeError:
        return None
    lists = [names for names in members.values() if isinstance(names, list)]
    return tuple(() if names == [""] else tuple(map(str.encode, names)) for names in lists[:8])
