"""``sshprobe nagios`` as a process: a monitor always gets a line and a status that it knows."""

import signal
import subprocess
import sys
import time

import pytest
from cli_pieces import ENVIRONMENT, HOST, PATIENCE_S, Mute, Servers, sshprobe, start

from probe.version import VERSION

FAILS = """\
import sys
import probe.cli.nagios
from probe.cli import main

async def fail(*_, **__):
    raise RuntimeError("a bug | of ours")

probe.cli.nagios.check = fail
sys.exit(main(["nagios", "-H", "127.0.0.1"]))
"""
"""Runs the plugin with a bug in it."""


def plugin(target: str, *options: str) -> subprocess.CompletedProcess[str]:
    host, _, port = target.rpartition(":")
    return sshprobe("nagios", "-H", host.strip("[]"), "-p", port, *options)


@pytest.mark.parametrize(
    ("name", "word", "status"),
    [("openssh", "OK", 0), ("penalty-then-closes", "WARNING", 1), ("garbage", "CRITICAL", 2)],
)
def test_states(name: str, word: str, status: int, servers: Servers) -> None:
    target = servers.start(name)
    done = plugin(target)
    assert done.returncode == status
    [line] = done.stdout.splitlines()
    assert line.startswith(f"SSH {word} - {target} ")
    assert " | time=0.0" in line
    assert done.stderr == ""


def test_our_own_trouble_is_unknown(servers: Servers) -> None:
    done = plugin(servers.start("openssh"), "--source", "192.0.2.1")
    assert done.returncode == 3
    assert done.stdout.startswith("SSH UNKNOWN - ")
    assert "local-error" in done.stdout


def test_a_timeout_is_kept_and_is_critical(servers: Servers) -> None:
    began = time.monotonic()
    done = plugin(servers.start("silent"), "-t", "1")
    assert time.monotonic() - began < 5
    assert done.returncode == 2
    assert done.stdout.startswith("SSH CRITICAL - ")
    assert "time=0.4" in done.stdout
    assert ";0;1 resolve=U;;;0;0.2 " in done.stdout


def test_thresholds(servers: Servers) -> None:
    target = servers.start("openssh")
    assert plugin(target, "-w", "9", "-c", "9").returncode == 0
    assert plugin(target, "-w", "@0:9", "-c", "9").returncode == 1
    assert plugin(target, "-w", "@0:9", "-c", "9:").returncode == 2
    assert plugin(target, "-w", "connect=@0:9").returncode == 1
    assert plugin(target, "--warning=resolve=@0:9").returncode == 0  # it did not begin


def test_levels_of_verbosity(servers: Servers) -> None:
    target = servers.start("openssh")
    lengths = [len(plugin(target, *["-v"] * level).stdout.splitlines()) for level in range(4)]
    assert lengths[:2] == [1, 1]
    assert lengths[2] > 50
    assert lengths[3] > lengths[2] + 100


@pytest.mark.parametrize("option", ["-h", "--help", "-V", "--version"])
def test_help_and_version_are_unknown(option: str) -> None:
    """Guidelines, §2.4: nothing was probed."""
    done = sshprobe("nagios", option)
    assert done.returncode == 3
    assert done.stderr == ""
    assert f"sshprobe nagios {VERSION}" in done.stdout or "usage: sshprobe nagios" in done.stdout


MISTAKES = {
    "": "the following arguments are required: -H/--hostname",
    "-H": "argument -H/--hostname: expected one argument",
    "-H user@host": "a probe does not log in: write host without user@",
    "-H host -p ssh": "not a port: 'ssh'; ports go from 1 to 65535",
    "-H host -w 5:1": "not a range: '5:1' starts above its end",
    "-H host -c x": "not a range: 'x'; write 10, 10:, ~:10, 10:20 or @10:20",
    "-H host -w dial=1": "no stage is called 'dial'",
    "-H host -t 0": "the limit of probe must be a finite number of seconds above 0, not 0.0",
    "-H host --warn-on x": "no finding is called 'x'; sshprobe explain lists them",
    "-H host x": "unrecognized arguments: x",
    "-H host --critcal 1": "unrecognized arguments: --critcal 1; did you mean --critical?",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_a_line_on_standard_output(line: str) -> None:
    done = sshprobe("nagios", *line.split())
    assert done.returncode == 3
    assert done.stderr == ""
    assert done.stdout.startswith("SSH UNKNOWN - ")
    assert MISTAKES[line] in done.stdout.splitlines()[0]


def test_a_mistake_that_is_not_utf_8_is_a_line_that_can_be_printed() -> None:
    done = sshprobe("nagios", "-H", "host", "\udcff|\n")
    assert done.returncode == 3
    assert done.stdout.startswith("SSH UNKNOWN - unrecognized arguments: \\xff¦\\x0a\nusage: ")


def test_a_bug_of_ours_is_unknown_and_its_traceback_is_not_on_standard_output() -> None:
    command = [sys.executable, "-c", FAILS]
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 3
    line = "SSH UNKNOWN - sshprobe itself failed: RuntimeError('a bug ¦ of ours')\n"
    assert done.stdout == line
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_plugin_that_is_killed_says_so(number: signal.Signals, servers: Servers) -> None:
    """A monitor sends SIGTERM when its own patience is over."""
    mute = Mute()
    _, _, port = servers.start_handler(mute.serve_client).rpartition(":")
    with start("nagios", "-H", HOST, "-p", port) as process:
        mute.await_client()
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert output == b"SSH UNKNOWN - interrupted before the probe had ended\n"
    assert process.returncode == 3
