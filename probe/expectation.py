"""What a caller expects of a server, and whether a report meets it.

A report says what is; here it is held against what should be: a port that must be closed, a tarpit
that must be up, an algorithm that must, or must not, be offered.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from probe.report import Report
from probe.ssh.kexinit import KexInit
from probe.text import escape
from probe.verdict import State, Verdict, worst

KINDS: Final = {
    "kex": ("kex_algorithms",),
    "host-key": ("server_host_key_algorithms",),
    "encryption": (
        "encryption_algorithms_client_to_server",
        "encryption_algorithms_server_to_client",
    ),
    "mac": ("mac_algorithms_client_to_server", "mac_algorithms_server_to_client"),
    "compression": (
        "compression_algorithms_client_to_server",
        "compression_algorithms_server_to_client",
    ),
}
"""What an algorithm can be for, and the lists of KEXINIT (RFC 4253 §7.1) that name it."""

_NAMES_SAID: Final = 4
"""Names of a server that a reason quotes."""


class Algorithm(NamedTuple):
    """Algorithms of a kind, by name.

    Attributes:
        kind: A key of ``KINDS``.
        pattern: A name; ``*`` stands for any characters, ``?`` for one, ``[ab]`` for one of these.
    """

    kind: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.kind}:{escape(self.pattern)}"

    def offered(self, offer: KexInit) -> Iterator[list[str]]:
        """Give the matching names of each list of this kind."""
        for field in KINDS[self.kind]:
            names: tuple[bytes, ...] = getattr(offer.algorithms, field)
            yield [text for text in map(escape, names) if fnmatchcase(text, self.pattern)]


class Expectation(NamedTuple):
    """What should be.

    Attributes:
        verdicts: Those that are a success; if empty, each has the state of its row.
        required: Algorithms of which the server must offer one each, in both directions.
        forbidden: Algorithms of which it may offer none.
        warn_on: Codes of findings that make a WARNING of what were OK.
    """

    verdicts: frozenset[Verdict] = frozenset()
    required: tuple[Algorithm, ...] = ()
    forbidden: tuple[Algorithm, ...] = ()
    warn_on: frozenset[str] = frozenset()


class Assessment(NamedTuple):
    """What a report comes to.

    Attributes:
        state: What a monitor shows.
        reasons: What decided it, if that was not the verdict alone, in a few words each.
    """

    state: State
    reasons: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Whether all is as it should be, warnings apart: a server that is only full is alive."""
        return self.state in (State.OK, State.WARNING)


def assess(report: Report, expectation: Expectation) -> Assessment:
    """Hold a report against what is expected."""
    judged = [
        _assess_verdict(report, expectation.verdicts),
        *_assess_offer(report.evidence.kexinit, expectation),
        *_assess_findings(report, expectation.warn_on),
    ]
    state = worst(part.state for part in judged)
    return Assessment(state, tuple(reason for part in judged for reason in part.reasons))


def parse_algorithm(text: str) -> Algorithm:
    """Read ``KIND:NAME``.

    Raises:
        ValueError: It is something else; the message says what to write.
    """
    kind, colon, pattern = text.partition(":")
    if not colon or not pattern or kind not in KINDS:
        message = f"not an algorithm: {text!r}; write KIND:NAME with a kind of {', '.join(KINDS)}"
        raise ValueError(message)
    return Algorithm(kind, pattern)


def _assess_verdict(report: Report, expected: Iterable[Verdict]) -> Assessment:
    """Our own trouble tells nothing of the server: it stays UNKNOWN, unless it is expected."""
    if report.verdict in expected:
        return Assessment(State.OK, () if report.ok else ("as expected",))
    if not expected or report.state is State.UNKNOWN:
        return Assessment(report.state)
    return Assessment(State.CRITICAL, (f"expected {' or '.join(sorted(expected))}",))


def _assess_offer(offer: KexInit | None, expectation: Expectation) -> Iterator[Assessment]:
    if offer is None:
        return
    for algorithm in expectation.required:
        if not all(algorithm.offered(offer)):
            yield Assessment(State.CRITICAL, (f"{algorithm} is required and not offered",))
    for algorithm in expectation.forbidden:
        names = list(dict.fromkeys(name for names in algorithm.offered(offer) for name in names))
        if names:
            more = f" and {len(names) - _NAMES_SAID} more" if len(names) > _NAMES_SAID else ""
            said = ", ".join(names[:_NAMES_SAID]) + more
            yield Assessment(State.CRITICAL, (f"{algorithm} is forbidden and offered: {said}",))


def _assess_findings(report: Report, codes: Iterable[str]) -> Iterator[Assessment]:
    for finding in report.findings:
        if finding.rule.code in codes:
            yield Assessment(State.WARNING, (f"finding {finding.rule.code}",))
