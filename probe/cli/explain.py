"""``sshprobe explain``."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Final

from probe.cli.printing import print_lines
from probe.explanations import BY_CODE, Explanation, Kind, of_kind
from probe.report.long import explain, wrap_text
from probe.verdict import ROWS, Verdict

_TITLES: Final = {
    Kind.VERDICT: "Verdicts: the answer of a probe, one each",
    Kind.FINDING: "Findings: what a server does against the RFCs, and survives",
    Kind.VIOLATION: "Violations: what ends the handshake",
}


def run(options: Namespace) -> int:
    """Explain one code, or list them all."""
    return print_lines(_list() if options.code is None else _explain(BY_CODE[options.code]))


def _list() -> Iterator[str]:
    for kind, title in _TITLES.items():
        yield title
        for row in of_kind(kind):
            yield ""
            yield f"  {row.code}"
            yield from wrap_text(row.sentence, "    ")
        yield ""
    yield "sshprobe explain CODE says more of each."


def _explain(row: Explanation) -> Iterator[str]:
    state = f", {ROWS[Verdict(row.code)].state.upper()}" if row.kind is Kind.VERDICT else ""
    yield f"{row.code}  ({row.kind}{state})"
    yield ""
    yield from wrap_text(row.sentence)
    yield from explain(row)
