"""Any payload, in a lawful packet, is a message, or refused as the slow reading has it."""

from collections.abc import Iterator
from struct import pack

import reference
from ssh_pieces import IDENTIFICATION, packet
from ssh_talk import hear

from fuzz.cuts import cut
from probe.ssh.kexinit import OFFER
from probe.ssh.messages import Disconnect, decode_disconnect
from probe.ssh.rules import Findings


def one_input(data: bytes) -> None:
    """Send ``data`` as payloads, each after an octet that gives its length; 255: all the rest."""
    payloads = list(split(data))
    said = IDENTIFICATION + b"".join(packet(payload) for payload in payloads)
    heard, slow = hear(said, eof=True), reference.Reading(said, OFFER)
    assert heard.events == slow.events
    assert heard.findings == slow.findings
    assert hear(cut(said), eof=True).events == heard.events
    for payload in payloads:
        encode_and_decode(payload)


def split(data: bytes) -> Iterator[bytes]:
    """Give the payloads. None is empty: that is a matter of packets."""
    while data:
        end = len(data) if data[0] == 255 else 1 + data[0]
        if data[1:end]:
            yield data[1:end]
        data = data[end:]


def encode_and_decode(text: bytes) -> None:
    """What a DISCONNECT says is what was put in; cut anywhere, it says less and nothing else."""
    fields = (b"\1", pack(">I", len(text)), pack(">I", len(text)) + text, pack(">I", 2) + b"en")
    whole = b"".join(fields)
    findings = Findings()
    assert decode_disconnect(whole, findings) == Disconnect(len(text), text)
    assert not findings.seen()
    for end in {len(b"".join(fields[:count])) for count in (1, 2, 3)} | {len(whole) // 2}:
        seen = decode_disconnect(whole[: max(end, 1)], findings)
        assert seen.reason_code in (None, len(text))
        assert seen.description in (b"", text)
        assert findings.seen()
