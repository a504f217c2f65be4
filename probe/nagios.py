"""A report as a monitoring plugin: status line, performance data, thresholds, levels of verbosity.

Source:
    Monitoring Plugins Development Guidelines, §2: https://www.monitoring-plugins.org/doc/guidelines.html
"""

import math
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from probe.budget import STAGES, Budget, Stage
from probe.expectation import Assessment, Expectation, assess
from probe.report import Report
from probe.report.words import say_finding
from probe.text import escape
from probe.verdict import State, worst
from probe.version import VERSION

SERVICE: Final = "SSH"
"""What a status line begins with."""

LABELS: Final = {Stage.PROBE: "time"} | {row.stage: str(row.stage) for row in STAGES[1:]}
"""What performance data calls the time of each stage; the whole is ``time``, as in check_ssh."""

ONE_LINE: Final = 0
MORE: Final = 1
PAGE: Final = 2
ALL: Final = 3
"""Levels of verbosity: guidelines, §2.2."""

_NUMBER: Final = r"-?(?:\d+(?:\.\d*)?|\.\d+)"
_RANGE: Final = re.compile(rf"(@?)(?:(~|{_NUMBER})?(:))?({_NUMBER})?", re.ASCII)


class Range(NamedTuple):
    """A threshold range: guidelines, §2.5.

    Attributes:
        text: As it was written.
        start: Its lower end, which is part of it.
        end: Its upper end, which is part of it.
        alerts_inside: Whether it alerts inside, and not outside.
    """

    text: str
    start: float
    end: float
    alerts_inside: bool

    def alerts(self, value: float) -> bool:
        """Whether ``value`` calls for an alert."""
        return (self.start <= value <= self.end) is self.alerts_inside


def parse_range(text: str) -> Range:
    """Read a range: ``10``, ``10:``, ``~:10``, ``10:20``, ``@10:20``.

    Raises:
        ValueError: It is something else; the message says what to write.
    """
    match = _RANGE.fullmatch(text)
    if match is None or match.group(3, 4) == (None, None):
        message = f"not a range: {text!r}; write 10, 10:, ~:10, 10:20 or @10:20"
        raise ValueError(message)
    inside, start, _, end = match.groups()
    low = -math.inf if start == "~" else float(start or 0)
    high = math.inf if end is None else float(end)
    if low > high:
        message = f"not a range: {text!r} starts above its end"
        raise ValueError(message)
    return Range(text, low, high, bool(inside))


class Thresholds(NamedTuple):
    """Which times are a warning, and which are critical.

    Attributes:
        warning: A range of seconds for some stages.
        critical: Likewise.
    """

    warning: Mapping[Stage, Range]
    critical: Mapping[Stage, Range]


class Result(NamedTuple):
    """What a plugin prints and how it ends.

    Attributes:
        state: The state, from which the exit status follows.
        lines: The status line with its performance data, then what verbosity adds.
    """

    state: State
    lines: tuple[str, ...]


def judge_report(
    report: Report,
    budget: Budget,
    thresholds: Thresholds,
    expectation: Expectation,
    verbosity: int = ONE_LINE,
) -> Result:
    """Make a plugin's result of a report.

    Args:
        report: Of one probe.
        budget: Of that probe: its limits are the maxima of the performance data.
        thresholds: Applied to the stages that began.
        expectation: What the verdict and the algorithms should be.
        verbosity: 0 to 3.
    """
    assessments = [assess(report, expectation), *_assess_times(report, thresholds)]
    state = worst(assessment.state for assessment in assessments)
    reasons = [reason for assessment in assessments for reason in assessment.reasons]
    status = _status(report, state, reasons, verbosity)
    data = " ".join(_performance_data(report, budget, thresholds))
    lines = [f"{_barless(status)} | {data}"]
    if verbosity >= PAGE:
        page = report.explain(whole=verbosity >= ALL, state=state, notes=reasons)
        lines += map(_barless, page.split("\n"))
    if verbosity >= ALL:
        lines += map(_barless, ("", _say_programs(), repr(budget)))
    return Result(state, tuple(lines))


def say_unknown(why: str) -> str:
    """Return the status line of a plugin that could not do its work."""
    return _barless(f"{SERVICE} {State.UNKNOWN.upper()} - {escape(why)}")


def _assess_times(report: Report, thresholds: Thresholds) -> Iterator[Assessment]:
    for state, ranges in (
        (State.CRITICAL, thresholds.critical),
        (State.WARNING, thresholds.warning),
    ):
        for stage, time_range in ranges.items():
            spent_s = _spent_s(report, stage)
            if spent_s is not None and time_range.alerts(spent_s):
                where = "inside" if time_range.alerts_inside else "outside"
                bounds = time_range.text.removeprefix("@")
                reason = f"{LABELS[stage]} {spent_s:.3f} s is {where} {bounds}"
                yield Assessment(state, (reason,))


def _spent_s(report: Report, stage: Stage) -> float | None:
    time = report.evidence.stage(stage)
    return None if time is None else time.spent_s


def _status(report: Report, state: State, reasons: Iterable[str], verbosity: int) -> str:
    """Say it in one line; with more verbosity, what happened in this probe, too."""
    said = "; ".join(reasons)
    head = f"{SERVICE} {state.upper()} - {report.target} {report.verdict}"
    head += f" ({said})" if said else ""
    if report.ok:
        head += f": {report.identification}, {report.spent_s:.3f} s"
    else:
        head += f": {report.sentence}"
    if verbosity < MORE:
        return head
    more = [report.error] if report.error else []
    return " - ".join([head, *more, *map(say_finding, report.findings)])


def _performance_data(report: Report, budget: Budget, thresholds: Thresholds) -> Iterator[str]:
    """Give all labels, so that a graph keeps its lines: ``U`` is a stage that did not begin."""
    for stage, label in LABELS.items():
        spent_s = _spent_s(report, stage)
        value = "U" if spent_s is None else f"{spent_s:.6f}s"
        bounds = [ranges[stage].text if stage in ranges else "" for ranges in thresholds]
        yield ";".join([f"{label}={value}", *bounds, "0", f"{budget[stage]:g}"])


def _say_programs() -> str:
    return f"sshprobe {VERSION}, Python {platform.python_version()}, {platform.platform()}"


def _barless(line: str) -> str:
    """Replace bars, which would begin performance data."""
    return line.replace("|", "¦")
