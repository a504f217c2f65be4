"""A part of a sweep as a plain function, for engines that distribute work."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import Final, Literal, NamedTuple

import trio

from probe.budget import Budget
from probe.fleet import RATE, sweep
from probe.net.pace import BURST, INTERVAL_S
from probe.prober import DEFAULT_BUDGET
from probe.report import Report


class Shard(NamedTuple):
    """A part of a sweep, for engines that run picklable functions over partitions of targets.

    ``Shard(budget=…)(targets)`` gives an iterator of reports; both sides pickle. Where several
    shards ask at the same servers from one address, give each its part of ``per_server_rate``.

    Attributes:
        budget: As for ``sweep``, like all that follow.
        ip_version: 4, 6 or ``None``.
        source: Numeric address to connect from.
        max_in_flight: Probes side by side in this shard.
        rate: Probes that begin in a second in this shard.
        per_server_rate: Probes of one host and port in a second; 0 for no politeness.
        burst: Probes of one host and port that may begin at once.
    """

    budget: Budget = DEFAULT_BUDGET
    ip_version: Literal[4, 6] | None = None
    source: str | None = None
    max_in_flight: int | None = None
    rate: float = RATE
    per_server_rate: float = 1 / INTERVAL_S
    burst: int = BURST

    def __call__(self, targets: Iterable[tuple[str, int]]) -> Iterator[Report]:
        """Ask at ``targets``, and return the reports as probes end. Blocks the calling thread.

        The probes run in a thread of their own, and ``targets``, which may block, is read in
        others: however slowly targets come and reports are taken, no deadline is seen late.
        Closing the iterator closes every socket.

        Raises:
            ValueError: As for ``sweep``, when the first report is asked for or later.
        """
        background = _Background(self, targets)
        background.start()
        try:
            yield from background.reports()
        finally:
            background.stop()
        background.raise_trouble()


class _Background:
    """A sweep in a thread of its own, and what another thread needs of it."""

    def __init__(self, shard: Shard, targets: Iterable[tuple[str, int]]) -> None:
        self._shard = shard
        self._targets = targets
        self._entered = Event()
        self._trouble: Exception | None = RuntimeError("the sweep was ended from outside")
        self._token: trio.lowlevel.TrioToken | None = None
        # A daemon: an iterator that was left half-way must not keep a process from ending.
        self._thread = Thread(target=self._run, name="sshprobe-shard", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._entered.wait()

    def reports(self) -> Iterator[Report]:
        while self._token is not None:
            try:
                yield trio.from_thread.run(self._reports.receive, trio_token=self._token)
            except _NO_MORE:
                return

    def stop(self) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._left.set)
        self._thread.join()

    def raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _run(self) -> None:
        try:
            trio.run(self._sweep)
            self._trouble = None
        except Exception as error:  # noqa: BLE001 - raised where reports are taken
            self._trouble = error
        finally:
            self._entered.set()

    async def _sweep(self) -> None:
        self._left = trio.Event()
        targets = _Blocking(self._targets)
        async with sweep(targets, **self._shard._asdict()) as self._reports:
            self._token = trio.lowlevel.current_trio_token()
            self._entered.set()
            await self._left.wait()


class _Blocking:
    """Reads an iterable that may block, in threads: an engine's may wait for its network."""

    def __init__(self, targets: Iterable[tuple[str, int]]) -> None:
        self._targets = iter(targets)

    def __aiter__(self) -> "_Blocking":
        return self

    async def __anext__(self) -> tuple[str, int]:
        target = await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)
        if target is None:
            raise StopAsyncIteration
        return target

    def _read(self) -> tuple[str, int] | None:
        return next(self._targets, None)


_NO_MORE: Final = (
    trio.EndOfChannel,
    trio.ClosedResourceError,  # these three: the sweep failed, and the thread knows why
    trio.Cancelled,
    trio.RunFinishedError,
)
