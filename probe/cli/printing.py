"""Runs a command's work while its lines are printed, and ends both in order.

The work hands over lines and never waits for a reader. A signal ends the work, and what it has said
by then is still printed. A reader that is gone ends the work, too.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from signal import SIGINT, SIGTERM
from typing import Final

import trio

from probe.cli.output import complain, reserve_standard_streams, write_line
from probe.cli.status import OUTPUT_LOST, SIGNALLED
from probe.net.stages import wait_at_most

PRINTING_S: Final = 0.5
"""How long a line waits for a reader once the work is done."""

Say = Callable[[str], None]
"""Takes a line to be printed. Never blocks."""


def run_printing(work: Callable[[Say], Awaitable[None]]) -> int:
    """Run ``work`` and print what it says.

    Args:
        work: Called once, with the function that takes its lines.

    Returns:
        An exit status: 0, or what says that a signal came or that lines were lost.
    """
    reserve_standard_streams()
    return trio.run(_Printer().run, work)


def print_lines(lines: Iterable[str]) -> int:
    """Print ``lines``, and return an exit status as ``run_printing`` does."""

    async def say_all(say: Say) -> None:
        for line in lines:
            say(line)
            await trio.lowlevel.checkpoint()

    return run_printing(say_all)


def cause(error: Exception) -> Exception:
    """Return what nurseries put in groups."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


class _Printer:
    def __init__(self) -> None:
        self._unwritten = 0
        self._outbox, self._inbox = trio.open_memory_channel[str](float("inf"))
        self._done = trio.Event()
        self._signal: int | None = None
        self._trouble: OSError | None = None

    async def run(self, work: Callable[[Say], Awaitable[None]]) -> int:
        with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                async with self._outbox, trio.open_nursery() as worker:
                    working = worker.cancel_scope
                    nursery.start_soon(self._watch, signals, working)
                    nursery.start_soon(self._print, working)
                    await work(self._say)
                await self._wait_for_a_reader()
                nursery.cancel_scope.cancel()
        return self._status()

    async def _wait_for_a_reader(self) -> None:
        """Wait while lines are still being read, however slowly, but not for one who stopped."""
        unwritten = -1
        while not self._done.is_set() and unwritten != self._unwritten:
            unwritten = self._unwritten
            await wait_at_most(self._done, PRINTING_S)

    def _status(self) -> int:
        if self._unwritten:
            self._complain_of_lost_lines()
            return OUTPUT_LOST
        return 0 if self._signal is None else SIGNALLED + self._signal

    def _complain_of_lost_lines(self) -> None:
        """A reader that closed the pipe has read enough; any other trouble is news."""
        if not isinstance(self._trouble, BrokenPipeError):
            why = "nobody reads it" if self._trouble is None else self._trouble.strerror
            complain(f"{self._unwritten} lines of output are lost: {why}")

    def _say(self, line: str) -> None:
        self._unwritten += 1
        self._outbox.send_nowait(line)

    async def _print(self, working: trio.CancelScope) -> None:
        try:
            async for line in self._inbox:
                await write_line(line)
                self._unwritten -= 1
        except OSError as error:
            self._trouble = error
            working.cancel()
        self._done.set()

    async def _watch(self, signals: AsyncIterator[int], working: trio.CancelScope) -> None:
        async for number in signals:
            self._signal = number
            working.cancel()
