"""``assert_ends``: a client ends by itself, by a time that its test chose, and leaves nothing.

A block that hangs is interrupted, a little after it should have ended, so that one test fails and
not the whole run:

=======================  =========================================================================
``with``, main thread    as Ctrl-C would, so that asyncio and trio unwind: SIGALRM calls what
                         handles SIGINT. Not on Windows.
``async with``, asyncio  the task is cancelled
``async with``, trio     the block is cancelled
=======================  =========================================================================

What it cannot do: a ``with`` in another thread is measured and not interrupted. A call into C that
does not return to Python on a signal goes on, and so does code that suppresses whatever is raised
in it, or blocks the loop under ``async with``. Another user of SIGALRM waits for the block's end.
"""

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from traceback import walk_stack, walk_tb
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    import asyncio

_LATE_S: Final = 0.25
"""How late a block is when it is interrupted: one that is less late can say when it ended."""

_AGAIN_S: Final = 0.5
"""After how long a block that goes on in spite of it is interrupted again."""

_POLL_S: Final = 0.01

_SOON_S: Final = 1e-6
"""``setitimer`` takes 0 for never."""

_MACHINERY: Final = sys.stdlib_module_names | {"anyio", "outcome", "trio"}
"""Packages whose frames say how a client waits, and not where."""

_IDLE: Final = {
    ("anyio._backends._asyncio", "run"),
    ("concurrent.futures.thread", "_worker"),
    ("trio._core._thread_cache", "_work"),
}
"""Where a thread of a pool waits for work: it is the pool's, and nobody left it behind."""

_INTERRUPTIONS: Final = {"Cancelled", "CancelledError", "KeyboardInterrupt"}
"""By name, since neither asyncio nor trio need be there."""

_Line = tuple[FrameType, int]

_Tasks = Callable[[], "set[asyncio.Task[Any]]"]


def assert_ends(*, within: float, grace: float = 1.0, leaves_nothing: bool = True) -> "Ends":
    """Assert that a block ends by itself within ``within`` seconds, and leaves nothing behind.

    For ``with``, and for ``async with`` under asyncio or trio. What the block raises passes through
    if it does so in time: the block may stand inside of ``pytest.raises``.

    Args:
        within: Seconds, as the clock of the event loop counts them where there is one.
        grace: Seconds that threads, and tasks of asyncio, may outlive the block that started them.
        leaves_nothing: ``False`` to let them live.

    Returns:
        The context. What it found is an ``AssertionError``: that the block ended late or had to be
        interrupted, and where it hung; or which threads and tasks it left.

    Raises:
        ValueError: ``within`` is not above 0, ``grace`` is below, or one of them has no end.
    """
    if not 0 < within < math.inf:
        message = f"within is no time above 0 s: {within}"
        raise ValueError(message)
    if not 0 <= grace < math.inf:
        message = f"grace is no time of 0 s or more: {grace}"
        raise ValueError(message)
    return Ends(within, grace if leaves_nothing else None)


class Ends:
    """What ``assert_ends`` returns: the context, of one block after another."""

    def __init__(self, within_s: float, grace_s: float | None) -> None:
        self._within_s = within_s
        self._grace_s = grace_s

    def __enter__(self) -> None:
        if _event_loop() is not None:
            message = "assert_ends in a coroutine: write `async with`"
            raise RuntimeError(message)
        self._alarm = _Alarm()
        self._block = _Block(self._alarm, self._within_s, self._grace_s)
        self._alarm.start(self._within_s + _LATE_S)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self._alarm.stop()
        if self._block.end(error):
            while self._block.is_awaited():
                time.sleep(_POLL_S)
            self._block.report(error)

    async def __aenter__(self) -> None:
        self._limit = _TrioLimit() if _event_loop() == "trio" else _AsyncioLimit()
        self._block = _Block(self._limit, self._within_s, self._grace_s)
        await self._limit.start(self._within_s + _LATE_S)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        await self._limit.stop(kind, error, trace)
        if self._block.end(error):
            while self._block.is_awaited():
                await self._limit.sleep(_POLL_S)
            self._block.report(error)


def _event_loop() -> Literal["asyncio", "trio"] | None:
    """Whose coroutine this is in, without importing anything."""
    if "trio" in sys.modules and sys.modules["trio"].lowlevel.in_trio_task():
        return "trio"
    if "asyncio" in sys.modules and _is_in_asyncio():
        return "asyncio"
    return None


def _is_in_asyncio() -> bool:
    with suppress(RuntimeError):
        return bool(sys.modules["asyncio"].get_running_loop())
    return False


# Interrupting a block. ---------------------------------------------------------------------------


class _Limit(Protocol):
    """What is asked of that which interrupts a block.

    Attributes:
        has_cut: Whether it did.
        now: The clock to measure by, in seconds.
        tasks: Those of the event loop that may be left behind.
    """

    has_cut: bool
    now: Callable[[], float]
    tasks: _Tasks


class _Alarm:
    """Interrupts the main thread."""

    def __init__(self) -> None:
        self.has_cut = False
        self.now: Callable[[], float] = time.monotonic
        self.tasks: _Tasks = set
        is_main = threading.current_thread() is threading.main_thread()
        self._is_of_use = is_main and hasattr(signal, "setitimer")

    def start(self, after_s: float) -> None:
        if self._is_of_use:
            self._handler = signal.signal(signal.SIGALRM, self._interrupt)
            self._timer = signal.setitimer(signal.ITIMER_REAL, after_s, _AGAIN_S)
            self._started_at = self.now()

    def stop(self) -> None:
        """Put back the handler and the timer of before, less the time that has passed."""
        if self._is_of_use:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler)
            delay_s, interval_s = self._timer
            if delay_s:
                delay_s -= self.now() - self._started_at
                signal.setitimer(signal.ITIMER_REAL, max(delay_s, _SOON_S), interval_s)

    def _interrupt(self, _signal: int, frame: FrameType | None) -> None:
        """Do what Ctrl-C does, unless the block has ended: then it would end the whole run."""
        __tracebackhide__ = True
        if frame is None or frame.f_code not in _ENDING:
            self.has_cut = True
            handler = signal.getsignal(signal.SIGINT)
            interrupt = handler if callable(handler) else signal.default_int_handler
            interrupt(signal.SIGINT, frame)


_ENDING: Final = {Ends.__exit__.__code__, _Alarm.stop.__code__}


class _AsyncioLimit:
    """Cancels the task of asyncio that is in the block."""

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 - it is there, else nobody would be here

        loop = asyncio.get_running_loop()
        self.has_cut = False
        self.now: Callable[[], float] = loop.time
        self.tasks: _Tasks = asyncio.all_tasks
        self.sleep = asyncio.sleep
        self._timeout = asyncio.timeout(None)

    async def start(self, after_s: float) -> None:
        await self._timeout.__aenter__()
        self._timeout.reschedule(self.now() + after_s)

    async def stop(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(TimeoutError):
            await self._timeout.__aexit__(kind, error, trace)
        self.has_cut = self._timeout.expired()


class _TrioLimit:
    """Cancels the block in a task of trio."""

    def __init__(self) -> None:
        import trio  # noqa: PLC0415 - likewise

        self.has_cut = False
        self.now: Callable[[], float] = trio.current_time
        self.tasks: _Tasks = set  # a nursery leaves none
        self.sleep = trio.sleep
        self._scope = trio.CancelScope()

    async def start(self, after_s: float) -> None:
        self._scope.deadline = self.now() + after_s
        self._scope.__enter__()

    async def stop(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scope.__exit__(kind, error, trace)
        self.has_cut = self._scope.cancelled_caught


# Judging it. -------------------------------------------------------------------------------------


class _Block:
    """What is known of a block."""

    def __init__(self, limit: _Limit, within_s: float, grace_s: float | None) -> None:
        self._limit = limit
        self._within_s = within_s
        self._grace_s = grace_s
        self._before = self._everyone()
        self._began_at = limit.now()

    def end(self, error: BaseException | None) -> bool:
        """Take the time, and say whether the block ended by itself or by us.

        Ctrl-C, a cancellation from outside and ``pytest.skip`` say nothing about it.
        """
        self._spent_s = self._limit.now() - self._began_at
        self._patient_until = time.monotonic() + (self._grace_s or 0)
        return error is None or isinstance(error, Exception) or self._limit.has_cut

    def is_awaited(self) -> bool:
        """Whether somebody is left who may yet go."""
        return time.monotonic() < self._patient_until and any(self._left())

    def report(self, error: BaseException | None) -> None:
        """Raise what is wrong, if anything is."""
        __tracebackhide__ = True
        faults = [*self._lateness(error), *self._left()]
        if faults:
            raise AssertionError("\n".join(faults)) from error

    def _lateness(self, error: BaseException | None) -> Iterator[str]:
        wished, spent = f"within {self._within_s:g} s", f"after {self._spent_s:.3f} s"
        if self._limit.has_cut:
            yield f"the block did not end {wished}: interrupted {spent}{_say_cut(error)}"
        elif self._spent_s > self._within_s:
            yield f"the block ended {spent}, and not {wished}"

    def _left(self) -> Iterator[str]:
        if self._grace_s is not None:
            for who in filter(_is_at_work, self._everyone() - self._before):
                yield f"left {self._grace_s:g} s after the end of the block: {_describe(who)}"

    def _everyone(self) -> "set[threading.Thread | asyncio.Task[Any]]":
        return {*threading.enumerate(), *self._limit.tasks()}


# Who and where. ----------------------------------------------------------------------------------


def _is_at_work(who: "threading.Thread | asyncio.Task[Any]") -> bool:
    """Whether it is not a thread that has just ended, or waits in a pool."""
    if not isinstance(who, threading.Thread):
        return True
    names = [(frame.f_globals.get("__name__"), frame.f_code.co_name) for frame, _ in _lines_of(who)]
    waits_in = (name for name in names if name[0] not in {"queue", "threading"})
    return bool(names) and next(waits_in, None) not in _IDLE


def _describe(who: "threading.Thread | asyncio.Task[Any]") -> str:
    if isinstance(who, threading.Thread):
        return f"thread {who.name!r}{_say_place(_lines_of(who))}"
    return f"task {who.get_name()!r} of {who.get_coro()}"


def _lines_of(thread: threading.Thread) -> Iterator[_Line]:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - it is documented
    return walk_stack(frame) if frame else iter(())


def _say_cut(error: BaseException | None) -> str:
    """Say where the interruption found the block, if it came out of it.

    A nursery of trio's is interrupted with no frame of the client's, but in a group that has them.
    """
    causes = list(_causes(error))
    while causes and type(causes[-1]).__name__ not in _INTERRUPTIONS:
        causes.pop()  # what the client had caught before
    places = (_say_place(_lines_to(cause)) for cause in reversed(causes))
    return next(filter(None, places), "")


def _lines_to(error: BaseException) -> Iterable[_Line]:
    return reversed([*walk_tb(error.__traceback__)])


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__


def _say_place(lines: Iterable[_Line]) -> str:
    """Say the innermost line that is the client's; lines come innermost first."""
    for frame, line in lines:
        module = frame.f_globals.get("__name__", "")
        if module != __name__ and module.partition(".")[0] not in _MACHINERY:
            return (
                f", at {_say_path(frame.f_code.co_filename)}:{line} in {frame.f_code.co_qualname}"
            )
    return ""


def _say_path(name: str) -> str:
    path, here = Path(name), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
