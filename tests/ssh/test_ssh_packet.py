"""RFC 4253 §6: the binary packet protocol in the clear."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.ssh import rules
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.packet import encode_packet, padding_length, read_payload
from probe.ssh.rules import Finding, Findings, ProtocolViolation

ROOM = 1 << 20


def read(octets: bytes, room_octets: int = ROOM) -> tuple[bytes | None, set[str], bytes]:
    """The payload of one packet, its findings, and the octets that are left."""
    buffer = ReceiveBuffer()
    buffer.append(octets)
    findings = Findings()
    payload = read_payload(buffer, room_octets, findings)
    return payload, {finding.rule.code for finding in findings.seen()}, buffer.peek(ROOM)


def refusal(octets: bytes, room_octets: int = ROOM) -> Finding:
    with pytest.raises(ProtocolViolation) as raised:
        read(octets, room_octets)
    return raised.value.finding


# R20, R22, R23, R24: lawful packets.
@pytest.mark.parametrize(
    ("octets", "payload"),
    [
        (b"\0\0\0\x0c\x0a\x02" + bytes(10), b"\x02"),
        (b"\0\0\0\x0c\x04\x02abcdef" + bytes(4), b"\x02abcdef"),
        (b"\0\0\x01\x04\xff\x02abc" + bytes(255), b"\x02abc"),  # K10
        (b"\0\0\x80\x0c\x0b\x02" + bytes(32767 + 11), b"\x02" + bytes(32767)),
        (b"\0\0\x88\xb4\x04\x02" + bytes(34994), b"\x02" + bytes(34990)),
    ],
    ids=["smallest", "least-padding", "most-padding", "payload-32768", "packet-35000"],
)
def test_lawful_packet(octets: bytes, payload: bytes) -> None:
    assert read(octets + b"rest") == (payload, set(), b"rest")


# K30, R24: longer than the law is odd, up to the cap.
@pytest.mark.parametrize("length", [35004, 262140])
def test_packet_longer_than_the_law(length: int) -> None:
    octets = length.to_bytes(4) + b"\x04\x02" + bytes(length - 2)
    assert read(octets) == (octets[5:-4], {"packet-over-35000"}, b"")


# K02: what is not there yet is waited for, and nothing is taken.
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 15])
def test_packet_that_is_not_whole(count: int) -> None:
    begun = (b"\0\0\0\x0c\x0a\x02" + bytes(10))[:count]
    assert read(begun) == (None, set(), begun)


# K05-K09, K11, R21-R24: headers that cannot be, judged before the octets that they announce come.
@pytest.mark.parametrize(
    ("header", "rule", "detail"),
    [
        (b"\0\0\0\0", rules.PACKET_LENGTH_SHORT, "packet_length 0"),
        (b"\0\0\0\x01", rules.PACKET_LENGTH_SHORT, "packet_length 1"),
        (b"\0\0\0\x04", rules.PACKET_LENGTH_SHORT, "packet_length 4"),
        (b"\0\0\0\x0b", rules.PACKET_LENGTH_SHORT, "packet_length 11"),
        (b"\xff\xff\xff\xff", rules.PACKET_LENGTH_LONG, "packet_length 4294967295"),
        (b"\x80\0\0\0", rules.PACKET_LENGTH_LONG, "packet_length 2147483648"),
        (b"\0\x04\0\x01", rules.PACKET_LENGTH_LONG, "packet_length 262145"),
        (b"\0\x04\0\x04", rules.PACKET_LENGTH_LONG, "packet_length 262148"),
        (b"\0\x04\0\0", rules.PACKET_LENGTH_MISALIGNED, "packet_length 262144"),
        (b"\0\0\x88\xb9", rules.PACKET_LENGTH_MISALIGNED, "packet_length 35001"),
        (b"\0\0\0\x0d", rules.PACKET_LENGTH_MISALIGNED, "packet_length 13"),
        (b"\0\0\0\x10", rules.PACKET_LENGTH_MISALIGNED, "packet_length 16"),
        (b"\0\0\0\x0c\0", rules.PADDING_SHORT, "packet_length 12, padding_length 0"),
        (b"\0\0\0\x0c\x03", rules.PADDING_SHORT, "packet_length 12, padding_length 3"),
        (b"\0\0\0\x0c\x0b", rules.PAYLOAD_EMPTY, "packet_length 12, padding_length 11"),
        (b"\0\0\0\x0c\x0c", rules.PADDING_LONG, "packet_length 12, padding_length 12"),
        (b"\0\0\0\x0c\xff", rules.PADDING_LONG, "packet_length 12, padding_length 255"),
        (b"hell", rules.TEXT_INSTEAD_OF_PACKET, b"hell"),
        (b"\r\nHT", rules.TEXT_INSTEAD_OF_PACKET, b"\r\nHT"),
        (b" ~\t!", rules.TEXT_INSTEAD_OF_PACKET, b" ~\t!"),
        (b"hel\x7f", rules.PACKET_LENGTH_LONG, "packet_length 1751477375"),
        (b"hel\x1f", rules.PACKET_LENGTH_LONG, "packet_length 1751477279"),
    ],
)
def test_refused_header(header: bytes, rule: rules.Rule, detail: str | bytes) -> None:
    assert refusal(header) == Finding(rule, detail)


# Law 1: a packet for which there is no room is not waited for.
def test_room() -> None:
    octets = b"\0\0\0\x14\x0b\x02" + bytes(18)
    assert read(octets, room_octets=24) == (octets[5:-11], set(), b"")
    finding = Finding(rules.TOO_MANY_OCTETS, "packet_length 20")
    assert refusal(octets[:5], room_octets=23) == finding


@pytest.mark.parametrize(
    ("payload", "packet"),
    [
        (b"\x02", b"\0\0\0\x0c\x0a\x02ABCDEFGHIJ"),
        (b"\x02123456", b"\0\0\0\x0c\x04\x02123456ABCD"),
        (b"\x021234567", b"\0\0\0\x14\x0b\x021234567ABCDEFGHIJK"),
    ],
)
def test_encode_packet(payload: bytes, packet: bytes) -> None:
    assert encode_packet(payload, b"ABCDEFGHIJKL") == packet


# R21, R22: the least number from 4 on that fills up a multiple of 8.
@pytest.mark.parametrize("payload_octets", range(1, 18))
def test_padding_length(payload_octets: int) -> None:
    fitting = [n for n in range(4, 12) if (4 + 1 + payload_octets + n) % 8 == 0]
    assert [padding_length(payload_octets)] == fitting


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2000), st.binary(min_size=11, max_size=11))
def test_packet_read_after_written_is_itself(payload: bytes, padding: bytes) -> None:
    packet = encode_packet(payload, padding)
    assert len(packet) % 8 == 0
    assert read(packet) == (payload, set(), b"")
