"""Law: a driver says what came of its call, and what the call left, whatever the call does."""

import re
import subprocess
import sys
from collections.abc import Iterable

import pytest
from conform_pieces import case, judged

from probe.conform.judge import Result
from probe.conform.suite import Client, Patience

LOADING_S = 3.0
"""A limit for a driver that has much to import on a busy machine."""

HEAD = """
import asyncio, gc, os, socket, sys, threading, time
from probe.conform.driver import drive
forever = threading.Event().wait
"""
CALL = "def call(host, port, limit_s):"
CALL_ASYNC = "async def call(host, port, limit_s):"

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def program(*lines: str, backend: str | None = None) -> tuple[str, ...]:
    """Return a driver whose call is ``lines``, of which the first is its head."""
    head, *body = lines
    text = "\n".join([HEAD, head, *(f"    {line}" for line in body), f"drive(call, {backend!r})"])
    return (sys.executable, "-c", text)


def run(*lines: str, backend: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a driver whose standard input ends at once."""
    return subprocess.run(
        [*program(*lines, backend=backend), "127.0.0.1", "1", "3"],
        check=False,
        input="",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
    )


def said(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines of a driver that ended well, without what it counted."""
    assert ended.returncode == 0, ended.stdout
    lines = [line for line in ended.stdout.splitlines() if line.startswith("sshprobe: ")]
    calling, *returned, left = (line.removeprefix("sshprobe: ") for line in lines)
    assert (calling.partition(" ")[0], left.partition(" ")[0]) == ("calling", "left")
    return returned


def grew(ended: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return what a driver counted more of in the end."""
    calling, left = (
        {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)}
        for line in ended.stdout.splitlines()
        if line.startswith(("sshprobe: calling", "sshprobe: left"))
    )
    assert calling.keys() == left.keys() == {"threads", "tasks", "sockets"}
    return {name: left[name] - calling[name] for name in left if left[name] > calling[name]}


# What came of the call. --------------------------------------------------------------------------


@pytest.mark.parametrize("head", [CALL, CALL_ASYNC])
def test_it_is_given_where_to_connect_and_by_when(head: str) -> None:
    ended = run(head, "assert (host, port, limit_s) == ('127.0.0.1', 1, 3.0)")
    assert said(ended) == ["returned ok"]


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        ("ValueError('no such host key')", "ValueError: no such host key"),
        ("SystemExit(1)", "SystemExit: 1"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("asyncio.CancelledError", "CancelledError"),
        ("StopIteration(2)", "StopIteration: 2"),
    ],
)
def test_whatever_it_raises_is_a_failure(raised: str, words: str) -> None:
    assert said(run(CALL, f"raise {raised}")) == [f"returned failed {words}"]


@pytest.mark.parametrize("raised", ["SystemExit(1)", "KeyboardInterrupt", "asyncio.CancelledError"])
def test_so_is_whatever_a_coroutine_raises(raised: str) -> None:
    [line] = said(run(CALL_ASYNC, f"raise {raised}"))
    assert line.startswith("returned failed ")


def test_a_failure_is_told_in_one_short_line() -> None:
    [line] = said(run(CALL, r"raise OSError('two\nlines, \x1b and \udcff' + 100_000 * 'x')"))
    assert line.startswith(r"returned failed OSError: two\nlines, \x1b and \udcffxxx")
    assert len(line) < 1100


def test_a_failure_that_cannot_be_printed_is_told() -> None:
    broken = "raise type('Broken', (Exception,), {'__str__': lambda self: 1 / 0})"
    assert said(run(CALL, broken)) == ["returned failed Broken, which cannot be printed"]


@pytest.mark.parametrize(
    "mischief",
    [
        "print('in the middle of a line', end='')",
        "print('in the middle of a line', end='', file=sys.stderr)",
        "sys.stdout.close()",
        "sys.stdout = sys.stderr = None",
        "os.close(1)",
    ],
)
def test_it_is_told_whatever_the_call_did_to_its_output(mischief: str) -> None:
    assert said(run(CALL, mischief)) == ["returned ok"]


def test_the_call_cannot_wait_for_standard_input() -> None:
    drivers = subprocess.Popen(
        [*program(CALL, "assert sys.stdin.read() == ''"), "127.0.0.1", "1", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with drivers:
        assert drivers.stdout is not None
        assert drivers.stdin is not None
        assert "returned ok" in next_line(drivers.stdout, "returned")
        assert drivers.poll() is None  # it waits for its own
        drivers.stdin.close()
        assert "left" in next_line(drivers.stdout, "left")
    assert drivers.returncode == 0


def next_line(output: Iterable[bytes], word: str) -> str:
    """Read up to the line that has ``word`` in it."""
    return next(line.decode() for line in output if word.encode() in line)


# What it left. -----------------------------------------------------------------------------------

THREAD = "threading.Thread(target=forever).start()"
SOCKET = "s = socket.socket()"


def test_a_call_that_leaves_nothing_leaves_nothing() -> None:
    assert grew(run(CALL, "pass")) == {}


def test_a_thread_is_counted_and_does_not_hold_the_driver() -> None:
    ended = run(CALL, THREAD)
    assert said(ended) == ["returned ok"]
    assert grew(ended) == {"threads": 1}


@linux
def test_a_socket_is_counted() -> None:
    assert grew(run(CALL, SOCKET, "globals()['kept'] = s")) == {"sockets": 1}


@linux
@pytest.mark.parametrize(
    "lines",
    [
        (SOCKET, "raise OSError"),
        (SOCKET, "return s"),
        ("global again", SOCKET, "again = [s]", "again.append(again)", "del again"),
    ],
)
def test_what_only_the_driver_would_keep_was_not_left(lines: tuple[str, ...]) -> None:
    assert grew(run(CALL, *lines)) == {}


def test_a_task_of_asyncio_is_counted_and_lives_on() -> None:
    lives = program(
        "async def live():",
        "while True:",
        "    await asyncio.sleep(0)",
        "    print('lives', flush=True)",
        "    await asyncio.sleep(0.05)",
    )[2].replace("drive(call, None)", "")
    text = (
        f"{lives}\n{CALL_ASYNC}\n    globals()['kept'] = asyncio.create_task(live())\ndrive(call)"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", text, "127.0.0.1", "1", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with driver:
        assert driver.stdout is not None
        assert driver.stdin is not None
        next_line(driver.stdout, "returned ok")
        for _ in range(3):
            next_line(driver.stdout, "lives")
        driver.stdin.close()
        assert "tasks=2" in next_line(driver.stdout, "left")
    assert driver.returncode == 0


TRIO = "import trio"
IDLE = {"asyncio": "await asyncio.to_thread(int)", "trio": "await trio.to_thread.run_sync(int)"}
STUCK = {
    "asyncio": ("asyncio.get_running_loop().run_in_executor(None, forever)",),
    "trio": (
        "with trio.move_on_after(0.05):",
        "    await trio.to_thread.run_sync(forever, abandon_on_cancel=True)",
    ),
}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_without_work_was_not_left(backend: str) -> None:
    ended = run(CALL_ASYNC, TRIO, IDLE[backend], backend=backend)
    assert said(ended) == ["returned ok"]
    assert grew(ended) == {}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_that_works_on_was_left(backend: str) -> None:
    ended = run(CALL_ASYNC, TRIO, *STUCK[backend], backend=backend)
    assert said(ended) == ["returned ok"]
    assert grew(ended)["threads"] >= 1


def test_a_system_task_of_trio_was_left() -> None:
    spawns = "trio.lowlevel.spawn_system_task(trio.sleep_forever)"
    assert grew(run(CALL_ASYNC, TRIO, spawns, backend="trio")) == {"tasks": 1}


# Mistakes. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("127.0.0.1",), ("host", "port", "limit")])
def test_a_command_line_without_a_target_is_refused(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [*program(CALL, "pass"), *arguments], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "HOST PORT LIMIT" in ended.stderr


@pytest.mark.parametrize(
    ("lines", "backend", "words"),
    [
        ((CALL, "pass"), "curio", "'curio'"),
        (("call = lambda *_: asyncio.sleep(0)",), None, "say whose by backend="),
    ],
)
def test_a_mistake_is_told(lines: tuple[str, ...], backend: str | None, words: str) -> None:
    ended = run(*lines, backend=backend)
    assert ended.returncode == 1
    assert "returned" not in ended.stdout
    assert words in ended.stdout


def test_it_needs_no_more_than_the_standard_library() -> None:
    names = "sorted(name for name in sys.modules if name.partition('.')[0] in ('probe', 'trio'))"
    looks = f"import sys, probe.conform.driver; print('asyncio' in sys.modules, *{names})"
    seen = subprocess.run([sys.executable, "-c", looks], check=True, capture_output=True, text=True)
    assert seen.stdout.split() == [
        "False",
        "probe",
        "probe.conform",
        "probe.conform.driver",
        "probe.version",
    ]


# The judgement on it. ----------------------------------------------------------------------------

CONNECTS = "globals()['kept'] = socket.create_connection((host, port))"


@pytest.mark.parametrize(
    ("lines", "result"),
    [
        (("raise OSError",), Result.WRONG),  # a mistake in a driver is not a lawful failure
        ((f"{CONNECTS}.close()", "raise OSError"), Result.PASSED),
        ((f"{CONNECTS}.close()", THREAD, "raise OSError"), Result.LEAKED),
        ((f"{CONNECTS}.close()", "os._exit(0)"), Result.CRASHED),
        (("print('sshprobe: returned', end='')", CONNECTS, "forever()"), Result.HUNG),
    ],
)
def test_the_suite_understands_it(lines: tuple[str, ...], result: Result) -> None:
    command = (*program(CALL, *lines), "{host}", "{port}", "{limit}")
    patience = Patience(margin_s=1.0, hard=1.0)
    judgement = judged(case("silent", limit_s=LOADING_S), Client(command, is_driver=True), patience)
    assert judgement.result is result, judgement.why
