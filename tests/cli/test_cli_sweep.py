"""``sshprobe sweep`` as a process: every target once, whatever happens to it or to its output."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cli_pieces import ENVIRONMENT, HOST, MODULE, PATIENCE_S, Servers, sshprobe, start

import probe.fleet
from probe.cli import main
from probe.cli.arguments import parse
from probe.fleet import IN_FLIGHT, RATE

GOOD = "openssh"
SILENT = "silent"

REFUSED = f"{HOST}:1"
"""TCPMUX (RFC 1078): nobody serves that."""

ENDS_WITHIN_S = 5.0
"""After a signal, on a busy machine; what runs then has the better part of a minute left."""


class Doorman:
    """A server at every address of 127.0.0.0/8 that counts its clients and closes."""

    def __init__(self, servers: Servers) -> None:
        self.visits = 0
        self._lock = threading.Lock()
        self.port = servers.start_handler(self._serve_client, "0.0.0.0").rpartition(":")[2]  # noqa: S104

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        self.visits += 1
        async with stream:
            await stream.send_eof()
            async for _ in stream:
                pass


@pytest.fixture
def doorman(servers: Servers) -> Doorman:
    return Doorman(servers)


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def targets_in(text: str) -> Counter[str]:
    return Counter(json.loads(line)["target"] for line in text.splitlines())


def addresses(count: int, port: str) -> Counter[str]:
    return Counter(f"127.1.{i // 256}.{i % 256}:{port}" for i in range(count))


def wait_for(path: Path, lines: int) -> None:
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE_S
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < deadline
        pause.wait(0.01)


# What comes of it. -------------------------------------------------------------------------------


def test_an_object_a_target_and_a_summary(servers: Servers, tmp_path: Path) -> None:
    good, silent = servers.start(GOOD), servers.start(SILENT)
    listed = write(tmp_path / "list", "# a comment", silent, "", f"{good}  # good", REFUSED)
    done = sshprobe("sweep", "--limit", "1", listed)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["target"]: each["verdict"] for each in reports} == {
        good: "ok",
        silent: "silent",
        REFUSED: "refused",
    }
    assert reports[-1]["target"] == silent  # in the order in which they end
    assert done.returncode == 0  # whatever the verdicts
    said = done.stderr.splitlines()
    assert re.fullmatch(r"sshprobe: 3 targets in \d\.\d s \(\d+/s\)", said[0])
    assert said[-1].split() == ["1", "OpenSSH_10.5"]
    assert {" ".join(line.split()[:2]) for line in said[1:4]} == {"ok 1", "silent 1", "refused 1"}


def test_a_target_that_is_listed_twice_is_probed_twice(tmp_path: Path) -> None:
    done = sshprobe("sweep", write(tmp_path / "list", REFUSED, REFUSED))
    assert targets_in(done.stdout) == {REFUSED: 2}


def test_blocks_and_several_files(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "127.0.0.0/30", "127.0.0.9:1")
    two = write(tmp_path / "two", "127.0.0.4/31:2")
    done = sshprobe("sweep", one, "-p", "1", two)
    assert sorted(targets_in(done.stdout)) == sorted(
        [*(f"127.0.0.{i}:1" for i in (0, 1, 2, 3, 9)), "127.0.0.4:2", "127.0.0.5:2"],
    )


def test_standard_input_is_read_as_it_comes() -> None:
    """A report is there while the list is still being written."""
    command = (*MODULE, "sweep")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(REFUSED.encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["target"] == REFUSED
        rest, _ = process.communicate(b"127.0.0.2:1", timeout=PATIENCE_S)
    assert targets_in(rest.decode()) == {"127.0.0.2:1": 1}
    assert process.returncode == 0


def test_bad_lines_are_told_escaped_counted_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "list"
    bad = [b"two words", b"\x1b[3Jx y", b"\xff", b"x" * 5000]
    path.write_bytes(b"\n".join([*bad, REFUSED.encode()]))
    done = sshprobe("sweep", str(path))
    assert targets_in(done.stdout) == {REFUSED: 1}
    told, summary = done.stderr.splitlines()[:4], done.stderr.splitlines()[4]
    numbers = [line.split(", line ")[1].partition(":")[0] for line in told]
    assert numbers == ["1", "2", "3", "4"]
    assert all(line.isprintable() for line in told)
    assert summary.endswith(", 4 lines skipped")
    assert done.returncode == 1


def test_a_wrong_file_floods_no_terminal(tmp_path: Path) -> None:
    done = sshprobe("sweep", write(tmp_path / "list", *["not a host"] * 5000, REFUSED))
    assert len(done.stderr.splitlines()) < 120
    assert ", 5000 lines skipped" in done.stderr
    assert done.returncode == 1


def test_this_machines_trouble_is_not_the_whole_sweep(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """RFC 5737: nobody has 192.0.2.1 to connect from."""
    monkeypatch.setattr(probe.fleet, "BACK_OFF_S", ())
    listed = write(tmp_path / "list", REFUSED)
    assert main(["sweep", "--source", "192.0.2.1", listed]) == 1
    assert json.loads(capfd.readouterr().out)["verdict"] == "local-error"


def test_a_file_that_goes_away_is_no_whole_sweep(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("probe.cli.arguments.sweep._require_readable", lambda _: None)
    listed = write(tmp_path / "list", REFUSED)
    assert main(["sweep", str(tmp_path / "gone"), listed]) == 3
    out, complaints = capfd.readouterr()
    assert targets_in(out) == {REFUSED: 1}
    assert "No such file" in complaints


# Mistakes. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/nowhere/list"], "cannot read '/nowhere/list'"),
        (["x" * 300], "cannot read 'xxx"),  # no file system has such names
        (["/tmp"], "cannot read '/tmp'"),  # noqa: S108 - a folder that is there
        (["--rate", "0", "-"], "argument --rate: must be above 0, not '0'"),
        (["--rate", "nan", "-"], "not a number a second: 'nan'"),
        (["--per-server-rate", "-1", "-"], "not a number a second: '-1'"),
        (["--per-server-rate", "inf", "-"], "not a number a second: 'inf'"),
        (["--max-in-flight", "0", "-"], "not a number of probes: '0'"),
        (["--max-in-flight", "1e3", "-"], "not a number of probes: '1e3'"),
        (["--output", "a", "--resume", "b", "-"], "not allowed with argument"),
        (["-p", "0", "-"], "not a port: '0'"),
        (["--limit", "0", "-"], "limit of probe must be"),
        (["--source", "localhost", "-"], "not a numeric address"),
        (["--json", "-"], "unrecognized arguments: --json"),
    ],
)
def test_every_mistake_is_named(arguments: list[str], message: str) -> None:
    done = sshprobe("sweep", *arguments)
    assert done.returncode == 3
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("option", ["--output", "--resume"])
def test_an_output_that_cannot_be_opened(option: str, tmp_path: Path) -> None:
    done = sshprobe("sweep", option, "/nowhere/results", write(tmp_path / "list", REFUSED))
    assert done.returncode == 3
    assert done.stderr == 'sshprobe: "/nowhere/results": No such file or directory\n'


@pytest.mark.parametrize("option", ["--output", "--resume"])
def test_a_file_that_holds_something_else_is_kept(option: str, tmp_path: Path) -> None:
    listed = write(tmp_path / "list", REFUSED)
    done = sshprobe("sweep", option, listed, listed)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert Path(listed).read_text() == f"{REFUSED}\n"


def test_a_terminal_is_not_waited_for() -> None:
    ours, its = pty.openpty()
    done = subprocess.run(
        (*MODULE, "sweep"),
        stdin=its,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    os.close(ours)
    os.close(its)
    assert done.returncode == 3
    assert b"name a file" in done.stderr


def test_options_reach_the_sweep(tmp_path: Path) -> None:
    options = ["--rate", "5", "--max-in-flight", "7", "--per-server-rate", "0", "--limit", "3"]
    keywords = parse(["sweep", *options, write(tmp_path / "list")]).keywords
    assert keywords == {
        "budget": probe.Budget(3),
        "ip_version": None,
        "source": None,
        "rate": 5,
        "max_in_flight": 7,
        "per_server_rate": 0,
    }


def test_the_help_tells_the_truth() -> None:
    said = " ".join(sshprobe("sweep", "--help").stdout.split())
    assert f"(default: {IN_FLIGHT}, or what this machine allows)" in said
    assert f"begin in a second (default: {RATE:g})" in said


# Going on. ---------------------------------------------------------------------------------------


def test_killed_in_the_middle_and_resumed_each_target_is_there_once(
    doorman: Doorman,
    tmp_path: Path,
) -> None:
    listed = write(tmp_path / "list", f"127.1.0.0/23:{doorman.port}")
    results = tmp_path / "results"
    command = ("sweep", "--rate", "400", "--resume", str(results), listed)
    for lines in (50, 150, 300):
        with start(*command) as process:
            wait_for(results, lines)
            process.kill()
    with results.open("ab") as file:
        file.write(b'{"schema": "sshprobe-report-1", "targ')  # what a crash may leave
    done = sshprobe(*command)
    assert done.returncode == 0
    assert targets_in(results.read_text()) == addresses(512, doorman.port)
    before = int(re.findall(r"(\d+) targets reported before", done.stderr)[0])
    assert before >= 300
    assert 512 <= doorman.visits <= 512 + 3 * 40  # those that were under way when it was killed
    again = sshprobe(*command)
    assert again.returncode == 0
    assert again.stderr.startswith("sshprobe: 0 targets")
    assert targets_in(results.read_text()) == addresses(512, doorman.port)


def test_resuming_counts_targets_that_are_listed_twice(tmp_path: Path) -> None:
    results = tmp_path / "results"
    listed = write(tmp_path / "list", REFUSED, REFUSED, "127.0.0.2:1")
    first = sshprobe("sweep", "--output", str(results), write(tmp_path / "one", REFUSED))
    assert (first.returncode, first.stdout) == (0, "")
    assert sshprobe("sweep", "--resume", str(results), listed).returncode == 0
    assert targets_in(results.read_text()) == {REFUSED: 2, "127.0.0.2:1": 1}


# Signals. ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_signal_keeps_what_has_ended(
    number: int,
    status: int,
    servers: Servers,
    tmp_path: Path,
) -> None:
    results, silent = tmp_path / "results", servers.start(SILENT)
    listed = write(tmp_path / "list", silent, "127.1.0.0/27:1", silent)
    with start("sweep", "--limit", "60", "--output", str(results), listed) as process:
        wait_for(results, 32)
        process.send_signal(number)
        sent_at = time.monotonic()
        _, complaints = process.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - sent_at < ENDS_WITHIN_S
    assert process.returncode == status
    assert targets_in(results.read_text()) == addresses(32, "1")
    assert b"sshprobe: 32 targets" in complaints


@pytest.mark.skipif(sys.platform != "linux", reason="needs small pipes")
def test_what_has_ended_is_written_after_a_signal(doorman: Doorman, tmp_path: Path) -> None:
    """The reader was slow, so reports had to wait; it has half a second to take them."""
    listed = write(tmp_path / "list", f"127.1.0.0/28:{doorman.port}")
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
    with start("sweep", listed, stdout=writer) as process:
        os.close(writer)
        while doorman.visits < 16:
            select.select((), (), (), 0.01)
        select.select((), (), (), 0.5)
        process.send_signal(signal.SIGTERM)
        with os.fdopen(reader, encoding="ascii") as file:
            assert targets_in(file.read()) == addresses(16, doorman.port)
        assert process.wait(PATIENCE_S) == 143


def test_a_signal_while_nothing_comes_to_be_probed() -> None:
    with subprocess.Popen(
        (*MODULE, "sweep"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(REFUSED.encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        sent_at = time.monotonic()
        assert process.wait(PATIENCE_S) == 143
    assert time.monotonic() - sent_at < ENDS_WITHIN_S


# Output that takes nothing. ----------------------------------------------------------------------


def test_a_slow_reader_slows_the_sweep_down(doorman: Doorman, tmp_path: Path) -> None:
    """Never unbounded memory: what no one reads is not probed, and a signal still ends it."""
    listed = write(tmp_path / "list", f"127.1.0.0/20:{doorman.port}")
    with start("sweep", "--max-in-flight", "8", listed) as process:
        while not doorman.visits:
            select.select((), (), (), 0.01)
        seen = 0
        while doorman.visits != seen:
            seen = doorman.visits
            select.select((), (), (), 0.5)
        process.send_signal(signal.SIGTERM)
        sent_at = time.monotonic()
        assert process.wait(PATIENCE_S) == 143
        assert time.monotonic() - sent_at < ENDS_WITHIN_S
    assert 8 < seen < 8 + 65536 // 1000 + 8


def test_a_reader_that_left(doorman: Doorman, tmp_path: Path) -> None:
    listed = write(tmp_path / "list", f"127.1.0.0/20:{doorman.port}")
    with start("sweep", listed) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 141
        assert process.stderr is not None
        assert b"rror" not in process.stderr.read()
    assert doorman.visits < 4096


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    listed = write(tmp_path / "list", "127.1.0.0/20:1")
    done = sshprobe("sweep", "--output", "/dev/full", listed)
    assert done.returncode == 141
    assert done.stderr.endswith('sshprobe: "/dev/full": No space left on device\n')


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S607 - root's


def test_a_disk_that_fills_up_loses_no_whole_line(small_disk: Path, tmp_path: Path) -> None:
    listed = write(tmp_path / "list", "127.1.0.0/24:1")
    results = small_disk / "results"
    command = ("sweep", "--resume", str(results), listed)
    done = sshprobe(*command)
    assert done.returncode == 141
    assert done.stderr.endswith(": No space left on device\n")
    enlarge = ["mount", "-o", "remount,size=4m", str(small_disk)]
    subprocess.run(enlarge, check=True)
    assert sshprobe(*command).returncode == 0
    assert targets_in(results.read_text()) == addresses(256, "1")


def test_a_file_that_is_deleted_is_noticed(servers: Servers, tmp_path: Path) -> None:
    results = tmp_path / "results"
    listed = write(tmp_path / "list", REFUSED, servers.start(SILENT))
    with start("sweep", "--limit", "60", "--output", str(results), listed) as process:
        wait_for(results, 1)
        results.unlink()
        _, complaints = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 141
    assert b"it was deleted" in complaints.splitlines()[-1]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh", *MODULE)
    done = sshprobe("sweep", write(tmp_path / "list", REFUSED), command=shell)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == (0 if ">&-" in closed.split() else 1)


# Terminals. --------------------------------------------------------------------------------------


def progress_of(
    tmp_path: Path,
    servers: Servers,
    environment: dict[str, str] = ENVIRONMENT,
    *options: str,
) -> bytes:
    """Run a sweep whose streams are a terminal, and return what that was sent."""
    listed = write(tmp_path / "list", REFUSED, "no host", servers.start(SILENT))
    ours, its = pty.openpty()
    shown = b""
    options = ("--limit", "2", *options)
    with start("sweep", *options, listed, stdout=its, stderr=its, environment=environment):
        os.close(its)
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # Linux says the end of a terminal with EIO
                break
    os.close(ours)
    return shown


def test_progress_on_a_terminal(tmp_path: Path, servers: Servers) -> None:
    options = ("--output", str(tmp_path / "results"))
    shown = progress_of(tmp_path, servers, ENVIRONMENT, *options)
    drawn = shown.split(b"\r\x1b[K")
    assert re.match(rb"2 of 3  \d+/s.*refused 1", drawn[2])
    assert all(len(line) < 80 for line in drawn[1:-1])
    assert drawn[-1].startswith(b"sshprobe: 2 targets in ")
    assert b", line 2: not a host" in shown


def test_no_changing_line_on_a_terminal_that_cannot(tmp_path: Path, servers: Servers) -> None:
    options = ("--output", str(tmp_path / "results"))
    shown = progress_of(tmp_path, servers, {**ENVIRONMENT, "TERM": "dumb"}, *options)
    assert b"\x1b" not in shown
    assert b"sshprobe: 2 targets in " in shown


def test_no_changing_line_among_reports(tmp_path: Path, servers: Servers) -> None:
    shown = progress_of(tmp_path, servers)
    assert b"\x1b" not in shown
    assert shown.count(b'{"schema"') == 2


# Memory. -----------------------------------------------------------------------------------------

MEASURED = """\
import resource, sys
from probe.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


def peak_octets(tmp_path: Path, block: str) -> int:
    listed = write(tmp_path / "list", block)
    options = ("--rate", "1e6", "--max-in-flight", "50", "--output", os.devnull)
    done = sshprobe("sweep", *options, listed, command=(sys.executable, "-c", MEASURED))
    assert done.returncode == 0
    return int(done.stderr.splitlines()[-1]) * 1024


def test_ten_times_the_targets_cost_no_more_memory(tmp_path: Path) -> None:
    few = peak_octets(tmp_path, "127.1.0.0/23:1")
    assert peak_octets(tmp_path, "127.1.0.0/20:1") < few + 3_000_000


def test_a_shell_completes_the_names_of_files() -> None:
    script = sshprobe("completion", "bash").stdout
    for argument in ("pos_0", "__output", "__resume"):
        assert f"_shtab_sshprobe_sweep_{argument}_COMPGEN=_shtab_compgen_files" in script
