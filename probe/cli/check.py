"""``sshprobe check``."""

from argparse import Namespace
from typing import Final

import trio

from probe.cli.colours import paint
from probe.cli.output import is_colourful
from probe.cli.printing import Say, run_printing
from probe.cli.status import worst
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
    return run_printing(checks.run) or worst(checks.states)


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
            options = self._options
            report = await check(*target, budget=options.budget, ip_version=options.ip_version)
        self.states.append(report.state)
        say(self._line(report))

    def _line(self, report: Report) -> str:
        if self._options.json:
            return report.to_json()
        line = report.line()
        if not self._colourful:
            return line
        state = report.state.upper()
        return paint(state, report.state) + line.removeprefix(state)
