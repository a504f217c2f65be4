"""What this machine lacks is waited for, and never said of a server."""

import errno
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from fleet_pieces import SERVERS, install, refused, report, take_all
from trio.testing import MockClock

import probe
from probe.catalogue import serve
from probe.evidence import End, Evidence
from probe.fleet import BACK_OFF_S
from probe.net import machine
from probe.net.machine import most_in_flight
from probe.report import Report

HOST = "127.0.0.1"

SERVER = SERVERS[0]

Outcome = Callable[[str, int], Report]


def unconnected(*errnos: int) -> Outcome:
    return lambda host, port: report(host, port, End.UNCONNECTED, *errnos)


def connected(number: int, end: End = End.BROKEN) -> Outcome:
    """A connection that was up, and on which a call failed."""

    def make(host: str, port: int) -> Report:
        evidence = Evidence(host, port)
        evidence.address, evidence.end = host, end
        evidence.add_error("recv", number, "")
        return Report(evidence)

    return make


def unresolved(number: int | None) -> Outcome:
    def make(host: str, port: int) -> Report:
        evidence = Evidence(host, port)
        evidence.end = End.UNRESOLVED
        evidence.add_error("getaddrinfo", number, "")
        return Report(evidence)

    return make


def internal(error: str) -> Outcome:
    def make(host: str, port: int) -> Report:
        evidence = Evidence(host, port)
        evidence.end, evidence.internal_error = End.INTERNAL, error
        return Report(evidence)

    return make


OURS = {
    "no descriptor for this process": unconnected(errno.EMFILE),
    "no descriptor for this system": unconnected(errno.ENFILE),
    "no buffer": unconnected(errno.ENOBUFS),
    "no memory for a socket": unconnected(errno.ENOMEM),
    "no watch for a socket": unconnected(errno.ENOSPC),
    "no port": unconnected(errno.EADDRNOTAVAIL),
    "no room in a table": unconnected(errno.EAGAIN),
    "one address of two": unconnected(errno.EMFILE, errno.ENETUNREACH),
    "one refused, one not dialled": unconnected(errno.ECONNREFUSED, errno.EMFILE),
    "while it read": connected(errno.ENOBUFS),
    "no socket for the resolver": unresolved(errno.EMFILE),
    "no thread": internal('RuntimeError("can\'t start new thread")'),
    "no memory": internal("MemoryError()"),
}

THEIRS = {
    "refused": refused,
    "no route": unconnected(errno.ENETUNREACH),
    "reset": connected(errno.ECONNRESET),
    "said what it had to say": connected(errno.ENOBUFS, End.EOF),
    "no such name": unresolved(socket.EAI_NONAME),
    "a bug of ours": internal("KeyError()"),
    "no permission": unconnected(errno.EACCES),
}


def fail(
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome,
    times: int,
) -> list[float]:
    """Have the first probes end like this, and return when all of them began."""
    began: list[float] = []

    async def check(host: str, port: int, **keywords: object) -> Report:
        began.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        return outcome(host, port) if len(began) <= times else report(host, port)

    install(monkeypatch, check)
    return began


@pytest.mark.parametrize("times", [1, len(BACK_OFF_S)])
@pytest.mark.parametrize("trouble", OURS)
async def test_a_trouble_of_ours_that_passes_is_not_reported(
    trouble: str,
    times: int,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = fail(monkeypatch, OURS[trouble], times)
    [ended] = await take_all(probe.sweep([SERVER]))
    assert ended.verdict == "ok"
    assert began == pytest.approx([sum(BACK_OFF_S[:i]) for i in range(times + 1)])


@pytest.mark.parametrize("trouble", OURS)
async def test_a_trouble_of_ours_that_stays_is_reported_as_ours(
    trouble: str,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = fail(monkeypatch, OURS[trouble], 100)
    [ended] = await take_all(probe.sweep([SERVER]))
    assert ended.verdict == "local-error"
    assert len(began) == 1 + len(BACK_OFF_S)
    assert trio.current_time() == pytest.approx(sum(BACK_OFF_S))


@pytest.mark.parametrize("trouble", THEIRS)
async def test_what_is_not_ours_to_wait_for_is_reported_at_once(
    trouble: str,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = fail(monkeypatch, THEIRS[trouble], 100)
    [ended] = await take_all(probe.sweep([SERVER]))
    assert ended.verdict == THEIRS[trouble](*SERVER).verdict
    assert began == [0]


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM])
async def test_a_resolver_that_failed_is_asked_again_and_then_believed(
    code: int,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = fail(monkeypatch, unresolved(code), 100)
    [ended] = await take_all(probe.sweep([SERVER]))
    assert ended.verdict == "name-error"
    assert len(began) == 1 + len(BACK_OFF_S)


async def test_trying_again_keeps_the_pace_of_the_server(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = fail(monkeypatch, unconnected(errno.EMFILE), 1)
    await take_all(probe.sweep([SERVER], burst=1))
    assert began == pytest.approx([0, 1])


async def test_an_address_that_is_not_ours_to_connect_from(autojump_clock: MockClock) -> None:
    """RFC 5737: nobody has 192.0.2.1. EADDRNOTAVAIL is what taken ports give, too."""
    async with serve("openssh") as address:
        [ended] = await take_all(probe.sweep([address], source="192.0.2.1"))
    assert ended.verdict == "local-error"
    assert [attempt.errno for attempt in ended.evidence.attempts] == [errno.EADDRNOTAVAIL]
    assert trio.current_time() == pytest.approx(sum(BACK_OFF_S))


# Real limits, in processes of their own. ---------------------------------------------------------

FEW_DESCRIPTORS = """\
import resource, socket, sys, trio
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
import probe
from probe.catalogue import serve
from probe.net import machine

async def main():
    async with serve("openssh") as address:
        keywords = {"per_server_rate": 0, "rate": 1e6, **eval(sys.argv[3])}
        async with probe.sweep([address] * 150, **keywords) as reports:
            verdicts = [report.verdict.value async for report in reports]
    print(len(verdicts), *sorted(set(verdicts)), resource.getrlimit(resource.RLIMIT_NOFILE)[0])

{hide}
trio.run(main)
"""

HIDE = """\
machine.allow_descriptors = lambda count: True
import logging; logging.disable()  # trio complains of a server that cannot accept
"""
"""Takes the limit away from those who look for it, so that it is hit."""

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def run_with_descriptors(soft: int, hard: int, keywords: str = "{}", hide: str = "") -> list[str]:
    program = FEW_DESCRIPTORS.replace("{hide}", hide)
    done = subprocess.run(
        [sys.executable, "-c", program, str(soft), str(hard), keywords],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@only_linux
def test_a_low_limit_is_found_and_not_hit() -> None:
    assert run_with_descriptors(64, 64) == ["150", "ok", "64"]


@only_linux
def test_a_soft_limit_is_raised_as_far_as_it_takes() -> None:
    wanted = run_with_descriptors(64, 2048, "{'max_in_flight': 100}")
    assert wanted[:2] == ["150", "ok"]
    assert 64 < int(wanted[2]) < 2048


@only_linux
@pytest.mark.real_time
def test_a_limit_that_is_hit_is_waited_for() -> None:
    """Both ends of each connection are in that process, so twenty fit at the most."""
    assert run_with_descriptors(64, 64, "{'max_in_flight': 40}", HIDE) == ["150", "ok", "64"]


TEN_PORTS = """\
ip link set lo up
cd /proc/sys/net/ipv4
echo 40000 40009 > ip_local_port_range
echo 2 > tcp_tw_reuse
exec "$@"
"""
"""A network of its own, gone with the process. On loopback a port may be used again after 1 s."""

MANY_CONNECTIONS = """\
import trio
import probe
from probe import fleet
from probe.catalogue import serve

tries, check = [], fleet.check

async def counting_check(*target, **keywords):
    tries.append(target)
    return await check(*target, **keywords)

async def main():
    async with serve("openssh") as address:
        async with probe.sweep([address] * 20, per_server_rate=0) as reports:
            verdicts = [report.verdict.value async for report in reports]
    print(len(verdicts), *sorted(set(verdicts)), len(tries) > len(verdicts))

fleet.check = counting_check
trio.run(main)
"""


@only_linux
@pytest.mark.real_time
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare (util-linux)")
def test_ports_that_are_all_taken_are_waited_for() -> None:
    command = ["unshare", "--net", "sh", "-ec", TEN_PORTS, "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root for a network namespace")
    done = subprocess.run(
        [*command, sys.executable, "-c", MANY_CONNECTIONS],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("20 ok True\n", "")


# Limits that are found. --------------------------------------------------------------------------


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, int], None]:
    def limit(allowed: float, taken: int) -> None:
        monkeypatch.setattr(machine, "allow_descriptors", lambda count: count <= allowed)
        monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, allowed))
        monkeypatch.setattr(machine, "_OPEN", Opened(taken))

    return limit


class Opened:
    def __init__(self, count: int) -> None:
        self._count = count

    def iterdir(self) -> Iterator[int]:
        return iter(range(self._count))


@pytest.mark.parametrize(
    ("allowed", "taken", "wished", "found"),
    [
        (1e6, 10, 4096, 4096),
        (8522 + 10, 10, 4096, 4096),  # 320 spare ones, and two for each
        (8521 + 10, 10, 4096, 4100),
        (1024, 24, 4096, 340),
        (1024, 24, 300, 300),
        (64, 8, 4096, 14),
        (10, 10, 4096, 1),
    ],
)
def test_descriptors_bound_what_runs_side_by_side(
    allowed: float,
    taken: int,
    wished: int,
    found: int,
    limits: Callable[[float, int], None],
) -> None:
    limits(allowed, taken)
    assert most_in_flight(wished) == min(found, wished)


@pytest.mark.parametrize(
    ("text", "found"),
    [("32768\t60999\n", 4096), ("50000\t50099\n", 50), ("5\t5\n", 1), ("nonsense", 4096)],
)
def test_ports_bound_what_runs_side_by_side(
    text: str,
    found: int,
    limits: Callable[[float, int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits(1e6, 10)
    path = tmp_path / "range"
    path.write_text(text)
    monkeypatch.setattr(machine, "PORT_RANGE", path)
    assert most_in_flight(4096) == found


def test_where_the_kernel_does_not_say_all_ports_count(
    limits: Callable[[float, int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits(1e6, 10)
    monkeypatch.setattr(machine, "PORT_RANGE", tmp_path / "none")
    assert most_in_flight(100_000) == 32768


def test_where_nobody_says_what_is_open_some_descriptors_are_left_alone(
    limits: Callable[[float, int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits(1064, 0)
    monkeypatch.setattr(machine, "_OPEN", tmp_path / "none")
    assert most_in_flight(4096) == (1064 - 64 - 320) // 2


# The resolver. -----------------------------------------------------------------------------------


class Resolver:
    """Stands in for getaddrinfo: dead names are answered when ``answer`` is set.

    Attributes:
        answer: What releases the dead names.
        most_waiting: How many look-ups were under way at once.
    """

    def __init__(self, takes_s: float) -> None:
        self.answer = threading.Event()
        self.most_waiting = 0
        self._waiting = 0
        self._takes_s = takes_s
        self._original = socket.getaddrinfo

    def getaddrinfo(self, host: bytes, port: int, *rest: int) -> list[object]:
        *_, flags = rest
        if flags & socket.AI_NUMERICHOST:
            return list(self._original(host, port, *rest))
        self._waiting += 1
        self.most_waiting = max(self.most_waiting, self._waiting)
        self.answer.wait(60 if host.startswith(b"dead") else self._takes_s)
        self._waiting -= 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, port))]


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver(0.1)
    monkeypatch.setattr("probe.net.dial.RESOLVER_THREADS", 2)
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    yield resolver
    resolver.answer.set()


@pytest.mark.real_time
async def test_waiting_for_our_own_threads_is_not_the_resolvers_time(
    two_threads: Resolver,
) -> None:
    """Twenty names take ten rounds of 0.1 s, and each has 0.8 s."""
    budget = probe.Budget(resolve_s=0.8)
    async with serve("openssh") as (_, port):
        targets = [(f"name{number}.example", port) for number in range(20)]
        reports = await take_all(probe.sweep(targets, budget=budget))
    assert {each.verdict for each in reports} == {"ok"}
    assert two_threads.most_waiting == 2


@pytest.mark.real_time
async def test_look_ups_that_outlive_their_probes_still_count(two_threads: Resolver) -> None:
    """Threads cannot be ended. A name waits until one is free, and is not called dead for that."""
    budget = probe.Budget(resolve_s=0.6)
    seen: dict[str, str] = {}
    async with serve("openssh") as (_, port):
        names = ["dead1.example", "dead2.example", "living.example", HOST]
        targets = [(name, port) for name in names]
        async with probe.sweep(targets, budget=budget) as reports:
            async for each in reports:
                seen[each.evidence.host] = each.verdict
                if len(seen) == 3:
                    assert seen.keys() == {"dead1.example", "dead2.example", HOST}
                    two_threads.answer.set()
    assert seen == {
        HOST: "ok",
        "dead1.example": "name-timeout",
        "dead2.example": "name-timeout",
        "living.example": "ok",
    }
