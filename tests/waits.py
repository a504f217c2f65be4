"""Watches every task of every run of trio, and finds the waits of a probe that no stage bounds.

Law 1 says that every wait has a deadline. Reading the code can miss one, and a test that hangs says
little, so an instrument looks at each task whenever it blocks. It is in every run of trio that a
test starts, in a thread or not, and fails the test. Programs that a test starts are not watched.

**Whose waits are judged?** Those of a probe, and a probe is a call of ``probe/prober.py``:

* a task in whose await chain a function of that file is, so that it waits inside such a call;
* a task that a probe started: ``probe/net`` did, with that file on the stack, or a task of a probe
  did. Its own await chain need not show whose it is.

A test that dials, or reads from a stream, without a probe may wait for ever: the deadline is the
caller's affair there. So may a test's server beside a probe, and a task that a caller's stream
starts while it is read: no line of the prober started them.

**What is asked of them?** That trio wakes the task no later than the ledger's earliest deadline of
the stages that run (for a task that a probe started: those that ran then), and at once if none
runs. This asks for more than a finite deadline: it finds a stage whose scope has a wrong deadline
though an outer one bounds it, a shield that keeps the probe's own scopes away, and a wait before
the first scope or after the last. The ledger adds up limits and knows nothing of trio's scopes, so
the two do not err together.
"""

import math
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import pytest
import trio

import probe
from probe.net.stages import Stages

FOUND: list[str] = []
"""The unbounded waits of the test that runs."""

_PROBE = Path(probe.__file__).parent
_PROBER = str(_PROBE / "prober.py")
_OURS = (_PROBER, str(_PROBE / "net") + os.sep)
_TRIO = str(Path(trio.__file__).parent) + os.sep

_run = trio.run


class Due(NamedTuple):
    """Until when a task of a probe may wait, and why."""

    at: float
    why: str


class Watch(trio.abc.Instrument):
    """Adds a line to ``found`` for each unbounded wait of a probe: where, and until when.

    Attributes:
        running: Whether the run goes on. If that is still so after it, trio has dropped the watch,
            as it does with an instrument that raises.
    """

    def __init__(self, found: list[str]) -> None:
        self.running = False
        self._found = found
        self._started_by_probes: WeakKeyDictionary[trio.lowlevel.Task, Due] = WeakKeyDictionary()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        frames = list(_stack())
        if frames:  # else trio itself starts it
            due = self._started_by_probes.get(trio.lowlevel.current_task())
            if due is None and _is_ours(frames[0]):
                due = _due(frames)
            if due is not None:
                self._started_by_probes[task] = due

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task._abort_func is None:  # noqa: SLF001 - trio has no public word for "it blocks"
            return
        frames = [frame for frame, _ in task.iter_await_frames()]
        due = self._started_by_probes.get(task) or _due(frames)
        if due is not None:
            woken_at = task._cancel_status.effective_deadline()  # noqa: SLF001 - of another task
            if woken_at > due.at:
                self._found.append(f"{_place(frames)} waits until {woken_at}, and {due.why}")

    def before_run(self) -> None:
        self.running = True

    def after_run(self) -> None:
        self.running = False


def run_with(
    watch: Watch,
    async_fn: Callable[[], Awaitable[object]],
    *,
    clock: trio.abc.Clock | None = None,
) -> None:
    """Run with ``watch`` in place of the watch that fails tests."""
    _run(async_fn, clock=clock, instruments=[watch])


def _stack() -> Iterator[FrameType]:
    """The frames of the task that runs, innermost first, without trio's and ours."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - a running task cannot be asked
    while frame is not None and frame.f_code.co_name != "unrolled_run":
        if not frame.f_code.co_filename.startswith((_TRIO, __file__)):
            yield frame
        frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _due(frames: list[FrameType]) -> Due | None:
    """What the ledger says of the probe that these frames belong to; ``None`` if to none."""
    calls = [frame for frame in frames if frame.f_code.co_filename == _PROBER]
    if not calls:
        return None
    for frame in calls:  # all that waits in prober.py has them by this name
        stages = frame.f_locals.get("stages")
        if isinstance(stages, Stages) and stages.where():
            running = [row for row in stages.times() if not row.completed]
            earliest = min(running, key=lambda row: row.began_s + row.limit_s)
            at = stages.began_at + earliest.began_s + earliest.limit_s
            return Due(at, f"{earliest.stage} is due at {at}")
    return Due(-math.inf, "no stage runs")


def _place(frames: list[FrameType]) -> str:
    """Where a task waits: in the prober, or at least not in trio."""
    ours = [frame for frame in frames if _is_ours(frame)]
    ours = ours or [f for f in frames if not f.f_code.co_filename.startswith(_TRIO)] or frames
    code = ours[-1].f_code
    return f"{Path(code.co_filename).name}:{ours[-1].f_lineno} in {code.co_name}"


# What makes pytest do it. ------------------------------------------------------------------------


def pytest_configure() -> None:
    """Watch every run of trio from here on: pytest-trio takes ``trio.run`` when it collects."""

    @wraps(_run)
    def run(
        async_fn: Callable[..., Awaitable[object]],
        *args: object,
        instruments: Sequence[trio.abc.Instrument] = (),
        **options: Any,  # noqa: ANN401 - the rest is trio's affair
    ) -> object:
        __tracebackhide__ = True
        watch = Watch(FOUND)
        try:
            return _run(async_fn, *args, instruments=[*instruments, watch], **options)
        finally:
            if watch.running:
                FOUND.append("the watch broke: see the log")

    setattr(trio, "run", run)  # noqa: B010 - mypy knows the signature of what is replaced


def pytest_unconfigure() -> None:
    setattr(trio, "run", _run)  # noqa: B010 - as above


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail the test that waited without a deadline, whatever else it says."""
    try:
        return (yield)
    finally:
        found, FOUND[:] = FOUND[:], []
        if found:
            pytest.fail("\n".join(found), pytrace=False)
