"""What the tests of sweeps share: a check that is a script, and what came of it."""

import errno
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
import trio

from probe.evidence import Attempt, End, Evidence
from probe.report import Report

Checking = Callable[..., Awaitable[Report]]

SERVERS = [(f"127.0.{number // 250}.{number % 250 + 1}", 22) for number in range(20_000)]
"""More servers than any test asks at, all of them numeric, none of them asked."""


def report(host: str, port: int, end: End = End.COMPLETE, *attempts: int | None) -> Report:
    """Make a report that ends so, after attempts to connect that ended with these errnos."""
    evidence = Evidence(host, port)
    for number in attempts:
        outcome = "failed" if number else "connected"
        evidence.add_attempt(Attempt(host, 0, 0, outcome, number))
        evidence.address = evidence.address if number else host
    evidence.end = end
    return Report(evidence)


def refused(host: str, port: int) -> Report:
    return report(host, port, End.UNCONNECTED, errno.ECONNREFUSED)


class Script:
    """Stands in for ``check``: notes who is asked when, and takes as long as it is told."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.began: list[tuple[float, tuple[str, int]]] = []
        self.running = 0
        self.most_running = 0
        self._takes_s = takes_s

    async def __call__(self, host: str, port: int, **_: object) -> Report:
        self.began.append((trio.current_time(), (host, port)))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await trio.sleep(self._takes_s)
        finally:
            self.running -= 1
        return report(host, port)

    def begun_at(self, target: tuple[str, int]) -> list[float]:
        return [at for at, asked in self.began if asked == target]


def install(monkeypatch: pytest.MonkeyPatch, check: Checking) -> None:
    monkeypatch.setattr("probe.fleet.check", check)


async def take_all(sweep: Any) -> list[Report]:  # noqa: ANN401 - what sweep returns is its affair
    async with sweep as reports:
        return [each async for each in reports]


def descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))  # noqa: PTH208 - names are enough


def targets_of(reports: Iterable[Report]) -> list[tuple[str, int]]:
    return [(each.evidence.host, each.evidence.port) for each in reports]
