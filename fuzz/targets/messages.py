"""Any payload, in a lawful packet, is a message, or refused as the slow reading has it."""

from struct import pack

import reference
from ssh_pieces import IDENTIFICATION, packet
from ssh_talk import hear

from fuzz.cuts import cut, payloads_in
from probe.ssh.kexinit import OFFER
from probe.ssh.messages import Disconnect, decode_disconnect
from probe.ssh.rules import Findings


def one_input(data: bytes) -> None:
    """Send ``data`` as payloads, each after an octet that gives its length; 255: all the rest."""
    payloads = list(payloads_in(data))
    said = IDENTIFICATION + b"".join(map(packet, payloads))
    heard, slow = hear(said, eof=True), reference.Reading(said, OFFER)
    assert heard.events == slow.events
    assert heard.findings == slow.findings
    assert hear(cut(said), eof=True).events == heard.events
    for payload in payloads:
        encode_and_decode(payload)


def encode_and_decode(text: bytes) -> None:
    """What a DISCONNECT says is what was put in; cut anywhere, it says less and nothing else."""
    whole = b"\1" + pack(">II", len(text), len(text)) + text + pack(">I", 2) + b"en"
    findings = Findings()
    assert decode_disconnect(whole, findings) == Disconnect(len(text), text)
    assert not findings.seen()
    for end in (1, 3, 5, 8, len(whole) // 2, len(whole) - 1):
        seen = decode_disconnect(whole[:end], findings)
        assert seen.reason_code in (None, len(text))
        assert seen.description in (b"", text)
        assert findings.seen()
