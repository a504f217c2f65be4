"""Evidence as the members of a JSON object, and back."""

import errno
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

from probe import liveness
from probe.budget import Stage, StageTime
from probe.evidence import (
    KEPT_OCTETS,
    Attempt,
    CallError,
    End,
    Evidence,
    Passage,
    Side,
    TcpInfo,
)
from probe.report.words import errno_name, reason_name, seconds
from probe.ssh import rules
from probe.ssh.identification import Identification
from probe.ssh.kexinit import (
    KNOWN_OCTETS,
    KNOWN_OFFERS,
    OFFER,
    Algorithms,
    KexInit,
    hassh_server,
    negotiate,
)
from probe.ssh.messages import Disconnect
from probe.ssh.rules import Finding, Rule, Subject
from probe.text import escape, unescape

_Read = TypeVar("_Read")

RULES: Final = {
    rule.code: rule for rule in (*rules.FINDINGS, *rules.VIOLATIONS, *liveness.FINDINGS)
}
"""Every rule that a finding or a violation can be about."""

_NOT_ALWAYS_KNOWN: Final = (
    "acked_octets",
    "unsent_octets",
    "out_of_order_segments",
    "peer_window_octets",
)
"""Fields of ``TcpInfo`` that older kernels do not have."""

_ALWAYS_KNOWN: Final = [field for field in TcpInfo._fields if field not in _NOT_ALWAYS_KNOWN]

_LARGEST_COUNT: Final = 2**64 - 1
"""No counter of ours, or of a kernel's, has more than 64 bits."""


def to_members(seen: Evidence, *, transcript: bool) -> dict[str, object]:
    """Return what was seen as members of the report's JSON."""
    return {
        "end": seen.end,
        "where": seen.where,
        "whose": seen.whose,
        "spent_s": seconds(seen.spent_s),
        "stages": [_stage(time) for time in seen.stages],
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
        "internal_error": None if seen.internal_error is None else escape(seen.internal_error),
        "last_words": escape(seen.last_words) or None,
        "first_hex": None if seen.identification else seen.first_octets[:KEPT_OCTETS].hex(),
        "unread_hex": seen.unread_octets[:KEPT_OCTETS].hex(),
        "tcp": None if seen.tcp is None else seen.tcp._asdict(),
        "octets": {
            "sent": seen.octets_sent,
            "received": seen.octets_received,
            "first_s": _seconds(seen.first_octet_s),
            "last_s": _seconds(seen.last_octet_s),
        },
        "transcript": [passage_members(passage) for passage in seen.transcript]
        if transcript
        else None,
    }


def _stage(time: StageTime) -> dict[str, object]:
    return time._asdict() | {"began_s": seconds(time.began_s), "spent_s": seconds(time.spent_s)}


def _attempt(attempt: Attempt) -> dict[str, object]:
    return attempt._asdict() | {
        "began_s": seconds(attempt.began_s),
        "spent_s": seconds(attempt.spent_s),
        "errno": errno_name(attempt.errno),
    }


def _call_error(error: CallError) -> dict[str, object]:
    return {"call": error.call, "errno": errno_name(error.errno), "text": escape(error.text)}


def _identification(seen: Identification) -> dict[str, object]:
    return {
        "text": escape(seen.octets),
        "protoversion": escape(seen.protoversion),
        "softwareversion": escape(seen.softwareversion),
        "comments": None if seen.comments is None else escape(seen.comments),
    }


def _kexinit(seen: KexInit) -> dict[str, object]:
    octets = len(b",".join(chain.from_iterable(seen.algorithms)))
    offer = (_offer if octets > KNOWN_OCTETS else _known_offer)(seen.algorithms)
    return {
        "cookie": seen.cookie.hex(),
        **{field: [*names] for field, names in zip(Algorithms._fields, offer.lists, strict=True)},
        "first_kex_packet_follows": seen.first_kex_packet_follows,
        "reserved": seen.reserved,
        "strict_kex": seen.offers_strict_kex,
        "hassh_server": offer.hassh_server,
        "negotiated": offer.negotiated.copy(),
    }


class _Offer(NamedTuple):
    """What JSON says of an offer; it is the same of all servers that make it."""

    lists: tuple[tuple[str, ...], ...]
    hassh_server: str
    negotiated: dict[str, str | None]


def _offer(algorithms: Algorithms) -> _Offer:
    chosen = negotiate(OFFER, algorithms)._asdict()
    return _Offer(
        tuple(tuple(map(escape, names)) for names in algorithms),
        hassh_server(algorithms),
        {field: None if name is None else escape(name) for field, name in chosen.items()},
    )


_known_offer = lru_cache(KNOWN_OFFERS)(_offer)


def _disconnect(seen: Disconnect) -> dict[str, object]:
    return {
        "reason_code": seen.reason_code,
        "reason": reason_name(seen),
        "description": escape(seen.description),
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.rule.code,
        "subject": finding.rule.subject,
        "section": finding.rule.section,
        "sentence": finding.rule.sentence,
        "detail": escape(finding.detail) or None,
    }


def passage_members(passage: Passage) -> dict[str, object]:
    """Return a passage of a transcript as members of JSON."""
    return {
        "at_s": seconds(passage.at_s),
        "side": passage.side,
        "offset": passage.offset,
        "length": passage.length,
        "hex": passage.octets.hex(),
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else seconds(value)


# And back. ---------------------------------------------------------------------------------------


def from_members(members: Mapping[str, Any]) -> Evidence:
    """Make evidence of the members of a report's JSON.

    Text that was cut stays cut.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: They are not those of a
            report.
    """
    seen = Evidence(unescape(members["host"]), _to_count(members["port"]))
    seen.end = End(members["end"])
    seen.where = _unless_null(Stage, members["where"])
    seen.whose = _unless_null(Stage, members["whose"])
    seen.spent_s = _to_seconds(members["spent_s"])
    seen.stages = tuple(map(_to_stage, members["stages"]))
    seen.address = _unless_null(_to_text, members["address"])
    seen.addresses = tuple(map(_to_text, members["addresses"]))
    seen.attempts = tuple(map(_to_attempt, members["attempts"]))
    seen.lines_before = _to_names(members["lines_before"])
    seen.lines_before_count = _to_count(members["lines_before_count"])
    seen.identification = _unless_null(_to_identification, members["identification"])
    seen.kexinit = _unless_null(_to_kexinit, members["kexinit"])
    seen.messages_before = _to_count(members["messages_before"])
    seen.disconnect = _unless_null(_to_disconnect, members["disconnect"])
    seen.violation = _unless_null(_to_finding, members["violation"])
    seen.findings = tuple(map(_to_finding, members["findings"]))
    seen.errors = tuple(map(_to_call_error, members["errors"]))
    seen.internal_error = _unless_null(unescape, members["internal_error"])
    seen.first_octets = bytes.fromhex(members["first_hex"] or "")
    seen.unread_octets = bytes.fromhex(members["unread_hex"])
    seen.tcp = _unless_null(_to_tcp, members["tcp"])
    octets = members["octets"]
    seen.octets_sent, seen.octets_received = (
        _to_count(octets["sent"]),
        _to_count(octets["received"]),
    )
    seen.first_octet_s = _unless_null(_to_seconds, octets["first_s"])
    seen.last_octet_s = _unless_null(_to_seconds, octets["last_s"])
    seen.transcript = tuple(map(_to_passage, members["transcript"] or ()))
    return seen


def _to_stage(row: Mapping[str, Any]) -> StageTime:
    return StageTime(
        Stage(row["stage"]),
        _to_seconds(row["began_s"]),
        _to_seconds(row["spent_s"]),
        _to_limit(row["limit_s"]),
        bool(row["completed"]),
    )


def _to_attempt(row: Mapping[str, Any]) -> Attempt:
    return Attempt(
        _to_text(row["address"]),
        _to_seconds(row["began_s"]),
        _to_seconds(row["spent_s"]),
        _to_text(row["outcome"]),
        _unless_null(_to_errno, row["errno"]),
    )


def _to_call_error(row: Mapping[str, Any]) -> CallError:
    return CallError(
        _to_text(row["call"]), _unless_null(_to_errno, row["errno"]), unescape(row["text"])
    )


def _to_errno(name: str) -> int:
    """Return the number that the errno has on this system, which may not be the writer's."""
    return int(getattr(errno, name, name))


def _to_identification(row: Mapping[str, Any]) -> Identification:
    return Identification(
        _to_octets(row["text"]),
        _to_octets(row["protoversion"]),
        _to_octets(row["softwareversion"]),
        _unless_null(_to_octets, row["comments"]),
    )


def _to_kexinit(row: Mapping[str, Any]) -> KexInit:
    return KexInit(
        bytes.fromhex(row["cookie"]),
        Algorithms._make(_to_names(row[field]) for field in Algorithms._fields),
        bool(row["first_kex_packet_follows"]),
        _to_count(row["reserved"]),
    )


def _to_disconnect(row: Mapping[str, Any]) -> Disconnect:
    return Disconnect(_unless_null(_to_count, row["reason_code"]), _to_octets(row["description"]))


def _to_finding(row: Mapping[str, Any]) -> Finding:
    """A rule that this version does not know is taken as it was written."""
    code, subject = _to_text(row["code"]), Subject(row["subject"])
    written = Rule(code, subject, _to_text(row["section"]), _to_text(row["sentence"]))
    return Finding(RULES.get(code, written), unescape(row["detail"] or ""))


def _to_tcp(row: Mapping[str, Any]) -> TcpInfo:
    numbers: dict[str, Any] = {field: _to_count(row[field]) for field in _ALWAYS_KNOWN}
    newer: dict[str, Any] = {
        field: _unless_null(_to_count, row[field]) for field in _NOT_ALWAYS_KNOWN
    }
    return TcpInfo(**numbers, **newer)


def _to_passage(row: Mapping[str, Any]) -> Passage:
    return Passage(
        _to_seconds(row["at_s"]),
        Side(row["side"]),
        _to_count(row["offset"]),
        _to_count(row["length"]),
        bytes.fromhex(row["hex"]),
    )


def _unless_null(read: Callable[[Any], _Read], value: object) -> _Read | None:
    return None if value is None else read(value)


def _to_text(value: object) -> str:
    """Take what we wrote ourselves, or who knows who: it may be shown as it is."""
    return escape(unescape(str(value)))


def _to_count(value: Any) -> int:  # noqa: ANN401 - whatever JSON holds
    count = int(value)
    if not 0 <= count <= _LARGEST_COUNT:
        message = f"not a count: {count}"
        raise ValueError(message)
    return count


def _to_seconds(value: Any) -> float:  # noqa: ANN401 - whatever JSON holds
    """Python's JSON has ``NaN`` and ``Infinity``, too, which no clock has."""
    seconds_ = float(value)
    if not 0 <= seconds_ < math.inf:
        message = f"not a number of seconds: {seconds_}"
        raise ValueError(message)
    return seconds_


def _to_limit(value: object) -> float:
    limit_s = _to_seconds(value)
    if not limit_s:
        message = "a limit of no time at all"
        raise ValueError(message)
    return limit_s


def _to_octets(text: str) -> bytes:
    return unescape(text).encode(errors="surrogateescape")


def _to_names(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(map(_to_octets, texts))
