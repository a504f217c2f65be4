"""The cancel scopes and nurseries of a probe. No other file opens one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import trio

from probe.budget import RESOLVE, Budget, Ledger, Stage
from probe.evidence import End


class Ended(Exception):  # noqa: N818 - not an error: a probe that ends early, with its evidence
    """The probe is over.

    Attributes:
        end: How it ended.
    """

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


class Expired(Exception):  # noqa: N818 - a deadline expires; that is its nature, not an error
    """A deadline of the probe's own passed. The ledger knows where, and whose it was."""


class Stages(Ledger):
    """The nested stages of one probe on trio's clock, and the cancel scopes in which it waits.

    A scope costs more than all the rest of a stage. So there is one for all of a probe that waits
    on its socket, not one for each stage, and none if it never waits: its deadline is the earliest
    of all stages around it, that of the probe included, and it follows when other stages run. A
    stage whose waits are all in a context that is open already is begun and left, and needs none
    of its own.

    The clock is read when a context is opened or left and when a call to the kernel has returned,
    which may have taken time. What follows until the next such call happens at that instant.

    A stage that fails or is cut is never left, so after any end the ledger still says where the
    probe was.

    Args:
        budget: How long each stage may take.
        began_at: When the probe began, on trio's clock; now if ``None``.

    Attributes:
        began_at: The same.
    """

    __slots__ = ("_now", "began_at")

    def __init__(self, budget: Budget, began_at: float | None = None) -> None:
        super().__init__(budget)
        self._now = trio.lowlevel.current_clock().current_time  # looked up once
        self.began_at = self._now() if began_at is None else began_at

    def tick(self) -> None:
        """Read the clock."""
        self.elapsed_s = self._now() - self.began_at

    def due_at(self) -> float:
        """Return the earliest deadline of the stages that run, on trio's clock."""
        return self.began_at + self.due_s()

    def open(self, stage: Stage, *, sparingly: bool = False) -> "OpenStage":
        """Return the context of ``stage``, in which the probe may wait.

        It begins the stage unless that runs. Leaving it raises ``Expired`` if its own deadline cut
        it. A cancellation from outside passes through.

        Args:
            stage: Which.
            sparingly: Whether the scope is entered before the first wait and not before; and
                whether a deadline that moves away may stand where it was. Either spares a probe
                what a wait costs. Each wait must then come after ``follow``, and after the cut
                ``have_time`` tells whether anything is due.
        """
        return OpenStage(self, stage, sparingly)

    def share_resolve(self, others: "Stages") -> None:
        """Count the other probe's look-up as this one's, too."""
        for time in others.times():
            if time.stage is RESOLVE:
                self.elapsed_s = time.began_s
                self.begin(RESOLVE)
                self.elapsed_s += time.spent_s
                self.leave(RESOLVE)
        self.tick()

    def have_time(self) -> bool:
        """Whether no stage that runs is due.

        It may be so when a scope expired: then another stage runs by now, and a new scope is due.
        """
        return self._now() < self.due_at()  # as trio compares


class OpenStage:
    """The context of a stage, and of those that run after it in the same context.

    Attributes:
        stages: Those of the probe.
    """

    __slots__ = ("_scope", "_sparingly", "_stage", "stages")

    def __init__(self, stages: Stages, stage: Stage, sparingly: bool) -> None:  # noqa: FBT001 - see Stages.open
        self.stages = stages
        self._stage = stage
        self._sparingly = sparingly
        self._scope: trio.CancelScope | None = None

    def __enter__(self) -> Self:
        self.stages.tick()
        self.stages.begin(self._stage)
        if not self._sparingly:
            self.follow()
        return self

    def follow(self) -> None:
        """Wait no longer than the stages allow that run now. Call it before each wait.

        The first call must come from where the context was opened, with no nursery in between.
        """
        due_at, scope = self.stages.due_at(), self._scope
        if scope is None:
            self._scope = trio.CancelScope(deadline=due_at)
            self._scope.__enter__()
        elif due_at < scope.deadline or (due_at > scope.deadline and not self._sparingly):
            scope.deadline = due_at

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._scope is not None:
            self._scope.__exit__(exc_type, exc, traceback)
        self.stages.tick()
        if self._scope is not None and self._scope.cancelled_caught:
            raise Expired from None
        if exc_type is None:
            self.stages.leave(self._stage)


async def wait_at_most(event: trio.Event, limit_s: float) -> None:
    """Wait for ``event`` or for ``limit_s`` seconds, whichever is first. A checkpoint."""
    with trio.move_on_after(limit_s):
        await event.wait()


@asynccontextmanager
async def open_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a nursery out of which an exception comes as it was raised, not in a group.

    That a probe runs tasks is its own affair: a caller's ``except KeyboardInterrupt`` must hold,
    and so must ``except trio.Cancelled`` of ours. Only several errors at once come as a group.

    Source:
        trio's own way out of nurseries that its callers do not see.
    """
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        error = _without_group(group)
        raise error from error.__cause__  # whose errno is wanted


def _without_group(group: BaseExceptionGroup[BaseException]) -> BaseException:
    errors = [error for error in group.exceptions if not isinstance(error, trio.Cancelled)]
    for error in errors:
        if not isinstance(error, Exception):  # KeyboardInterrupt, SystemExit
            return error
    if len(errors) > 1:
        return group
    return errors[0] if errors else group.exceptions[0]
