"""The verdicts: one table, and ``judge``, which reads it from the top.

A verdict follows from the evidence alone: no clock, no socket, no state. The first row whose
predicate holds is the verdict.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from errno import (
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EHOSTDOWN,
    EHOSTUNREACH,
    ENETDOWN,
    ENETRESET,
    ENETUNREACH,
    ENOPROTOOPT,
    ENOTCONN,
    EPIPE,
    EPROTO,
    ETIMEDOUT,
)
from typing import Final, NamedTuple

from probe.budget import Stage
from probe.evidence import COMPLETE, End, Evidence
from probe.liveness import is_gone, is_shut
from probe.ssh.rules import Subject


class State(StrEnum):
    """What a monitor shows. From best to worst: OK, WARNING, UNKNOWN, CRITICAL."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    CRITICAL = "critical"


def worst(states: Iterable[State]) -> State:
    """Return the worst of ``states``; OK if there are none."""
    return max(states, key=_BEST_TO_WORST.index, default=State.OK)


_BEST_TO_WORST: Final = tuple(State)


class Verdict(StrEnum):
    """The answer of a probe. The strings are an API: they do not change within a major version."""

    OK = "ok"
    THROTTLED = "throttled"
    NAME_ERROR = "name-error"
    NAME_TIMEOUT = "name-timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect-timeout"
    NOT_SSH = "not-ssh"
    SILENT = "silent"
    HALF_OPEN = "half-open"
    SEND_STALLED = "send-stalled"
    IDENTIFICATION_STALLED = "identification-stalled"
    IDENTIFICATION_TRICKLING = "identification-trickling"
    IDENTIFICATION_MALFORMED = "identification-malformed"
    PROTOCOL_UNSUPPORTED = "protocol-unsupported"
    CLOSED_BEFORE_IDENTIFICATION = "closed-before-identification"
    RESET_BEFORE_IDENTIFICATION = "reset-before-identification"
    KEXINIT_STALLED = "kexinit-stalled"
    KEXINIT_TRICKLING = "kexinit-trickling"
    KEXINIT_MALFORMED = "kexinit-malformed"
    PACKET_MALFORMED = "packet-malformed"
    UNEXPECTED_MESSAGE = "unexpected-message"
    DISCONNECTED = "disconnected"
    CLOSED_BEFORE_KEXINIT = "closed-before-kexinit"
    RESET_BEFORE_KEXINIT = "reset-before-kexinit"
    FLOODED = "flooded"
    BUDGET_EXHAUSTED = "budget-exhausted"
    LOCAL_ERROR = "local-error"
    INTERNAL_ERROR = "internal-error"


class Cause(StrEnum):
    """What an errno says about a connection."""

    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    LOCAL = "local"


ERRNOS: Final = {
    ECONNREFUSED: Cause.REFUSED,  # RST to our SYN, or ICMP port-unreachable
    ECONNRESET: Cause.RESET,  # RST to a connection, never to our SYN
    ECONNABORTED: Cause.RESET,
    EPIPE: Cause.RESET,  # a RST that an earlier call consumed
    ENOTCONN: Cause.RESET,
    EPROTO: Cause.RESET,
    EHOSTUNREACH: Cause.UNREACHABLE,  # no route, no answer to ARP, or ICMP, also prohibited
    EHOSTDOWN: Cause.UNREACHABLE,
    ENETUNREACH: Cause.UNREACHABLE,
    ENETDOWN: Cause.UNREACHABLE,
    ENETRESET: Cause.UNREACHABLE,
    ENOPROTOOPT: Cause.UNREACHABLE,  # ICMP protocol-unreachable
    ETIMEDOUT: Cause.TIMED_OUT,  # the kernel gave up before our limit
}
"""What each errno of a connection means. One that is not here is a trouble of this machine:
no file descriptors, no ports, no permission, no such address family."""

THROTTLED_TEXTS: Final = (
    b"Not allowed at this time",  # OpenSSH 9.8 and later: MaxStartups or a penalty
    b"Exceeded MaxStartups",  # OpenSSH 8.2 to 9.7
)
"""What OpenSSH says instead of its identification string when it has too many connections."""

SIGNATURES: Final = (
    ("HTTP", re.compile(rb"HTTP/\d|<(?:!doctype|html)", re.IGNORECASE)),
    ("TLS", re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")),
    ("SMTP", re.compile(rb"(?:220|421)[ -][^\n]*smtp|554[ -]", re.IGNORECASE)),
    ("FTP", re.compile(rb"(?:220|421)[ -][^\n]*(?:ftp|filezilla)", re.IGNORECASE)),
    ("FTP or SMTP", re.compile(rb"(?:220|421)[ -]")),
    ("POP3", re.compile(rb"\+OK|-ERR [^u]")),
    ("IMAP", re.compile(rb"\* (?:OK|BYE|PREAUTH)\b")),
    ("Redis", re.compile(rb"-(?:ERR unknown command|DENIED|NOAUTH)")),
    ("memcached", re.compile(rb"ERROR\r\n")),
    ("MySQL", re.compile(rb"[^\0]\0\0\0[\x09\x0a\xff]", re.DOTALL)),
    ("PostgreSQL", re.compile(rb"E\0\0\0")),
    ("VNC", re.compile(rb"RFB \d{3}\.\d{3}")),
    ("rsync", re.compile(rb"@RSYNCD:")),
    ("AMQP", re.compile(rb"AMQP[\0-\x09]")),
    ("RDP", re.compile(rb"\x03\0\0[\x0b-\x13]")),
    ("XMPP or other XML", re.compile(rb"<(?:\?xml|stream)")),
    ("Telnet", re.compile(rb"\xff[\xfb-\xfe]")),
)
"""How other services begin to speak, by the first octets. The first match names the service."""


class VerdictRow(NamedTuple):
    """A row of ``VERDICTS``.

    Attributes:
        verdict: Its name.
        state: What a monitor shows.
        holds: Whether the evidence says so, given that no row above does.
        sentence: What it means and where to look next, for an operator at three in the morning.
    """

    verdict: Verdict
    state: State
    holds: Callable[[Evidence], bool]
    sentence: str


def judge(evidence: Evidence) -> Verdict:
    """Return the one verdict that ``evidence`` calls for.

    Evidence that no row knows cannot come from a peer: it is a bug of ours, and so is called.
    """
    for row in VERDICTS:
        if row.holds(evidence):
            return row.verdict
    return Verdict.INTERNAL_ERROR


def other_service(evidence: Evidence) -> str | None:
    """Name the service that spoke in place of an SSH server, or ``None`` if none was recognised.

    Binary octets that no signature knows are ``"no known protocol"``.
    """
    if evidence.identification is not None or evidence.silent:
        return None
    for name, signature in SIGNATURES:
        if signature.match(evidence.first_octets):
            return name
    return "no known protocol" if _violated(evidence, Subject.LINES) else None


def _is_throttled(evidence: Evidence) -> bool:
    said = (*evidence.lines_before, evidence.unread_octets)
    return evidence.identification is None and any(
        line.startswith(THROTTLED_TEXTS) for line in said
    )


def _violated(evidence: Evidence, subject: Subject) -> bool:
    return evidence.violation is not None and evidence.violation.rule.subject is subject


def _unconnected(evidence: Evidence, *causes: Cause) -> bool:
    errnos = [attempt.errno for attempt in evidence.attempts if attempt.errno is not None]
    return evidence.end is End.UNCONNECTED and _cause(errnos) in causes


def _broken(evidence: Evidence, *causes: Cause) -> bool:
    errnos = [error.errno for error in evidence.errors]
    return evidence.end is End.BROKEN and _cause(errnos) in causes


def _was_reset(evidence: Evidence) -> bool:
    """Whether RST cut a connection, perhaps sooner than we looked whether it was up."""
    return _broken(evidence, Cause.RESET, Cause.REFUSED) or _unconnected(evidence, Cause.RESET)


def _cause(errnos: Sequence[int | None]) -> Cause:
    """Choose the most telling cause; a stream of the caller's that broke without errno was reset.

    The order of ``Cause`` is that of telling: a refusal proves a live host, whatever the other
    addresses did.
    """
    causes = {Cause.RESET if no is None else ERRNOS.get(no, Cause.LOCAL) for no in errnos}
    return next((cause for cause in Cause if cause in causes), Cause.LOCAL)


def _ran_out(evidence: Evidence) -> bool:
    return evidence.end is End.DEADLINE


def _is_half_open(evidence: Evidence) -> bool:
    """Whether nobody is there any more: no answer, or a RST that answered a keepalive probe."""
    answered_with_reset = evidence.tcp is not None and evidence.tcp.keepalive_probes > 0
    return (
        (_ran_out(evidence) and is_gone(evidence.tcp))
        or _broken(evidence, Cause.TIMED_OUT)
        or (_broken(evidence, Cause.RESET, Cause.REFUSED) and answered_with_reset)
    )


def _identified(evidence: Evidence) -> bool:
    return evidence.identification is not None


def _trickled(evidence: Evidence) -> bool:
    """Whether octets of the stage that ran out still came in its last third."""
    stage = evidence.stage(Stage.KEXINIT if _identified(evidence) else Stage.IDENTIFICATION)
    if stage is None or evidence.last_octet_s is None:
        return False
    return evidence.last_octet_s > stage.began_s + stage.spent_s * 2 / 3


VERDICTS: Final = (
    VerdictRow(
        Verdict.OK,
        State.OK,
        lambda e: e.end is COMPLETE,
        "The server sent its identification string and KEXINIT: a session can begin.",
    ),
    VerdictRow(
        Verdict.INTERNAL_ERROR,
        State.UNKNOWN,
        lambda e: e.end is End.INTERNAL,
        "sshprobe itself failed, and the server is not to blame: please report it.",
    ),
    VerdictRow(
        Verdict.THROTTLED,
        State.WARNING,
        _is_throttled,
        "sshd is alive and refuses this source or is full: see MaxStartups and"
        " PerSourcePenalties in its sshd_config, and probe less often.",
    ),
    VerdictRow(
        Verdict.NOT_SSH,
        State.CRITICAL,
        lambda e: other_service(e) is not None,
        "Something else answers on this port: check the port and what listens there.",
    ),
    VerdictRow(
        Verdict.NAME_ERROR,
        State.CRITICAL,
        lambda e: e.end is End.UNRESOLVED,
        "The name could not be resolved: check its spelling and the DNS.",
    ),
    VerdictRow(
        Verdict.NAME_TIMEOUT,
        State.CRITICAL,
        lambda e: e.whose is Stage.RESOLVE,
        "The resolver did not answer in time: check the DNS servers of this machine.",
    ),
    VerdictRow(
        Verdict.BUDGET_EXHAUSTED,
        State.CRITICAL,
        lambda e: e.whose is Stage.PROBE,
        "The whole probe ran out of time before any one stage did: see where it was, and"
        " raise the limit if that stage is only slow.",
    ),
    VerdictRow(
        Verdict.REFUSED,
        State.CRITICAL,
        lambda e: _unconnected(e, Cause.REFUSED),
        "The host is up and nothing listens on this port, or a firewall rejects it:"
        " check that sshd runs and on which port.",
    ),
    VerdictRow(
        Verdict.UNREACHABLE,
        State.CRITICAL,
        lambda e: _unconnected(e, Cause.UNREACHABLE) or _broken(e, Cause.UNREACHABLE),
        "A router, a firewall or this machine says that the host cannot be reached:"
        " check routes, and whether the host is up.",
    ),
    VerdictRow(
        Verdict.CONNECT_TIMEOUT,
        State.CRITICAL,
        lambda e: e.whose is Stage.CONNECT or _unconnected(e, Cause.TIMED_OUT),
        "Nothing answered our SYN: the host is down, a firewall drops packets, or the"
        " server's accept queue is full.",
    ),
    VerdictRow(
        Verdict.LOCAL_ERROR,
        State.UNKNOWN,
        lambda e: _unconnected(e, Cause.LOCAL) or _broken(e, Cause.LOCAL),
        "This machine could not make or use the connection, so nothing is known of the"
        " server: see the error.",
    ),
    VerdictRow(
        Verdict.DISCONNECTED,
        State.CRITICAL,
        lambda e: e.end is End.DISCONNECT,
        "The server ended the handshake with DISCONNECT: see its reason, and its log.",
    ),
    VerdictRow(
        Verdict.FLOODED,
        State.CRITICAL,
        lambda e: _violated(e, Subject.FLOOD),
        "The server sends without end and never comes to the point: a tarpit, or another service.",
    ),
    VerdictRow(
        Verdict.IDENTIFICATION_MALFORMED,
        State.CRITICAL,
        lambda e: _violated(e, Subject.IDENTIFICATION),
        "The identification string breaks RFC 4253 §4.2 so that clients refuse it: check"
        " the server's software and its banner settings.",
    ),
    VerdictRow(
        Verdict.PROTOCOL_UNSUPPORTED,
        State.CRITICAL,
        lambda e: _violated(e, Subject.PROTOVERSION),
        "The server speaks another version of SSH than 2.0: it needs an upgrade.",
    ),
    VerdictRow(
        Verdict.PACKET_MALFORMED,
        State.CRITICAL,
        lambda e: _violated(e, Subject.PACKET),
        "What follows the identification string is no SSH packet: a fault of the server or"
        " of something between; read what it said.",
    ),
    VerdictRow(
        Verdict.KEXINIT_MALFORMED,
        State.CRITICAL,
        lambda e: _violated(e, Subject.KEXINIT),
        "The server's KEXINIT breaks RFC 4253 §7.1 so that clients refuse it: check the"
        " server's software.",
    ),
    VerdictRow(
        Verdict.UNEXPECTED_MESSAGE,
        State.CRITICAL,
        lambda e: _violated(e, Subject.MESSAGE),
        "The server sent a message that has no place before KEXINIT: check its software.",
    ),
    VerdictRow(
        Verdict.CLOSED_BEFORE_IDENTIFICATION,
        State.CRITICAL,
        lambda e: e.end is End.EOF and not _identified(e),
        "The connection was accepted and closed without an identification string: TCP"
        " wrappers, a full server, or a proxy whose backend is down.",
    ),
    VerdictRow(
        Verdict.CLOSED_BEFORE_KEXINIT,
        State.CRITICAL,
        lambda e: e.end is End.EOF,
        "The server identified itself and closed before KEXINIT: see its log, and any"
        " proxy before it.",
    ),
    VerdictRow(
        Verdict.IDENTIFICATION_TRICKLING,
        State.CRITICAL,
        lambda e: _ran_out(e) and not _identified(e) and _trickled(e),
        "Octets still came when time ran out, and no identification string: a tarpit, or a"
        " very slow server or link.",
    ),
    VerdictRow(
        Verdict.KEXINIT_TRICKLING,
        State.CRITICAL,
        lambda e: _ran_out(e) and _trickled(e),
        "Octets still came when time ran out, and no whole KEXINIT: a very slow server or"
        " link, or a hostile one.",
    ),
    VerdictRow(
        Verdict.SEND_STALLED,
        State.CRITICAL,
        lambda e: _ran_out(e) and is_shut(e.tcp),
        "The peer's kernel is alive and takes no more octets: its process does not read, or it"
        " is a tarpit; look at sshd.",
    ),
    VerdictRow(
        Verdict.HALF_OPEN,
        State.CRITICAL,
        _is_half_open,
        "Nobody is at the other end any more: the host died, rebooted or left the network, or a"
        " firewall drops the connection; look at the host.",
    ),
    VerdictRow(
        Verdict.RESET_BEFORE_IDENTIFICATION,
        State.CRITICAL,
        lambda e: _was_reset(e) and not _identified(e),
        "The connection was accepted and reset without an identification string: sshd"
        " crashed or is full, or a firewall or proxy cut it.",
    ),
    VerdictRow(
        Verdict.RESET_BEFORE_KEXINIT,
        State.CRITICAL,
        _was_reset,
        "The server identified itself and reset the connection before KEXINIT: see its"
        " log, and any firewall or proxy before it.",
    ),
    VerdictRow(
        Verdict.SILENT,
        State.CRITICAL,
        lambda e: _ran_out(e) and e.silent,
        "TCP is up and not one octet came: sshd is stuck or never accepted, or the host has just"
        " vanished. Look at sshd and at the load of the host.",
    ),
    VerdictRow(
        Verdict.IDENTIFICATION_STALLED,
        State.CRITICAL,
        lambda e: _ran_out(e) and not _identified(e),
        "Octets came, then none, and no identification string: sshd is stuck, or this is"
        " another service.",
    ),
    VerdictRow(
        Verdict.KEXINIT_STALLED,
        State.CRITICAL,
        _ran_out,
        "The server identified itself, then went silent: its process is stuck or starved,"
        " or large packets are lost on the way (path MTU).",
    ),
)
"""Read from the top; the first row that holds is the verdict."""

ROWS: Final = {row.verdict: row for row in VERDICTS}
"""The row of each verdict."""
