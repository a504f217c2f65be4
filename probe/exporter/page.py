"""Results as pages for people: made here, whole, with nothing to be run by a browser."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from probe.budget import Stage
from probe.exporter.result import Result
from probe.verdict import ROWS, Verdict

HTML: Final = "text/html; charset=utf-8"
CSS: Final = "text/css; charset=utf-8"

WIDTH: Final = 1000
"""Of a waterfall, in its own units: the limit of the whole probe."""

ROW_HEIGHT: Final = 14

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("probe.exporter"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Bar(NamedTuple):
    """A stage in a waterfall.

    Attributes:
        stage: Its name.
        text: What a person is told of it.
        x: Where it begins.
        y: Its upper edge.
        width: How long it took; never nothing.
        limit: How long it might have taken.
        how: ``done``, ``expired`` or ``cut``.
    """

    stage: Stage
    text: str
    x: int
    y: int
    width: int
    limit: int
    how: str


def style() -> bytes:
    """Return the style sheet of all pages."""
    return files("probe.exporter").joinpath("templates", "style.css").read_bytes()


def overview(results: Iterable[Result], verdict: str | None = None) -> bytes:
    """Return the page of recent probes, the last first.

    Args:
        results: The oldest first.
        verdict: The only one that is shown; ``None`` for all.
    """
    rows = list(results)[::-1]
    counts = Counter(result.report.verdict for result in rows)
    return _render(
        "overview.html",
        total=len(rows),
        counts=[(row, counts[row]) for row in Verdict if counts[row]],
        shown=[result for result in rows if verdict in (None, result.report.verdict)],
        chosen=verdict if verdict in list(Verdict) else None,
    )


def detail(result: Result) -> bytes:
    """Return the page of one probe."""
    assessment = result.assessment
    text = result.report.explain(whole=True, state=assessment.state, notes=assessment.reasons)
    return _render("detail.html", result=result, text=text)


def waterfall(result: Result) -> list[Bar]:
    """Return the stages of a probe as bars, the whole probe apart."""
    limit_s = result.scrape.limit_s
    return list(_bars(result, WIDTH / limit_s))


def _bars(result: Result, scale: float) -> Iterator[Bar]:
    seen = result.report.evidence
    times = [time for time in seen.stages if time.stage is not Stage.PROBE]
    for number, time in enumerate(times):
        how = "done" if time.completed else "expired" if time.stage is seen.whose else "cut"
        text = f"{time.stage}: {time.spent_s:.3f} s of {time.limit_s:g} s, {how}"
        x, width = round(time.began_s * scale), max(round(time.spent_s * scale), 2)
        limit = min(round(time.limit_s * scale), WIDTH - x)
        yield Bar(time.stage, text, x, number * ROW_HEIGHT, width, max(limit, width), how)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _render(name: str, **values: object) -> bytes:
    return _ENVIRONMENT.get_template(name).render(values).encode()


_ENVIRONMENT.globals.update(
    clock=_clock, waterfall=waterfall, rows=ROWS, width=WIDTH, row_height=ROW_HEIGHT
)
