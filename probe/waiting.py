"""Waits until a server is as it should be: a host that boots, a service that is restarted."""

import random
from collections.abc import Callable
from typing import Final, Literal

import trio

from probe.budget import LEAST_LIMIT_S, Budget, Stage
from probe.expectation import Expectation, assess
from probe.prober import DEFAULT_BUDGET, check
from probe.report import Report
from probe.target import SSH_PORT
from probe.verdict import State, Verdict

SHORTEST_PAUSE_S: Final = 1.0
"""OpenSSH adds a penalty of a second for each connection that does not log in."""

LONGEST_PAUSE_S: Final = 5.0
"""A server that comes up is seen at most so much later, and a probe then."""

THROTTLED_PAUSE_S: Final = 16.0
"""A penalty of OpenSSH's lasts 15 s or more (sshd_config(5), PerSourcePenalties, ``min``)."""

BACK_OFF: Final = 1.5
"""How much longer each pause is than the one before."""

JITTER: Final = 0.25
"""By which part a pause is longer or shorter, so that many who wait do not come all at once."""

LEAST_PROBE_S: Final = 1.0
"""Time left below which no other probe is begun: it would tell of the limit, not of the server."""


async def wait_until_ready(  # noqa: PLR0913 - a keyword for each thing that may be wished
    host: str,
    port: int = SSH_PORT,
    *,
    for_s: float,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
    source: str | None = None,
    expectation: Expectation = Expectation(),  # noqa: B008 - immutable
    on_report: Callable[[Report], None] | None = None,
) -> Report:
    """Probe until a session can begin, or ``for_s`` seconds have passed.

    A checkpoint. Pauses grow from one second to five, with jitter; after ``throttled`` they last as
    long as a penalty. Cancelled, it leaves nothing open.

    Args:
        host: As for ``check``, and so are ``port``, ``ip_version`` and ``source``.
        port: 1 to 65535.
        for_s: Seconds in all.
        budget: Of each probe; the last ones get what is left.
        ip_version: 4 or 6.
        source: Numeric address to connect from.
        expectation: What to wait for, if not for ``ok``.
        on_report: Called after each probe.

    Returns:
        The last report. Unless it is as expected, the time is over.

    Raises:
        ValueError: As for ``check``, or ``for_s`` is no time.
    """
    ends_at = trio.current_time() + for_s
    own = budget.within(for_s)
    pause_s = SHORTEST_PAUSE_S
    last: Report | None = None
    while True:
        report = await check(host, port, budget=own, ip_version=ip_version, source=source)
        if last is None or not _was_cut(report, own, budget):
            last = report
        if on_report is not None:
            on_report(report)
        room_s = ends_at - trio.current_time() - LEAST_PROBE_S
        if _is_ready(report, expectation) or room_s <= 0:
            return last
        await trio.sleep(min(_pause_s(report, pause_s), room_s))
        pause_s = min(pause_s * BACK_OFF, LONGEST_PAUSE_S)
        own = budget.within(max(ends_at - trio.current_time(), LEAST_LIMIT_S))


def _is_ready(report: Report, expectation: Expectation) -> bool:
    """Whether there is nothing to wait for: a finding that is worth a warning will not pass."""
    assessment = assess(report, expectation)
    return assessment.state is State.OK or (report.ok and assessment.is_success)


def _was_cut(report: Report, own: Budget, budget: Budget) -> bool:
    """Whether the end of the wait cut the probe: then the one before it says more."""
    was_shortened = own[Stage.PROBE] < budget[Stage.PROBE]
    return was_shortened and report.verdict is Verdict.BUDGET_EXHAUSTED


def _pause_s(report: Report, pause_s: float) -> float:
    usual_s = THROTTLED_PAUSE_S if report.verdict is Verdict.THROTTLED else pause_s
    return usual_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
