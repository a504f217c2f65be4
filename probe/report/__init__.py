"""The report of a probe: its verdict and its evidence, as one line and as JSON.

The JSON is an object with these members; ``schema`` changes when one of them changes its
meaning. Text of a peer is escaped by ``probe.text.escape`` and capped.

==================  =============================================================================
schema              ``"sshprobe-report-1"``
target              ``"host:port"``, or ``"stream"`` for a stream of the caller's
host, port          its parts; ``""`` and 0 for a stream
verdict, state      the answer, and what a monitor shows: ok, warning, unknown, critical
sentence            what the verdict means, and where to look next
where               innermost stage that ran when the probe ended; null after success
whose               stage whose limit ran out; null if none did
spent_s             seconds, as all members in ``_s``
stages              of each stage that began: stage, began_s, spent_s, limit_s, completed
error               what went wrong in this probe, in a few words; null after success
address             numeric address that answered, or null
addresses           what the name resolved to
attempts            of each address dialled: address, began_s, spent_s, outcome, errno
lines_before        first lines before the identification string, and the last
lines_before_count  how many there were
identification      null, or text, protoversion, softwareversion, comments
kexinit             null, or the fields of RFC 4253 §7.1 with strict_kex, hassh_server, negotiated
messages_before     how many messages came before KEXINIT
disconnect          null, or reason_code, reason, description
violation           null, or the broken rule that ended the handshake, like a finding
findings            of each deviation: code, section, sentence, detail
errors              of each failed call but connect: call, errno, text
last_words          what the server said last that was not SSH, or null
tcp                 what the kernel knew at the end, or null: the fields of probe.evidence.TcpInfo
octets              sent, received, first_s, last_s
==================  =============================================================================
"""

from collections.abc import Iterator
from errno import errorcode
from typing import Final

from probe import liveness
from probe.budget import Stage, StageTime
from probe.evidence import Attempt, CallError, End, Evidence
from probe.ssh.identification import Identification
from probe.ssh.kexinit import OFFER, KexInit, hassh_server, negotiate
from probe.ssh.messages import REASONS, Disconnect
from probe.ssh.rules import Finding
from probe.text import escape, quote
from probe.verdict import ROWS, State, Verdict, judge, other_service

SCHEMA: Final = "sshprobe-report-1"

_QUOTED: Final = 80
"""Characters of a server that the line quotes; JSON has more of them."""

_ATTEMPTS_SAID: Final = 4
"""Addresses that the line names; JSON has all of them."""


class Report:
    """The answer of one probe. Immutable in use, and picklable.

    Args:
        evidence: What was seen; it must not change any more.

    Attributes:
        evidence: What was seen.
        verdict: What it means.
    """

    __slots__ = ("evidence", "verdict")

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.verdict: Verdict = judge(evidence)

    def __repr__(self) -> str:
        return f"<Report {self.target} {self.verdict}>"

    @property
    def ok(self) -> bool:
        """Whether a session can begin."""
        return self.verdict is Verdict.OK

    @property
    def state(self) -> State:
        """What a monitor shows."""
        return ROWS[self.verdict].state

    @property
    def sentence(self) -> str:
        """What the verdict means, and where to look next."""
        return ROWS[self.verdict].sentence

    @property
    def target(self) -> str:
        """``host:port``, ``[host]:port`` for IPv6, ``stream`` for a stream of the caller's."""
        host = escape(self.evidence.host)
        if not host:
            return "stream"
        return f"[{host}]:{self.evidence.port}" if ":" in host else f"{host}:{self.evidence.port}"

    @property
    def where(self) -> Stage | None:
        """The innermost stage that ran when the probe ended; ``None`` after success."""
        return self.evidence.where

    @property
    def whose(self) -> Stage | None:
        """The stage whose limit ran out; ``None`` if none did."""
        return self.evidence.whose

    @property
    def spent_s(self) -> float:
        """How long the probe took, in seconds."""
        return self.evidence.spent_s

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Deviations from the RFCs that the probe survived, the first of each kind."""
        return self.evidence.findings

    @property
    def identification(self) -> str | None:
        """The server's identification string, escaped; ``None`` if none came."""
        seen = self.evidence.identification
        return None if seen is None else escape(seen.octets)

    @property
    def error(self) -> str | None:
        """What went wrong in this probe, in a few words; ``None`` after success."""
        return None if self.ok else "; ".join(_circumstances(self.evidence))

    def line(self) -> str:
        """Return the report as one printable line for people, without its end."""
        head = f"{self.state.upper():8}  {self.target}  {self.verdict}"
        if self.ok:
            return f"{head}  {self.identification}  {self.spent_s:.3f} s{_aside(self.findings)}"
        error = f"  {self.error}." if self.error else ""
        return f"{head}{error}  {self.sentence}{_aside(self.findings)}"

    def to_dict(self) -> dict[str, object]:
        """Return the members that the module's table lists, ready for JSON."""
        seen = self.evidence
        return {
            "schema": SCHEMA,
            "target": self.target,
            "host": escape(seen.host),
            "port": seen.port,
            "verdict": self.verdict,
            "state": self.state,
            "sentence": self.sentence,
            "where": seen.where,
            "whose": seen.whose,
            "spent_s": _seconds(seen.spent_s),
            "stages": [_stage(time) for time in seen.stages],
            "error": self.error,
            "address": seen.address,
            "addresses": list(seen.addresses),
            "attempts": [_attempt(attempt) for attempt in seen.attempts],
            "lines_before": [escape(line) for line in seen.lines_before],
            "lines_before_count": seen.lines_before_count,
            "identification": seen.identification and _identification(seen.identification),
            "kexinit": seen.kexinit and _kexinit(seen.kexinit),
            "messages_before": seen.messages_before,
            "disconnect": seen.disconnect and _disconnect(seen.disconnect),
            "violation": seen.violation and _finding(seen.violation),
            "findings": [_finding(finding) for finding in seen.findings],
            "errors": [_call_error(error) for error in seen.errors],
            "last_words": escape(seen.last_words) or None,
            "tcp": None if seen.tcp is None else seen.tcp._asdict(),
            "octets": {
                "sent": seen.octets_sent,
                "received": seen.octets_received,
                "first_s": _seconds(seen.first_octet_s),
                "last_s": _seconds(seen.last_octet_s),
            },
        }

    def to_json(self) -> str:
        """Return the report as JSON on one line, pure ASCII."""
        import json  # noqa: PLC0415 - 2 ms of start-up that only this method needs

        return json.dumps(self.to_dict())


def _circumstances(evidence: Evidence) -> Iterator[str]:
    """Say what happened in this probe, the most telling first."""
    yield from _what_it_said(evidence)
    yield from _what_failed(evidence)
    if evidence.tcp is not None and evidence.end is End.DEADLINE:
        yield liveness.say(evidence.tcp)
    elif evidence.tcp is not None and evidence.tcp.keepalive_probes:
        yield f"{evidence.tcp.keepalive_probes} keepalive probes had gone unanswered"
    if evidence.where is not None:
        yield _say_where(evidence, evidence.where)


def _what_it_said(evidence: Evidence) -> Iterator[str]:
    service = other_service(evidence)
    if service is not None:
        yield f"it speaks {service}"
    if evidence.violation is not None:
        yield _say_finding(evidence.violation)
    if evidence.disconnect is not None:
        yield _say_disconnect(evidence.disconnect)
    if evidence.last_words:
        yield f"it said {quote(evidence.last_words, _QUOTED)}"
    if evidence.packet_octets:
        yield f"{evidence.packet_octets} octets of a packet came"


def _what_failed(evidence: Evidence) -> Iterator[str]:
    failed = [attempt for attempt in evidence.attempts if attempt.errno is not None]
    for attempt in failed[:_ATTEMPTS_SAID]:
        yield f"connect to {attempt.address}: {_errno(attempt.errno)}"
    if len(failed) > _ATTEMPTS_SAID:
        yield f"and {len(failed) - _ATTEMPTS_SAID} addresses more"
    for error in evidence.errors:
        yield f"{error.call}: {escape(error.text) if error.text else _errno(error.errno)}"
    if evidence.internal_error is not None:
        yield escape(evidence.internal_error)


def _say_where(evidence: Evidence, where: Stage) -> str:
    time = evidence.stage(evidence.whose)
    if time is None:
        return f"in {where} after {evidence.spent_s:.3f} s"
    whose = "its limit" if time.stage is where else f"the {time.stage}'s limit"
    return f"in {where}, where {whose} of {time.limit_s:g} s ran out"


def _say_finding(finding: Finding) -> str:
    detail = f": {escape(finding.detail)}" if finding.detail else ""
    return f"{finding.rule.code} ({finding.rule.section}){detail}"


def _say_disconnect(disconnect: Disconnect) -> str:
    code = disconnect.reason_code
    reason = "without a reason" if code is None else f"{code} ({_reason(disconnect)})"
    return f"DISCONNECT {reason}: {quote(disconnect.description, _QUOTED)}"


def _aside(findings: tuple[Finding, ...]) -> str:
    return f"  ({', '.join(finding.rule.code for finding in findings)})" if findings else ""


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _errno(errno: int | None) -> str | None:
    return None if errno is None else errorcode.get(errno, str(errno))


def _reason(disconnect: Disconnect) -> str | None:
    code = disconnect.reason_code
    return None if code is None else REASONS.get(code, "unknown reason")


def _stage(time: StageTime) -> dict[str, object]:
    return time._asdict() | {
        "began_s": _seconds(time.began_s),
        "spent_s": _seconds(time.spent_s),
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    return attempt._asdict() | {
        "began_s": _seconds(attempt.began_s),
        "spent_s": _seconds(attempt.spent_s),
        "errno": _errno(attempt.errno),
    }


def _call_error(error: CallError) -> dict[str, object]:
    return {"call": error.call, "errno": _errno(error.errno), "text": escape(error.text)}


def _identification(seen: Identification) -> dict[str, object]:
    return {
        "text": escape(seen.octets),
        "protoversion": escape(seen.protoversion),
        "softwareversion": escape(seen.softwareversion),
        "comments": None if seen.comments is None else escape(seen.comments),
    }


def _kexinit(seen: KexInit) -> dict[str, object]:
    lists = {
        field: [escape(name) for name in names]
        for field, names in seen.algorithms._asdict().items()
    }
    chosen = negotiate(OFFER, seen.algorithms)._asdict()
    return {
        "cookie": seen.cookie.hex(),
        **lists,
        "first_kex_packet_follows": seen.first_kex_packet_follows,
        "reserved": seen.reserved,
        "strict_kex": seen.offers_strict_kex,
        "hassh_server": hassh_server(seen.algorithms),
        "negotiated": {
            field: None if name is None else escape(name) for field, name in chosen.items()
        },
    }


def _disconnect(seen: Disconnect) -> dict[str, object]:
    return {
        "reason_code": seen.reason_code,
        "reason": _reason(seen),
        "description": escape(seen.description),
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.rule.code,
        "section": finding.rule.section,
        "sentence": finding.rule.sentence,
        "detail": escape(finding.detail) or None,
    }
