"""Everything that shows a report, and what must hold of all that it shows."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from probe import expectation, nagios
from probe.cli.results import LONGEST_LINE_OCTETS
from probe.cli.tally import Tally
from probe.prober import DEFAULT_BUDGET
from probe.report import Report, schema

EXPECTATION: Final = expectation.Expectation(
    forbidden=(expectation.parse_algorithm("kex:*"), expectation.parse_algorithm("mac:?*")),
)


def _line(report: Report) -> Iterator[str]:
    assessment = expectation.assess(report, EXPECTATION)
    yield report.line(state=assessment.state, notes=assessment.reasons)


def _page(report: Report) -> Iterator[str]:
    yield from report.explain(whole=True).split("\n")
    yield from report.explain().split("\n")


def _plugin(report: Report) -> Iterator[str]:
    thresholds = nagios.Thresholds({}, {})
    result = nagios.judge_report(report, DEFAULT_BUDGET, thresholds, EXPECTATION, nagios.ALL)
    first, *rest = result.lines
    assert first.count("|") == 1
    assert not any("|" in line for line in rest)
    yield from result.lines


def _tally(report: Report) -> Iterator[str]:
    tally = Tally()
    tally.add(report)
    yield from (tally.line(), *tally.lines())


def _json(report: Report) -> Iterator[str]:
    text = report.to_json(transcript=True)
    assert text.isascii()
    assert len(text) < LONGEST_LINE_OCTETS
    copy = Report.from_json(text).to_json(transcript=True)
    assert copy == text or "\\u2026" in text  # hasshServer is of the names, and some were cut
    assert Report.from_json(copy).to_json(transcript=True) == copy
    yield text


LINES: Final[dict[str, Callable[[Report], Iterator[str]]]] = {
    "line": _line,
    "page": _page,
    "plugin": _plugin,
    "tally": _tally,
    "json": _json,
}
"""What each face shows. A face that is added to the product is a row here."""


def show(report: Report) -> None:
    """Let every face show it. Nothing but lines of printable characters may come out."""
    for face, lines in LINES.items():
        for line in lines(report):
            assert line.isprintable(), (face, line)


def validate(report: Report) -> None:
    """Hold its JSON against the published schema."""
    _validator().validate(report.to_dict(transcript=True))


@cache
def _validator() -> Any:  # noqa: ANN401 - jsonschema's own type is a protocol without a name
    return Draft202012Validator(json.loads(schema()))
