"""Everything that shows a report, and what must hold of all that it shows."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any, Final

from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from probe import expectation, nagios
from probe.cli.results import LONGEST_LINE_OCTETS
from probe.cli.tally import Tally
from probe.exporter.config import FIRST_MODULE, MODULES
from probe.exporter.metrics import METRICS, expose, registry_of
from probe.exporter.page import detail, overview
from probe.exporter.result import Result, Scrape
from probe.prober import DEFAULT_BUDGET
from probe.report import Report, schema
from probe.target import Target

TEMPLATES: Final = files("probe.exporter").joinpath("templates").iterdir()

TAGS: Final = frozenset(
    tag for template in TEMPLATES for tag in re.findall(r"<([a-z]\w*)", template.read_text())
)
"""Elements that the exporter's pages have of their own."""

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


class _Tags(HTMLParser):
    """Reads a page as a browser does, and refuses what none of our templates has."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        assert not any(name.startswith("on") for name, _ in attrs)


def _html(report: Report) -> Iterator[str]:
    result = _result(report)
    for page in (overview([result]), detail(result)):
        tags = _Tags()
        tags.feed(page.decode())
        tags.close()
        yield from page.decode().split("\n")


def _metrics(report: Report) -> Iterator[str]:
    text, _ = expose(registry_of(_result(report)))
    families = list(text_string_to_metric_families(text.decode()))
    assert [family.name for family in families] == [row.name for row in METRICS]
    yield from text.decode().split("\n")


def _result(report: Report) -> Result:
    scrape = Scrape(Target("a.example", 22), FIRST_MODULE, MODULES[FIRST_MODULE], 10.0)
    return Result(1, 0.0, scrape, report, expectation.assess(report, EXPECTATION))


Faces = dict[str, Callable[[Report], Iterator[str]]]

LINES: Final[Faces] = {
    "line": _line,
    "page": _page,
    "plugin": _plugin,
    "tally": _tally,
    "json": _json,
}
"""What each face shows. A face that is added to the product is a row here, or in ``OWN``."""

OWN: Final[Faces] = {"html": _html, "metrics": _metrics}
"""Faces that show no report but our own."""


def show(report: Report, faces: Faces = LINES) -> None:
    """Let faces show it. Nothing but lines of printable characters may come out."""
    for face, lines in faces.items():
        for line in lines(report):
            assert line.isprintable(), (face, line)


def validate(report: Report) -> None:
    """Hold its JSON against the published schema."""
    _validator().validate(report.to_dict(transcript=True))


@cache
def _validator() -> Any:  # noqa: ANN401 - jsonschema's own type is a protocol without a name
    return Draft202012Validator(json.loads(schema()))
