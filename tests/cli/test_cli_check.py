"""``sshprobe check`` as a process: exit statuses, order, JSON, signals, politeness, start-up."""

import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import permutations

import pytest
import trio
from cli_pieces import HOST, MODULE, PATIENCE_S, SCRIPT, Servers, sshprobe, start
from trio.testing import MockClock

import probe.cli.check
from probe.catalogue import serve
from probe.cli import main
from probe.cli.arguments import parse
from probe.cli.check import IN_FLIGHT, _Checks
from probe.cli.status import status_of
from probe.net.pace import BURST
from probe.verdict import State

GOOD = "openssh"
THROTTLED = "penalty-then-closes"
BROKEN = "garbage"
SILENT = "silent"

STATUSES = {GOOD: 0, THROTTLED: 1, BROKEN: 2}
"""Exit statuses of monitoring plugins: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""

MEMBERS = {
    "schema",
    "target",
    "verdict",
    "where",
    "whose",
    "spent_s",
    "stages",
    "identification",
    "kexinit",
    "findings",
    "error",
}

WITHOUT_DESCRIPTORS = """\
import os, resource, sys
import trio
import probe.cli.check
from probe.cli import main

async def count_descriptors():
    return max(map(int, os.listdir("/proc/self/fd"))) + 1

spare, *arguments = sys.argv[1:]
needed = trio.run(count_descriptors) - 1  # what lists the folder has one itself
resource.setrlimit(resource.RLIMIT_NOFILE, (needed + int(spare),) * 2)
sys.exit(main(["check", *arguments]))
"""
"""Runs the command where trio has the descriptors it needs, and probes have the spare ones."""

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.stderr == ""
    return done.stdout.splitlines()


# Statuses. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["python -m probe", "sshprobe"])
def test_one_good_server(command: tuple[str, ...], servers: Servers) -> None:
    target = servers.start(GOOD)
    done = sshprobe("check", target, command=command)
    [line] = lines_of(done)
    assert line.split()[:4] == ["OK", target, "ok", "SSH-2.0-OpenSSH_10.5"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    "names",
    [
        (GOOD,),
        (THROTTLED,),
        (BROKEN,),
        (GOOD, GOOD),
        (THROTTLED, GOOD),
        (GOOD, BROKEN),
        (BROKEN, GOOD, THROTTLED),
    ],
    ids=" and ".join,
)
def test_exit_status_is_that_of_the_worst_target(names: tuple[str, ...], servers: Servers) -> None:
    done = sshprobe("check", *map(servers.start, names))
    assert len(lines_of(done)) == len(names)
    assert done.returncode == max(STATUSES[name] for name in names)


@pytest.mark.parametrize(("count", "status"), [(0, 0), (1, 0), (2, 1), (3, 3), (4, 2)])
def test_unknown_is_worse_than_warning_and_better_than_critical(count: int, status: int) -> None:
    bad_to_worse = [State.OK, State.WARNING, State.UNKNOWN, State.CRITICAL]
    for states in permutations(bad_to_worse[:count]):
        assert status_of(states) == status


@only_linux
@pytest.mark.parametrize(
    ("names", "spare", "status"),
    [
        pytest.param([GOOD], 0, 3, id="unknown"),
        pytest.param([GOOD, GOOD], 1, 3, id="ok and unknown"),
        pytest.param([THROTTLED, THROTTLED], 1, 3, id="warning and unknown"),
        pytest.param([BROKEN, BROKEN], 1, 2, id="critical and unknown"),
    ],
)
def test_a_fault_of_this_machine_is_unknown(
    names: list[str],
    spare: int,
    status: int,
    servers: Servers,
) -> None:
    """Law 8: without file descriptors nothing is known of the server."""
    targets = map(servers.start, names)
    command = (sys.executable, "-c", WITHOUT_DESCRIPTORS, str(spare))
    done = sshprobe(*targets, command=command)
    unknown = [line for line in lines_of(done) if line.startswith("UNKNOWN")]
    assert len(unknown) == len(names) - spare
    assert all("local-error" in line and "EMFILE" in line for line in unknown)
    assert done.returncode == status


@only_linux
def test_a_command_that_cannot_even_begin_is_unknown(servers: Servers) -> None:
    """Law 8: Python's own status for a traceback is 1, and would say that the server throttles."""
    command = (sys.executable, "-c", WITHOUT_DESCRIPTORS, "-3")
    done = sshprobe(servers.start(GOOD), command=command)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("Traceback ")
    assert "Too many open files" in done.stderr


# Many targets. -----------------------------------------------------------------------------------


def test_targets_are_probed_side_by_side(servers: Servers) -> None:
    targets = [servers.start(SILENT) for _ in range(6)]
    began = time.monotonic()
    done = sshprobe("check", "--limit", "2", *targets)
    assert len(lines_of(done)) == 6
    assert 0.8 <= time.monotonic() - began < 6 * 0.8  # first-octet has 0.8 s of these 2 s


def test_a_line_is_printed_as_soon_as_its_target_ends(servers: Servers) -> None:
    targets = [servers.start(SILENT), servers.start(GOOD)]
    with start("check", "--limit", "2", *targets) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"OK ")
        assert process.poll() is None
        assert process.stdout.readline().startswith(b"CRITICAL ")
        assert process.wait(PATIENCE_S) == 2


# Options. ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [GOOD, THROTTLED, BROKEN, "closes-after-identification"])
def test_json_is_an_object_a_line(name: str, servers: Servers) -> None:
    targets = [servers.start(name), servers.start(name)]
    lines = lines_of(sshprobe("check", "--json", *targets))
    reports = [json.loads(line) for line in lines]
    assert {report["target"] for report in reports} == set(targets)
    assert all(report.keys() >= MEMBERS for report in reports)
    assert all((report["error"] is None) == (name == GOOD) for report in reports)
    assert all(line.isascii() for line in lines)


def test_port_is_that_of_targets_that_name_none(servers: Servers) -> None:
    port = servers.start(GOOD).rpartition(":")[2]
    other = servers.start(THROTTLED)
    done = sshprobe("check", "-p", port, HOST, other)
    assert sorted(line.split()[:2] for line in lines_of(done)) == [
        ["OK", f"{HOST}:{port}"],
        ["WARNING", other],
    ]


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
@pytest.mark.parametrize(
    ("option", "host", "verdict"),
    [
        ("-4", HOST, "ok"),
        ("-6", HOST, "name-error"),
        ("-4", "::1", "name-error"),
        ("-6", "::1", "ok"),
    ],
)
def test_a_family_alone(option: str, host: str, verdict: str, servers: Servers) -> None:
    [line] = lines_of(sshprobe("check", option, servers.start(GOOD, host)))
    assert line.split()[2] == verdict


def test_limits_reach_the_probe(servers: Servers) -> None:
    limits = ("--limit", "5", "--stage-limit", "connect=7", "--stage-limit", "first-octet=0.25")
    [line] = lines_of(sshprobe("check", *limits, "--json", servers.start(SILENT)))
    report = json.loads(line)
    assert {stage["stage"]: stage["limit_s"] for stage in report["stages"]} == {
        "probe": 5,
        "connect": 7,
        "identification": 2.5,
        "first-octet": 0.25,
    }
    assert report["where"] == report["whose"] == "first-octet"
    assert 0.25 <= report["spent_s"] < 2.5


# Signals. ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_signal_keeps_what_is_known(number: int, status: int, servers: Servers) -> None:
    """Law 7: an interruption is no verdict, and loses none."""
    targets = [servers.start(SILENT), servers.start(GOOD)]
    with start("check", "--limit", "60", *targets) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        sent_at = time.monotonic()
        rest, complaints = process.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - sent_at < 5  # of the 24 that the silent one has
    assert first.startswith(f"OK        {targets[1]}  ok  ".encode())
    assert first.endswith(b"\n")
    assert (rest, complaints) == (b"", b"")
    assert process.returncode == status


def test_an_interruption_before_the_first_probe_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe.cli.check, "run", interrupt)
    assert main(["check", HOST]) == 130


# Politeness. -------------------------------------------------------------------------------------


class Visits:
    """A server that notes when it is visited, and closes."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def serve_client(self, stream: trio.SocketStream) -> None:
        self.at.append(trio.current_time())
        async with stream:
            await stream.send_eof()
            async for _ in stream:
                pass

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        [listener] = await trio.open_tcp_listeners(0, host=HOST)
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self.serve_client, [listener])
            yield f"{HOST}:{listener.socket.getsockname()[1]}"
            nursery.cancel_scope.cancel()


async def test_seventeen_probes_of_one_server(autojump_clock: MockClock) -> None:
    """FIELD-NOTES 6.3: OpenSSH bans a source that is 15 s of penalties ahead."""
    visits, lines = Visits(), list[str]()
    async with visits.serve() as target:
        await _Checks(parse(["check", *[target] * 17])).run(lines.append)
    assert visits.at == pytest.approx([0.0] * 15 + [1.0, 2.0])
    assert len(lines) == 17


async def test_probes_that_waited_for_a_place_do_not_begin_all_at_once(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The burst of 15 is counted when probes begin, not when they would have liked to."""
    monkeypatch.setattr(probe.cli.check, "IN_FLIGHT", 1)
    visits, lines = Visits(), list[str]()
    async with serve(SILENT) as (host, port), visits.serve() as target:
        targets = [f"{host}:{port}", *[target] * 35]
        await _Checks(parse(["check", "--limit", "60", *targets])).run(lines.append)
    assert len(lines) == 36
    pairs = zip(visits.at, visits.at[15:], strict=False)
    assert min(last - first for first, last in pairs) == pytest.approx(1.0)


async def test_other_servers_need_not_wait(autojump_clock: MockClock) -> None:
    lines = list[str]()
    async with serve(SILENT) as (_, crowded), serve(GOOD) as (_, other):
        targets = [f"{HOST}:{crowded}"] * (BURST + 5) + [f"{HOST}:{other}"] * BURST
        await _Checks(parse(["check", *targets])).run(lines.append)
    assert trio.current_time() == pytest.approx(5.0 + 4.0)
    assert [line.split()[0] for line in lines] == ["OK"] * BURST + ["CRITICAL"] * (BURST + 5)


async def test_targets_beyond_what_is_probed_at_once_wait_their_turn(
    autojump_clock: MockClock,
) -> None:
    """Law 1: file descriptors have a cap, too; 200 silent servers are waited for at a time."""
    lines = list[str]()
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(serve(SILENT)) for _ in range(14)]
        targets = [f"{host}:{port}" for host, port in addresses] * BURST
        await _Checks(parse(["check", *targets])).run(lines.append)
    assert IN_FLIGHT < len(lines) == len(targets) < 2 * IN_FLIGHT
    assert trio.current_time() == pytest.approx(4.0 + 4.0)


def test_sixteen_probes_of_one_server_take_a_second(servers: Servers) -> None:
    began = time.monotonic()
    done = sshprobe("check", *[servers.start(GOOD)] * 16)
    assert 1 <= time.monotonic() - began < 6  # at one a second it would be 15
    assert len(lines_of(done)) == 16
    assert done.returncode == 0


# Start-up. ---------------------------------------------------------------------------------------


def test_what_is_not_needed_is_not_imported(servers: Servers) -> None:
    """A monitor starts the command once a minute and server: what costs start-up is left out."""
    program = textwrap.dedent("""\
        import sys
        import trio
        trios = set(sys.modules)
        from probe.cli import main
        status = main(sys.argv[1:])
        print(*sorted(set(sys.modules) - trios))
        sys.exit(status)
        """)
    command = (sys.executable, "-c", program)
    done = sshprobe("check", servers.start(GOOD), command=command)
    imported = lines_of(done)[1].split()
    assert "probe.prober" in imported
    assert not {"json", "dataclasses", "asyncio", "hypothesis", "logging"} & set(imported)
    assert not [name for name in imported if name.startswith("probe.catalogue")]
