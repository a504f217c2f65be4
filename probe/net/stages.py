"""The cancel scopes and nurseries of a probe. No other file opens one."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final

import trio

from probe.budget import STAGES, Budget, Ledger, Stage
from probe.evidence import End

_INSIDE: Final = {row.stage: row.inside for row in STAGES}


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


class Stages:
    """The nested stages of one probe, each a cancel scope where it waits.

    A scope costs more than all the rest of a stage. So there is one for each wait and not one for
    each stage: its deadline is the earliest of all stages around it, that of the probe included.

    A stage that fails or is cut is never left in the ledger, so after any end the ledger still
    says where the probe was.

    Args:
        budget: How long each stage may take.
        began_at: When the probe began, on trio's clock; now if ``None``.
    """

    __slots__ = ("_deadlines", "budget", "ledger")

    def __init__(self, budget: Budget, began_at: float | None = None) -> None:
        self.budget = budget
        self.ledger = Ledger(budget, trio.current_time() if began_at is None else began_at)
        self._deadlines: dict[Stage | None, float] = {}

    def open(self, stage: Stage) -> "_OpenStage":
        """Return the context of ``stage``, in which the probe may wait.

        It begins the stage unless that runs. Leaving it raises ``Expired`` if its own deadline cut
        it. A cancellation from outside passes through.
        """
        return _OpenStage(self, stage)

    def begin(self, stage: Stage) -> float:
        """Count ``stage`` as begun though nothing waits in it yet, and return its deadline.

        It is the enclosing stage's deadline if that is earlier, so a stage whose waits are all in
        those inside it need not be opened. A second call changes nothing.
        """
        if not self.ledger.runs(stage):
            # The outermost stage began with the call, perhaps a look-up ago.
            began_at = self.ledger.began_at if stage is Stage.PROBE else trio.current_time()
            enclosing = self._deadlines.get(_INSIDE[stage], math.inf)
            self._deadlines[stage] = min(self.ledger.enter(stage, began_at), enclosing)
        return self._deadlines[stage]

    def share_resolve(self, others: "Stages") -> None:
        """Count the other probe's look-up as this one's, too."""
        now = trio.current_time()
        for time in others.ledger.times(now):
            if time.stage is Stage.RESOLVE:
                began = others.ledger.began_at + time.began_s
                self.ledger.enter(Stage.RESOLVE, began)
                self.ledger.leave(Stage.RESOLVE, began + time.spent_s)

    def leave(self, stage: Stage) -> None:
        """Count ``stage`` as completed though its deadline passed: what it waited for was there."""
        self.ledger.leave(stage, trio.current_time())

    def elapsed_s(self) -> float:
        """Return the seconds since the probe began."""
        return trio.current_time() - self.ledger.began_at


class _OpenStage:
    __slots__ = ("_scope", "_stage", "_stages")

    def __init__(self, stages: Stages, stage: Stage) -> None:
        self._stages = stages
        self._stage = stage

    def __enter__(self) -> None:
        self._scope = trio.CancelScope(deadline=self._stages.begin(self._stage))
        self._scope.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope.__exit__(exc_type, exc, traceback)
        if self._scope.cancelled_caught:
            raise Expired from None
        if exc_type is None:
            self._stages.leave(self._stage)


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
        raise _without_group(group) from None


def _without_group(group: BaseExceptionGroup[BaseException]) -> BaseException:
    errors = [error for error in group.exceptions if not isinstance(error, trio.Cancelled)]
    for error in errors:
        if not isinstance(error, Exception):  # KeyboardInterrupt, SystemExit
            return error
    if len(errors) > 1:
        return group
    return errors[0] if errors else group.exceptions[0]
