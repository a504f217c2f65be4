"""The machine says what the slow reading says, keeps every octet, ends, and works linearly."""

from zlib import crc32

import reference
from ssh_talk import ENDS, codes, flood, hear, plain

from fuzz.cuts import cut
from fuzz.feeding import ALL_OF_IT, count_calls
from probe.ssh.kexinit import OFFER

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
