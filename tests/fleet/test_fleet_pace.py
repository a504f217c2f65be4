"""Starts are spread over time, servers are not asked too often, and nobody waits for another."""

import itertools
from collections import defaultdict

import pytest
import trio
import trio.testing
from fleet_pieces import SERVERS, Script, install, take_all
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import probe
from probe import fleet
from probe.net.pace import Pace
from probe.net.turns import Resting, Turns
from probe.target import Target

ONE, OTHER = SERVERS[:2]

eighths = st.integers(0, 40).map(lambda count: count / 8)
"""Instants that floats hold exactly, so that sums can be compared."""


# One server. -------------------------------------------------------------------------------------


async def test_one_server_is_asked_fifteen_times_and_then_once_a_second(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    install(monkeypatch, script)
    await take_all(probe.sweep([ONE] * 18))
    assert script.begun_at(ONE)[:15] == pytest.approx([0.0] * 15, abs=0.02)
    assert script.begun_at(ONE)[15:] == pytest.approx([1.0, 2.0, 3.0], abs=0.02)


async def test_another_pace(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    install(monkeypatch, script)
    await take_all(probe.sweep([ONE] * 4, per_server_rate=0.5, burst=2))
    assert script.begun_at(ONE) == pytest.approx([0, 0, 2, 4], abs=0.02)


async def test_no_politeness(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    install(monkeypatch, script)
    await take_all(probe.sweep([ONE] * 200, per_server_rate=0))
    assert trio.current_time() < 0.25


async def test_a_server_that_rests_takes_no_place(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    install(monkeypatch, script)
    targets = [*[ONE] * 30, *SERVERS[1:20], ONE]
    reports = await take_all(probe.sweep(targets, max_in_flight=1))
    assert len(reports) == len(targets)
    assert max(script.begun_at(server)[0] for server in SERVERS[:20]) < 0.1
    assert script.begun_at(ONE)[-1] == pytest.approx(31 - 15, abs=0.1)


async def test_probes_that_waited_for_a_place_do_not_begin_all_at_once(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The burst is counted when probes begin, not when they would have liked to."""
    script = Script()
    install(monkeypatch, script)
    async with probe.sweep([ONE] * 60, max_in_flight=1) as reports:
        await trio.sleep(100)
        async for _ in reports:
            pass
    begun = script.begun_at(ONE)
    assert len(begun) == 60
    assert min(last - first for first, last in zip(begun, begun[15:], strict=False)) >= 0.999


async def test_those_that_wait_for_their_servers_have_a_bound(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    install(monkeypatch, script)
    monkeypatch.setattr(fleet, "RESTING", 5)
    reports = await take_all(probe.sweep([*[ONE] * 22, OTHER]))
    assert len(reports) == 23
    assert script.begun_at(OTHER) == pytest.approx([2.0], abs=0.02)  # two of seven have begun


async def test_a_list_of_one_server_is_not_read_to_its_end(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long it is, and though no probe of it may begin for hours."""
    install(monkeypatch, Script())
    read = itertools.count()
    async with probe.sweep(ONE for _ in read) as reports:
        for _ in range(15):
            await reports.receive()
        await trio.testing.wait_all_tasks_blocked()
    assert next(read) < 66_000


# All servers. ------------------------------------------------------------------------------------


SPREAD_S = 0.010 + 0.005
"""So much may be made up for, and begun ahead."""


@pytest.mark.parametrize("rate", [10.0, 1000.0])
async def test_starts_are_spread(
    rate: float,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    install(monkeypatch, script)
    await take_all(probe.sweep(SERVERS[:500], rate=rate))
    begun = [at for at, _ in script.began]
    assert begun == pytest.approx([i / rate for i in range(500)], abs=SPREAD_S + 2 / rate)
    assert begun[-1] == pytest.approx(499 / rate, abs=SPREAD_S + 2 / rate)


def test_the_pause_of_a_busy_machine_is_not_made_up_for() -> None:
    turns = Turns(1000)
    before = [turns.take(0.0) for _ in range(5)]
    after = [turns.take(60.0) for _ in range(20)]
    assert before == pytest.approx([-0.01, -0.009, -0.008, -0.007, -0.006])
    assert sum(at <= 60.0 for at in after) in (10, 11)


# The book of those that rest, against a simple one. ----------------------------------------------

steps = st.lists(
    st.tuples(st.sampled_from(["add", "begin", "probe"]), st.sampled_from("abc"), eighths),
    max_size=60,
)


@given(steps, st.sampled_from([0.0, 0.5, 1.0]), st.integers(1, 3))
def test_who_rests_may_begin_when_the_server_has_forgiven(
    steps: list[tuple[str, str, float]],
    interval_s: float,
    burst: int,
) -> None:
    pace = Pace(interval_s, burst)
    resting, waiting, now = Resting(pace), defaultdict[Target, int](int), 0.0
    for step, name, after_s in steps:
        now += after_s
        target = Target(name, 22)
        if step == "add":
            resting.add(target, now)
            waiting[target] += 1
        elif step == "probe":
            pace.reserve(target, now)  # somebody else's
        due = [pace.begins_at(other, now) for other, count in waiting.items() if count]
        assert max(resting.begins_at(now), now) == min(due, default=float("inf"))
        if step == "begin" and resting.begins_at(now) <= now:
            taken = resting.take()
            waiting[taken] -= 1
            assert pace.reserve(taken, now) == now
        assert len(resting) == sum(waiting.values())
        for other, count in waiting.items():
            assert not count or resting.must_wait(other, now)
