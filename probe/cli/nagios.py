"""``sshprobe nagios``: always a status line on standard output, and a status that monitors know."""

import sys
from argparse import Namespace

from probe.cli.printing import Say, cause, run_printing
from probe.cli.status import OUTPUT_LOST, STATUSES
from probe.nagios import Result, judge_report, say_unknown
from probe.prober import check
from probe.verdict import State


def run(options: Namespace) -> int:
    """Probe ``options.target``, print the plugin's result, and return its exit status."""
    plugin = _Plugin(options)
    try:
        status = run_printing(plugin.run)
    except Exception as error:  # noqa: BLE001 - a monitor reads standard output, and wants a line
        print(say_unknown(f"sshprobe itself failed: {cause(error)!r}"))  # noqa: T201 - there is no more loop
        sys.excepthook(type(error), error, error.__traceback__)
        return STATUSES[State.UNKNOWN]
    if status and status != OUTPUT_LOST:
        print(say_unknown("interrupted before the probe had ended"))  # noqa: T201 - as above
    return STATUSES[plugin.state]


class _Plugin:
    """One run of the command."""

    def __init__(self, options: Namespace) -> None:
        self.state = State.UNKNOWN
        self._options = options

    async def run(self, say: Say) -> None:
        result = await self._probe()
        self.state = result.state
        for line in result.lines:
            say(line)

    async def _probe(self) -> Result:
        options = self._options
        report = await check(*options.target, **options.keywords)
        return judge_report(
            report,
            options.budget,
            options.thresholds,
            options.expectation,
            options.verbose,
        )
