"""What the exporter knows of itself: counts, gauges, what is in flight, and the last results.

They are the counterparts of what found the leak in the story: how many probes are in flight, how
old the oldest is, and whether one ever outlived its budget, which cannot be.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import trio
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from probe.exporter.refusals import Reason
from probe.exporter.result import Result, Scrape
from probe.exporter.server import Tally
from probe.net.dial import abandoned_look_ups
from probe.verdict import Verdict
from probe.version import VERSION

GRACE_S: Final = 1.0
"""How late a probe may be before it has outlived its budget: a busy machine is late, too."""

TICK_S: Final = 0.25

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

SHARINGS: Final = {
    "coalesced": "an equal one was in flight",
    "fresh": "an equal one had just ended",
}
"""Why a scrape needed no probe of its own."""


class Flight:
    """A probe in flight.

    Attributes:
        scrape: What was asked for.
        began_at: When it began, on trio's clock.
        due_at: When its budget is spent.
        landed: Set when it has ended.
        result: What came of it; ``None`` if it was refused, or has not ended.
    """

    def __init__(self, scrape: Scrape, now: float) -> None:
        self.scrape = scrape
        self.began_at = now
        self.due_at = now + scrape.limit_s
        self.landed = trio.Event()
        self.result: Result | None = None


class Insides:
    """All that the exporter knows of itself.

    Args:
        kept: Results that are kept.

    Attributes:
        flights: Probes in flight.
        results: The last results, the oldest first.
        outlived: How many probes were seen to outlive their budgets.
        connections: Counts them.
        config_is_accepted: Whether the last configuration was.
        config_accepted_at: When the last good one was: seconds since 1970.
        registry: Has all of it as metrics.
    """

    def __init__(self, kept: int) -> None:
        self.flights: set[Flight] = set()
        self.results: deque[Result] = deque(maxlen=kept)
        self.outlived = 0
        self.connections = Tally()
        self.registry = CollectorRegistry()
        self._overdue: set[Flight] = set()
        self._numbers = count(1)
        self._add_metrics()
        self.note_config(is_accepted=True)

    def _add_metrics(self) -> None:
        self.registry.register(_Gauges(self))
        if sys.platform == "linux":
            ProcessCollector(registry=self.registry)
        self._verdicts = _counter(self, "probes", "Probes that ended.", "verdict", Verdict)
        self._refusals = _counter(self, "refused", "Scrapes refused.", "reason", Reason)
        self._sharings = _counter(self, "shared", "Scrapes without own probe.", "reason", SHARINGS)
        self._lateness = _histogram(self, "probe_lateness", "How late expired limits were seen.")
        self._lag = _histogram(self, "event_loop_lag", "How late a task was that only slept.")

    # What happens. ---------------------------------------------------------------------------

    def take_off(self, scrape: Scrape) -> Flight:
        """Count a probe that begins."""
        flight = Flight(scrape, trio.current_time())
        self.flights.add(flight)
        return flight

    def next_number(self) -> int:
        """Return the number of the next result."""
        return next(self._numbers)

    def land(self, flight: Flight) -> None:
        """Count a probe that has ended, and wake who waits for it."""
        self.look()
        self.flights.discard(flight)
        self._overdue.discard(flight)
        if flight.result is not None:
            self.results.append(flight.result)
            self._count(flight.result)
        flight.landed.set()

    def _count(self, result: Result) -> None:
        self._verdicts.labels(result.report.verdict).inc()
        expired = result.report.evidence.stage(result.report.whose)
        if expired is not None:
            self._lateness.observe(max(expired.spent_s - expired.limit_s, 0.0))

    def refuse(self, reason: Reason) -> None:
        """Count a scrape that is refused."""
        self._refusals.labels(reason).inc()

    def share(self, reason: str) -> None:
        """Count a scrape that needs no probe of its own, for a reason of ``SHARINGS``."""
        self._sharings.labels(reason).inc()

    def note_config(self, *, is_accepted: bool) -> None:
        """Note that a configuration was read."""
        self.config_is_accepted = is_accepted
        if is_accepted:
            self.config_accepted_at = time.time()

    def look(self) -> None:
        """See whether a probe outlives its budget, and never forget it."""
        late_at = trio.current_time() - GRACE_S
        late = {flight for flight in self.flights if flight.due_at < late_at}
        self.outlived += len(late - self._overdue)
        self._overdue |= late

    async def watch(self) -> None:
        """Look again and again, and see how late that is. Runs until cancelled."""
        while True:
            due_at = trio.current_time() + TICK_S
            await trio.sleep_until(due_at)
            self._lag.observe(trio.current_time() - due_at)
            self.look()

    def oldest_age_s(self) -> float:
        """Return for how long the oldest probe has been in flight; 0 if none is."""
        began_at = min((flight.began_at for flight in self.flights), default=None)
        return 0.0 if began_at is None else trio.current_time() - began_at


class Gauge(NamedTuple):
    """A row of ``GAUGES``.

    Attributes:
        name: Its name after the prefix.
        text: Its HELP.
        read: Gives its value.
    """

    name: str
    text: str
    read: Callable[[Insides], float]


PREFIX: Final = "sshprobe_exporter_"


def _sockets() -> int:
    """Return how many sockets this process has open; 0 where it cannot look."""
    return sum(_link(entry).startswith("socket:") for entry in _descriptors())


DESCRIPTORS: Final = Path("/proc/self/fd")
"""The open descriptors of this process, on Linux."""


def _descriptors() -> list[Path]:
    try:
        return list(DESCRIPTORS.iterdir())
    except OSError:
        return []


def _link(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:  # closed meanwhile: the one that looked
        return ""


GAUGES: Final = (
    Gauge("probes_in_flight", "Probes in flight.", lambda own: len(own.flights)),
    Gauge("oldest_probe_age_seconds", "Age of the oldest of them.", Insides.oldest_age_s),
    Gauge(
        "overdue_probes",
        "Those of them that have outlived their budgets: there should never be one.",
        lambda own: len(own._overdue),  # noqa: SLF001 - of this module
    ),
    Gauge("connections", "Open connections of scrapers.", lambda own: own.connections.connections),
    Gauge("tasks", "Tasks of trio.", lambda _: trio.lowlevel.current_statistics().tasks_living),
    Gauge("sockets", "Open sockets.", lambda _: _sockets()),
    Gauge("threads", "Threads.", lambda _: threading.active_count()),
    Gauge(
        "abandoned_look_ups",
        "Threads that look up a name for which nobody waits any more.",
        lambda _: abandoned_look_ups(),
    ),
    Gauge(
        "config_last_reload_successful",
        "Whether the last configuration was accepted.",
        lambda own: own.config_is_accepted,
    ),
    Gauge(
        "config_last_reload_success_timestamp_seconds",
        "When the last good configuration was accepted.",
        lambda own: own.config_accepted_at,
    ),
)


class _Gauges(Collector):
    def __init__(self, insides: Insides) -> None:
        self._insides = insides

    def collect(self) -> Iterator[Metric]:
        self._insides.look()
        for row in GAUGES:
            yield GaugeMetricFamily(PREFIX + row.name, row.text, row.read(self._insides))
        yield CounterMetricFamily(
            f"{PREFIX}outlived_probes",
            "Probes that outlived their budgets.",
            self._insides.outlived,
        )
        dropped = CounterMetricFamily(
            f"{PREFIX}dropped_connections", "Connections without an answer.", labels=["reason"]
        )
        for reason, times in self._insides.connections.dropped.items():
            dropped.add_metric([reason], times)
        yield dropped
        build = GaugeMetricFamily("sshprobe_build_info", "This version.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build


def _counter(insides: Insides, name: str, text: str, label: str, values: Iterable[str]) -> Counter:
    """Make a counter whose every member exists before it counts."""
    counter = Counter(PREFIX + name, text, [label], registry=insides.registry)
    for value in values:
        counter.labels(value)
    return counter


def _histogram(insides: Insides, name: str, text: str) -> Histogram:
    return Histogram(f"{PREFIX}{name}_seconds", text, buckets=BUCKETS_S, registry=insides.registry)
