"""Many targets: each is reported once, in bounded memory, and nothing is left behind."""

import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest
import trio
import trio.lowlevel
from fleet_pieces import SERVERS, Script, descriptors, install, report, take_all, targets_of
from trio.testing import MockClock

import probe
from probe import fleet
from probe.catalogue import serve
from probe.report import Report

HOST = "127.0.0.1"

KEPT_OCTETS = 100_000
"""What five thousand more targets may cost: 20 octets each, a third of the least object."""


def endless(number: list[int]) -> Iterator[tuple[str, int]]:
    """Targets without end; counts in ``number`` how many were read."""
    while True:
        number[0] += 1
        yield (f"127.1.{number[0] // 250 % 250}.{number[0] % 250}", 1 + number[0] % 65535)


# Every target, once. -----------------------------------------------------------------------------


async def test_reports_come_as_probes_end(autojump_clock: MockClock) -> None:
    async with serve("silent") as silent, serve("openssh") as good:
        reports = await take_all(probe.sweep([silent, good, silent, good]))
    assert targets_of(reports) == [good, good, silent, silent]
    assert [each.verdict for each in reports] == ["ok", "ok", "silent", "silent"]


async def test_no_targets_no_reports(autojump_clock: MockClock) -> None:
    assert await take_all(probe.sweep([])) == []
    assert trio.current_time() == 0


@pytest.mark.parametrize("in_flight", [1, 2, 7, None])
async def test_each_target_is_reported_once(
    in_flight: int | None,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, Script(0.5))
    targets = SERVERS[:40] + SERVERS[:10]
    reports = await take_all(probe.sweep(targets, max_in_flight=in_flight))
    assert sorted(targets_of(reports)) == sorted(targets)


async def test_targets_that_come_slowly_are_waited_for(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def targets() -> AsyncIterator[tuple[str, int]]:
        for server in SERVERS[:3]:
            yield server
            await trio.sleep(100)

    script = Script(1)
    install(monkeypatch, script)
    async with probe.sweep(targets()) as reports:
        times = [trio.current_time() async for _ in reports]
    assert times == [1, 101, 201]


async def test_a_probe_is_asked_what_a_check_is(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    async def check(host: str, port: int, **keywords: object) -> Report:
        asked.append(keywords)
        await trio.lowlevel.checkpoint()
        return report(host, port)

    install(monkeypatch, check)
    budget = probe.Budget(3)
    await take_all(probe.sweep(SERVERS[:1], budget=budget, ip_version=4, source=HOST))
    assert asked == [{"budget": budget, "ip_version": 4, "source": HOST}]


# Bounds. -----------------------------------------------------------------------------------------


async def test_no_more_run_side_by_side_than_are_wished(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script(1)
    install(monkeypatch, script)
    await take_all(probe.sweep(SERVERS[:95], max_in_flight=10))
    assert script.most_running == 10
    assert trio.current_time() == pytest.approx(10, abs=0.2)


async def test_a_caller_that_takes_nothing_stops_the_sweep(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Back-pressure: targets are read as reports are taken, one ahead."""
    script, read = Script(), [0]
    install(monkeypatch, script)
    async with probe.sweep(endless(read), max_in_flight=8) as reports:
        await trio.sleep(1000)
        assert len(script.began) == 8
        assert read == [8 + 1]
        for _ in range(5):
            await reports.receive()
        await trio.sleep(1000)
        assert len(script.began) == 8 + 5


async def octets_kept(count: int) -> int:
    """What a sweep has in use at its largest, measured when every hundredth report is taken."""
    most = 0
    async with probe.sweep(iter(SERVERS[:count]), max_in_flight=50, rate=1e6) as reports:
        gc.collect()
        tracemalloc.start()
        number = 0
        async for _ in reports:
            number += 1
            if number % 100 == 0:
                most = max(most, tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert number == count
    return most


async def test_memory_does_not_depend_on_the_number_of_targets(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(host: str, port: int, **keywords: object) -> Report:
        await trio.sleep(0.05)
        return report(host, port)

    install(monkeypatch, check)
    few = await octets_kept(2_500)  # more than twice as many as OpenSSH forgives in that time
    assert await octets_kept(7_500) < few + KEPT_OCTETS


# The end, early or not. --------------------------------------------------------------------------


async def test_leaving_early_leaves_nothing(autojump_clock: MockClock) -> None:
    gc.collect()
    async with serve("silent") as silent:
        before, tasks = descriptors(), trio.lowlevel.current_statistics().tasks_living
        async with probe.sweep([silent] * 15):
            await trio.sleep(1)
            assert len(descriptors()) >= len(before) + 15
        assert trio.lowlevel.current_statistics().tasks_living <= tasks + 15  # the server's own
        await trio.sleep(1)
        assert descriptors() == before
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert trio.current_time() == 2


async def test_closing_the_reports_is_as_good(autojump_clock: MockClock) -> None:
    async with serve("silent") as silent:
        before = descriptors()
        async with probe.sweep([silent] * 5) as reports:
            await trio.sleep(1)
            await reports.aclose()
            await reports.aclose()
            await trio.sleep(1)
            assert descriptors() == before
            with pytest.raises(trio.ClosedResourceError):
                await reports.receive()


async def test_what_ended_before_a_stop_can_be_taken(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(host: str, port: int, **keywords: object) -> Report:
        await trio.sleep(port)
        return report(host, port)

    install(monkeypatch, check)
    async with probe.sweep([(HOST, 1), (HOST, 2), (HOST, 30)]) as reports:
        await trio.sleep(5)
        reports.stop()
        assert targets_of([each async for each in reports]) == [(HOST, 1), (HOST, 2)]
    assert trio.current_time() == 5


async def test_a_probe_that_ends_while_its_reader_leaves_is_no_trouble(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def stubborn(host: str, port: int, **keywords: object) -> Report:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return report(host, port)

    install(monkeypatch, stubborn)
    async with probe.sweep(SERVERS[:5]) as reports:
        await trio.sleep(0.5)
        await reports.aclose()
        await trio.sleep(1)


class Mine(Exception):  # noqa: N818 - the caller's own
    pass


async def fail_inside(targets: list[tuple[str, int]]) -> None:
    async with probe.sweep(targets):
        await trio.sleep(1)
        raise Mine


async def test_an_error_of_the_caller_comes_out_as_it_is(autojump_clock: MockClock) -> None:
    async with serve("silent") as silent:
        before = descriptors()
        with pytest.raises(Mine):
            await fail_inside([silent])
        await trio.sleep(1)
        assert descriptors() == before


def test_an_interruption_comes_out_as_it_is() -> None:
    """Law 7: Ctrl-C propagates, as it was raised, and leaves nothing open."""

    async def main() -> None:
        async with probe.sweep([(HOST, 1)] * 3, source="127.0.0.1"):
            await trio.lowlevel.checkpoint()
            raise KeyboardInterrupt

    before = descriptors()
    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert descriptors() == before


async def test_an_error_of_the_targets_comes_out_as_it_is(autojump_clock: MockClock) -> None:
    def targets() -> Iterator[tuple[str, int]]:
        yield SERVERS[0]
        raise Mine

    with pytest.raises(Mine):
        await take_all(probe.sweep(targets()))


@pytest.mark.parametrize("target", [("", 22), (HOST, 0), ("two words", 22)])
async def test_what_is_no_target_is_refused(target: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match="not a"):
        await take_all(probe.sweep([target]))


async def test_cancellation_is_the_callers(autojump_clock: MockClock) -> None:
    async with serve("silent") as silent:
        with trio.move_on_after(2) as scope:
            await take_all(probe.sweep([silent] * 3))
        assert scope.cancelled_caught
        assert trio.current_time() == 2


NONSENSE: list[tuple[dict[str, object], str]] = [
    ({"rate": 0}, "rate must be a finite number above 0, not 0"),
    ({"rate": -1}, "rate must be"),
    ({"rate": float("nan")}, "rate must be"),
    ({"rate": float("inf")}, "rate must be"),
    ({"rate": 1e-320}, "rate must be"),
    ({"per_server_rate": -1}, "per_server_rate must be a finite number above 0, not -1"),
    ({"burst": 0}, "burst must be 1 or more, not 0"),
    ({"max_in_flight": 0}, "max_in_flight must be 1 or more, not 0"),
    ({"source": "localhost"}, "not a numeric address to connect from"),
    ({"source": HOST, "ip_version": 6}, "no address of IP version 6"),
]


@pytest.mark.parametrize(("arguments", "message"), NONSENSE, ids=str)
async def test_nonsense_is_refused_on_entering(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        async with probe.sweep([], **arguments):  # type: ignore[arg-type]
            pass


def test_more_probes_than_a_process_may_have_sockets_are_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wished: list[int] = []

    def most_in_flight(count: int) -> int:
        wished.append(count)
        return 3

    script = Script(1)
    install(monkeypatch, script)
    monkeypatch.setattr(fleet, "most_in_flight", most_in_flight)

    async def main() -> None:
        await take_all(probe.sweep(SERVERS[:9]))
        await take_all(probe.sweep([], max_in_flight=77))

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert wished == [fleet.IN_FLIGHT, 77]
    assert script.most_running == 3
