"""The incident, re-enacted: a service that talks to SSH servers a hundred times a minute.

The service of the story ran for four months and leaked more than a thousand tasks. It gave the TCP
connect a limit, and nothing after it. Here it runs again, beside one that probes: real sockets over
loopback, virtual time, and a fleet in which three servers of five never let a session begin, so
that both meet in minutes as many faults as the story had in months.

Both are measured in the same way. After each leg they start nothing for so long that whatever has a
limit is over, and then what the process still holds is counted, at both ends of the connections.
``pytest -s`` prints the tables; ``pytest -m long -s`` goes on for a minute.
"""

import gc
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from trio.testing import MockClock

import probe
from probe.catalogue import BY_NAME, serve
from probe.catalogue.listen import STALLED_AFTER_FIN_S
from probe.catalogue.moves import Repeat, Send, Wait

PROC = Path("/proc/self")

pytestmark = pytest.mark.skipif(not PROC.exists(), reason="this system has no /proc")

JOBS_A_MINUTE = 100

ROUNDS = 100
"""In a leg: a hundred jobs for each server, five minutes."""

QUIET_S = 3 * STALLED_AFTER_FIN_S
"""By then a probe's limit is long over, and a server that stalls has let its client go."""

TRICKLING = replace(
    BY_NAME["tarpit-line-a-second"],
    moves=(Wait(3.5), Send(b"x\r\n"), Repeat(b"x\r\n", every_s=60.0)),
)
"""A tarpit of which a test can afford hundreds: a line while the probe is there, then one a minute,
for ever, and none of them the one that is waited for."""

FLEET = {
    "healthy": (BY_NAME["openssh"], "ok"),
    "silent": (BY_NAME["silent"], "silent"),
    "half-open": (BY_NAME["never-reads"], "silent"),
    "trickling": (TRICKLING, "identification-trickling"),
    "throttled": (BY_NAME["penalty-then-closes"], "throttled"),
}
"""The servers, and what a probe says of each. never-reads stands for a half-open peer: from neither
comes anything, and what TCP can tell of them takes time that passes for the kernel, too."""

STUCK = ("silent", "half-open", "trickling")
"""Where a limit on the connect alone ends nothing."""

ENDS = 2
"""Of a connection: a job has a task and a socket, and so has its server."""

Address = tuple[str, int]
Job = Callable[[str, Address], Awaitable[None]]


class Held(NamedTuple):
    """What the process holds.

    Attributes:
        jobs: Begun so far.
        minutes: Of virtual time so far.
        tasks: Of trio.
        sockets: And all other file descriptors.
        threads: Begun since the service was. Tests before this one leave idle ones of trio's, which
            end in their own time.
        blocks: Of memory, as Python counts them: the finest measure there is.
        kib: Of memory, as the kernel counts them.
    """

    jobs: int
    minutes: float
    tasks: int
    sockets: int
    threads: int
    blocks: int
    kib: int


def threads_alive() -> set[str]:
    return set(os.listdir(PROC / "task"))  # noqa: PTH208 - a Path for each would be measured, too


def measure(jobs: int, threads_before: set[str]) -> Held:
    gc.collect()
    return Held(
        jobs,
        trio.current_time() / 60,
        trio.lowlevel.current_statistics().tasks_living,
        len(os.listdir(PROC / "fd")),  # noqa: PTH208 - likewise
        len(threads_alive() - threads_before),
        sys.getallocatedblocks(),
        int((PROC / "statm").read_text().split()[1]) * resource.getpagesize() // 1024,
    )


class Service:
    """Starts a job, each in a task of its own, as often as the service of the story did."""

    def __init__(self, job: Job, fleet: dict[str, Address], jobs: trio.Nursery) -> None:
        self._job = job
        self._fleet = fleet
        self._jobs = jobs
        self._begun = 0
        self._threads_before = threads_alive()

    async def run_leg(self, rounds: int) -> Held:
        """Give each server so many jobs; measure when all is over that will ever be over."""
        for _ in range(rounds):
            for name, address in self._fleet.items():
                self._jobs.start_soon(self._job, name, address)
                self._begun += 1
                await trio.sleep(60 / JOBS_A_MINUTE)
        await trio.sleep(QUIET_S)
        return measure(self._begun, self._threads_before)


@asynccontextmanager
async def service(job: Job) -> AsyncIterator[Service]:
    """Serve the fleet, and run a service in front of it."""
    async with AsyncExitStack() as served:
        fleet = {
            name: await served.enter_async_context(serve(server, places=trio.Semaphore(10_000)))
            for name, (server, _) in FLEET.items()
        }
        async with trio.open_nursery() as jobs:
            yield Service(job, fleet, jobs)
            jobs.cancel_scope.cancel()


def tell(title: str, legs: list[Held]) -> None:
    first, last = legs[0], legs[-1]
    faults = last.jobs * len(STUCK) // len(FLEET)
    print(  # noqa: T201 - for pytest -s
        f"\n{title}: {last.jobs} jobs in {last.minutes / 60 / 24:.3f} days of virtual time,"
        f" {faults} of them with a server that never lets a session begin",
        f"{'':9}{'jobs':>8}{'tasks':>8}{'sockets':>9}{'threads':>9}{'blocks':>9}{'KiB':>9}",
        *(
            f"{when:9}{at.jobs:8}{at.tasks:8}{at.sockets:9}{at.threads:9}{at.blocks:9}{at.kib:9}"
            for when, at in (("at first", first), ("at last", last))
        ),
        sep="\n",
    )


# The service that probes. ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wall_s",
    [
        pytest.param(5.0, id="for seconds"),
        pytest.param(60.0, id="for a minute", marks=pytest.mark.long),
    ],
)
async def test_a_service_that_probes_holds_as_much_at_the_end_as_at_the_start(
    wall_s: float,
    autojump_clock: MockClock,
) -> None:
    """Laws 1 and 7: every wait has a deadline, and whatever ends leaves nothing open."""
    verdicts: Counter[tuple[str, str]] = Counter()

    async def ask(name: str, address: Address) -> None:
        report = await probe.check(*address)
        verdicts[name, report.verdict] += 1

    began = time.monotonic()
    async with service(ask) as probing:
        legs = [await probing.run_leg(ROUNDS) for _ in range(4)]
        while time.monotonic() - began < wall_s:
            legs.append(await probing.run_leg(ROUNDS))
    first, last = legs[1], legs[-1]  # in the leg before them caches were filled
    tell("A service that probes", legs[1:])
    each = last.jobs // len(FLEET)
    assert verdicts == {(name, verdict): each for name, (_, verdict) in FLEET.items()}
    for leg in legs:
        assert (leg.tasks, leg.sockets, leg.threads) == (first.tasks, first.sockets, first.threads)
    probes = last.jobs - first.jobs
    assert last.blocks - first.blocks < probes / 10
    assert last.kib - first.kib < 1024


# The service of the story. -----------------------------------------------------------------------


async def connect_with_a_limit_and_talk_without(_: str, address: Address) -> None:
    """What the service did, and what most clients do."""
    with trio.fail_after(10):
        stream = await trio.open_tcp_stream(*address)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # its first remedy; no help
    received = b""
    async with stream:
        async for octets in stream:
            received += octets
            if b"SSH-" in received:
                return


async def test_the_service_of_the_story_leaks_three_jobs_in_five(
    many_descriptors: None,
    autojump_clock: MockClock,
) -> None:
    """So the measurement sees what it is to see."""
    async with service(connect_with_a_limit_and_talk_without) as leaking:
        legs = [await leaking.run_leg(ROUNDS) for _ in range(4)]
    tell("The service of the story", legs)
    for before, after in pairwise(legs):
        leaked = len(STUCK) * ROUNDS
        assert after.tasks - before.tasks == leaked * ENDS
        assert after.sockets - before.sockets == leaked * ENDS
        assert after.blocks - before.blocks > leaked * ENDS
    assert legs[-1].tasks > 2000
    assert legs[-1].kib - legs[0].kib > 1024


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process have thousands, for as long as a test leaks them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4000:
        pytest.skip("this system allows too few file descriptors to leak")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_task_is_blocked_for_two_hundred_thousand_minutes(
    autojump_clock: MockClock,
) -> None:
    """And one that probes for four seconds."""
    async with serve("silent") as address, trio.open_nursery() as jobs:
        jobs.start_soon(connect_with_a_limit_and_talk_without, "silent", address)
        report = await probe.check(*address)
        assert (report.verdict, trio.current_time()) == ("silent", 4.0)
        await trio.sleep(200_000 * 60)
        assert len(jobs.child_tasks) == 1
        jobs.cancel_scope.cancel()
