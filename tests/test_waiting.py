"""Waiting until a server is ready: it ends in time, asks politely, and says what it found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from probe import Report, Verdict
from probe.catalogue import BY_NAME, serve
from probe.catalogue.play import play
from probe.expectation import Algorithm, Expectation
from probe.net.pace import BURST, INTERVAL_S, Pace
from probe.waiting import (
    JITTER,
    LONGEST_PAUSE_S,
    SHORTEST_PAUSE_S,
    wait_until_ready,
)

HOST = "127.0.0.1"
REFUSED = Expectation(verdicts=frozenset([Verdict.REFUSED]))


class Heard:
    """The reports on the way, and when they came."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.at: list[float] = []

    def __call__(self, report: Report) -> None:
        self.reports.append(report)
        self.at.append(trio.current_time())

    @property
    def verdicts(self) -> list[str]:
        return [report.verdict for report in self.reports]

    @property
    def pauses_s(self) -> list[float]:
        began = [at - report.spent_s for at, report in zip(self.at, self.reports, strict=True)]
        return [then - at for then, at in zip(began[1:], self.at, strict=False)]


@asynccontextmanager
async def closed_port() -> AsyncIterator[int]:
    """A port on which nobody listens, and that nobody else is given."""
    async with bound() as sock:
        yield sock.getsockname()[1]


@asynccontextmanager
async def bound() -> AsyncIterator[trio.socket.SocketType]:
    with trio.socket.socket() as sock:
        await sock.bind((HOST, 0))
        yield sock


async def be_good_server(stream: trio.SocketStream) -> None:
    async with stream:
        await play(BY_NAME["openssh"].moves, stream, stream.aclose)


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_a_server_that_is_ready_is_not_waited_for(
    heard: Heard,
    autojump_clock: MockClock,
) -> None:
    async with serve("openssh") as (host, port):
        report = await wait_until_ready(host, port, for_s=60, on_report=heard)
    assert report.ok
    assert heard.verdicts == ["ok"]
    assert trio.current_time() < 1


async def test_a_server_that_comes_up_is_seen_soon(heard: Heard, autojump_clock: MockClock) -> None:
    async with bound() as sock, trio.open_nursery() as nursery:

        async def boot() -> None:
            await trio.sleep(30)
            sock.listen()
            await trio.serve_listeners(be_good_server, [trio.SocketListener(sock)])

        nursery.start_soon(boot)
        report = await wait_until_ready(HOST, sock.getsockname()[1], for_s=300, on_report=heard)
        at = trio.current_time()
        nursery.cancel_scope.cancel()
    assert report.ok
    assert set(heard.verdicts[:-1]) == {"refused"}
    assert 30 <= at <= 30 + LONGEST_PAUSE_S * (1 + JITTER)


@pytest.mark.parametrize("for_s", [0.5, 1, 2, 7, 60, 300])
async def test_it_ends_in_time(for_s: float, heard: Heard, autojump_clock: MockClock) -> None:
    async with closed_port() as port:
        report = await wait_until_ready(HOST, port, for_s=for_s, on_report=heard)
    assert report.verdict == "refused"
    assert for_s - 1 <= trio.current_time() + 1e-9
    assert trio.current_time() <= for_s + 1e-9


@pytest.mark.parametrize("for_s", [0.5, 3, 4, 12, 60, 61.5])
async def test_it_ends_in_time_against_a_silent_server(
    for_s: float,
    heard: Heard,
    autojump_clock: MockClock,
) -> None:
    async with serve("silent") as (host, port):
        report = await wait_until_ready(host, port, for_s=for_s, on_report=heard)
    assert for_s - 1 <= trio.current_time() + 1e-9
    assert trio.current_time() <= for_s + 1e-9
    assert report.verdict == ("silent" if for_s > 4 else "budget-exhausted")


async def test_pauses_grow_and_are_not_all_alike(heard: Heard, autojump_clock: MockClock) -> None:
    async with closed_port() as port:
        await wait_until_ready(HOST, port, for_s=120, on_report=heard)
    *pauses_s, _ = heard.pauses_s
    assert SHORTEST_PAUSE_S * (1 - JITTER) <= pauses_s[0] <= SHORTEST_PAUSE_S * (1 + JITTER)
    for pause_s in pauses_s[5:]:
        assert LONGEST_PAUSE_S * (1 - JITTER) <= pause_s <= LONGEST_PAUSE_S * (1 + JITTER)
    assert len(set(pauses_s)) == len(pauses_s)


# FIELD-NOTES 6.3: one a second in the long run, and 15 in a burst.
async def test_the_pace_of_a_polite_prober_is_kept(heard: Heard, autojump_clock: MockClock) -> None:
    async with serve("closes-at-once") as (host, port):
        await wait_until_ready(host, port, for_s=600, on_report=heard)
    pace = Pace(INTERVAL_S, BURST)
    for at in heard.at:
        assert pace.reserve("server", at) == at


async def test_a_penalty_is_sat_out(heard: Heard, autojump_clock: MockClock) -> None:
    async with serve("penalty-then-closes") as (host, port):
        report = await wait_until_ready(host, port, for_s=60, on_report=heard)
    assert report.verdict == "throttled"
    *pauses_s, _ = heard.pauses_s
    assert all(12 <= pause_s <= 20 for pause_s in pauses_s)  # 16 s, a quarter more or less


async def test_no_probe_is_begun_that_could_tell_nothing(
    heard: Heard,
    autojump_clock: MockClock,
) -> None:
    async with serve("silent") as (host, port):
        await wait_until_ready(host, port, for_s=4.9, on_report=heard)
    assert heard.verdicts == ["silent"]


async def test_what_is_expected_ends_the_wait(heard: Heard, autojump_clock: MockClock) -> None:
    async with closed_port() as port:
        report = await wait_until_ready(HOST, port, for_s=60, expectation=REFUSED, on_report=heard)
    assert report.verdict == "refused"
    assert len(heard.reports) == 1


async def test_a_warning_about_a_finding_will_not_pass_and_is_not_waited_for(
    heard: Heard,
    autojump_clock: MockClock,
) -> None:
    warned = Expectation(warn_on=frozenset(["strict-kex-absent"]))
    async with serve("go") as (host, port):
        await wait_until_ready(host, port, for_s=60, expectation=warned, on_report=heard)
    assert heard.verdicts == ["ok"]


async def test_an_algorithm_that_is_missing_is_waited_for(
    heard: Heard,
    autojump_clock: MockClock,
) -> None:
    """sshd may be restarted with another configuration."""
    wish = Expectation(required=(Algorithm("kex", "none"),))
    async with serve("openssh") as (host, port):
        await wait_until_ready(host, port, for_s=10, expectation=wish, on_report=heard)
    assert len(heard.verdicts) > 2


async def test_a_probe_that_was_cut_does_not_hide_the_one_before(
    heard: Heard,
    autojump_clock: MockClock,
) -> None:
    async with serve("silent") as (host, port):
        report = await wait_until_ready(host, port, for_s=8, on_report=heard)
    assert heard.verdicts == ["silent", "budget-exhausted"]
    assert report is heard.reports[0]


@pytest.mark.parametrize("for_s", [0, -1, float("nan"), float("inf")])
async def test_a_time_that_is_none_is_refused(for_s: float) -> None:
    with pytest.raises(ValueError, match="finite number of seconds above 0"):
        await wait_until_ready(HOST, for_s=for_s)


async def test_it_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with closed_port() as port:
        with trio.move_on_after(33):
            await wait_until_ready(HOST, port, for_s=600)
    assert trio.current_time() == pytest.approx(33)


async def test_a_clock_that_jumps_ends_the_wait(heard: Heard, mock_clock: MockClock) -> None:
    """A laptop slept: no time is left, and the limits of what is left must still be limits."""
    mock_clock.autojump_threshold = 0

    def sleep_long(report: Report) -> None:
        heard(report)
        mock_clock.jump(1000) if len(heard.reports) == 2 else None

    async with closed_port() as port:
        report = await wait_until_ready(HOST, port, for_s=60, on_report=sleep_long)
    assert report.verdict == "refused"
    assert len(heard.reports) == 2
