"""Nested deadlines, in virtual time: who cuts, who is blamed, and who passes through."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import trio
from trio.testing import MockClock

from probe.budget import STAGES, Budget, Stage, StageTime, budget_from_rows
from probe.evidence import End
from probe.net.stages import Ended, Expired, Stages, open_nursery, wait_at_most

NESTED = (
    (Stage.PROBE, Stage.RESOLVE),
    (Stage.PROBE, Stage.CONNECT),
    (Stage.PROBE, Stage.IDENTIFICATION),
    (Stage.PROBE, Stage.FIRST_OCTET),
    (Stage.IDENTIFICATION, Stage.FIRST_OCTET),
    (Stage.PROBE, Stage.KEXINIT),
)
"""Every pair of stages of which one runs inside the other."""


class Case(NamedTuple):
    """Limits of an outer stage that begins at 0 s and of an inner one that begins at 1 s."""

    outer_limit_s: float
    inner_limit_s: float
    expired_at: float
    whose: str


CASES = {
    "inner first": Case(10, 2, 3, "inner"),
    "outer first": Case(3, 10, 3, "outer"),
    "both together": Case(3, 2, 3, "outer"),
}

STALLS = {
    "outer had expired before inner": Case(3, 2.5, 100, "outer"),
    "inner had expired before outer": Case(3.5, 2, 100, "inner"),
    "both had expired together": Case(3, 2, 100, "outer"),
}

nested = pytest.mark.parametrize(("outer", "inner"), NESTED, ids=str)


def make_stages(limits_s: dict[str, float]) -> Stages:
    rows = limits_s.copy()
    return Stages(budget_from_rows(rows.pop(Stage.PROBE, 1000.0), rows))


def stages_around(stage: Stage) -> tuple[Stage, ...]:
    outer = next(row.inside for row in STAGES if row.stage is stage)
    return () if outer is None else (outer, *stages_around(outer))


def test_every_nested_pair_of_the_table_is_tried() -> None:
    pairs = {(outer, row.stage) for row in STAGES for outer in stages_around(row.stage)}
    assert set(NESTED) == pairs


@nested
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_the_earliest_deadline_cuts_at_its_instant(
    outer: Stage,
    inner: Stage,
    case: Case,
    autojump_clock: MockClock,
) -> None:
    stages = make_stages({outer: case.outer_limit_s, inner: case.inner_limit_s})

    async def wait() -> None:
        with stages.open(outer):
            await trio.sleep(1)
            with stages.open(inner):
                await trio.sleep_forever()

    with pytest.raises(Expired):
        await wait()
    assert trio.current_time() == case.expired_at
    assert stages.where() is inner
    assert stages.whose() is {"outer": outer, "inner": inner}[case.whose]


@nested
@pytest.mark.parametrize("case", STALLS.values(), ids=STALLS.keys())
async def test_after_a_stall_of_ours_the_ledger_still_knows_the_earliest_deadline(
    outer: Stage,
    inner: Stage,
    case: Case,
    mock_clock: MockClock,
) -> None:
    # Both deadlines are found expired at once, and trio lets the outer scope catch.
    stages = make_stages({outer: case.outer_limit_s, inner: case.inner_limit_s})

    async def stall() -> None:
        with stages.open(outer):
            mock_clock.jump(1)
            with stages.open(inner):
                mock_clock.jump(99)
                await trio.lowlevel.checkpoint()

    with pytest.raises(Expired):
        await stall()
    assert trio.current_time() == case.expired_at
    assert stages.where() is inner
    assert stages.whose() is {"outer": outer, "inner": inner}[case.whose]


async def test_of_three_equal_deadlines_the_outermost_is_blamed(autojump_clock: MockClock) -> None:
    stack = (Stage.PROBE, Stage.IDENTIFICATION, Stage.FIRST_OCTET)
    stages = make_stages(dict.fromkeys(stack, 4.0))
    with (
        pytest.raises(Expired),
        stages.open(stack[0]),
        stages.open(stack[1]),
        stages.open(stack[2]),
    ):
        await trio.sleep_forever()
    assert trio.current_time() == 4
    assert stages.where() is Stage.FIRST_OCTET
    assert stages.whose() is Stage.PROBE


async def test_the_inner_stage_alone_is_cut_and_the_outer_one_goes_on(
    autojump_clock: MockClock,
) -> None:
    stages = make_stages({Stage.PROBE: 10.0, Stage.CONNECT: 2.0})
    with stages.open(Stage.PROBE):
        with pytest.raises(Expired), stages.open(Stage.CONNECT):
            await trio.sleep_forever()
        await trio.sleep(5)
    assert stages.times() == (
        StageTime(Stage.PROBE, 0, 7, 10, completed=True),
        StageTime(Stage.CONNECT, 0, 7, 2, completed=True),
    )


@pytest.mark.parametrize("cancelled_at", [1, 4], ids=["before", "at the same instant"])
async def test_the_callers_cancellation_is_never_expired(
    cancelled_at: float,
    autojump_clock: MockClock,
) -> None:
    # Law 7: it passes through every stage as trio's own cancellation.
    stages = make_stages({Stage.PROBE: 4.0, Stage.CONNECT: 4.0})
    with trio.CancelScope(deadline=cancelled_at) as scope:
        with stages.open(Stage.PROBE), stages.open(Stage.CONNECT):
            await trio.sleep_forever()
        pytest.fail("not reached")
    assert scope.cancelled_caught
    assert trio.current_time() == cancelled_at
    assert stages.where() is Stage.CONNECT


async def test_a_body_that_finishes_late_without_a_checkpoint_has_not_expired(
    mock_clock: MockClock,
) -> None:
    # DESIGN: cancelled_caught says that work was cut, and here none was.
    stages = make_stages({Stage.CONNECT: 4.0})
    with stages.open(Stage.CONNECT):
        mock_clock.jump(50)
    await trio.lowlevel.checkpoint()
    assert stages.times() == (StageTime(Stage.CONNECT, 0, 50, 4, completed=True),)
    assert stages.where() is None


@pytest.mark.parametrize("error", [Ended, OSError, KeyboardInterrupt])
async def test_a_stage_that_fails_is_never_left(
    error: type[BaseException],
    autojump_clock: MockClock,
) -> None:
    async def fail() -> None:
        with stages.open(Stage.CONNECT):
            await trio.sleep(3)
            raise raised

    stages = make_stages({Stage.CONNECT: 4.0})
    raised = error(7)
    with pytest.raises(error) as caught:
        await fail()
    assert caught.value is raised
    assert stages.where() is Stage.CONNECT
    assert stages.times() == (StageTime(Stage.CONNECT, 0, 3, 4, completed=False),)


async def test_an_error_beside_the_cut_is_raised_in_place_of_expired(
    autojump_clock: MockClock,
) -> None:
    # Law 8: a bug that shows when work is cut is not hidden behind the deadline.
    async def fail_when_cut() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    async def wait() -> None:
        with stages.open(Stage.CONNECT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_when_cut)
                await trio.sleep_forever()

    stages = make_stages({Stage.CONNECT: 4.0})
    with pytest.RaisesGroup(ZeroDivisionError):
        await wait()
    assert stages.where() is Stage.CONNECT


async def test_a_stage_can_be_left_after_its_deadline(autojump_clock: MockClock) -> None:
    stages = make_stages({Stage.PROBE: 10.0, Stage.CONNECT: 2.0})
    with stages.open(Stage.PROBE):
        with pytest.raises(Expired), stages.open(Stage.CONNECT):
            await trio.sleep_forever()
        stages.leave(Stage.CONNECT)
        assert stages.where() is Stage.PROBE
        assert stages.elapsed_s == 2


async def test_a_context_opened_sparingly_has_a_scope_from_the_first_wait_on(
    autojump_clock: MockClock,
) -> None:
    async def wait() -> None:
        with stages.open(Stage.CONNECT, sparingly=True) as opened:
            assert trio.current_effective_deadline() == math.inf
            opened.follow()
            assert trio.current_effective_deadline() == 4
            stages.leave(Stage.CONNECT)
            stages.begin(Stage.FIRST_OCTET)
            opened.follow()  # it moves away, and may stand
            assert trio.current_effective_deadline() == 4
            stages.begin(Stage.KEXINIT)
            opened.follow()
            await trio.sleep_forever()

    stages = make_stages({Stage.CONNECT: 4.0, Stage.FIRST_OCTET: 9.0, Stage.KEXINIT: 1.0})
    with pytest.raises(Expired):
        await wait()
    assert trio.current_time() == 1


async def test_a_context_opened_sparingly_in_which_nothing_waits() -> None:
    stages = make_stages({Stage.CONNECT: 4.0})
    with stages.open(Stage.CONNECT, sparingly=True):
        await trio.lowlevel.checkpoint()
    [time] = stages.times()
    assert (time.stage, time.completed) == (Stage.CONNECT, True)


async def test_seconds_count_from_the_beginning_of_the_probe(autojump_clock: MockClock) -> None:
    await trio.sleep(1000)
    stages = Stages(Budget())
    assert stages.elapsed_s == 0
    await trio.sleep(1.5)
    stages.tick()
    assert stages.elapsed_s == 1.5


@pytest.mark.parametrize(
    ("event_at", "returns_at"),
    [(0.125, 0.125), (0.25, 0.25), (9, 0.25)],
    ids=["the event first", "together", "the limit first"],
)
async def test_wait_at_most_returns_at_the_event_or_the_limit(
    event_at: float,
    returns_at: float,
    autojump_clock: MockClock,
) -> None:
    async def set_event() -> None:
        await trio.sleep(event_at)
        event.set()

    event = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(set_event)
        await wait_at_most(event, 0.25)
        assert trio.current_time() == returns_at


async def test_wait_at_most_is_a_checkpoint_even_if_the_event_was() -> None:
    event = trio.Event()
    event.set()
    with trio.testing.assert_checkpoints():
        await wait_at_most(event, 0.25)


async def test_wait_at_most_passes_the_callers_cancellation(autojump_clock: MockClock) -> None:
    with trio.move_on_after(0.125) as scope:
        await wait_at_most(trio.Event(), 0.25)
        pytest.fail("not reached")
    assert scope.cancelled_caught
    assert trio.current_time() == 0.125


async def fail(error: BaseException) -> None:
    try:
        await trio.lowlevel.checkpoint()
    finally:
        raise error


async def run_tasks(errors: Sequence[BaseException]) -> None:
    async with open_nursery() as nursery:
        for error in errors:
            nursery.start_soon(fail, error)
        await trio.sleep_forever()


@pytest.mark.parametrize("error", [Ended(End.EOF), OSError(), KeyboardInterrupt()], ids=repr)
async def test_an_exception_comes_out_of_a_nursery_as_it_was_raised(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        await run_tasks([error])
    assert caught.value is error


async def test_an_interrupt_is_not_hidden_among_errors() -> None:
    # Law 7
    with pytest.raises(KeyboardInterrupt):
        await run_tasks([OSError(), KeyboardInterrupt(), OSError()])


async def test_several_errors_come_as_a_group() -> None:
    with pytest.RaisesGroup(OSError, ValueError):
        await run_tasks([OSError(), ValueError()])


async def test_a_cancellation_comes_out_of_a_nursery_as_one() -> None:
    async def wait_for_two() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()

    with trio.CancelScope() as scope:
        scope.cancel()
        with pytest.raises(trio.Cancelled) as cancelled:
            await wait_for_two()
        raise cancelled.value
    assert scope.cancelled_caught
