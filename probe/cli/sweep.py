"""``sshprobe sweep``."""

import gc
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from signal import SIGINT, SIGTERM
from typing import Final

import trio

from probe.cli.output import complain, reserve_standard_streams
from probe.cli.progress import Progress
from probe.cli.results import Done, Results, open_again, open_new
from probe.cli.status import FAILED, INCOMPLETE, OUTPUT_LOST, SIGNALLED
from probe.cli.tally import Tally
from probe.cli.targets import BadLine, Input, count_targets
from probe.fleet import Sweep, sweep
from probe.text import quote

FINISHING_S: Final = 0.5
"""How long what has ended may take to be written after a signal."""

COMPLAINTS: Final = 100
"""Bad lines that are shown; more are only counted, so that a wrong file floods no terminal."""

FULL_COLLECTIONS: Final = 1000
"""Partial garbage collections between two full ones, in place of 10. A full one stops four thousand
probes for 0.16 s, and deadlines are seen late; a probe leaves it nothing to find."""

_LOOK_S: Final = 1.0
"""Between two looks whether the file of results is still there."""


def run(options: Namespace) -> int:
    """Probe the targets of ``options.files``, write a line for each, return the exit status."""
    reserve_standard_streams()
    try:
        results, done = _open_results(options)
    except OSError as error:
        complain(f"{quote(options.output or options.resume)}: {error.strerror}")
        return FAILED
    except ValueError as error:
        complain(str(error))
        return FAILED
    usual = gc.get_threshold()
    gc.set_threshold(*usual[:2], FULL_COLLECTIONS)
    try:
        return trio.run(_Command(options, results, done).run)
    finally:
        gc.set_threshold(*usual)


def _open_results(options: Namespace) -> tuple[Results, Done]:
    if options.resume is not None:
        return open_again(options.resume)
    done = Done()
    done.close()
    return (Results() if options.output is None else open_new(options.output)), done


class _Command:
    """One run of the command."""

    def __init__(self, options: Namespace, results: Results, done: Done) -> None:
        self._options = options
        self._results = results
        self._tally = Tally()
        self._progress = Progress(self._tally)
        self._input = Input(options.files, options.port, done.take, self._skip)
        self._skipped = 0
        self._reports: Sweep | None = None
        self._signal: int | None = None
        self._trouble: OSError | None = None

    async def run(self) -> int:
        began = time.monotonic()
        with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, signals, nursery.cancel_scope)
                nursery.start_soon(self._count)
                nursery.start_soon(self._show)
                nursery.start_soon(self._look_after_results)
                await self._sweep()
                nursery.cancel_scope.cancel()
        self._progress.end(self._summary(time.monotonic() - began))
        return self._status()

    async def _sweep(self) -> None:
        async with sweep(self._input, **self._options.keywords) as self._reports:
            async for report in self._reports:
                try:
                    await self._results.write(report.to_json())
                except OSError as error:
                    self._trouble = error
                    return
                self._tally.add(report)

    # Beside it. ----------------------------------------------------------------------------------

    async def _watch(self, signals: AsyncIterator[int], everything: trio.CancelScope) -> None:
        async for number in signals:
            self._signal = number
            if self._reports is not None:
                self._reports.stop()
                await trio.sleep(FINISHING_S)
            everything.cancel()

    async def _count(self) -> None:
        try:
            self._progress.total = await count_targets(self._options.files)
        except OSError:  # whoever reads it for its targets will say so
            return

    async def _show(self) -> None:
        self._progress.begin(trio.current_time())
        while True:
            await trio.sleep(self._progress.every_s)
            self._progress.show(trio.current_time(), self._passed_over())

    async def _look_after_results(self) -> None:
        while True:
            await trio.sleep(_LOOK_S)
            if not self._results_are_there() and self._reports is not None:
                self._reports.stop()

    def _results_are_there(self) -> bool:
        try:
            self._results.require_there()
        except OSError as error:
            self._trouble = error
            return False
        return True

    def _skip(self, line: BadLine) -> None:
        self._skipped += 1
        if self._skipped <= COMPLAINTS:
            self._progress.say(f"{line.where}: {line.why}")
        if self._skipped == COMPLAINTS:
            self._progress.say("further lines like these are only counted")

    def _passed_over(self) -> int:
        return self._input.passed_over + self._input.bad_lines

    # The end. ------------------------------------------------------------------------------------

    def _status(self) -> int:
        if not self._results_are_there() or self._trouble is not None:
            if not isinstance(self._trouble, BrokenPipeError):
                why = "" if self._trouble is None else self._trouble.strerror
                complain(f"{self._results.name}: {why}")
            return OUTPUT_LOST
        if self._signal is not None:
            return SIGNALLED + self._signal
        if self._input.unreadable:
            return FAILED
        return INCOMPLETE if self._input.bad_lines or self._tally.our_troubles else 0

    def _summary(self, spent_s: float) -> Iterator[str]:
        count = self._tally.count
        said = _number(count, "target")
        parts = [f"sshprobe: {said} in {spent_s:.1f} s ({count / spent_s:.0f}/s)"]
        if self._input.passed_over:
            parts.append(f"{_number(self._input.passed_over, 'target')} reported before")
        if self._input.bad_lines:
            parts.append(f"{_number(self._input.bad_lines, 'line')} skipped")
        yield ", ".join(parts)
        yield from self._tally.lines()


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
