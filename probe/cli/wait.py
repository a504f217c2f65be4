"""``sshprobe wait``."""

import os
from argparse import Namespace

import trio

from probe.cli.output import ERASE_LINE, STDERR, complain, is_colourful, write_at_once
from probe.cli.printing import Say, run_printing
from probe.cli.saying import say_report
from probe.cli.status import STATUSES
from probe.report import Report
from probe.verdict import State, Verdict
from probe.waiting import wait_until_ready


def run(options: Namespace) -> int:
    """Wait for ``options.target``, print the last report, and return the exit status."""
    waiting = _Waiting(options)
    return run_printing(waiting.run) or STATUSES[waiting.state]


class _Waiting:
    """One run of the command."""

    def __init__(self, options: Namespace) -> None:
        self.state = State.UNKNOWN
        self._options = options
        self._count = 0
        self._said: Verdict | None = None
        self._ends_at = 0.0
        self._rewrites = os.isatty(STDERR)

    async def run(self, say: Say) -> None:
        options = self._options
        self._ends_at = trio.current_time() + options.for_s
        try:
            report = await wait_until_ready(
                *options.target,
                for_s=options.for_s,
                expectation=options.expectation,
                on_report=None if options.quiet else self._tell,
                **options.keywords,
            )
        finally:
            if self._rewrites and self._count:
                write_at_once(ERASE_LINE)
        self.state, text = say_report(report, options, colourful=is_colourful())
        say(text)

    def _tell(self, report: Report) -> None:
        """Say on stderr what is found: on a terminal in one line, else when it changes."""
        self._count += 1
        left_s = max(self._ends_at - trio.current_time(), 0.0)
        text = f"{report.target}  {report.verdict}  probes: {self._count}, {left_s:.0f} s left"
        if self._rewrites:
            write_at_once(f"{ERASE_LINE}{text}")
        elif report.verdict is not self._said:
            complain(text)
        self._said = report.verdict
