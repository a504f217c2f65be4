"""The binary packet protocol in the clear: RFC 4253 §6, before any key is agreed."""

import re
from typing import Final

from probe.ssh import limits, rules
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.rules import Findings, ProtocolViolation
from probe.ssh.wire import UINT32

_HEADER_OCTETS: Final = UINT32.size + 1
_TEXT: Final = re.compile(rb"[\t\r\n -~]{4}")


def read_payload(buffer: ReceiveBuffer, room_octets: int, findings: Findings) -> bytes | None:
    """Take one packet off the buffer.

    A header is judged as soon as its octets are there, so that no announced length is waited for
    that will not be accepted.

    Args:
        buffer: Begins where a packet begins.
        room_octets: What the handshake may still take.
        findings: Where deviations are noted.

    Returns:
        The payload, never empty; ``None`` while octets are missing.

    Raises:
        ProtocolViolation: packet_length or padding_length is impossible, or beyond a cap of ours.

    Source:
        RFC 4253 §6, §6.1.
    """
    header = buffer.peek(_HEADER_OCTETS)
    if len(header) < UINT32.size:
        return None
    packet_length = _packet_length(header[: UINT32.size])
    if len(header) < _HEADER_OCTETS:
        return None
    padding = header[UINT32.size]
    _judge_padding(packet_length, padding)
    if UINT32.size + packet_length > room_octets:
        raise ProtocolViolation(rules.TOO_MANY_OCTETS, f"packet_length {packet_length}")
    packet = buffer.take_exactly(UINT32.size + packet_length)
    if packet is None:
        return None
    if len(packet) > limits.PACKET_LAW_OCTETS:
        findings.note(rules.PACKET_OVER_LAW, f"{len(packet)} octets")
    return packet[_HEADER_OCTETS : len(packet) - padding]


def padding_length(payload_octets: int) -> int:
    """Return the least padding for a payload in the clear (RFC 4253 §6): 4 to 11 octets."""
    unpadded = _HEADER_OCTETS + payload_octets + limits.PADDING_LEAST_OCTETS
    return limits.PADDING_LEAST_OCTETS + -unpadded % limits.PACKET_BLOCK_OCTETS


def encode_packet(payload: bytes, padding: bytes) -> bytes:
    """Wrap ``payload`` in a packet.

    Args:
        payload: At least a message number.
        padding: ``padding_length(len(payload))`` random octets. More are not used; of fewer, the
            packet lacks the rest.
    """
    count = padding_length(len(payload))
    length = 1 + len(payload) + count
    return UINT32.pack(length) + bytes((count,)) + payload + padding[:count]


def _packet_length(field: bytes) -> int:
    length = int.from_bytes(field)
    if length > limits.PACKET_LENGTH_CAP_OCTETS:  # as four letters are
        if _TEXT.fullmatch(field):
            raise ProtocolViolation(rules.TEXT_INSTEAD_OF_PACKET, field)
        raise ProtocolViolation(rules.PACKET_LENGTH_LONG, f"packet_length {length}")
    if length < limits.PACKET_LENGTH_LEAST:
        raise ProtocolViolation(rules.PACKET_LENGTH_SHORT, f"packet_length {length}")
    if (length + UINT32.size) % limits.PACKET_BLOCK_OCTETS:
        raise ProtocolViolation(rules.PACKET_LENGTH_MISALIGNED, f"packet_length {length}")
    return length


def _judge_padding(packet_length: int, padding: int) -> None:
    if limits.PADDING_LEAST_OCTETS <= padding < packet_length - 1:
        return
    detail = f"packet_length {packet_length}, padding_length {padding}"
    if padding < limits.PADDING_LEAST_OCTETS:
        raise ProtocolViolation(rules.PADDING_SHORT, detail)
    if padding >= packet_length:
        raise ProtocolViolation(rules.PADDING_LONG, detail)
    raise ProtocolViolation(rules.PAYLOAD_EMPTY, detail)
