"""``sshprobe wait`` as a process: its status, what it says meanwhile, and how it is ended."""

import json
import os
import pty
import signal
import socket
import subprocess
import time
from typing import IO

from cli_pieces import ENVIRONMENT, HOST, MODULE, PATIENCE_S, Servers, sshprobe, start


def unused_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_server_that_is_up(servers: Servers) -> None:
    target = servers.start("openssh")
    done = sshprobe("wait", target)
    assert done.returncode == 0
    assert done.stdout.startswith(f"OK        {target}  ok  SSH-2.0-OpenSSH_10.5")
    assert done.stderr == f"sshprobe: {target}  ok  probes: 1, 300 s left\n"


def line_of(stream: IO[bytes] | None) -> str:
    assert stream is not None
    return stream.readline().decode()


def test_a_server_that_comes_up(servers: Servers) -> None:
    port = unused_port()
    with start("wait", f"{HOST}:{port}", "--for", "15s") as process:
        first = line_of(process.stderr)
        served = subprocess.Popen(
            [*MODULE, "servers", "serve", "openssh", "--port-base", str(port)],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
        )
        try:
            output, complaint = process.communicate(timeout=PATIENCE_S)
        finally:
            served.terminate()
            served.wait()
    assert process.returncode == 0
    assert output.startswith(b"OK ")
    told = [line.split()[2] for line in [first, *complaint.decode().splitlines()]]
    assert told == ["refused", "ok"]


def test_a_server_that_does_not_come_up() -> None:
    began = time.monotonic()
    done = sshprobe("wait", f"{HOST}:{unused_port()}", "--for", "2.5s", "-q")
    assert 1.5 <= time.monotonic() - began < 5
    assert done.returncode == 2
    assert "  refused  " in done.stdout
    assert done.stderr == ""


def test_a_throttled_server_is_a_warning(servers: Servers) -> None:
    done = sshprobe("wait", servers.start("penalty-then-closes"), "--for", "2s")
    assert done.returncode == 1


def test_what_is_expected_ends_it() -> None:
    done = sshprobe("wait", f"{HOST}:{unused_port()}", "--expect", "refused")
    assert done.returncode == 0
    assert "refused (as expected)" in done.stdout


def test_a_page_and_json(servers: Servers) -> None:
    target = servers.start("openssh")
    assert "\nHow sure\n" in sshprobe("wait", "-v", target).stdout
    [line] = sshprobe("wait", "--json", target).stdout.splitlines()
    assert json.loads(line)["verdict"] == "ok"


def test_ctrl_c_ends_it() -> None:
    with start("wait", f"{HOST}:{unused_port()}") as process:
        line_of(process.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130


def test_a_time_that_is_none() -> None:
    for text in ("0", "-1", "nan", "inf", "soon", "5m5", "1y"):
        done = sshprobe("wait", "host", f"--for={text}")
        assert done.returncode == 3
        assert "time" in done.stderr.splitlines()[-1]


def test_on_a_terminal_one_line_is_rewritten_and_taken_away(servers: Servers) -> None:
    controller, terminal = pty.openpty()
    target = servers.start("openssh")
    done = subprocess.run(
        [*MODULE, "wait", target],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=PATIENCE_S,
        check=False,
    )
    os.close(terminal)
    said = os.read(controller, 4096).decode()
    os.close(controller)
    assert done.returncode == 0
    assert said == f"\r\x1b[K{target}  ok  probes: 1, 300 s left\r\x1b[K"
