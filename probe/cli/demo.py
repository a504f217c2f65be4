"""``sshprobe demo``: the whole catalogue on loopback, probed at once."""

import sys
from argparse import Namespace
from contextlib import AsyncExitStack
from typing import Final

import trio

from probe.budget import Stage
from probe.catalogue import SERVERS, Expected, Server, serve
from probe.cli.colours import paint
from probe.cli.output import complain, is_colourful
from probe.cli.printing import Say, run_printing
from probe.cli.status import STATUSES
from probe.net.machine import allow_descriptors
from probe.prober import DEFAULT_BUDGET, check
from probe.report import Report
from probe.verdict import State

_NAME_WIDTH: Final = max(len(server.name) for server in SERVERS)
_VERDICT_WIDTH: Final = max(len(server.expected.verdict) for server in SERVERS)
_HEAD: Final = f"{'server':{_NAME_WIDTH}}  {'verdict':{_VERDICT_WIDTH}}  seconds  where it ended"

DESCRIPTORS_NEEDED: Final = 3 * len(SERVERS) + 32
"""A listener and both ends of a connection for each server, and a few for this process."""


def run(options: Namespace) -> int:
    """Serve and probe the catalogue, print a row for each server, return the exit status."""
    demo = _Demo(as_json=options.json)
    return run_printing(demo.run) or STATUSES[demo.state]


class _Demo:
    """One run of the command."""

    def __init__(self, *, as_json: bool) -> None:
        self.state = State.OK
        self._rows = [row for row in SERVERS if sys.platform == "linux" or not row.needs_kernel]
        self._unexpected = 0
        self._as_json = as_json
        self._colourful = is_colourful()
        self._slowest_s = 0.0

    async def run(self, say: Say) -> None:
        if not allow_descriptors(DESCRIPTORS_NEEDED):
            complain(f"the demo needs {DESCRIPTORS_NEEDED} file descriptors: see ulimit -n")
            self.state = State.UNKNOWN
            return
        if not self._as_json:
            say(_HEAD)
        async with AsyncExitStack() as served:
            addresses = [await served.enter_async_context(serve(row)) for row in self._rows]
            async with trio.open_nursery() as probes:
                for row, address in zip(self._rows, addresses, strict=True):
                    probes.start_soon(self._probe, row, address, say)
        if not self._as_json:
            say(self._summary())

    async def _probe(self, row: Server, address: tuple[str, int], say: Say) -> None:
        report = await check(*address)
        if not is_as_expected(row, report):
            self._unexpected += 1
            self.state = State.CRITICAL
        self._slowest_s = max(self._slowest_s, report.spent_s)
        say(to_json(row, report) if self._as_json else self._line(row, report))

    def _line(self, row: Server, report: Report) -> str:
        verdict = f"{report.verdict:{_VERDICT_WIDTH}}"
        verdict = paint(verdict, report.state) if self._colourful else verdict
        line = f"{row.name:{_NAME_WIDTH}}  {verdict}  {report.spent_s:7.3f}  {_where(report)}"
        if not is_as_expected(row, report):
            line += f"  expected {_say_expected(row.expected)}"
        return line.rstrip()

    def _summary(self) -> str:
        return (
            f"{len(self._rows)} servers, {len(self._rows) - self._unexpected} verdicts as expected;"
            f" the slowest took {self._slowest_s:.3f} s of {DEFAULT_BUDGET[Stage.PROBE]:g} s."
        )


def is_as_expected(row: Server, report: Report) -> bool:
    """Whether the report says of the server what the catalogue expects."""
    findings = tuple(finding.rule.code for finding in report.findings)
    seen = (report.verdict, report.where, report.whose, findings)
    expected = row.expected
    return seen == (expected.verdict, expected.where, expected.whose, expected.findings)


def to_json(row: Server, report: Report) -> str:
    """Return an object: the row's name, whether it is as expected, and the report."""
    import json  # noqa: PLC0415 - start-up time that only --json needs

    members = {"server": row.name, "as_expected": is_as_expected(row, report)}
    return json.dumps(members | report.to_dict())


def _where(report: Report) -> str:
    time = report.evidence.stage(report.whose)
    if time is None:
        return report.where or ""
    whose = "its limit" if report.whose is report.where else f"the limit of {report.whose}"
    return f"{report.where}, at {whose} of {time.limit_s:g} s"


def _say_expected(expected: Expected) -> str:
    return f"{expected} in {expected.where}" if expected.where else str(expected)
