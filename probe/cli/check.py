"""``sshprobe check``."""

from argparse import Namespace
from typing import Final

import trio

from probe.cli.output import is_colourful
from probe.cli.printing import Say, run_printing
from probe.cli.saying import say_report
from probe.cli.status import status_of
from probe.net.pace import Pace
from probe.prober import check
from probe.report import Report
from probe.target import Target
from probe.verdict import State

IN_FLIGHT: Final = 200
"""Probes side by side: a fifth of the file descriptors that a process commonly has."""


def run(options: Namespace) -> int:
    """Probe ``options.targets``, print a line for each, and return the exit status."""
    checks = _Checks(options)
    return run_printing(checks.run) or status_of(checks.states)


class _Checks:
    """One run of the command."""

    def __init__(self, options: Namespace) -> None:
        self.states: list[State] = []
        self._options = options
        self._colourful = is_colourful()
        self._limiter = trio.CapacityLimiter(IN_FLIGHT)
        self._pace = Pace()

    async def run(self, say: Say) -> None:
        async with trio.open_nursery() as probes:
            for target in self._options.targets:
                probes.start_soon(self._probe, target, say)

    async def _probe(self, target: Target, say: Say) -> None:
        async with self._limiter:  # first: who waits for a place after its turn loses the turn
            await trio.sleep_until(self._pace.reserve(target, trio.current_time()))
            reports = await self._check(target)
        for report in reports:
            state, text = say_report(
                report,
                self._options,
                colourful=self._colourful,
                notes=self._notes(report),
            )
            self.states.append(state)
            say(text)

    def _notes(self, report: Report) -> tuple[str, ...]:
        addresses = report.evidence.addresses if self._options.all_addresses else ()
        return tuple(f"at {address}" for address in addresses)  # of such a report there is one

    async def _check(self, target: Target) -> tuple[Report, ...]:
        keywords = self._options.keywords
        if self._options.all_addresses:
            from probe.addresses import check_addresses  # noqa: PLC0415 - seldom needed

            return await check_addresses(*target, **keywords)
        return (await check(*target, **keywords),)
