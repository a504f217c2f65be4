"""What came of a sweep, counted in memory that does not grow with it."""

import math
from collections import Counter
from collections.abc import Iterator
from heapq import heappushpop
from typing import Final

from probe.report import Report
from probe.text import escape
from probe.verdict import Verdict

KINDS_KEPT: Final = 1024
"""Softwareversions that are counted apart: the Internet's commonest are a few dozens, and servers
may make up any number."""

SLOWEST_KEPT: Final = 5

KINDS_SHOWN: Final = 10

_KIND_CHARACTERS: Final = 60

_STEP: Final = 1.05
"""Times are counted in classes that differ by a twentieth, so percentiles are that exact."""

_LEAST_S: Final = 1e-6

_PERCENTILES: Final = {"half": 0.5, "90 %": 0.9, "99 %": 0.99}

OUR_TROUBLES: Final = (Verdict.LOCAL_ERROR, Verdict.INTERNAL_ERROR)
"""After these nothing is known of the server."""


class Tally:
    """Counts reports.

    Attributes:
        verdicts: How many there were of each.
    """

    def __init__(self) -> None:
        self.verdicts = Counter[Verdict]()
        self._kinds = Counter[str]()
        self._other_kinds = 0
        self._times = Counter[int]()
        self._longest_s = 0.0
        self._slowest: list[tuple[float, str, Verdict]] = []

    def add(self, report: Report) -> None:
        """Count one more report."""
        self.verdicts[report.verdict] += 1
        self._add_slow(report)
        if report.ok:
            self._times[_class_of(report.spent_s)] += 1
            self._longest_s = max(self._longest_s, report.spent_s)
        if report.evidence.identification is not None:
            self._add_kind(report.evidence.identification.softwareversion)

    @property
    def count(self) -> int:
        """How many reports there were."""
        return self.verdicts.total()

    @property
    def our_troubles(self) -> int:
        """How many of them say nothing of a server."""
        return sum(self.verdicts[verdict] for verdict in OUR_TROUBLES)

    def line(self) -> str:
        """Return the verdicts and their numbers, the commonest first, on one line."""
        return ", ".join(f"{verdict} {count}" for verdict, count in self.verdicts.most_common())

    def lines(self) -> Iterator[str]:
        """Say what came of it: verdicts, how long a good answer takes, who was slow, what runs."""
        width = max(map(len, self.verdicts), default=0)
        for verdict, count in self.verdicts.most_common():
            yield f"  {verdict:{width}}  {count:9}  {100 * count / self.count:5.1f} %"
        if self._times:
            yield f"time to ok: {self._say_times()}"
        if self._slowest:
            yield "slowest:"
        for spent_s, target, verdict in sorted(self._slowest, reverse=True):
            yield f"  {spent_s:9.3f} s  {target}  {verdict}"
        yield from self._say_kinds()

    def percentile_s(self, part: float) -> float:
        """Return the time within which this part of the good answers came, to a twentieth."""
        wanted, seen = math.ceil(part * self._times.total()), 0
        for class_, count in sorted(self._times.items()):
            seen += count
            if seen >= wanted:
                return min(_LEAST_S * _STEP ** (class_ + 1), self._longest_s)
        return self._longest_s

    def _say_times(self) -> str:
        said = [f"{name} {self.percentile_s(part):.3f} s" for name, part in _PERCENTILES.items()]
        return ", ".join([*said, f"all {self._longest_s:.3f} s"])

    def _say_kinds(self) -> Iterator[str]:
        if self._kinds:
            yield "softwareversions:"
        shown = self._kinds.most_common(KINDS_SHOWN)
        for kind, count in shown:
            yield f"  {count:9}  {kind}"
        others = self._kinds.total() - sum(count for _, count in shown) + self._other_kinds
        if others:
            yield f"  {others:9}  others"

    def _add_kind(self, softwareversion: bytes) -> None:
        kind = escape(softwareversion, _KIND_CHARACTERS)
        if kind in self._kinds or len(self._kinds) < KINDS_KEPT:
            self._kinds[kind] += 1
        else:
            self._other_kinds += 1

    def _add_slow(self, report: Report) -> None:
        entry = (report.spent_s, report.target, report.verdict)
        if len(self._slowest) < SLOWEST_KEPT:
            self._slowest.append(entry)
            self._slowest.sort()  # a sorted list is a heap
        else:
            heappushpop(self._slowest, entry)


def _class_of(spent_s: float) -> int:
    return int(math.log(max(spent_s, _LEAST_S) / _LEAST_S, _STEP))
