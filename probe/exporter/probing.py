"""Probes for scrapes: shared where they are equal, polite, bounded, and only where they may go."""

import math
import time
from collections.abc import Callable
from typing import Final

import trio

from probe.evidence import Evidence
from probe.expectation import assess
from probe.exporter.config import Config
from probe.exporter.insides import GRACE_S, Flight, Insides
from probe.exporter.permits import admitted, reached
from probe.exporter.refusals import Reason, RefusedError
from probe.exporter.result import Result, Scrape
from probe.net.dial import AddressInfo
from probe.net.pace import Pace
from probe.net.stages import Stages, wait_at_most
from probe.prober import LOGGER, Route, check_found, look_up, report_of
from probe.report import Report

MOST_FRESH: Final = 1024
"""Results that are kept for equal scrapes: a probe's evidence has 20 KiB at the most."""


class Prober:
    """Probes on behalf of scrapes.

    A probe runs in a task of its own, so that a scraper that leaves does not cut what others wait
    for. Its budget bounds it.

    Args:
        tasks: Where they run.
        insides: Where they are counted.
        config: Returns the configuration of the moment.
    """

    def __init__(self, tasks: trio.Nursery, insides: Insides, config: Callable[[], Config]) -> None:
        self._tasks = tasks
        self._insides = insides
        self._config = config
        self._pace = Pace()
        self._flying: dict[Scrape, _Shared] = {}
        self._fresh: dict[Scrape, tuple[float, Result]] = {}  # until when; the oldest first

    async def ask(self, scrape: Scrape) -> Result:
        """Return what comes of ``scrape``: of a probe for it, or of an equal one.

        A checkpoint. It takes as long as a probe's budget, and ``GRACE_S`` at the most.

        Raises:
            RefusedError: There is none.
        """
        fresh = self._fresh_result(scrape)
        if fresh is not None:
            self._insides.share("fresh")
            await trio.lowlevel.checkpoint()
            return fresh
        shared = self._flying.get(scrape)
        if shared is None:
            shared = self._start(scrape)
        else:
            self._insides.share("coalesced")
        await wait_at_most(shared.flight.landed, scrape.limit_s + GRACE_S)
        return shared.outcome()

    def _fresh_result(self, scrape: Scrape) -> Result | None:
        until, result = self._fresh.get(scrape, (-math.inf, None))
        return result if until >= trio.current_time() else None

    def _start(self, scrape: Scrape) -> "_Shared":
        if len(self._insides.flights) >= self._config().exporter.max_in_flight:
            raise RefusedError(Reason.FULL, retry_after_s=1)
        shared = _Shared(self._insides.take_off(scrape))
        self._flying[scrape] = shared
        self._tasks.start_soon(self._fly, shared)
        return shared

    async def _fly(self, shared: "_Shared") -> None:
        flight = shared.flight
        try:
            report = await self._probe(flight.scrape)
        except RefusedError as refused:
            shared.refused = refused
        except Exception:  # noqa: BLE001 - what a hostile scrape or server can cause shall not end the exporter
            LOGGER.exception("sshprobe itself failed")
            shared.refused = RefusedError(Reason.BUG)
        else:
            flight.result = self._result(flight.scrape, report)
            self._keep(flight.scrape, flight.result)
        finally:
            del self._flying[flight.scrape]
            self._insides.land(flight)

    async def _probe(self, scrape: Scrape) -> Report:
        module, (host, port) = scrape.module, scrape.target
        permits = self._config().allow
        if not any(permit.names(host, port) for permit in permits):
            raise RefusedError(Reason.FORBIDDEN)
        route = Route(host, port, module.ip_version, module.source)
        scout, stages = Evidence(host, port), Stages(module.budget(scrape.limit_s))
        found = await look_up(route, stages, scout)
        if not found:
            return report_of(scout)
        dialled = admitted(permits, host, found)
        self._take_turn(dialled)
        evidence = Evidence(host, port)
        written = zip(found, scout.addresses, strict=True)
        evidence.addresses = tuple(address for info, address in written if info in dialled)
        return await check_found(route, dialled, stages, evidence)

    def _take_turn(self, dialled: list[AddressInfo]) -> None:
        """Count a probe of the server at these addresses, whatever name it was asked for by."""
        if not dialled:
            raise RefusedError(Reason.FORBIDDEN)
        address, port = dialled[0][1][:2]
        server, now = (reached(address), port), trio.current_time()
        wait_s = self._pace.begins_at(server, now) - now
        if wait_s > 0:
            raise RefusedError(Reason.TOO_OFTEN, retry_after_s=math.ceil(wait_s))
        self._pace.reserve(server, now)

    def _result(self, scrape: Scrape, report: Report) -> Result:
        assessment = assess(report, scrape.module.expectation)
        return Result(self._insides.next_number(), time.time(), scrape, report, assessment)

    def _keep(self, scrape: Scrape, result: Result) -> None:
        """Keep a result while it is fresh, and drop those that no longer are."""
        now, fresh_s = trio.current_time(), self._config().exporter.fresh_s
        self._fresh.pop(scrape, None)  # so that it comes last
        if fresh_s:
            self._fresh[scrape] = (now + fresh_s, result)
        while self._fresh:
            oldest = next(iter(self._fresh))
            if self._fresh[oldest][0] >= now and len(self._fresh) <= MOST_FRESH:
                break
            del self._fresh[oldest]


class _Shared:
    """A flight that several scrapes may wait for.

    Attributes:
        flight: It.
        refused: Why it was never begun, if so.
    """

    def __init__(self, flight: Flight) -> None:
        self.flight = flight
        self.refused: RefusedError | None = None

    def outcome(self) -> Result:
        """Return what came of it.

        Raises:
            RefusedError: Nothing did, or not in time.
        """
        if self.refused is not None:
            raise self.refused.again()
        if self.flight.result is None:
            raise RefusedError(Reason.STUCK)
        return self.flight.result
