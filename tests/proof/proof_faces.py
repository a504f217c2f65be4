"""The two ways to ask a server, over a kernel that is played, and what is asked of every answer."""

import threading
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import pytest
import trio
from proof_pieces import COMPLETE, HOST, IDENTIFIED, PORT, Kernel

from probe import prober
from probe.report import Report

PROBE_S: Final = 10.0
LIMITS_S: Final = {"connect": 4.0, "identification": 5.0, "first-octet": 4.0, "kexinit": 5.0}
"""The default budget, as DESIGN has it."""

Face = Callable[[Kernel], Awaitable[Report]]


class Answer(NamedTuple):
    """What a probe said, and when."""

    verdict: str
    spent_s: float
    where: str | None = None
    whose: str | None = None


async def check(_: Kernel) -> Report:
    return await prober.check(HOST, PORT)


async def handshake(kernel: Kernel) -> Report:
    stream = kernel.connected_stream()
    try:
        return await prober.handshake(stream)
    finally:
        stream.close()


async def ask(face: Face, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Answer | None:
    """Probe once, see that nothing is left behind, and give the answer.

    ``None`` if there was none, but ``trio.Cancelled``.
    """
    tasks, threads = trio.lowlevel.current_statistics().tasks_living, set(threading.enumerate())
    answer = None
    with kernel.caller:
        async with kernel.installed(monkeypatch):
            answer = answer_of(await face(kernel))
    assert not kernel.open
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert set(threading.enumerate()) <= threads  # those of tests before may end meanwhile
    return answer


def answer_of(report: Report) -> Answer:
    return Answer(report.verdict, report.spent_s, report.where, report.whose)


def awaited(octets: int) -> str:
    """What a server that has sent so many octets has not yet sent."""
    return "identification" if octets < IDENTIFIED else "kexinit"


def place(octets: int) -> str | None:
    """The innermost stage that runs once so many octets have come."""
    if octets == COMPLETE:
        return None
    return awaited(octets) if octets else "first-octet"
