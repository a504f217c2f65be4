"""However it is cut, a packet is its payload, waited for, or refused as §6 has it; none is lost."""

from fuzz.cuts import cut
from fuzz.readers import read_packets, read_packets_slowly
from probe.ssh.limits import HANDSHAKE_CAP_OCTETS
from probe.ssh.packet import encode_packet, padding_length


def one_input(data: bytes) -> None:
    """Read packets, whole and cut, with all the room there is and with too little."""
    for room in (HANDSHAKE_CAP_OCTETS, len(data) // 2):
        expected = read_packets_slowly(data, room)
        assert read_packets([data], room) == expected
        assert read_packets(cut(data), room) == expected
    for payload in read_packets_slowly(data, HANDSHAKE_CAP_OCTETS)[0]:
        packet = encode_packet(payload, b"fills it up")
        assert len(packet) % 8 == 0
        assert 4 <= padding_length(len(payload)) == packet[4] < 12
        assert read_packets([packet], HANDSHAKE_CAP_OCTETS) == ([payload], "", b"")
