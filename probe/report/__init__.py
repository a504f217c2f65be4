"""The report of a probe: its verdict and its evidence, as one line, as a page, and as JSON.

The JSON is an object with these members; ``schema`` changes when one of them changes its
meaning, and later versions may add members. ``report.schema.json`` beside this file says the same
to programs. Text of a peer is escaped by ``probe.text.escape`` and capped.

==================  =============================================================================
schema              ``"sshprobe-report-1"``
target              ``"host:port"``, or ``"stream"`` for a stream of the caller's
host, port          its parts; ``""`` and 0 for a stream
verdict, state      the answer, and what a monitor shows: ok, warning, unknown, critical
sentence            what the verdict means, and where to look next
error               what went wrong in this probe, in a few words; null after success
end                 how the probe ended, as its own code saw it: the values of probe.evidence.End
where               innermost stage that ran when the probe ended; null after success
whose               stage whose limit ran out; null if none did
spent_s             seconds, as all members in ``_s``
stages              of each stage that began: stage, began_s, spent_s, limit_s, completed
address             numeric address that answered, or null
addresses           what the name resolved to; the one in question, of check_addresses
attempts            of each address dialled: address, began_s, spent_s, outcome, errno
lines_before        first lines before the identification string, and the last
lines_before_count  how many there were
identification      null, or text, protoversion, softwareversion, comments
kexinit             null, or the fields of RFC 4253 §7.1 with strict_kex, hassh_server, negotiated
messages_before     how many messages came before KEXINIT
disconnect          null, or reason_code, reason, description
violation           null, or the broken rule that ended the handshake, like a finding
findings            of each deviation: code, subject, section, sentence, detail
errors              of each failed call but connect: call, errno, text
internal_error      a bug of sshprobe's own that ended the probe, or null
last_words          what the server said last that was not SSH, or null
first_hex           the first octets that came, in hex; null after an identification string
unread_hex          what came last and belongs to no line or packet, in hex
tcp                 what the kernel knew at the end, or null: the fields of probe.evidence.TcpInfo
octets              sent, received, first_s, last_s
transcript          null unless asked for, or of each passage: at_s, side, offset, length, hex
==================  =============================================================================
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from probe.budget import Stage
from probe.evidence import Evidence
from probe.report.words import circumstances, seconds
from probe.ssh.rules import Finding
from probe.target import write_target
from probe.text import escape
from probe.verdict import ROWS, State, Verdict, judge

SCHEMA: Final = "sshprobe-report-1"


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of what ``Report.to_json`` writes."""
    from importlib.resources import files  # noqa: PLC0415 - start-up time that only this one needs

    return files(__name__).joinpath("report.schema.json").read_text(encoding="utf-8")


class Report:
    """The answer of one probe. Immutable in use, and picklable.

    Args:
        evidence: What was seen; it must not change any more.
        verdict: What it means, if that is known already; else the evidence is judged.

    Attributes:
        evidence: What was seen.
        verdict: What it means.
    """

    __slots__ = ("evidence", "verdict")

    def __init__(self, evidence: Evidence, verdict: Verdict | None = None) -> None:
        self.evidence = evidence
        self.verdict: Verdict = judge(evidence) if verdict is None else verdict

    @classmethod
    def from_json(cls, text: str | bytes) -> "Report":
        """Read what ``to_json`` wrote, on this machine or another.

        The verdict is the writer's. What the writer cut stays cut: text beyond 256 characters, and
        a transcript that was not asked for.

        Raises:
            ValueError: It is no JSON, or not the JSON of a report, or it has a verdict, a stage or
                the like that this version does not know.
        """
        import json  # noqa: PLC0415 - 2 ms of start-up that only this method needs

        try:
            members = json.loads(text)
        except RecursionError:
            message = "not a report: it is nested too deeply"
            raise ValueError(message) from None
        return cls.from_dict(members)

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> "Report":
        """Read what ``to_dict`` returned.

        Raises:
            ValueError: As for ``from_json``.
        """
        from probe.report.record import from_members  # noqa: PLC0415 - only readers need it

        try:
            if members["schema"] != SCHEMA:
                message = f"not of the schema {SCHEMA}: {members['schema']!r}"
                raise ValueError(message)
            return cls(from_members(members), Verdict(members["verdict"]))
        except (LookupError, TypeError, AttributeError, OverflowError) as error:
            message = f"not a report: {error!r}"
            raise ValueError(message) from error

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
        return write_target(host, self.evidence.port) if host else "stream"

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
        return None if self.ok else "; ".join(circumstances(self.evidence))

    def line(self, *, state: State | None = None, notes: Iterable[str] = ()) -> str:
        """Return the report as one printable line for people, without its end.

        Args:
            state: What to show in place of the verdict's own state.
            notes: What to add to the verdict, printable.
        """
        head = self._head(state, notes)
        if self.ok:
            seen = f"{self.identification}  {seconds(self.spent_s):.3f} s"
            return f"{head}  {seen}{_aside(self.findings)}"
        error = f"  {self.error}." if self.error else ""
        return f"{head}{error}  {self.sentence}{_aside(self.findings)}"

    def explain(
        self,
        *,
        whole: bool = False,
        state: State | None = None,
        notes: Iterable[str] = (),
    ) -> str:
        """Return all that a person can act on: printable lines of 80 columns.

        The verdict's sentence comes first, then what happened, how sure that is, what looks the
        same and where to look next; then the evidence, down to what passed and when.

        Args:
            whole: Whether the transcript is shown as far as it was kept, and not only the first 64
                octets of each passage.
            state: As for ``line``.
            notes: As for ``line``.
        """
        from probe.report import long  # noqa: PLC0415 - start-up time that only this method needs

        head = self._head(state, notes)
        return "\n".join(long.say(head, self.verdict, self.evidence, whole=whole))

    def to_dict(self, *, transcript: bool = False) -> dict[str, object]:
        """Return the members that the module's table lists, ready for JSON.

        Args:
            transcript: Whether to add what passed, octet by octet.
        """
        from probe.report.record import to_members  # noqa: PLC0415 - only JSON needs it

        return {
            "schema": SCHEMA,
            "target": self.target,
            "host": escape(self.evidence.host),
            "port": self.evidence.port,
            "verdict": self.verdict,
            "state": self.state,
            "sentence": self.sentence,
            "error": self.error,
            **to_members(self.evidence, transcript=transcript),
        }

    def to_json(self, *, transcript: bool = False) -> str:
        """Return the report as JSON on one line, pure ASCII.

        Args:
            transcript: Whether to add what passed, octet by octet.
        """
        import json  # noqa: PLC0415 - 2 ms of start-up that only this method needs

        return json.dumps(self.to_dict(transcript=transcript))

    def _head(self, state: State | None, notes: Iterable[str]) -> str:
        said = "; ".join(notes)
        aside = f" ({said})" if said else ""
        return f"{(state or self.state).upper():8}  {self.target}  {self.verdict}{aside}"


def _aside(findings: tuple[Finding, ...]) -> str:
    return f"  ({', '.join(finding.rule.code for finding in findings)})" if findings else ""
