"""``assert_ends``: a block that hangs fails its test, and so does one that leaves something."""

import asyncio
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import FrameType

import anyio.to_thread
import pytest
import trio
from trio.testing import MockClock

from probe.pytest_plugin import ends
from probe.pytest_plugin.ends import assert_ends

pytestmark = pytest.mark.real_time  # an alarm is the kernel's

SHORT_S = 0.05
LONG_S = 10.0
"""Longer than a busy machine takes for nothing."""

HERE = r"\S*test_plugin_ends\.py:\d+"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A connection on which nothing comes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


@pytest.fixture
def uninterrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a late block ends before it is interrupted."""
    monkeypatch.setattr(ends, "_LATE_S", LONG_S)


@contextmanager
def fails(text: str) -> Iterator[None]:
    """The text of the failure is as a whole what ``text`` says."""
    with pytest.raises(AssertionError, match=rf"\A{text}\Z"):
        yield


def interrupted(where: str) -> str:
    return (
        rf"the block did not end within 0\.05 s: interrupted after \d\.\d+ s, at {HERE} in {where}"
    )


async def hang() -> None:
    await asyncio.get_running_loop().create_future()


def by_ctrl_c() -> None:
    raise KeyboardInterrupt


def by_pytest() -> None:
    pytest.skip("not here")


def by_itself() -> None:
    raise LookupError


# In time. ----------------------------------------------------------------------------------------


def test_a_block_that_ends_passes() -> None:
    with assert_ends(within=LONG_S):
        time.sleep(0)


@pytest.mark.parametrize(
    ("end", "raised"),
    [
        (by_itself, LookupError),
        (by_ctrl_c, KeyboardInterrupt),
        (by_pytest, pytest.skip.Exception),
    ],
)
def test_what_the_block_raises_passes_through(
    end: Callable[[], None], raised: type[BaseException]
) -> None:
    with pytest.raises(raised) as caught, assert_ends(within=LONG_S):
        end()
    assert caught.value.__cause__ is None


async def test_what_the_block_raises_passes_through_in_trio() -> None:
    with pytest.raises(LookupError):
        async with assert_ends(within=LONG_S):
            by_itself()


def test_what_the_block_raises_passes_through_in_asyncio() -> None:
    async def client() -> None:
        async with assert_ends(within=LONG_S):
            by_itself()

    with pytest.raises(LookupError):
        asyncio.run(client())


def test_one_context_serves_one_block_after_another() -> None:
    context = assert_ends(within=LONG_S)
    for _ in range(2):
        with context:
            pass


# Late. -------------------------------------------------------------------------------------------


def test_a_block_that_is_late_fails_with_both_figures(uninterrupted: None) -> None:
    with (
        fails(r"the block ended after \d\.\d+ s, and not within 0\.05 s"),
        assert_ends(within=0.05),
    ):
        time.sleep(0.1)


def test_an_error_that_is_late_fails_too(uninterrupted: None) -> None:
    """``pytest.raises`` around it would take it for the right one."""
    with fails("the block ended after .*") as _, assert_ends(within=SHORT_S):
        time.sleep(0.1)
        raise LookupError


async def test_the_clock_is_that_of_trio(autojump_clock: MockClock) -> None:
    with fails(r"the block ended after 60\.200 s, and not within 60 s"):
        async with assert_ends(within=60):
            await trio.sleep(60.2)


def test_in_another_thread_it_is_measured() -> None:
    raised: list[BaseException] = []

    def client() -> None:
        try:
            with assert_ends(within=SHORT_S):
                time.sleep(0.1 + ends._LATE_S)  # noqa: SLF001 - it is not interrupted
        except AssertionError as error:
            raised.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    thread.join()
    assert str(raised[0]).startswith("the block ended after ")


def test_without_timers_of_unix_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "setitimer")
    with fails("the block ended after .*"), assert_ends(within=SHORT_S):
        time.sleep(0.1 + ends._LATE_S)  # noqa: SLF001 - likewise


# Hanging. ----------------------------------------------------------------------------------------


def test_a_call_that_hangs_is_interrupted(silent: socket.socket) -> None:
    with fails(interrupted("test_a_call_that_hangs_is_interrupted")), assert_ends(within=SHORT_S):
        silent.recv(1)


def test_the_place_is_the_clients_and_not_of_the_library(silent: socket.socket) -> None:
    name = "test_the_place_is_the_clients_and_not_of_the_library"
    with fails(interrupted(name)), assert_ends(within=SHORT_S):
        silent.makefile().readline()


def test_asyncio_inside_is_unwound() -> None:
    unwound = []

    async def client() -> None:
        try:
            await hang()
        finally:
            unwound.append(True)

    with fails(interrupted("hang")), assert_ends(within=SHORT_S):
        asyncio.run(client())
    assert unwound


def test_trio_inside_is_unwound() -> None:
    unwound = []

    async def client() -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(trio.sleep_forever)
        finally:
            unwound.append(True)

    with fails(interrupted(r"\S+client")), assert_ends(within=SHORT_S):
        trio.run(client)
    assert unwound


def test_a_task_of_asyncio_is_cancelled() -> None:
    async def client() -> None:
        async with assert_ends(within=SHORT_S):
            await hang()

    with fails(interrupted("hang")):
        asyncio.run(client())


async def test_a_block_in_trio_is_cancelled(autojump_clock: MockClock) -> None:
    place = rf"{HERE} in test_a_block_in_trio_is_cancelled"
    with fails(rf"the block did not end within 60 s: interrupted after 60\.250 s, at {place}"):
        async with assert_ends(within=60):
            await trio.sleep_forever()


def test_an_error_before_the_hang_is_not_its_place(silent: socket.socket) -> None:
    def fall_back() -> None:
        silent.recv(1)

    with fails(interrupted(r"\S+fall_back")), assert_ends(within=SHORT_S):
        try:
            by_itself()
        except LookupError:
            fall_back()


def test_a_client_that_goes_on_is_interrupted_again(silent: socket.socket) -> None:
    name = "test_a_client_that_goes_on_is_interrupted_again"
    with fails(interrupted(name)), assert_ends(within=SHORT_S):
        with suppress(KeyboardInterrupt):
            silent.recv(1)
        silent.recv(1)


def test_a_client_that_hides_the_interruption_fails_all_the_same(silent: socket.socket) -> None:
    text = r"the block did not end within 0\.05 s: interrupted after \d\.\d+ s"
    with fails(text), assert_ends(within=SHORT_S), suppress(KeyboardInterrupt):
        silent.recv(1)


def test_it_interrupts_where_ctrl_c_is_ignored(silent: socket.socket) -> None:
    """As it is in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with fails("the block did not end .*"), assert_ends(within=SHORT_S):
            silent.recv(1)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_alarm_after_the_block_interrupts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of the block it would be Ctrl-C for the whole run."""
    frame = sys._getframe()  # noqa: SLF001 - stands for that of __exit__
    monkeypatch.setattr(ends, "_ENDING", {frame.f_code})
    with assert_ends(within=LONG_S):
        interrupt = signal.getsignal(signal.SIGALRM)
        assert callable(interrupt)
        interrupt(signal.SIGALRM, frame)


# Law 7: what is the caller's passes. -------------------------------------------------------------


async def test_a_cancellation_from_outside_passes_in_trio(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1) as scope:
        async with assert_ends(within=60):
            await trio.sleep_forever()
    assert scope.cancelled_caught


def test_a_cancellation_from_outside_passes_in_asyncio() -> None:
    async def client() -> None:
        async with assert_ends(within=60):
            await hang()

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(client(), SHORT_S))


@pytest.fixture
def alarms() -> Iterator[list[int]]:
    """Another user of SIGALRM, and how often it came."""
    came: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGALRM, handle)
    yield came
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_handler_and_timer_are_as_before(alarms: list[int]) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 100, 7)
    with assert_ends(within=LONG_S):
        assert signal.getsignal(signal.SIGALRM) != handler
        time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is handler
    delay_s, interval_s = signal.setitimer(signal.ITIMER_REAL, 0)
    assert 90 < delay_s < 99.95
    assert interval_s == 7
    assert alarms == []


def test_a_timer_that_was_due_in_the_block_comes_after_it(alarms: list[int]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    with assert_ends(within=LONG_S):
        time.sleep(0.05)
        assert alarms == []
    time.sleep(0.05)
    assert alarms == [signal.SIGALRM]


def test_no_timer_is_left(alarms: list[int]) -> None:
    with assert_ends(within=LONG_S):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_one_block_in_another() -> None:
    with fails("the block did not end .*"), assert_ends(within=0.1):
        with assert_ends(within=LONG_S):
            pass
        time.sleep(10)


# What is left. -----------------------------------------------------------------------------------


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What the threads of a test wait for."""
    event = threading.Event()
    yield event
    event.set()


def start_reader(release: threading.Event) -> None:
    def read() -> None:
        release.wait()

    threading.Thread(target=read, name="reader").start()


READER_LEFT = (
    rf"left 0\.05 s after the end of the block: thread 'reader', at {HERE} in start_reader\S+read"
)


def test_a_thread_that_is_left_is_named(release: threading.Event) -> None:
    with fails(READER_LEFT), assert_ends(within=LONG_S, grace=SHORT_S):
        start_reader(release)


def test_an_error_does_not_hide_a_thread_that_is_left(release: threading.Event) -> None:
    with fails(READER_LEFT), assert_ends(within=LONG_S, grace=SHORT_S):
        start_reader(release)
        by_itself()


async def test_a_thread_that_is_left_is_named_in_trio(
    release: threading.Event, autojump_clock: MockClock
) -> None:
    with fails(READER_LEFT):
        async with assert_ends(within=LONG_S, grace=SHORT_S):
            start_reader(release)


def test_a_thread_of_nobodys_code_has_no_place() -> None:
    work: queue.Queue[None] = queue.Queue()
    text = r"left 0\.05 s after the end of the block: thread 'library'"
    with fails(text), assert_ends(within=LONG_S, grace=SHORT_S):
        threading.Thread(target=work.get, name="library").start()
    work.put(None)


def test_being_late_and_leaving_a_thread_are_both_said(
    release: threading.Event, uninterrupted: None
) -> None:
    text = rf"the block ended after .* s, and not within 0\.01 s\n{READER_LEFT}"
    with fails(text), assert_ends(within=0.01, grace=SHORT_S):
        start_reader(release)
        time.sleep(0.1)


def test_a_thread_has_a_grace(release: threading.Event) -> None:
    with assert_ends(within=LONG_S):
        start_reader(release)
        threading.Timer(0.1, release.set).start()


def test_threads_may_be_left_on_purpose(release: threading.Event) -> None:
    with assert_ends(within=LONG_S, leaves_nothing=False):
        start_reader(release)


def test_threads_of_before_are_not_blamed(release: threading.Event) -> None:
    start_reader(release)
    with assert_ends(within=LONG_S, grace=0):
        pass


def test_a_thread_of_a_pool_is_blamed_while_it_works(release: threading.Event) -> None:
    with ThreadPoolExecutor() as pool:
        with fails(r"left .*: thread 'ThreadPoolExecutor\S+'"):
            with assert_ends(within=LONG_S, grace=SHORT_S):
                pool.submit(release.wait)
            release.set()
        release.set()
        with assert_ends(within=LONG_S):
            pool.submit(time.sleep, 0).result()


async def in_asyncio() -> None:
    await asyncio.to_thread(time.sleep, 0)


async def in_anyio() -> None:
    await anyio.to_thread.run_sync(time.sleep, 0)


@pytest.mark.parametrize("use_a_pool", [in_asyncio, in_anyio])
def test_a_pool_keeps_its_threads_in_asyncio(use_a_pool: Callable[[], Awaitable[None]]) -> None:
    async def client() -> None:
        before = threading.active_count()
        async with assert_ends(within=LONG_S, grace=SHORT_S):
            await use_a_pool()
        assert threading.active_count() > before

    asyncio.run(client())


async def test_a_pool_keeps_its_threads_in_trio() -> None:
    with ThreadPoolExecutor(8) as others:  # threads of the cache that other tests left are too few
        held = threading.Barrier(9)
        for _ in range(8):
            others.submit(held.wait)
        async with assert_ends(within=LONG_S, grace=SHORT_S), trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(trio.to_thread.run_sync, time.sleep, 0.01)
        held.wait()


def test_a_task_that_is_left_is_named() -> None:
    async def client() -> None:
        async with assert_ends(within=LONG_S, grace=SHORT_S):
            task = asyncio.create_task(hang(), name="keep-alive")
        task.cancel()

    text = (
        r"left 0\.05 s after the end of the block: task 'keep-alive' of <coroutine object hang .*>"
    )
    with fails(text):
        asyncio.run(client())


def test_a_task_has_a_grace() -> None:
    async def client() -> None:
        async with assert_ends(within=LONG_S):
            task = asyncio.create_task(asyncio.sleep(0.05))
        assert task.done()

    asyncio.run(client())


# Mistakes. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("within", [0, -1, float("nan"), float("inf")])
def test_a_time_that_cannot_be_is_refused(within: float) -> None:
    with pytest.raises(ValueError, match=rf"within is no time above 0 s: {within}"):
        assert_ends(within=within)


@pytest.mark.parametrize("grace", [-1, float("nan"), float("inf")])
def test_a_grace_that_cannot_be_is_refused(grace: float) -> None:
    with pytest.raises(ValueError, match=rf"grace is no time of 0 s or more: {grace}"):
        assert_ends(within=LONG_S, grace=grace)


async def test_with_in_a_coroutine_of_trio_is_refused() -> None:
    """Ctrl-C would end the loop, and with it the run."""
    with pytest.raises(RuntimeError, match="write `async with`"), assert_ends(within=LONG_S):
        await trio.lowlevel.checkpoint()


def test_with_in_a_coroutine_of_asyncio_is_refused() -> None:
    async def client() -> None:
        with assert_ends(within=LONG_S):
            await hang()

    with pytest.raises(RuntimeError, match="write `async with`"):
        asyncio.run(client())
