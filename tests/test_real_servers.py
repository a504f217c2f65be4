"""Real servers, real conduct: what the prober says of them, and what they say of the prober."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import probe
from probe.expectation import Expectation
from probe.nagios import Thresholds, judge_report
from probe.report import schema

pytestmark = pytest.mark.real_server

HOST = "127.0.0.1"
PATIENCE_S = 20.0


def program(name: str) -> str:
    """Find a program; where CI is to have installed it, its absence is a failure."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and CI must have it")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def daemon(
    command: list[str],
    log: Path,
    is_ready: Callable[[], bool],
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server from when it is ready until the context is left."""
    with log.open("wb") as output, subprocess.Popen(command, stderr=output) as process:
        try:
            wait_until(is_ready)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def wait_until(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if is_so():
            return
        pause.wait(0.01)
    pytest.fail(f"not within {PATIENCE_S} s")


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


@contextmanager
def sshd(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    server = program("sshd")
    key, log, port = folder / "host_key", folder / "log", free_port()
    keygen = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(keygen, check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    settings = (f"ListenAddress={HOST}:{port}", f"HostKey={key}", "PidFile=none", "UsePAM=no")
    flags = [flag for setting in (*settings, *options) for flag in ("-o", setting)]
    command = [server, "-D", "-e", "-f", os.devnull, *flags]
    with daemon(command, log, lambda: "Server listening" in log.read_text()) as process:
        yield process, port, log


@contextmanager
def dropbear(folder: Path) -> Iterator[int]:
    server, key, port = program("dropbear"), folder / "host_key", free_port()
    keygen = [program("dropbearkey"), "-t", "ed25519", "-f", str(key)]
    subprocess.run(keygen, check=True, capture_output=True)
    command = [server, "-F", "-E", "-p", f"{HOST}:{port}", "-r", str(key), "-P", ""]
    with daemon(command, folder / "log", partial(accepts, port)):
        yield port


@contextmanager
def tinysshd(folder: Path) -> Iterator[int]:
    """Tinysshd knows no sockets: it is started for each client, as inetd would."""
    server, keys = program("tinysshd"), folder / "keys"
    subprocess.run([program("tinysshd-makekey"), "-q", str(keys)], check=True)
    with socket.create_server((HOST, 0)) as listener:
        inetd = threading.Thread(target=serve_one, args=(listener, [server, str(keys)]))
        inetd.start()
        yield listener.getsockname()[1]
        inetd.join()


def serve_one(listener: socket.socket, command: list[str]) -> None:
    client, _ = listener.accept()
    with client:
        end = client.fileno()
        subprocess.run(command, stdin=end, stdout=end, stderr=subprocess.DEVNULL, check=False)


@contextmanager
def asyncssh(folder: Path) -> Iterator[int]:
    port = free_port()
    script = textwrap.dedent(
        f"""
        import asyncio, asyncssh
        async def main():
            key = asyncssh.generate_private_key("ssh-ed25519")
            await asyncssh.listen({HOST!r}, {port}, server_host_keys=[key])
            await asyncio.Event().wait()
        asyncio.run(main())
        """,
    )
    with daemon([sys.executable, "-c", script], folder / "log", partial(accepts, port)):
        yield port


def assert_good(report: probe.Report, software: str) -> None:
    assert report.ok, report.line()
    assert (report.identification or "").startswith(f"SSH-2.0-{software}"), report.line()
    assert report.evidence.kexinit is not None
    assert "no-common-algorithm" not in [finding.rule.code for finding in report.findings]
    assert report.where is None
    assert all(stage.completed for stage in report.evidence.stages)
    assert_said_well(report)


def assert_said_well(report: probe.Report) -> None:
    """Every face says of a real server what there is to say, and can be read."""
    page = report.explain(whole=True)
    assert all(line.isprintable() and len(line) <= 80 for line in page.split("\n") if line)
    assert f"identification string: {report.identification}" in page
    assert "nothing in common" not in page
    assert re.search(r"^  hasshServer: [0-9a-f]{32}$", page, flags=re.MULTILINE)
    assert page.count(" s: the server sent ") >= 1
    assert page.count(" s: we sent ") == 2
    plugin = judge_report(report, probe.Budget(), Thresholds({}, {}), Expectation())
    assert plugin.lines[0].startswith(f"SSH OK - {report.target} ok: {report.identification}, ")
    written = report.to_json(transcript=True)
    assert probe.Report.from_json(written).to_json(transcript=True) == written
    assert not list(Draft202012Validator(json.loads(schema())).iter_errors(json.loads(written)))


def test_openssh(tmp_path: Path) -> None:
    with sshd(tmp_path) as (_, port, _log):
        assert_good(probe.check_blocking(HOST, port), "OpenSSH_")


def test_dropbear(tmp_path: Path) -> None:
    with dropbear(tmp_path) as port:
        assert_good(probe.check_blocking(HOST, port), "dropbear")


def test_tinysshd(tmp_path: Path) -> None:
    with tinysshd(tmp_path) as port:
        assert_good(probe.check_blocking(HOST, port), "tinyssh")


def test_asyncssh(tmp_path: Path) -> None:
    with asyncssh(tmp_path) as port:
        assert_good(probe.check_blocking(HOST, port), "AsyncSSH_")


def test_openssh_logs_one_line_for_a_probe(tmp_path: Path) -> None:
    """Drained and closed with FIN: one line, and neither a reset nor a failed negotiation."""
    with sshd(tmp_path) as (_, port, log):
        assert probe.check_blocking(HOST, port).ok
        wait_until(lambda: "preauth" in log.read_text())
    own_lines = ("Server listening", "Received signal")
    lines = [line for line in log.read_text().splitlines() if not line.startswith(own_lines)]
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"Connection closed by {HOST}"), lines
    assert lines[0].endswith("[preauth]"), lines


def test_openssh_with_too_many_connections_throttles(tmp_path: Path) -> None:
    with sshd(tmp_path, "MaxStartups=1:100:1") as (_, port, _log), socket.socket() as first:
        first.connect((HOST, port))
        first.recv(256)
        report = probe.check_blocking(HOST, port)
    assert report.verdict == "throttled", report.line()
    assert report.state == "warning"
    assert "MaxStartups" in (report.error or "") or "Not allowed" in (report.error or "")


def test_a_stopped_openssh_behind_a_live_kernel_is_silent(tmp_path: Path) -> None:
    """The second cause of the story: the kernel answers, sshd does not."""
    with sshd(tmp_path) as (process, port, _log):
        process.send_signal(signal.SIGSTOP)
        report = probe.check_blocking(HOST, port, budget=probe.Budget(2))
    assert report.verdict == "silent", report.line()
    assert report.where == report.whose == "first-octet"
    assert report.spent_s == pytest.approx(0.8, abs=0.5)
