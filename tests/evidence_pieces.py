"""Evidence made by hand, and evidence drawn at random, for what is concluded from it."""

import errno

from hypothesis import strategies as st

from probe.budget import STAGES, Stage, StageTime
from probe.evidence import Attempt, CallError, End, Evidence, Passage, Side, TcpInfo
from probe.ssh import rules
from probe.ssh.identification import Identification
from probe.ssh.kexinit import Algorithms, KexInit
from probe.ssh.messages import Disconnect
from probe.ssh.rules import Finding, Subject

OPENSSH = Identification(b"SSH-2.0-OpenSSH_10.5", b"2.0", b"OpenSSH_10.5", None)

KEXINIT = KexInit(
    bytes(range(16)),
    Algorithms(
        (b"curve25519-sha256", b"kex-strict-s-v00@openssh.com"),
        (b"ssh-ed25519",),
        (b"aes128-ctr",),
        (b"aes128-ctr",),
        (b"hmac-sha2-256",),
        (b"hmac-sha2-256",),
        (b"none",),
        (b"none",),
        (),
        (),
    ),
    first_kex_packet_follows=False,
    reserved=0,
)

LIMITS_S = {row.stage: row.limit_s for row in STAGES}


# By hand. ----------------------------------------------------------------------------------------


def evidence(**seen: object) -> Evidence:
    """Evidence of a probe of ``host.example`` with these attributes, the others as at first."""
    made = Evidence("host.example", 22)
    for name, value in seen.items():
        setattr(made, name, value)
    return made


def heard(octets: bytes, **seen: object) -> Evidence:
    """Evidence of a peer that said ``octets`` where an identification string was awaited."""
    *lines, unread = octets.split(b"\n")
    said: dict[str, object] = {
        "lines_before": tuple(line.removesuffix(b"\r") for line in lines),
        "lines_before_count": len(lines),
        "unread_octets": unread,
        "first_octets": octets,
        "octets_received": len(octets),
        "first_octet_s": 0.1,
        "last_octet_s": 0.1,
    }
    return evidence(**said | seen)


def identified(**seen: object) -> Evidence:
    """Evidence of a peer that said its identification string."""
    said = heard(OPENSSH.octets, unread_octets=b"", identification=OPENSSH)
    for name, value in seen.items():
        setattr(said, name, value)
    return said


def dialled(*errnos: int) -> tuple[Attempt, ...]:
    """Addresses that were tried one after the other, and what the kernel said of each."""
    return tuple(
        Attempt(f"192.0.2.{number}", 0.0, 0.001, "failed", code)
        for number, code in enumerate(errnos, 1)
    )


def failed(code: int | None, call: str = "recv", text: str = "") -> tuple[CallError, ...]:
    """A system call that failed."""
    return (CallError(call, code, text),)


def ran(stage: Stage, began_s: float, spent_s: float) -> StageTime:
    """A stage that was running when the probe ended."""
    return StageTime(stage, began_s, spent_s, LIMITS_S[stage], completed=False)


def tcp(
    *,
    unacked: int = 0,
    retransmits: int = 0,
    probes: int = 0,
    window: int = 65536,
    unsent: int = 0,
) -> TcpInfo:
    """What the kernel knows of a connection on which nothing came for three seconds."""
    return TcpInfo(
        state=1,
        retransmits=retransmits,
        keepalive_probes=probes,
        unacked_segments=unacked,
        since_sent_ms=3000,
        since_ack_ms=950,
        path_mtu_octets=1500,
        rtt_us=300,
        total_retransmits=retransmits,
        acked_octets=23,
        unsent_octets=unsent,
        out_of_order_segments=0,
        peer_window_octets=window,
    )


# How a probe ends: attributes of its evidence.

FIN: dict[str, object] = {"end": End.EOF}


def broken(code: int | None) -> dict[str, object]:
    """The connection broke, and the kernel said why."""
    return {"end": End.BROKEN, "errors": failed(code)}


def unconnected(*errnos: int) -> dict[str, object]:
    """No address could be connected to."""
    return {"end": End.UNCONNECTED, "where": Stage.CONNECT, "attempts": dialled(*errnos)}


def ran_out(stage: Stage, where: Stage | None = None, began_s: float = 0.1) -> dict[str, object]:
    """The limit of ``stage`` ran out, while ``where`` was running inside it."""
    inner = where or stage
    end_s = LIMITS_S[stage] + (0.0 if stage is Stage.PROBE else began_s)
    return {
        "end": End.DEADLINE,
        "where": inner,
        "whose": stage,
        "stages": (
            ran(Stage.PROBE, 0.0, end_s),
            *(ran(each, began_s, end_s - began_s) for each in {stage, inner} - {Stage.PROBE}),
        ),
        "spent_s": end_s,
    }


def violated(rule: rules.Rule, detail: str | bytes = "") -> dict[str, object]:
    """The server broke a rule that no handshake survives."""
    return {"end": End.VIOLATION, "violation": Finding(rule, detail)}


# At random. --------------------------------------------------------------------------------------

SOME_ERRNOS = (
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EPIPE,
    errno.EHOSTUNREACH,
    errno.ETIMEDOUT,
    errno.EMFILE,
    9999,
)

HOSTILE = (
    "\x1b[2J\x1b]0;gone\x07",
    "one\r\ntwo\nthree",
    "\0\x7f\x9b31m\u202e\u2028",
    '"}, "verdict": "ok"',
    "'; <script>alert(1)</script> \\",
    "Not allowed at this time",
    "HTTP/1.1 400 Bad Request",
    "\ud800\udcff",
)
"""Text that breaks out of a line, a terminal, a quotation or a table."""

_octets = st.binary(max_size=40) | st.sampled_from(
    [text.encode(errors="surrogatepass") for text in HOSTILE],
)
_text = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(HOSTILE)
_seconds = st.floats(0, 100)
_errnos = st.sampled_from(SOME_ERRNOS)
_stages = st.none() | st.sampled_from(Stage)
_names = st.lists(_octets, max_size=3).map(tuple)

_identifications = st.builds(Identification, _octets, _octets, _octets, st.none() | _octets)
_kexinits = st.builds(
    KexInit,
    st.binary(min_size=16, max_size=16),
    st.builds(Algorithms, *[_names] * 10),
    st.booleans(),
    st.integers(0, 0xFFFFFFFF),
)
_disconnects = st.builds(Disconnect, st.none() | st.integers(0, 0xFFFFFFFF), _octets)
_findings = st.builds(Finding, st.sampled_from(rules.FINDINGS), _text | _octets)
_calls = st.sampled_from(["getaddrinfo", "send", "recv", "SO_ERROR"])
_errors = st.builds(CallError, _calls, st.none() | _errnos, _text)
_attempts = st.builds(
    Attempt,
    st.sampled_from(["192.0.2.1", "fe80::1%eth0"]),
    _seconds,
    _seconds,
    st.sampled_from(["connected", "failed", "abandoned"]),
    st.none() | _errnos,
)


_tcp = st.none() | st.builds(
    tcp,
    unacked=st.integers(0, 2),
    retransmits=st.integers(0, 3),
    probes=st.integers(0, 4),
    window=st.sampled_from([0, 65536]),
    unsent=st.sampled_from([0, 370]),
)


_passages = st.builds(
    Passage,
    _seconds,
    st.sampled_from(Side),
    st.integers(0, 9999),
    st.integers(0, 9999),
    _octets,
)


def _violations(*subjects: Subject) -> st.SearchStrategy[Finding]:
    broken = [rule for rule in rules.VIOLATIONS if rule.subject in subjects]
    return st.builds(Finding, st.sampled_from(broken), _text | _octets)


def _several(drawn: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(drawn, max_size=3).map(tuple)


arbitrary = st.fixed_dictionaries(
    {
        "host": _text,
        "port": st.integers(0, 65535),
        "addresses": _several(st.just("192.0.2.1")),
        "attempts": _several(_attempts),
        "address": st.none() | st.just("192.0.2.1"),
        "lines_before": _several(_octets),
        "lines_before_count": st.integers(0, 1024),
        "identification": st.none() | _identifications,
        "messages_before": st.integers(0, 1024),
        "kexinit": st.none() | _kexinits,
        "disconnect": st.none() | _disconnects,
        "violation": st.none() | _violations(*Subject),
        "findings": _several(_findings),
        "first_octets": _octets,
        "unread_octets": _octets,
        "octets_sent": st.integers(0, 9999),
        "octets_received": st.integers(0, 9999),
        "first_octet_s": st.none() | _seconds,
        "last_octet_s": st.none() | _seconds,
        "transcript": _several(_passages),
        "end": st.sampled_from(End),
        "errors": _several(_errors),
        "internal_error": st.none() | _text,
        "tcp": _tcp,
        "stages": _several(st.builds(ran, st.sampled_from(Stage), _seconds, _seconds)),
        "where": _stages,
        "whose": _stages,
        "spent_s": _seconds,
    },
).map(lambda seen: evidence(**seen))
"""Evidence whose attributes need not agree with one another."""

_ENDS = {
    Stage.RESOLVE: (End.DEADLINE, End.UNRESOLVED),
    Stage.CONNECT: (End.DEADLINE, End.UNCONNECTED),
    Stage.FIRST_OCTET: (End.DEADLINE, End.EOF, End.BROKEN),
    Stage.IDENTIFICATION: (End.DEADLINE, End.EOF, End.BROKEN, End.VIOLATION),
    Stage.KEXINIT: (
        End.DEADLINE,
        End.EOF,
        End.BROKEN,
        End.VIOLATION,
        End.DISCONNECT,
        End.COMPLETE,
    ),
}
"""How a probe can end whose innermost stage is this one."""

_BREAKABLE = {
    Stage.IDENTIFICATION: (
        Subject.LINES,
        Subject.IDENTIFICATION,
        Subject.PROTOVERSION,
        Subject.FLOOD,
    ),
    Stage.KEXINIT: (Subject.PACKET, Subject.KEXINIT, Subject.MESSAGE, Subject.FLOOD),
}
"""What can be broken there."""


@st.composite
def consistent(draw: st.DrawFn) -> Evidence:
    """Evidence that a prober can hand in, but for its own bugs."""
    stage = draw(st.sampled_from(list(_ENDS)))
    made = evidence(end=draw(st.sampled_from(_ENDS[stage])), host=draw(_text), where=stage)
    _time(draw, made, stage)
    if made.end is End.UNRESOLVED:
        made.add_error("getaddrinfo", draw(st.sampled_from([-2, -3, None])), draw(_text))
    if made.end is End.UNCONNECTED:
        made.attempts = dialled(*draw(st.lists(_errnos, min_size=1, max_size=3)))
    if stage in (Stage.FIRST_OCTET, Stage.IDENTIFICATION, Stage.KEXINIT):
        _converse(draw, made, stage)
    return made


def _time(draw: st.DrawFn, made: Evidence, stage: Stage) -> None:
    """Begin the stages up to ``stage`` one after the other, and let the deadline be one's own."""
    began = list(Stage)[: list(Stage).index(stage) + 1]
    instants = sorted(draw(st.lists(_seconds, min_size=len(began), max_size=len(began))))
    made.spent_s = instants[-1]
    made.stages = tuple(
        ran(each, began_s, made.spent_s - began_s)
        for each, began_s in zip(began, [0.0, *instants], strict=False)
    )
    if made.end is End.DEADLINE:
        made.whose = draw(st.sampled_from(_around(stage)))


def _around(stage: Stage | None) -> list[Stage]:
    inside = {row.stage: row.inside for row in STAGES}
    return [] if stage is None else [stage, *_around(inside[stage])]


def _converse(draw: st.DrawFn, made: Evidence, stage: Stage) -> None:
    """Let the peer say something in the stages that are about that, and end as it must."""
    made.address = "192.0.2.1"
    made.tcp = draw(_tcp)
    made.findings = tuple(draw(st.lists(_findings, max_size=2)))
    if stage is not Stage.FIRST_OCTET:
        made.add_octets(draw(_octets.filter(bool)), draw(st.floats(0, made.spent_s)))
        for line in draw(st.lists(_octets, max_size=3)):
            made.add_line_before(line)
        made.unread_octets = draw(_octets)
    if stage is Stage.KEXINIT:
        made.identification = draw(_identifications)
    if made.end is not End.EOF:  # after an error, an end of the stream is that error's echo
        least = 1 if made.end is End.BROKEN else 0
        made.errors = tuple(draw(st.lists(_errors, min_size=least, max_size=2)))
    if made.end is End.VIOLATION:
        made.violation = draw(_violations(*_BREAKABLE[stage]))
    if made.end is End.DISCONNECT:
        made.disconnect = draw(_disconnects)
    if made.end is End.COMPLETE:
        made.kexinit, made.where = draw(_kexinits), None
