"""A KEXINIT is read whole or refused as the slow reading has it, known or new, and writes back."""

from hashlib import md5

import reference
from ssh_pieces import IDENTIFICATION, packet
from ssh_talk import plain

from probe.ssh import rules
from probe.ssh.handshake import Violation
from probe.ssh.kexinit import (
    OFFER,
    KexInit,
    decode_kexinit,
    encode_kexinit,
    hassh_server,
    negotiate,
)
from probe.ssh.rules import Findings, ProtocolViolation

CODES = {rule.code for rule in rules.FINDINGS if rule.subject is rules.Subject.KEXINIT}
JUDGED_BY_THE_MACHINE = {rules.STRICT_KEX_ABSENT.code, rules.NO_COMMON_ALGORITHM.code}


def one_input(data: bytes) -> None:
    """Read what follows the message number."""
    payload = b"\x14" + data
    seen, findings = read(payload)
    assert read(payload) == (seen, findings)  # from memory
    other = b"\x14" + bytes(16) + data[16:]
    assert isinstance(read(other)[0], KexInit) is isinstance(seen, KexInit) or len(data) < 16
    slow = reference.Reading(IDENTIFICATION + packet(payload), OFFER)
    assert plain(seen) == slow.events[-1]
    if isinstance(seen, KexInit):
        assert findings == slow.findings & CODES - JUDGED_BY_THE_MACHINE
        common = None not in negotiate(OFFER, seen.algorithms)
        assert common is (rules.NO_COMMON_ALGORITHM.code not in slow.findings)
        encode_and_decode(seen, payload)


def read(payload: bytes) -> tuple[KexInit | Violation, set[str]]:
    """Read it: what it is, and the codes of what was noted."""
    findings = Findings()
    try:
        seen = decode_kexinit(payload, findings)
    except ProtocolViolation as violation:
        return Violation(violation.finding), set()
    return seen, {finding.rule.code for finding in findings.seen()}


def encode_and_decode(seen: KexInit, payload: bytes) -> None:
    """Its lists write back as they came, and hasshServer is of what was on the wire."""
    written = encode_kexinit(seen.cookie, seen.algorithms)
    assert written[:-5] == payload[:-5]
    assert decode_kexinit(written, Findings()) == seen._replace(
        first_kex_packet_follows=False, reserved=0
    )
    lists = [b",".join(seen.algorithms[index]) for index in (0, 3, 5, 7)]
    digest = md5(b";".join(lists), usedforsecurity=False).hexdigest()
    assert hassh_server(seen.algorithms) == digest
