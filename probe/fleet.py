"""Many targets: probed side by side, politely, in bounded memory, and never faster than is sound.

Targets are read one by one, and only as long as there is room for them:

===============  ==================================  ==============================================
a target waits   how many at the most                until
===============  ==================================  ==============================================
to be read       one                                 there is a place, and it is a start's turn
for its server   ``RESTING``, and no place is taken  the server has forgiven (``probe.net.pace``)
in a place       ``max_in_flight``                   its report has been taken by the caller
===============  ==================================  ==============================================

So a caller that is slow to take reports slows down the sweep, and memory does not depend on how
many targets there are. Names wait in their places for a thread of the resolver, outside of the
probe, because that wait is not the resolver's time.

What this machine lacks says nothing of a server. Descriptors and ports are counted before the first
probe; what is lacking all the same is waited for, in the place, so that fewer probes compete for
it.
"""

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

import trio

from probe.budget import Budget
from probe.lack import failed_here, lacked
from probe.net.dial import wait_for_resolver
from probe.net.machine import most_in_flight
from probe.net.pace import BURST, INTERVAL_S, Pace
from probe.net.stages import open_nursery, wait_at_most
from probe.net.turns import AHEAD_S, Resting, Turns
from probe.prober import DEFAULT_BUDGET, check, require_source
from probe.report import Report
from probe.target import Target, require_target
from probe.verdict import Verdict

IN_FLIGHT: Final = 4096
"""Probes side by side unless the caller says otherwise, and at most what the machine allows: what
``RATE`` takes if no server answers within the four seconds of ``connect``. 9 KiB each."""

RATE: Final = 1000.0
"""Starts a second unless the caller says otherwise. A probe that expires costs half a millisecond
of one processor and a little more: at this rate no deadline is seen more than some 30 ms late."""

RESTING: Final = 65536
"""Targets that wait for their servers at the most; those of one server take no memory each."""

BACK_OFF_S: Final = (0.25, 1.0, 4.0)
"""Pauses after a trouble of this machine's; after the last of them it is reported."""


class Sweep(trio.abc.ReceiveChannel[Report]):
    """The reports of a sweep, in the order in which probes end; ``async for`` takes them.

    Several tasks may take reports.
    """

    def __init__(
        self,
        inbox: "trio.MemoryReceiveChannel[Report]",
        places: trio.Semaphore,
        stop: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._places = places
        self._stop = stop

    async def receive(self) -> Report:
        """Return the next report. A checkpoint; cancelled, it has taken none.

        Raises:
            trio.EndOfChannel: All targets have been reported.
            trio.ClosedResourceError: The sweep is closed.
        """
        report = await self._inbox.receive()
        self._places.release()
        return report

    def stop(self) -> None:
        """Read no more targets and cut the probes that run. What has ended can still be taken."""
        self._stop()

    async def aclose(self) -> None:
        """Stop, and drop the reports that were not taken. A checkpoint."""
        self.stop()
        await self._inbox.aclose()


@asynccontextmanager
async def sweep(  # noqa: PLR0913 - what a sweep can be told
    targets: Iterable[tuple[str, int]] | AsyncIterable[tuple[str, int]],
    *,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
    source: str | None = None,
    max_in_flight: int | None = None,
    rate: float = RATE,
    per_server_rate: float = 1 / INTERVAL_S,
    burst: int = BURST,
) -> AsyncIterator[Sweep]:
    """Ask at many servers, side by side, and give out each report when its probe ends.

    A context and not a generator, because probes run in tasks: trio can close a generator with
    tasks in it only from the outside. Leaving the context closes every socket at once.

        async with probe.sweep(targets) as reports:
            async for report in reports:
                print(report.line())

    Memory does not depend on the number of targets. A target that stands there twice is asked
    twice. A trouble of this machine's is waited for, and reported as ``local-error`` if it stays.

    With thousands in flight a full garbage collection stops them all for a tenth of a second or
    more, and deadlines are seen late: ``gc.set_threshold`` makes it rare. Probes leave no cycles.

    Args:
        targets: Hosts and ports, read one by one as places become free. An iterable must not
            block; an async one may wait.
        budget: How long each probe may take.
        ip_version: As for ``check``.
        source: As for ``check``.
        max_in_flight: Probes side by side, 1 or more; fewer if file descriptors or ports do not
            suffice. 4096 if ``None``. Asking for more than the process may have open raises its
            soft limit.
        rate: Probes that begin in a second, above 0.
        per_server_rate: Probes of one host and port in a second; 0 for no politeness.
        burst: Probes of one host and port that may begin at once, 1 or more.

    Raises:
        ValueError: An argument makes no sense, on entering; or a target is none, later. What
            ``targets`` itself raises comes out as it is.
    """
    pace = _pace(per_server_rate, burst)
    if source is not None:
        require_source(source, ip_version)
    fleet = _Fleet(
        {"budget": budget, "ip_version": ip_version, "source": source},
        pace,
        Turns(_above_zero("rate", rate)),
        _places(max_in_flight),
    )
    try:
        async with open_nursery() as nursery:
            nursery.start_soon(fleet.run, targets)
            await fleet.entered.wait()
            yield fleet.reports
            nursery.cancel_scope.cancel()
    finally:
        fleet.close()


class _Fleet:
    """One sweep."""

    def __init__(
        self,
        keywords: dict[str, Any],
        pace: Pace,
        turns: Turns,
        places: trio.Semaphore,
    ) -> None:
        self._keywords = keywords
        self._pace = pace
        self._turns = turns
        self._places = places
        self._resting = Resting(pace)
        self._changed = trio.Event()
        self._all_read = False
        self._next_name = trio.Lock()
        self._outbox, self._inbox = trio.open_memory_channel[Report](math.inf)
        self.entered = trio.Event()
        self.reports = Sweep(self._inbox, places, self.stop)

    async def run(
        self,
        targets: Iterable[tuple[str, int]] | AsyncIterable[tuple[str, int]],
    ) -> None:
        with self._outbox:  # closes at once: a wait here could be cut, and hide an error
            async with open_nursery() as self._nursery:
                self.entered.set()
                self._nursery.start_soon(self._start_rested)
                await self._read(targets)

    def stop(self) -> None:
        self._nursery.cancel_scope.cancel()

    def close(self) -> None:
        self._inbox.close()

    async def _read(
        self,
        targets: Iterable[tuple[str, int]] | AsyncIterable[tuple[str, int]],
    ) -> None:
        if isinstance(targets, AsyncIterable):
            async for host, port in targets:
                await self._admit(host, port)
        else:
            for host, port in targets:
                await trio.lowlevel.checkpoint()
                await self._admit(host, port)
        self._all_read = True
        self._tell_change()

    async def _admit(self, host: str, port: int) -> None:
        require_target(host, port)
        target = Target(host, port)
        if self._resting.must_wait(target, trio.current_time()):
            await self._let_rest(target)
        else:
            await self._start(target)

    async def _let_rest(self, target: Target) -> None:
        await trio.lowlevel.checkpoint()
        while len(self._resting) >= RESTING:
            await self._changed.wait()
        self._resting.add(target, trio.current_time())
        self._tell_change()

    async def _start_rested(self) -> None:
        """Start the probes of servers that have rested, until no more are to come."""
        while self._resting or not self._all_read:
            now = trio.current_time()
            begins_at = self._resting.begins_at(now)
            if begins_at <= now:
                await self._start(self._resting.take())
                self._tell_change()
            else:
                await wait_at_most(self._changed, begins_at - now)

    async def _start(self, target: Target) -> None:
        await self._places.acquire()
        now = trio.current_time()
        turn_at = self._turns.take(now)
        if turn_at > now + AHEAD_S:
            await trio.sleep_until(turn_at)
        begins_at = self._pace.reserve(target, trio.current_time())
        self._nursery.start_soon(self._probe, target, begins_at)

    def _tell_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _probe(self, target: Target, begins_at: float) -> None:
        report = await self._check(target, begins_at)
        for pause_s in BACK_OFF_S:
            if not failed_here(report.evidence):
                break
            await trio.sleep(pause_s)
            now = trio.current_time()
            begins_at = max(self._turns.take(now), self._pace.reserve(target, now))
            report = await self._check(target, begins_at)
        with suppress(trio.BrokenResourceError):  # nobody wants reports any more
            self._outbox.send_nowait(_blame_this_machine(report))

    async def _check(self, target: Target, begins_at: float) -> Report:
        if begins_at > trio.current_time():
            await trio.sleep_until(begins_at)
        if not _is_numeric(target.host):
            async with self._next_name:
                await wait_for_resolver()
        return await check(*target, **self._keywords)


# What is this machine's trouble. -----------------------------------------------------------------


def _is_numeric(host: str) -> bool:
    """Whether no resolver is asked. A name of digits and points alone is read as a number."""
    return ":" in host or host.replace(".", "").isdigit()


def _blame_this_machine(report: Report) -> Report:
    """Say ``local-error`` where the evidence of a lack is hidden behind other evidence."""
    return Report(report.evidence, Verdict.LOCAL_ERROR) if lacked(report.evidence) else report


# What makes sense. -------------------------------------------------------------------------------


def _places(max_in_flight: int | None) -> trio.Semaphore:
    wished = IN_FLIGHT if max_in_flight is None else _at_least_one("max_in_flight", max_in_flight)
    return trio.Semaphore(most_in_flight(wished))


def _pace(per_server_rate: float, burst: int) -> Pace:
    interval_s = 1 / _above_zero("per_server_rate", per_server_rate) if per_server_rate else 0.0
    return Pace(interval_s, _at_least_one("burst", burst))


def _above_zero(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value) and math.isfinite(1 / value)):
        message = f"{name} must be a finite number above 0, not {value}"
        raise ValueError(message)
    return value


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        message = f"{name} must be 1 or more, not {value}"
        raise ValueError(message)
    return value
