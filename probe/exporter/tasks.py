"""The tasks of this process: what each waits for, since when, and until when at the latest."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import trio

_PACKAGES: Final = str(Path(__file__).parents[2])


class Waits(trio.abc.Instrument):
    """Notes since when each task waits. Costs a little at every step of a task."""

    def __init__(self) -> None:
        self._since: WeakKeyDictionary[trio.lowlevel.Task, float] = WeakKeyDictionary()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note that the task begins to wait."""
        self._since[task] = trio.current_time()

    def waited_s(self, task: trio.lowlevel.Task) -> float:
        """Return for how long it has waited; 0 if that began before all notes."""
        now = trio.current_time()
        return now - self._since.get(task, now)


def count_stacks() -> str:
    """Say how many tasks wait at which stack, the most frequent first."""
    stacks = Counter("\n".join(_stack(task)) for task in _tasks())
    total = f"{stacks.total()} tasks at {len(stacks)} places\n"
    return "\n".join([total, *(f"{times} at\n{stack}\n" for stack, times in stacks.most_common())])


def list_tasks(waits: Waits) -> str:
    """Say of each task its stack, for how long it has waited, and its deadline."""
    now = trio.current_time()
    rows = sorted(_tasks(), key=waits.waited_s, reverse=True)
    return "\n".join("\n".join([_head(task, waits, now), *_stack(task), ""]) for task in rows)


def _head(task: trio.lowlevel.Task, waits: Waits, now: float) -> str:
    deadline = task._cancel_status.effective_deadline()  # noqa: SLF001 - trio has no public word
    left = "no deadline" if deadline == math.inf else f"deadline in {deadline - now:.3f} s"
    return f"{task.name}: has waited {waits.waited_s(task):.3f} s, {left}"


def _tasks() -> Iterator[trio.lowlevel.Task]:
    """Give every task but the one that asks and those of trio itself."""
    asks, main = trio.lowlevel.current_task(), trio.lowlevel.current_root_task()
    pending = [] if main is None else [main]
    while pending:
        task = pending.pop()
        for nursery in task.child_nurseries:
            pending.extend(nursery.child_tasks)
        if task is not asks and task is not main:
            yield task


def _stack(task: trio.lowlevel.Task) -> list[str]:
    """Return its frames, outermost first, each as ``file:line function``."""
    return [
        f"  {frame.f_code.co_filename.removeprefix(_PACKAGES).lstrip('/')}:{line}"
        f" {frame.f_code.co_name}"
        for frame, line in task.iter_await_frames()
    ]
