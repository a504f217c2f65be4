"""Law: each case is run alone, ends by its hard limit, and is told as it was."""

import os
import re
import sys
import time

import pytest
import trio
from conform_pieces import (
    CONNECTS,
    LIMIT_S,
    QUICK,
    WAITS_FOR_EVER,
    case,
    driver,
    judged,
    lives,
    observe,
)
from conform_pieces import python as program

from probe.catalogue.captured import OPENSSH_IDENTIFICATION
from probe.conform.case import Kind, select
from probe.conform.judge import Result
from probe.conform.suite import Client, CouldNotStartError, Ended, run

GOOD = Client((sys.executable, "-m", "probe", "check", "--limit", "{limit}", "{host}:{port}"))
HANGS = Client(program(WAITS_FOR_EVER))
FAILS = "print('sshprobe: returned failed', flush=True)"

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

ASYNCSSH = """
import asyncio, sys
import asyncssh

async def main():
    host, port, limit = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    try:
        await asyncssh.connect(host, port, connect_timeout=limit, known_hosts=None, config=None)
    except (OSError, asyncssh.Error) as error:
        sys.exit(f"{type(error).__name__}: {error}")

asyncio.run(main())
"""
LOGS_IN = Client((sys.executable, "-c", ASYNCSSH, "{host}", "{port}", "{limit}"))


def results(
    *names: str, client: Client, jobs: int = 4, limit_s: float = LIMIT_S
) -> dict[str, Result]:
    async def collect() -> list[Ended]:
        cases = [case(name, client.kind, limit_s) for name in names]
        async with run(cases, client, QUICK, jobs) as ended:
            return [one async for one in ended]

    return {one.case.row.name: one.judgement.result for one in trio.run(collect)}


IMPORTING = 4.0
"""A limit for a client that takes a second to be imported."""


# The results, each by a client that earns it. ----------------------------------------------------


def test_a_client_that_fails_in_time_passes() -> None:
    judgement = judged(case("closes-at-once"), Client(program(CONNECTS, "sys.exit(1)")))
    assert judgement.result is Result.PASSED


def test_a_client_that_waits_for_ever_is_hung_and_told_what_it_waited_for() -> None:
    judgement = judged(case("silent"), HANGS)
    assert judgement.result is Result.HUNG
    assert "nothing bounds the wait for the identification string" in judgement.why


def test_one_that_no_server_accepts_is_hung_too() -> None:
    judgement = judged(case("never-accepts"), HANGS)
    assert judgement.result is Result.HUNG
    assert "no server took the connection" in judgement.why


def test_a_client_that_ends_after_its_limit_and_before_the_hard_one_is_late() -> None:
    late = Client(program(CONNECTS, "time.sleep(1.6)", "sys.exit(1)"))
    assert judged(case("silent"), late).result is Result.LATE


def test_time_begins_with_the_connection_and_not_with_the_interpreter() -> None:
    slow = Client(program("time.sleep(1.6)", CONNECTS, "sys.exit(1)"))
    assert judged(case("silent"), slow).result is Result.PASSED


def test_a_client_that_calls_a_dead_server_healthy_is_wrong() -> None:
    judgement = judged(case("silent"), Client(program(CONNECTS)))
    assert judgement.result is Result.WRONG
    assert "success of a server that fails" in judgement.why


def test_a_client_that_never_connects_is_wrong() -> None:
    assert judged(case("silent"), Client(program("sys.exit(1)"))).result is Result.WRONG


def test_a_client_that_dies_of_a_signal_has_crashed() -> None:
    dies = Client(program(CONNECTS, "os.kill(os.getpid(), 11)"))
    assert judged(case("silent"), dies).why == "It was killed by SIGSEGV."


def test_a_traceback_is_a_crash() -> None:
    assert judged(case("silent"), Client(program(CONNECTS, "1 / 0"))).result is Result.CRASHED


@linux
def test_a_child_that_holds_the_connection_was_leaked() -> None:
    forks = Client(
        program(CONNECTS, "if os.fork() == 0: os.setsid(); time.sleep(60)", "sys.exit(1)")
    )
    judgement = judged(case("silent"), forks)
    assert judgement.result is Result.LEAKED
    assert "a connection to the server; a process: " in judgement.why


# What success is. --------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "succeeded"), [("key", True), ("none", False)])
def test_success_may_be_what_the_output_shows(word: str, *, succeeded: bool) -> None:
    client = Client(
        program(CONNECTS, "print('a key')"), success=re.compile(f"^a {word}$", re.MULTILINE)
    )
    assert observe(case("closes-at-once"), client).succeeded is succeeded


# Drivers. ----------------------------------------------------------------------------------------


def drives(*lines: str, left: str = "threads=1") -> Client:
    return Client(driver(*lines, left=left), is_driver=True)


def test_a_driver_whose_call_fails_and_leaves_nothing_passes() -> None:
    call = drives(CONNECTS, "s.close()", FAILS)
    assert judged(case("silent"), call).result is Result.PASSED


def test_a_driver_says_itself_that_its_call_succeeded() -> None:
    call = drives(CONNECTS, "s.close()", "print('sshprobe: returned ok', flush=True)")
    assert observe(case("silent"), call).succeeded is True
    mumbles = drives(CONNECTS, "s.close()", "print('sshprobe: returned', flush=True)")
    assert observe(case("silent"), mumbles).succeeded is None


@linux
def test_a_call_that_returned_and_whose_connection_lives_on_has_leaked() -> None:
    judgement = judged(case("silent"), drives(CONNECTS, FAILS))
    assert judgement.result is Result.LEAKED
    assert "after 0.0 s and left behind: a connection to the server." in judgement.why


def test_a_call_that_returned_and_whose_threads_live_on_has_leaked() -> None:
    call = drives(CONNECTS, "s.close()", FAILS, left="threads=3 sockets=0")
    assert "threads: 1 before, 3 after" in judged(case("silent"), call).why


def test_what_a_driver_had_not_counted_before_was_none() -> None:
    call = drives(CONNECTS, "s.close()", FAILS, left="goroutines=2")
    assert "goroutines: 0 before, 2 after" in judged(case("silent"), call).why


def test_a_driver_that_ends_without_a_word_has_crashed() -> None:
    assert judged(case("silent"), drives(CONNECTS, "os._exit(1)")).result is Result.CRASHED


def test_the_time_of_a_driver_is_that_of_its_call() -> None:
    slow = Client(
        driver("time.sleep(0.6)", CONNECTS, "s.close()", FAILS, "time.sleep(0.6)"), is_driver=True
    )
    seen = observe(case("silent"), slow)
    assert 0.3 <= seen.spent_s < LIMIT_S


# The server's side. ------------------------------------------------------------------------------


def test_what_passed_is_seen_from_the_server() -> None:
    says = program(CONNECTS, "s.sendall(b'SSH-2.0-x\\r\\n')", "s.recv(99)", "sys.exit(1)")
    [talk] = observe(case("silent-after-identification"), Client(says)).talks
    assert talk.by_server == OPENSSH_IDENTIFICATION
    assert talk.by_client == b"SSH-2.0-x\r\n"
    assert {passage.side for passage in talk.transcript} == {"client", "server"}


def test_what_a_server_never_reads_is_seen_all_the_same() -> None:
    says = program(CONNECTS, "s.sendall(b'SSH-2.0-x\\r\\n')", "time.sleep(0.2)", "sys.exit(1)")
    [talk] = observe(case("never-reads-after-identification"), Client(says)).talks
    assert talk.by_client == b"SSH-2.0-x\r\n"


def test_every_connection_is_seen() -> None:
    twice = program(CONNECTS, CONNECTS.replace("s =", "t ="), "time.sleep(0.2)", "sys.exit(1)")
    assert len(observe(case("silent"), Client(twice)).talks) == 2


def test_a_real_client_gets_past_lawful_servers_and_fails_at_the_others() -> None:
    names = ("openssh", "waits-for-kexinit", "hundred-lines-before", "never-closes", "silent")
    assert set(results(*names, client=LOGS_IN, limit_s=IMPORTING).values()) == {Result.PASSED}


def test_the_prober_passes() -> None:
    prober = Client(GOOD.command, Kind.KEXINIT)
    names = ("openssh", "silent", "penalty-then-resets", "ignore-flood")
    assert results(*names, client=prober, limit_s=IMPORTING) == dict.fromkeys(names, Result.PASSED)


# A run. ------------------------------------------------------------------------------------------


def test_cases_run_side_by_side() -> None:
    names = ("silent", "silent-after-identification", "never-accepts", "kexinit-cut-then-silent")
    began = time.monotonic()
    assert set(results(*names, client=HANGS).values()) == {Result.HUNG}
    assert time.monotonic() - began < 2 * LIMIT_S * QUICK.hard


def test_no_more_run_at_once_than_was_asked_for() -> None:
    began = time.monotonic()
    results("silent", "silent-after-identification", client=HANGS, jobs=1)
    assert time.monotonic() - began > 2 * LIMIT_S * QUICK.hard


def test_loud_servers_take_turns() -> None:
    began = time.monotonic()
    results("ignore-flood", "debug-flood", client=HANGS)
    assert time.monotonic() - began > 2 * LIMIT_S * QUICK.hard


def test_a_client_that_cannot_be_started_ends_the_run() -> None:
    error = pytest.RaisesExc(CouldNotStartError, match='cannot start "/there/is/none": No such')
    with pytest.RaisesGroup(error, flatten_subgroups=True):
        results("silent", client=Client(("/there/is/none", "{port}")))


@linux
def test_a_run_that_is_left_early_leaves_no_process_behind() -> None:
    mark = f"86.{os.getpid()}"

    async def leave_early() -> None:
        client = Client(("sleep", mark, "{port}"))
        async with run(select(["K00*"], Kind.LOGIN, 60.0), client, QUICK, 4):
            while not lives(mark):  # noqa: ASYNC110 - no event tells of a process
                await trio.sleep(0.01)

    trio.run(leave_early)
    assert not lives(mark)


def test_words_in_braces_are_filled_in_and_others_stay() -> None:
    shows = program(CONNECTS, "print(sys.argv[3:])")
    client = Client((*shows, "{case}={other}{}"))
    seen = observe(case("closes-at-once"), client)
    assert "['1', 'closes-at-once={other}{}']" in seen.output
