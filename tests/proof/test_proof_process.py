"""The process ends too, and not only its probe: whatever the server does, and whoever reads.

``sshprobe check`` is run as a process against every server of the catalogue:

* each server by a process of its own, whose output is read;
* all servers, dozens a process, with standard output open, closed, and a full pipe that nobody
  reads;
* a server for each stage and limit that ends a probe by a process of its own, in the latter two
  ways.

It is gone within its limit and a second. The second is for what a process does besides: begin, end,
and wait half a second for a reader. What it takes here and now just to begin and end is measured in
the same company, and comes on top; and no time counts for which the processors served others. So a
busy machine is not blamed on the command.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import pytest

from probe.catalogue import SERVERS, Server
from probe.verdict import ROWS, State, Verdict

LIMIT_S = 1.0
"""Of a probe: a tenth of the usual one, and the limits of all stages scale with it."""

PATIENCE_S = 20.0
"""After which a process counts as one that never ends."""

TARGETS = 60
"""Of one process, where it has many: its own work must not fill the second."""

SSHPROBE = (sys.executable, "-m", "probe")

STATUSES = {State.OK: 0, State.WARNING: 1, State.CRITICAL: 2}
"""Of monitoring plugins: OK, WARNING, CRITICAL."""

UNREAD = 141
"""128 + SIGPIPE, as a shell says it: nobody read the output."""


class Job(NamedTuple):
    """A process that is run: what it asks, and where its output goes.

    Attributes:
        output: ``"open"``, ``"closed"`` or ``"full"``.
        servers: Its targets; none for a process that has nothing to do.
    """

    output: str
    servers: tuple[Server, ...]

    def __str__(self) -> str:
        name = self.servers[0].name
        return f"{self.output}-{name}" + (" and more" if len(self.servers) > 1 else "")


class End(NamedTuple):
    """How a process ended.

    Attributes:
        status: Its exit status; ``None`` if it had to be killed.
        shown: What it wrote, as far as that is read.
        complaints: What it wrote to standard error.
        spent_s: How long it was there, without the time for which it found no processor free.
        start_up_s: How long the slowest process was there that had nothing to do.
    """

    status: int | None
    shown: str
    complaints: str
    spent_s: float
    start_up_s: float = 0.0

    @property
    def is_in_time(self) -> bool:
        return self.status is not None and self.spent_s < LIMIT_S + 1 + self.start_up_s


IDLE = Job("open", ())

BY_END = {(server.expected.where, server.expected.whose): server for server in SERVERS}

ALONE = [
    *(Job("open", (server,)) for server in SERVERS),
    *(Job(output, (server,)) for output in ("closed", "full") for server in BY_END.values()),
]

TOGETHER = [
    Job(output, SERVERS[at : at + TARGETS])
    for output in ("open", "closed", "full")
    for at in range(0, len(SERVERS), TARGETS)
]


def is_timeless(job: Job) -> bool:
    """Whether its server gives each client the same verdict, at once, and has output to say so."""
    [server] = job.servers
    return server.expected.spent_s == 0 and len(server.turns) == 1 and job.output != "full"


# Running them. -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ends() -> dict[Job, End]:
    """Run all processes: four side by side, which mostly wait, or two, which mostly work."""
    with catalogue() as targets, full_pipe() as full:
        run = partial(run_process, targets, full)
        return run_side_by_side(run, ALONE, 4) | run_side_by_side(run, TOGETHER, 2)


@contextmanager
def catalogue() -> Iterator[dict[str, str]]:
    """Serve the catalogue by a process of its own, and give each server as a target."""
    command = (*SSHPROBE, "servers", "serve", "--all", "--max-clients", "1000")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            ports: dict[str, int] = json.loads(process.stdout.readline())
            yield {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        finally:
            process.terminate()


@contextmanager
def full_pipe() -> Iterator[int]:
    """Give the end for writing of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(1))
    os.set_blocking(writer, True)
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


def run_side_by_side(run: Callable[[Job], End], jobs: list[Job], processes: int) -> dict[Job, End]:
    """Run ``jobs``, and an idle one before each twenty, to see what a process takes anyway."""
    asked = []
    for at in range(0, len(jobs), 20):
        asked += [IDLE, *jobs[at : at + 20]]
    with ThreadPoolExecutor(processes) as pool:
        ended = list(zip(asked, pool.map(run, asked), strict=True))
    start_up_s = max(end.spent_s for job, end in ended if job is IDLE)
    return {job: end._replace(start_up_s=start_up_s) for job, end in ended if job is not IDLE}


def run_process(targets: dict[str, str], full: int, job: Job) -> End:
    pipe = subprocess.PIPE
    began = time.monotonic()
    with subprocess.Popen(
        command_of(job, targets),
        stdin=subprocess.DEVNULL,
        stdout=full if job.output == "full" else pipe,
        stderr=pipe,
        encoding="utf-8",
    ) as process:
        killer = Timer(PATIENCE_S, process.kill)
        killer.start()
        complaints = process.stderr.read() if process.stderr else ""  # until the process ends
        killer.cancel()
        spent_s = time.monotonic() - began - starved_s(process.pid)
        shown = process.stdout.read() if process.stdout else ""
    status = process.returncode
    return End(None if status == -signal.SIGKILL else status, shown, complaints, spent_s)


def starved_s(pid: int) -> float:
    """How long a process was ready to run, and the processors served others, as Linux counts it."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


def command_of(job: Job, targets: dict[str, str]) -> tuple[str, ...]:
    if job is IDLE:
        return (*SSHPROBE, "--version")
    shell = ("sh", "-c", 'exec "$@" >&-', "sh") if job.output == "closed" else ()
    asked = (targets[server.name] for server in job.servers)
    return (*shell, *SSHPROBE, "check", "--limit", f"{LIMIT_S:g}", *asked)


# What holds for each of them. --------------------------------------------------------------------


@pytest.mark.parametrize("job", [*ALONE, *TOGETHER], ids=str)
def test_a_process_ends_in_time_and_in_order(job: Job, ends: dict[Job, End]) -> None:
    """Law 1, for all that a caller waits for."""
    end = ends[job]
    assert end.is_in_time, end
    if job.output == "full":
        assert end.status == UNREAD
        assert end.complaints.startswith(f"sshprobe: {len(job.servers)} lines of output are lost")
        assert end.complaints.count("\n") == 1
    else:
        assert end.status in STATUSES.values()
        assert end.complaints == ""


@pytest.mark.parametrize("job", [job for job in ALONE if is_timeless(job)], ids=str)
def test_a_server_that_needs_no_time_gets_its_verdict(job: Job, ends: dict[Job, End]) -> None:
    """The verdicts of others depend on limits, which are a tenth here."""
    verdict = Verdict(job.servers[0].expected.verdict)
    assert ends[job].status == STATUSES[ROWS[verdict].state]
    if job.output == "open":
        [line] = ends[job].shown.splitlines()
        assert line.split()[2] == verdict


@pytest.mark.parametrize("job", [job for job in TOGETHER if job.output == "open"], ids=str)
def test_many_servers_get_a_line_each(job: Job, ends: dict[Job, End]) -> None:
    assert len(ends[job].shown.splitlines()) == len(job.servers)
    assert ends[job].status == STATUSES[State.CRITICAL]
