"""However it is cut, a packet is its payload, waited for, or refused as §6 has it; none is lost."""

from collections.abc import Iterable

from reference import BrokenRuleError, judged_length, judged_payload_length

from fuzz.cuts import cut
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.limits import HANDSHAKE_CAP_OCTETS
from probe.ssh.packet import encode_packet, padding_length, read_payload
from probe.ssh.rules import Findings, ProtocolViolation

Read = tuple[list[bytes], str, bytes]
"""Payloads, the code of what was refused, and the octets that are left."""


def one_input(data: bytes) -> None:
    """Read packets, whole and cut, with all the room there is and with too little."""
    for room in (HANDSHAKE_CAP_OCTETS, len(data) // 2):
        expected = read_slowly(data, room)
        assert read([data], room) == expected
        assert read(cut(data), room) == expected
    for payload in read_slowly(data, HANDSHAKE_CAP_OCTETS)[0]:
        packet = encode_packet(payload, b"fills it up")
        assert len(packet) % 8 == 0
        assert 4 <= padding_length(len(payload)) == packet[4] < 12
        assert read([packet], HANDSHAKE_CAP_OCTETS) == ([payload], "", b"")


def read(pieces: Iterable[bytes], room: int) -> Read:
    """Read as the machine does."""
    buffer, fed, payloads = ReceiveBuffer(), 0, list[bytes]()
    for piece in pieces:
        buffer.append(piece)
        fed += len(piece)
        try:
            while payload := read_payload(buffer, room - (fed - len(buffer)), Findings()):
                payloads.append(payload)
        except ProtocolViolation as violation:
            rest = b"".join(pieces) if not isinstance(pieces, list) else b""
            return payloads, violation.finding.rule.code, buffer.peek(len(buffer)) + rest
    return payloads, "", buffer.peek(len(buffer))


def read_slowly(octets: bytes, room: int) -> Read:
    """Read by RFC 4253 §6, one field after the other."""
    payloads = list[bytes]()
    try:
        while len(octets) >= 4:
            length = judged_length(octets[:4])
            if len(octets) == 4:
                break
            payload_length = judged_payload_length(length, octets[4])
            if 4 + length > room:
                return payloads, "too-many-octets", octets
            if len(octets) < 4 + length:
                break
            payloads.append(octets[5 : 5 + payload_length])
            octets, room = octets[4 + length :], room - 4 - length
    except BrokenRuleError as broken:
        return payloads, broken.args[0], octets
    return payloads, "", octets
