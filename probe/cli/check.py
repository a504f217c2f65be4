"""``sshprobe check``."""

from argparse import Namespace
from collections.abc import AsyncIterator
from signal import SIGINT, SIGTERM, Signals
from typing import Final

import trio

from probe.cli.output import complain, is_colourful, reserve_standard_streams, write_line
from probe.cli.status import OUTPUT_LOST, SIGNALLED, worst
from probe.net.pace import Pace
from probe.net.stages import wait_at_most
from probe.prober import check
from probe.report import Report
from probe.target import Target
from probe.verdict import State

IN_FLIGHT: Final = 200
"""Probes side by side: a fifth of the file descriptors that a process commonly has."""

PRINTING_S: Final = 0.5
"""How long reports wait for a reader once all probes have ended."""

_COLOURS: Final = {
    State.OK: "\033[32m",
    State.WARNING: "\033[33m",
    State.UNKNOWN: "\033[35m",
    State.CRITICAL: "\033[31m",
}
_PLAIN: Final = "\033[0m"


def run(options: Namespace) -> int:
    """Probe ``options.targets``, print a line for each, and return the exit status."""
    reserve_standard_streams()
    return trio.run(_Check(options).run)


class _Check:
    """One run of the command: probes on one side, a printer on the other, a channel between.

    A reader that stops reading never delays a probe, only the printer.
    """

    def __init__(self, options: Namespace) -> None:
        self._options = options
        self._colourful = not options.json and is_colourful()
        self._limiter = trio.CapacityLimiter(IN_FLIGHT)
        self._pace = Pace()
        self._states: list[State] = []
        self._signal: Signals | None = None
        self._unwritten = 0
        self._outbox, self._inbox = trio.open_memory_channel[Report](len(options.targets))
        self._printed = trio.Event()

    async def run(self) -> int:
        with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                async with self._outbox, trio.open_nursery() as probes:
                    probing = probes.cancel_scope
                    nursery.start_soon(self._watch, signals, probing)
                    nursery.start_soon(self._print, probing)
                    for target in self._options.targets:
                        probes.start_soon(self._probe, target)
                await wait_at_most(self._printed, PRINTING_S)
                nursery.cancel_scope.cancel()
        return self._status()

    def _status(self) -> int:
        if self._unwritten:
            complain(f"nobody reads the output: {self._unwritten} reports are lost")
            return OUTPUT_LOST
        if self._signal is not None:
            return SIGNALLED + self._signal
        return worst(self._states)

    async def _probe(self, target: Target) -> None:
        await trio.sleep_until(self._pace.reserve(target, trio.current_time()))
        async with self._limiter:
            options = self._options
            report = await check(*target, budget=options.budget, ip_version=options.ip_version)
        self._unwritten += 1
        self._outbox.send_nowait(report)

    async def _print(self, probing: trio.CancelScope) -> None:
        try:
            async for report in self._inbox:
                await write_line(self._say(report))
                self._unwritten -= 1
                self._states.append(report.state)
        except OSError:
            probing.cancel()  # the unwritten report counts as lost
        self._printed.set()

    def _say(self, report: Report) -> str:
        if self._options.json:
            return report.to_json()
        line = report.line()
        if not self._colourful:
            return line
        state = report.state.upper()
        return f"{_COLOURS[report.state]}{state}{_PLAIN}{line.removeprefix(state)}"

    async def _watch(self, signals: AsyncIterator[int], probing: trio.CancelScope) -> None:
        async for number in signals:
            self._signal = Signals(number)
            probing.cancel()
