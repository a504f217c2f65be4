"""Law: whatever a client does, its keeper ends it, and all that it started, by the hard limit."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from conform_pieces import lives

from probe.conform import keeper
from probe.conform.suite import KEEPER

PATIENCE_S = 20.0

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and subreapers are Linux's")


def orders(
    *command: str,
    is_driver: bool = False,
    hard_limit_s: float = 10.0,
    settle_s: float = 0.3,
) -> keeper.Orders:
    return keeper.Orders(list(command), 1, is_driver, hard_limit_s, settle_s)


def start(given: keeper.Orders) -> "subprocess.Popen[bytes]":
    command = (*KEEPER, json.dumps(given._asdict()))
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def account_of(given: keeper.Orders) -> dict[str, Any]:
    with start(given) as process:
        assert process.stdout is not None
        account: dict[str, Any] = json.loads(process.stdout.read())
    return account


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", f"import os, subprocess, sys, time\n{program}")


def sleeper(name: str) -> str:
    """Return arguments of ``sleep`` that no other process has."""
    return f"97.{os.getpid()}{abs(hash(name)) % 10**6}"


def test_a_client_that_ends_is_told_with_its_status_its_output_and_what_it_took() -> None:
    account = account_of(orders("sh", "-c", "echo to stdout; echo to stderr >&2; exit 3"))
    assert account["status"] == 3
    assert account["output"] == "to stdout\nto stderr\n"
    assert 0 <= account["ended_at"] - account["began_at"] < PATIENCE_S
    assert account["cpu_s"] > 0
    assert (account["children"], account["connections"]) == ([], 0)


def test_its_standard_input_is_empty_and_it_has_a_session_of_its_own() -> None:
    program = "print(sys.stdin.read() == '', os.getsid(0) == os.getpid())"
    assert account_of(orders(*python(program)))["output"] == "True True\n"


def test_a_signal_is_a_negative_status() -> None:
    account = account_of(orders(*python("os.kill(os.getpid(), 11)")))
    assert account["status"] == -signal.SIGSEGV
    assert account["ended_at"] is not None


def test_one_that_does_not_end_is_killed_at_the_hard_limit() -> None:
    mark = sleeper("hard")
    account = account_of(orders("sleep", mark, hard_limit_s=0.3))
    assert account["ended_at"] is None
    assert account["killed_at"] - account["began_at"] >= 0.3
    assert not lives(mark)


def test_one_that_ignores_all_signals_is_killed_all_the_same() -> None:
    mark = sleeper("deaf")
    program = f"import signal; signal.signal(15, 1); signal.signal(2, 1); time.sleep({mark})"
    account = account_of(orders(*python(program), hard_limit_s=0.3))
    assert (account["ended_at"], lives(mark)) == (None, False)


@linux
def test_a_child_that_left_its_group_and_its_parent_is_told_and_killed() -> None:
    mark = sleeper("orphan")
    account = account_of(orders("sh", "-c", f"(setsid sleep {mark} &); exit 0"))
    assert account["children"] == [f"sleep {mark}"]
    assert account["status"] == 0
    assert not lives(mark)


@linux
def test_a_child_that_ends_while_things_settle_was_not_left() -> None:
    account = account_of(orders("sh", "-c", "(setsid sleep 0.2 &); exit 0", settle_s=5.0))
    assert account["children"] == []


@linux
def test_whole_families_are_killed_however_deep() -> None:
    mark = sleeper("family")
    nested = f"setsid sh -c 'setsid sleep {mark} & sleep {mark}' & sleep {mark}"
    account = account_of(orders("sh", "-c", nested, hard_limit_s=0.5))
    assert (account["ended_at"], lives(mark)) == (None, False)


def test_all_ends_when_standard_input_does() -> None:
    mark = sleeper("called off")
    with start(orders("sleep", mark, hard_limit_s=600.0)) as process:
        assert process.stdin is not None
        while not lives(mark) and process.poll() is None:
            time.sleep(0.01)
        began = time.monotonic()
        process.stdin.close()
        process.wait(PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S
    assert not lives(mark)


def test_output_without_end_is_read_and_its_last_octets_are_kept() -> None:
    program = "while True: os.write(1, b'x' * 4096 + b'the end\\n')"
    account = account_of(orders(*python(program), hard_limit_s=0.5))
    assert len(account["output"]) <= keeper.KEPT_OCTETS
    assert "the end\n" in account["output"]


def test_output_that_is_no_utf_8_is_kept_readable() -> None:
    account = account_of(orders(*python(r"os.write(1, b'\xff\x00caf\xc3\xa9')")))
    assert account["output"] == "\\xff\0café"


def test_a_program_that_there_is_not_says_so() -> None:
    assert account_of(orders("/there/is/none")) == {"could_not_start": "No such file or directory"}


def test_a_driver_says_when_it_calls_and_returns_and_what_is_left() -> None:
    program = (
        "print('sshprobe: calling threads=1', flush=True); print('noise')\n"
        "print('sshprobe: returned failed why not', flush=True)\n"
        "sys.stdin.read(); print('sshprobe: left threads=2')"
    )
    account = account_of(orders(*python(program), is_driver=True))
    said = account["said"]
    assert [said[word][1] for word in said] == ["threads=1", "failed why not", "threads=2"]
    assert account["began_at"] <= said["calling"][0] <= said["returned"][0] <= said["left"][0]
    assert account["status"] == 0


def test_the_time_of_a_driver_begins_with_its_call() -> None:
    """What it loads before is not the library's doing, and slow where much else runs."""
    program = (
        "time.sleep(1.0); print('sshprobe: calling', flush=True)\n"
        "time.sleep(1.0); print('sshprobe: returned ok', flush=True)"
    )
    account = account_of(orders(*python(program), is_driver=True, hard_limit_s=1.5))
    assert "returned" in account["said"]


def test_a_driver_that_stays_is_killed_once_it_was_dismissed() -> None:
    mark = sleeper("stays")
    program = f"print('sshprobe: returned ok', flush=True); time.sleep({mark})"
    account = account_of(orders(*python(program), is_driver=True))
    assert (account["ended_at"], lives(mark)) == (None, False)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        ([b"sshprobe: returned ok\n"], {"returned": "ok"}),
        ([b"sshprobe: retu", b"rned ok\r\n"], {"returned": "ok"}),
        ([b"sshprobe: returned\n"], {"returned": ""}),
        ([b"sshprobe: returned ok"], {}),
        ([b"x sshprobe: returned ok\n"], {}),
        ([b"sshprobe: returnedok\n"], {}),
        ([b"sshprobe: returned failed\nsshprobe: returned ok\n"], {"returned": "failed"}),
        ([b"sshprobe: left a=1 ", *40 * [1000 * b"b"], b"\nx"], {"left": f"a=1 {16365 * 'b'}"}),
        ([b"sshprobe: left a=1  b=\xff\n"], {"left": "a=1  b=\\xff"}),
    ],
)
def test_the_lines_of_a_driver(octets: list[bytes], said: dict[str, str]) -> None:
    """Law: a line counts when it is whole, and the first of its word."""
    output = keeper.Output()
    for some in octets:
        output.add(some)
    assert {word: text for word, (_, text) in output.said.items()} == said
