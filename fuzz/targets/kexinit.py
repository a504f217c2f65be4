"""A KEXINIT is read whole or refused as the slow reading has it, known or new, and writes back."""

from hashlib import md5

import reference
from ssh_pieces import IDENTIFICATION, packet
from ssh_talk import plain

from fuzz.readers import read_offer
from probe.ssh.kexinit import OFFER, KexInit, encode_kexinit, hassh_server, negotiate
from probe.ssh.rules import FINDINGS, Subject

CODES = {rule.code for rule in FINDINGS if rule.subject is Subject.KEXINIT}
JUDGED_BY_THE_MACHINE = {"strict-kex-absent", "no-common-algorithm"}


def one_input(data: bytes) -> None:
    """Read what follows the message number, twice: the second time it may be known."""
    payload = b"\x14" + data
    seen, findings = read_offer(payload)
    assert read_offer(payload) == (seen, findings)
    slow = reference.Reading(IDENTIFICATION + packet(payload), OFFER)
    assert plain(seen) == slow.events[-1]
    if isinstance(seen, KexInit):
        assert findings == slow.findings & CODES - JUDGED_BY_THE_MACHINE
        common = None not in negotiate(OFFER, seen.algorithms)
        assert common is ("no-common-algorithm" not in slow.findings)
        encode_and_decode(seen, payload)


def encode_and_decode(seen: KexInit, payload: bytes) -> None:
    """Its lists write back as they came, and hasshServer is of what was on the wire."""
    written = encode_kexinit(seen.cookie, seen.algorithms)
    assert written[:-5] == payload[:-5]
    assert read_offer(written)[0] == KexInit(seen.cookie, seen.algorithms, False, 0)  # noqa: FBT003
    lists = [b",".join(seen.algorithms[index]) for index in (0, 3, 5, 7)]
    digest = md5(b";".join(lists), usedforsecurity=False).hexdigest()
    assert hassh_server(seen.algorithms) == digest
