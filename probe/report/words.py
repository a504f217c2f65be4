"""One wording of what a probe saw, for the line and for the long form."""

from collections.abc import Iterator
from errno import errorcode
from typing import Final

from probe import liveness
from probe.budget import Stage
from probe.evidence import Attempt, CallError, End, Evidence
from probe.ssh.messages import REASONS, Disconnect
from probe.ssh.rules import Finding
from probe.text import escape, quote
from probe.verdict import other_service

QUOTED: Final = 80
"""Characters of a server that a sentence quotes; JSON has more of them."""

ATTEMPTS_SAID: Final = 4
"""Addresses that a sentence names; JSON has all of them."""


def circumstances(evidence: Evidence) -> Iterator[str]:
    """Say what happened in this probe, the most telling first."""
    yield from what_it_said(evidence)
    yield from what_failed(evidence)
    if evidence.tcp is not None and evidence.end is End.DEADLINE:
        yield liveness.say(evidence.tcp)
    elif evidence.tcp is not None and evidence.tcp.keepalive_probes:
        yield f"{evidence.tcp.keepalive_probes} keepalive probes had gone unanswered"
    if evidence.where is not None:
        yield say_where(evidence, evidence.where)


def what_it_said(evidence: Evidence) -> Iterator[str]:
    """Say what the server said that is no good handshake."""
    service = other_service(evidence)
    if service is not None:
        yield f"it speaks {service}"
    if evidence.violation is not None:
        yield say_finding(evidence.violation)
    if evidence.disconnect is not None:
        yield say_disconnect(evidence.disconnect)
    if evidence.last_words:
        yield f"it said {quote(evidence.last_words, QUOTED)}"
    if evidence.packet_octets:
        yield f"{evidence.packet_octets} octets of a packet came"


def what_failed(evidence: Evidence) -> Iterator[str]:
    """Say which calls failed, those to ``connect`` first."""
    failed = [attempt for attempt in evidence.attempts if attempt.errno is not None]
    for attempt in failed[:ATTEMPTS_SAID]:
        yield f"connect to {attempt.address}: {errno_name(attempt.errno)}"
    if len(failed) > ATTEMPTS_SAID:
        yield f"and {len(failed) - ATTEMPTS_SAID} addresses more"
    yield from map(say_error, evidence.errors)
    if evidence.internal_error is not None:
        yield escape(evidence.internal_error)


def say_where(evidence: Evidence, where: Stage) -> str:
    """Say in which stage the probe ended, and whose limit ran out or when that was."""
    time = evidence.stage(evidence.whose)
    if time is None:
        return f"in {where} after {seconds(evidence.spent_s):.3f} s"
    whose = "its limit" if time.stage is where else f"the {time.stage}'s limit"
    return f"in {where}, where {whose} of {time.limit_s:g} s ran out"


def say_finding(finding: Finding) -> str:
    """Name a rule that was broken, its section, and what was seen."""
    detail = f": {escape(finding.detail)}" if finding.detail else ""
    return f"{finding.rule.code} ({finding.rule.section}){detail}"


def say_disconnect(disconnect: Disconnect) -> str:
    """Say why the server disconnected, in its words."""
    code = disconnect.reason_code
    reason = "without a reason" if code is None else f"{code} ({reason_name(disconnect)})"
    return f"DISCONNECT {reason}: {quote(disconnect.description, QUOTED)}"


def say_error(error: CallError) -> str:
    """Name a call that failed, and say how."""
    return f"{error.call}: {escape(error.text) if error.text else errno_name(error.errno)}"


def say_attempt(attempt: Attempt) -> str:
    """Say what came of dialling an address, and how long it took."""
    outcome = attempt.outcome if attempt.errno is None else errno_name(attempt.errno)
    return f"{attempt.address}: {outcome} after {seconds(attempt.spent_s):.3f} s"


def reason_name(disconnect: Disconnect) -> str | None:
    """Return what the reason code of a DISCONNECT means; ``None`` if it has none."""
    code = disconnect.reason_code
    return None if code is None else REASONS.get(code, "unknown reason")


def errno_name(errno: int | None) -> str | None:
    """Return the errno's name, or its number if it has none here."""
    return None if errno is None else errorcode.get(errno, str(errno))


def seconds(value: float) -> float:
    """Round to a microsecond: as JSON has it, so that both faces say the same."""
    return round(value, 6)
