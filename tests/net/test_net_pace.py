"""Politeness: no server is asked more often than OpenSSH forgives, and none waits for nothing.

OpenSSH 9.8 and later adds a penalty of 1 s for each connection that does not log in, forgives 1 s
of it a second, and refuses a source that is more than 15 s ahead (sshd_config(5),
PerSourcePenalties).
"""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.net.pace import BURST, INTERVAL_S, Pace


class Call(NamedTuple):
    server: str
    after_s: float


eighths = st.integers(0, 40).map(lambda count: count / 8)
"""Instants that floats hold exactly, so that sums can be compared."""

call = st.builds(Call, st.sampled_from(["one", "other"]), eighths)
calls = st.lists(call, max_size=10) | st.lists(call, min_size=30, max_size=60)
intervals = st.sampled_from([0.25, 1.0, 3.0])
bursts = st.integers(1, 15)


def schedule(pace: Pace, calls: list[Call], server: str) -> list[tuple[float, float]]:
    """Make all calls, and return when those for ``server`` came and when they may begin."""
    now, times = 0.0, []
    for call in calls:
        now += call.after_s
        begin = pace.reserve(call.server, now)
        if call.server == server:
            times.append((now, begin))
    return times


def forgiven(begun: list[float], interval_s: float, burst: int) -> float:
    """Say from when on one more probe keeps the law, by looking at every window of time.

    A window from the i-th probe on may hold ``burst`` probes and one more for each interval.
    """
    count = len(begun) + 1
    return max(
        (began + (count - i - burst) * interval_s for i, began in enumerate(begun)),
        default=0.0,
    )


@pytest.mark.compares_tables
def test_the_figures_are_those_of_openssh() -> None:
    assert (INTERVAL_S, BURST) == (1.0, 15)


def test_fifteen_at_once_then_one_a_second() -> None:
    pace = Pace()
    assert [pace.reserve("host", 100.0) for _ in range(18)] == [100.0] * 15 + [101.0, 102.0, 103.0]


def test_another_burst_and_interval() -> None:
    pace = Pace(interval_s=3.0, burst=2)
    assert [pace.reserve("host", 100.0) for _ in range(5)] == [100.0, 100.0, 103.0, 106.0, 109.0]


@pytest.mark.parametrize(("idle_s", "at_once"), [(0, 0), (0.5, 0), (1, 1), (3, 3), (15, 15)])
def test_a_second_of_rest_earns_a_probe(idle_s: float, at_once: int) -> None:
    pace = Pace()
    for _ in range(15):
        pace.reserve("host", 0.0)
    begins = [pace.reserve("host", idle_s) for _ in range(20)]
    assert begins.count(idle_s) == at_once


def test_a_long_rest_earns_no_more_than_a_burst() -> None:
    pace = Pace()
    pace.reserve("host", 0.0)
    assert [pace.reserve("host", 1e6) for _ in range(16)] == [1e6] * 15 + [1e6 + 1]


@given(calls, intervals, bursts)
def test_no_window_holds_more_than_is_forgiven(
    calls: list[Call],
    interval_s: float,
    burst: int,
) -> None:
    begins = [begin for _, begin in schedule(Pace(interval_s, burst), calls, "one")]
    assert begins == sorted(begins)
    for i, first in enumerate(begins):
        for j, last in enumerate(begins[i:], i):
            assert j - i + 1 <= burst + (last - first) / interval_s


@given(calls, intervals, bursts)
def test_no_probe_begins_early_or_later_than_it_must(
    calls: list[Call],
    interval_s: float,
    burst: int,
) -> None:
    begun: list[float] = []
    for now, begin in schedule(Pace(interval_s, burst), calls, "one"):
        assert begin == max(now, forgiven(begun, interval_s, burst))
        begun.append(begin)


@given(calls)
def test_servers_do_not_wait_for_each_other(calls: list[Call]) -> None:
    """Each is served as if the other were never asked."""
    lonely = [Call("one" if call.server == "one" else "nobody", call.after_s) for call in calls]
    assert schedule(Pace(), calls, "one") == schedule(Pace(), lonely, "one")


# Memory. -----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), eighths), min_size=40, max_size=120), intervals)
def test_what_is_forgotten_changes_nothing(
    calls: list[tuple[int, float]],
    interval_s: float,
) -> None:
    forgetful, faithful, now = Pace(interval_s, 2), Pace(interval_s, 2), 0.0
    forgetful._tidy_at = 0  # noqa: SLF001 - forgets whenever it can
    for server, after_s in calls:
        now += after_s
        assert forgetful.begins_at(server, now) == faithful.begins_at(server, now)
        assert forgetful.reserve(server, now) == faithful.reserve(server, now)
        forgetful._tidy_at = 0  # noqa: SLF001 - as above


@given(st.lists(st.tuples(st.integers(0, 5), eighths), max_size=60))
def test_asking_counts_nothing(calls: list[tuple[int, float]]) -> None:
    pace, now = Pace(burst=1), 0.0
    for server, after_s in calls:
        now += after_s
        asked = pace.begins_at(server, now)
        assert pace.begins_at(server, now) == asked == pace.reserve(server, now)


def test_a_million_servers_cost_what_those_of_a_second_cost() -> None:
    pace, most = Pace(), 0
    for number in range(200_000):
        pace.reserve(number, number / 1000)  # a thousand a second
        most = max(most, len(pace))
    assert most <= 2 * (1000 + 1)


@pytest.mark.parametrize("interval_s", [0.0])
def test_no_rest_at_all(interval_s: float) -> None:
    pace = Pace(interval_s)
    assert [pace.reserve("host", 7.0) for _ in range(5000)] == [7.0] * 5000
