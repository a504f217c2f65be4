"""``sshprobe demo``: the whole catalogue served and probed, in ten seconds."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from cli_pieces import ENVIRONMENT, MODULE, PATIENCE_S, sshprobe

from probe.catalogue import BY_NAME, SERVERS
from probe.verdict import ROWS, State, Verdict

LIMIT_S = 10.0
"""Of a whole probe, and all servers are probed at once."""

DEMO = (*MODULE, "demo")

FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -Sn 256; exec "$@"', "sh")
"""Starts a command as macOS would: it may have 256 descriptors open, and more if it asks."""

ALTERED = """\
import dataclasses, json, sys
import probe.cli.demo
from probe.catalogue import BY_NAME
from probe.cli import main

good, garbage = BY_NAME["openssh"], BY_NAME["garbage"]
expected = dataclasses.replace(garbage.expected, **json.loads(sys.argv[1]))
altered = dataclasses.replace(garbage, expected=expected)
probe.cli.demo.SERVERS = (good, altered)
sys.exit(main(["demo", *sys.argv[2:]]))
"""
"""Runs the demo with two servers, of which one is expected to be other than it is."""

NOT_LINUX = """\
import sys
import probe.cli.demo
from probe.catalogue import BY_NAME
from probe.cli import main

sys.platform = "darwin"
probe.cli.demo.SERVERS = (BY_NAME["openssh"], BY_NAME["vanishes-before-identification"])
sys.exit(main(["demo"]))
"""
"""Runs the demo with a server that only Linux can play, where there is no Linux."""

COLOURS = {
    State.OK: "\x1b[32m",
    State.WARNING: "\x1b[33m",
    State.UNKNOWN: "\x1b[35m",
    State.CRITICAL: "\x1b[31m",
}
"""Green, yellow, magenta and red, ECMA-48 §8.3.117."""


class Run(NamedTuple):
    """A run of the demo that came to its end."""

    status: int
    shown: str
    complaints: str
    spent_s: float

    @property
    def lines(self) -> list[str]:
        return self.shown.splitlines()

    @property
    def rows(self) -> list[str]:
        """The lines between the header and the summary."""
        return self.lines[1:-1]


def run_in_a_pipe(*command: str) -> Run:
    began = time.monotonic()
    done = sshprobe(command=command)
    return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def run_on_a_terminal(
    *command: str,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Run:
    ours, its = pty.openpty()
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=its, stderr=subprocess.PIPE) as process:
        os.close(its)
        octets = b"".join(iter(lambda: read_terminal(ours), b""))
        _, complaints = process.communicate(timeout=PATIENCE_S)
    os.close(ours)
    spent_s = time.monotonic() - began
    return Run(process.returncode, octets.decode(), complaints.decode(), spent_s)


def read_terminal(descriptor: int) -> bytes:
    """Return what came, ``b""`` at the end, which Linux says with EIO."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Run the whole demo in three ways, side by side: a run takes ten seconds.

    What it takes beside them just to start a process and to end it is measured, too.
    """
    with ThreadPoolExecutor(4) as pool:
        running = {
            "pipe": pool.submit(run_in_a_pipe, *FEW_DESCRIPTORS, *DEMO),
            "terminal": pool.submit(run_on_a_terminal, *DEMO),
            "json": pool.submit(run_in_a_pipe, *DEMO, "--json"),
            "idle": pool.submit(run_in_a_pipe, *MODULE, "--version"),
        }
    return {way: future.result() for way, future in running.items()}


every_way = pytest.mark.parametrize("way", ["pipe", "terminal", "json"])


# The whole catalogue. ----------------------------------------------------------------------------


@every_way
def test_all_verdicts_are_the_expected_ones(way: str, runs: dict[str, Run]) -> None:
    """Under a clock that no test moves, and all 179 at once."""
    assert runs[way].status == 0, runs[way].shown
    assert runs[way].complaints == ""


@every_way
def test_it_ends_when_the_limit_of_a_probe_does(way: str, runs: dict[str, Run]) -> None:
    """Law 1, for a command; a machine that is slow to start a process is not its fault."""
    assert runs[way].spent_s < LIMIT_S + 1.5 + runs["idle"].spent_s


def test_a_row_for_every_server_says_how_its_probe_ended(runs: dict[str, Run]) -> None:
    assert runs["pipe"].lines[0].split() == ["server", "verdict", "seconds", "where", "it", "ended"]
    seen = {tuple(row.split()[:2]) for row in runs["pipe"].rows}
    assert seen == {(server.name, server.expected.verdict) for server in SERVERS}
    assert len(runs["pipe"].rows) == len(SERVERS)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("openssh", r"ok +0\.\d{3}"),
        ("garbage", r"not-ssh +0\.\d{3}  identification"),
        ("silent", r"silent +4\.\d{3}  first-octet, at its limit of 4 s"),
        ("budget-eater", r"kexinit-trickling +9\.\d{3}  kexinit, at its limit of 5 s"),
    ],
)
def test_a_row_says_where_and_at_whose_limit(
    name: str,
    ending: str,
    runs: dict[str, Run],
) -> None:
    [row] = [row for row in runs["pipe"].rows if row.startswith(f"{name} ")]
    assert re.fullmatch(f"{name} +{ending}", row)


def test_the_summary_counts_servers_and_names_the_longest_time(runs: dict[str, Run]) -> None:
    slowest = max(float(row.split()[2]) for row in runs["pipe"].rows)
    count = len(SERVERS)
    assert runs["pipe"].lines[-1] == (
        f"{count} servers, {count} verdicts as expected; the slowest took {slowest:.3f} s of 10 s."
    )


def test_a_pipe_gets_plain_text(runs: dict[str, Run]) -> None:
    assert all(line.isprintable() for line in runs["pipe"].lines)


def test_a_terminal_gets_every_verdict_in_the_colour_of_its_state(runs: dict[str, Run]) -> None:
    for row in runs["terminal"].rows:
        name, verdict = re.sub(r"\x1b\[\d+m", "", row).split()[:2]
        assert verdict == BY_NAME[name].expected.verdict
        colour = COLOURS[ROWS[Verdict(verdict)].state]
        assert re.fullmatch(rf"{name} +{re.escape(colour)}{verdict} *\x1b\[0m  [^\x1b]+", row)
    assert len(runs["terminal"].rows) == len(SERVERS)


def test_json_is_an_object_for_every_server(runs: dict[str, Run]) -> None:
    objects = [json.loads(line) for line in runs["json"].lines]
    assert {found["server"] for found in objects} == set(BY_NAME)
    assert len(objects) == len(SERVERS)
    for found in objects:
        expected = BY_NAME[found["server"]].expected
        assert found["as_expected"] is True
        assert found["schema"].startswith("sshprobe-report-")
        for member in ("verdict", "where", "whose"):
            assert found[member] == getattr(expected, member)


# Another verdict than the expected one. ----------------------------------------------------------


def altered(*arguments: str, **expected: object) -> tuple[str, ...]:
    return (sys.executable, "-c", ALTERED, json.dumps(expected), *arguments)


UNEXPECTED = [
    pytest.param({"verdict": "silent"}, "silent in identification", id="verdict"),
    pytest.param({"where": "kexinit"}, "not-ssh in kexinit", id="where"),
    pytest.param({"whose": "identification"}, "not-ssh in identification", id="whose"),
    pytest.param({"findings": ["odd"]}, "not-ssh (odd) in identification", id="findings"),
]


@pytest.mark.parametrize(("expected", "said"), UNEXPECTED)
def test_what_was_not_expected_is_said_and_counted(expected: dict[str, object], said: str) -> None:
    run = run_in_a_pipe(*altered(**expected))
    assert run.status == 2
    assert run.complaints == ""
    assert [row.partition("  expected ")[2] for row in sorted(run.rows)] == [said, ""]
    assert run.lines[-1].startswith("2 servers, 1 verdicts as expected;")


@pytest.mark.parametrize(("expected", "said"), UNEXPECTED)
def test_json_says_what_was_not_expected(expected: dict[str, object], said: str) -> None:
    run = run_in_a_pipe(*altered("--json", **expected))
    found = {report["server"]: report["as_expected"] for report in map(json.loads, run.lines)}
    assert found == {"openssh": True, "garbage": False}
    assert run.status == 2


def test_nothing_unexpected_is_status_0() -> None:
    assert run_in_a_pipe(*altered()).status == 0


# Terminals. --------------------------------------------------------------------------------------


def test_who_wants_no_colours_gets_none() -> None:
    run = run_on_a_terminal(*altered(), environment={**ENVIRONMENT, "NO_COLOR": "1"})
    assert run.lines[1].startswith(("openssh  ", "garbage  "))
    assert "\x1b" not in run.shown


def test_json_has_no_colours_on_a_terminal() -> None:
    run = run_on_a_terminal(*altered("--json"))
    assert [json.loads(line)["as_expected"] for line in run.lines] == [True, True]


# Other machines. ---------------------------------------------------------------------------------


def test_a_server_that_needs_linux_is_left_out_elsewhere() -> None:
    """A prober that cannot ask the kernel cannot say what only the kernel knows."""
    run = run_in_a_pipe(sys.executable, "-c", NOT_LINUX)
    assert run.status == 0
    assert [row.split()[0] for row in run.rows] == ["openssh"]
    assert run.lines[-1].startswith("1 servers, 1 verdicts as expected;")


def test_a_machine_that_allows_too_few_descriptors_is_blamed_and_no_server() -> None:
    """Law 8."""
    run = run_in_a_pipe("sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *DEMO)
    assert run.status == 3
    assert run.shown == ""
    assert re.fullmatch(r"sshprobe: .* needs \d+ file descriptors.*\n", run.complaints)


# Ended early. ------------------------------------------------------------------------------------


def test_a_reader_that_left_ends_it() -> None:
    """``sshprobe demo | head -1`` neither goes on for ten seconds nor complains."""
    began = time.monotonic()
    with started() as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"server ")
        process.stdout.close()
        status = process.wait(PATIENCE_S)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert status == 141
    assert time.monotonic() - began < LIMIT_S / 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_and_in_order(number: signal.Signals, status: int) -> None:
    """Law 7: what has been said by then stands, and nobody sees a traceback."""
    began = time.monotonic()
    with started() as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(20)]
        process.send_signal(number)
        rest, complaints = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status
    assert complaints == b""
    rows = first[1:] + rest.splitlines(keepends=True)
    assert len(rows) < len(SERVERS)
    assert {row.split()[0].decode() for row in rows} < set(BY_NAME)
    assert rows[-1].endswith(b"\n")
    assert time.monotonic() - began < LIMIT_S / 2


def started() -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(DEMO, env=ENVIRONMENT, bufsize=0, stdout=pipe, stderr=pipe)
