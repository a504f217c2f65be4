"""What the kernel's evidence says of the peer: the rules, as a table.

A live kernel acknowledges what it is sent and answers keepalive probes, whatever its processes
do. But a path that loses packets loses probes and their answers too. Of a thousand live, silent
servers behind a path that loses 30 % each way, the first four seconds make about

* 120 leave three probes unanswered, as they must: one exchange in two fails there;
* 35 do so though nothing of ours had to be sent again before;
* 15 acknowledge nothing of four retransmissions.

So where the path was seen to lose our segments, three unanswered probes are no proof.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from probe.evidence import End, Evidence, TcpInfo
from probe.ssh.rules import Finding, Rule, Subject

GONE_RETRANSMITS: Final = 2
"""Retransmissions of one segment, none acknowledged, after which nobody is there."""

GONE_PROBES: Final = 3
"""Keepalive probes, none answered, after which nobody is there, on a path that lost nothing."""

GONE_PROBES_AFTER_LOSS: Final = 6
"""The same on a path that lost something: at 30 % each way, six fail to one live peer in 60."""

ACK_DELAY_MS: Final = 500
"""How long a live kernel may keep an acknowledgement back: RFC 9293 §3.8.6.3."""

NOT_YET_ACKNOWLEDGED: Final = Rule(
    "not-yet-acknowledged",
    Subject.TCP,
    "RFC 6298",
    "The peer had not yet acknowledged what we sent, and it was too early to call it gone.",
)
KEEPALIVE_UNANSWERED: Final = Rule(
    "keepalive-unanswered",
    Subject.TCP,
    "RFC 9293 §3.8.4",
    "A keepalive probe was not yet answered, and it was too early to call the peer gone.",
)
SEGMENT_MISSING: Final = Rule(
    "segment-missing",
    Subject.TCP,
    "RFC 1191",
    "Later segments came and an earlier one did not: large packets may be lost on the way.",
)
ADDRESS_FAILED: Final = Rule(
    "address-failed",
    Subject.TCP,
    "RFC 8305 §5",
    "Another address of this name failed or did not answer: clients that try it first will wait.",
)

FINDINGS: Final = (NOT_YET_ACKNOWLEDGED, KEEPALIVE_UNANSWERED, SEGMENT_MISSING, ADDRESS_FAILED)


class LivenessRow(NamedTuple):
    """A row of ``LIVENESS``.

    Attributes:
        holds: Whether the kernel's evidence says so.
        gone: Whether the peer is gone then; else there is only a finding.
        finding: What is noted if the peer is not gone.
        words: What the kernel saw, for a person.
    """

    holds: Callable[[TcpInfo], bool]
    gone: bool
    finding: Rule | None
    words: str


LIVENESS: Final = (
    LivenessRow(
        lambda tcp: tcp.unacked_segments > 0 and tcp.retransmits >= GONE_RETRANSMITS,
        True,  # noqa: FBT003 - a column of the table
        None,
        "it acknowledged nothing, though sent again {tcp.retransmits} times",
    ),
    LivenessRow(
        lambda tcp: (
            tcp.unacked_segments > 0 and (tcp.retransmits > 0 or tcp.since_sent_ms > ACK_DELAY_MS)
        ),
        False,  # noqa: FBT003 - a column of the table
        NOT_YET_ACKNOWLEDGED,
        "it had not yet acknowledged what we sent",
    ),
    LivenessRow(
        lambda tcp: (
            tcp.keepalive_probes
            >= (GONE_PROBES_AFTER_LOSS if tcp.total_retransmits else GONE_PROBES)
        ),
        True,  # noqa: FBT003 - a column of the table
        None,
        "it answered none of {tcp.keepalive_probes} keepalive probes",
    ),
    LivenessRow(
        lambda tcp: tcp.keepalive_probes > 0,
        False,  # noqa: FBT003 - a column of the table
        KEEPALIVE_UNANSWERED,
        "it had not yet answered {tcp.keepalive_probes} of the keepalive probes",
    ),
    LivenessRow(
        lambda _: True,
        False,  # noqa: FBT003 - a column of the table
        None,
        "its kernel acknowledged all that we sent, the last time {since_ack_s:.1f} s before",
    ),
)
"""Read from the top; the first row that holds is what the kernel says. The last always does."""


def is_gone(tcp: TcpInfo | None) -> bool:
    """Whether nobody is at the other end. Without evidence nobody says so."""
    return tcp is not None and _row(tcp).gone


def is_shut(tcp: TcpInfo | None) -> bool:
    """Whether the peer takes no more octets: its window is shut, and some of ours wait."""
    return tcp is not None and bool(tcp.unsent_octets) and tcp.peer_window_octets == 0


def say(tcp: TcpInfo) -> str:
    """Say what the kernel saw of a peer that did not speak, in words."""
    if is_shut(tcp):
        return f"its window is shut, and {tcp.unsent_octets} octets of ours wait"
    return _row(tcp).words.format(tcp=tcp, since_ack_s=tcp.since_ack_ms / 1000)


def findings(evidence: Evidence) -> Iterator[Finding]:
    """What is worth knowing of the connection, besides the verdict."""
    tcp = evidence.tcp
    if tcp is not None and evidence.end is End.DEADLINE:
        rule = _row(tcp).finding
        if rule is not None:
            yield Finding(rule)
        if tcp.out_of_order_segments:
            yield Finding(SEGMENT_MISSING, f"{tcp.out_of_order_segments} came too early")
    for attempt in evidence.attempts:
        if evidence.address is not None and attempt.outcome != "connected":
            yield Finding(ADDRESS_FAILED, f"{attempt.address} {attempt.outcome}")


def _row(tcp: TcpInfo) -> LivenessRow:
    return next(row for row in LIVENESS if row.holds(tcp))
