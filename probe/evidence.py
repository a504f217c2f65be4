"""What one probe saw. No opinion: that is ``probe.verdict``.

Everything is recorded before it is judged, so a failure never takes away what was seen before it.
Octets stay octets here; they are escaped where they are shown.
"""

from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

from probe.budget import Stage, StageTime
from probe.ssh.identification import Identification
from probe.ssh.kexinit import KexInit
from probe.ssh.messages import Disconnect
from probe.ssh.rules import Finding

KEPT_LINES: Final = 16
"""Lines before the identification string that are kept: a screen of legal notice, and the last."""

KEPT_OCTETS: Final = 512
"""What is kept of each such line, of the first octets, and of the unread ones."""

KEPT_PASSAGES: Final = 32
"""Passages that the transcript keeps: a common handshake has four. Of more, the first and the
last."""

KEPT_TRANSCRIPT_OCTETS: Final = 8192
"""What they keep of octets in all: both sides' KEXINITs several times over."""

KEPT_PASSAGE_OCTETS: Final = 16
"""What each keeps of octets all the same, once that is used up: a line of a hex dump."""


class End(StrEnum):
    """How a probe ended, as its own code saw it."""

    UNKNOWN = "unknown"
    COMPLETE = "complete"
    DEADLINE = "deadline"
    EOF = "eof"
    BROKEN = "broken"
    DISCONNECT = "disconnect"
    VIOLATION = "violation"
    UNRESOLVED = "unresolved"
    UNCONNECTED = "unconnected"
    INTERNAL = "internal"


UNKNOWN: Final = End.UNKNOWN
COMPLETE: Final = End.COMPLETE
"""How a probe begins, and how it ends when all is well; by themselves as stages are."""


class Side(StrEnum):
    """Who said something."""

    CLIENT = "client"
    SERVER = "server"


_CLIENT, _SERVER = Side


class Passage(NamedTuple):
    """Octets that passed at one instant.

    Attributes:
        at_s: Seconds from the beginning of the probe.
        side: Who sent them.
        offset: How many that side had sent before.
        length: How many these were.
        octets: The first of them, as many as are kept.
    """

    at_s: float
    side: Side
    offset: int
    length: int
    octets: bytes


_Passed = tuple[float, Side, int, int, bytes]
"""The fields of a passage, which is made of them when somebody looks: few do."""


class Attempt(NamedTuple):
    """One address that was dialled.

    Attributes:
        address: Numeric, as ``host`` or ``host%scope``.
        began_s: Seconds from the beginning of the probe.
        spent_s: Seconds until it ended.
        outcome: ``"connected"``, ``"failed"``, or ``"abandoned"`` when another one won or time
            ran out.
        errno: What the kernel said, if it failed.
    """

    address: str
    began_s: float
    spent_s: float
    outcome: str
    errno: int | None = None


class CallError(NamedTuple):
    """A system call that failed.

    Attributes:
        call: Its name: ``"getaddrinfo"``, ``"send"`` or ``"recv"``.
        errno: What the kernel said, or the ``EAI_`` code of getaddrinfo; ``None`` if a stream of
            the caller's broke without saying.
        text: The system's own words.
    """

    call: str
    errno: int | None
    text: str


class TcpInfo(NamedTuple):
    """What the kernel knew of the connection when the probe ended: Linux, ``TCP_INFO``.

    Fields that an older kernel does not have are ``None``.

    Attributes:
        state: 1 established, 2 SYN sent, 7 closed: ``include/net/tcp_states.h``.
        retransmits: How often the oldest unacknowledged segment was sent again.
        keepalive_probes: Probes sent since the peer last answered.
        unacked_segments: Sent and not acknowledged.
        since_sent_ms: Milliseconds since we last sent octets, sending again included.
        since_ack_ms: Milliseconds since the peer's last acknowledgement.
        path_mtu_octets: The largest packet that the path is believed to carry.
        rtt_us: Round trip time, smoothed, in microseconds.
        total_retransmits: Segments sent again, in all.
        acked_octets: Octets that the peer acknowledged; its SYN counts as one.
        unsent_octets: Octets that we gave to the kernel and that are not sent.
        out_of_order_segments: Segments that came before one that is missing.
        peer_window_octets: How much more the peer takes.
    """

    state: int
    retransmits: int
    keepalive_probes: int
    unacked_segments: int
    since_sent_ms: int
    since_ack_ms: int
    path_mtu_octets: int
    rtt_us: int
    total_retransmits: int
    acked_octets: int | None
    unsent_octets: int | None
    out_of_order_segments: int | None
    peer_window_octets: int | None


class Evidence:
    """What one probe saw, filled in while it runs.

    Attributes:
        host: As the caller gave it; ``""`` for a stream of the caller's.
        port: TCP port; 0 for a stream of the caller's.
        addresses: What the name resolved to.
        attempts: Addresses dialled, in the order in which they ended.
        address: The address that answered.
        lines_before: The first lines before the identification string, and the last.
        lines_before_count: How many there were.
        identification: The server's.
        messages_before: How many messages came before KEXINIT.
        kexinit: The server's.
        disconnect: The server's DISCONNECT.
        violation: The broken rule that ended the handshake.
        findings: Deviations, the first of each kind.
        first_octets: The very first octets that came.
        unread_octets: What came last and belongs to no line or packet.
        octets_sent: How many the kernel took from us; how many a stream of the caller's was given.
        octets_received: How many came.
        first_octet_s: When the first came, in seconds from the beginning of the probe.
        last_octet_s: When the last came.
        transcript: What passed in both directions, in order; of many passages the first ones and
            the last, each as far as it is kept.
        end: How the probe ended.
        errors: Every system call that failed but connect, in order; for connect see attempts.
        internal_error: Our own bug, if that is what ended it.
        tcp: What the kernel knew at the end; ``None`` where it does not say, and for a stream of
            the caller's.
        stages: The stages that began.
        where: The innermost stage that ran when the probe ended; ``None`` after success.
        whose: The stage whose deadline expired; ``None`` if none did.
        spent_s: How long the probe took.
    """

    __slots__ = (
        "_passages",
        "_room_octets",
        "_stages",
        "address",
        "addresses",
        "attempts",
        "disconnect",
        "end",
        "errors",
        "findings",
        "first_octet_s",
        "first_octets",
        "host",
        "identification",
        "internal_error",
        "kexinit",
        "last_octet_s",
        "lines_before",
        "lines_before_count",
        "messages_before",
        "octets_received",
        "octets_sent",
        "port",
        "spent_s",
        "tcp",
        "unread_octets",
        "violation",
        "where",
        "whose",
    )

    def __init__(self, host: str = "", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.addresses: tuple[str, ...] = ()
        self.attempts: tuple[Attempt, ...] = ()
        self.address: str | None = None
        self.lines_before: tuple[bytes, ...] = ()
        self.lines_before_count = 0
        self.identification: Identification | None = None
        self.messages_before = 0
        self.kexinit: KexInit | None = None
        self.disconnect: Disconnect | None = None
        self.violation: Finding | None = None
        self.findings: tuple[Finding, ...] = ()
        self.first_octets = b""
        self.unread_octets = b""
        self.octets_sent = 0
        self.octets_received = 0
        self.first_octet_s: float | None = None
        self.last_octet_s: float | None = None
        self._passages: tuple[_Passed, ...] = ()
        self._room_octets = KEPT_TRANSCRIPT_OCTETS
        self.end = UNKNOWN
        self.errors: tuple[CallError, ...] = ()
        self.internal_error: str | None = None
        self.tcp: TcpInfo | None = None
        self._stages: tuple[StageTime, ...] | partial[tuple[StageTime, ...]] = ()
        self.where: Stage | None = None
        self.whose: Stage | None = None
        self.spent_s = 0.0

    def add_octets(self, octets: bytes, at_s: float) -> None:
        """Record that ``octets`` came ``at_s`` seconds after the beginning."""
        self._add_passage(at_s, _SERVER, octets, self.octets_received)
        if self.first_octet_s is None:
            self.first_octet_s = at_s
        self.last_octet_s = at_s
        self.octets_received += len(octets)
        if len(self.first_octets) < KEPT_OCTETS:
            self.first_octets = (self.first_octets + octets)[:KEPT_OCTETS]

    def add_sent(self, octets: bytes, at_s: float) -> None:
        """Record that ``octets`` were sent ``at_s`` seconds after the beginning."""
        self._add_passage(at_s, _CLIENT, octets, self.octets_sent)
        self.octets_sent += len(octets)

    def add_line_before(self, line: bytes) -> None:
        """Record a line before the identification string; a flood of them costs no storage."""
        self.lines_before = (*self.lines_before[: KEPT_LINES - 1], line[:KEPT_OCTETS])
        self.lines_before_count += 1

    def add_error(self, call: str, errno: int | None, text: str) -> None:
        """Record that a system call failed."""
        self.errors = (*self.errors, CallError(call, errno, text))

    def add_attempt(self, attempt: Attempt) -> None:
        """Record how dialling an address ended."""
        self.attempts = (*self.attempts, attempt)

    @property
    def transcript(self) -> tuple[Passage, ...]:
        """What passed in both directions, as far as it is kept."""
        return tuple(map(Passage._make, self._passages))

    @transcript.setter
    def transcript(self, passages: tuple[Passage, ...]) -> None:
        self._passages = passages

    @property
    def stages(self) -> tuple[StageTime, ...]:
        """The stages that began."""
        if isinstance(self._stages, partial):
            self._stages = self._stages()
        return self._stages

    @stages.setter
    def stages(self, stages: tuple[StageTime, ...] | partial[tuple[StageTime, ...]]) -> None:
        self._stages = stages

    def stage(self, stage: Stage | None) -> StageTime | None:
        """Return when ``stage`` ran, or ``None`` if it did not begin."""
        return next((time for time in self.stages if time.stage is stage), None)

    @property
    def silent(self) -> bool:
        """Whether not one octet came."""
        return self.octets_received == 0

    @property
    def packet_octets(self) -> int:
        """How many octets of an unfinished packet are kept.

        The first octet of a packet that is waited for is 0: longer ones are refused.
        """
        is_packet = self.identification is not None and self.unread_octets[:1] == b"\0"
        return len(self.unread_octets) if is_packet else 0

    @property
    def last_words(self) -> bytes:
        """What the server said last that was neither its identification string nor a packet.

        Lines of white space say nothing.
        """
        if self.identification is not None:
            return b"" if self.packet_octets else self.unread_octets
        if self.unread_octets:
            return self.unread_octets
        return next((line for line in reversed(self.lines_before) if line.strip()), b"")

    def _add_passage(self, at_s: float, side: Side, octets: bytes, offset: int) -> None:
        kept = octets
        if len(octets) > self._room_octets:
            kept = octets[: max(self._room_octets, KEPT_PASSAGE_OCTETS)]
        passed = (at_s, side, offset, len(octets), kept)
        if len(self._passages) < KEPT_PASSAGES - 1:
            self._passages += (passed,)
            self._room_octets -= len(kept)
        else:  # the next one takes its place
            self._passages = (*self._passages[: KEPT_PASSAGES - 1], passed)
