"""Every row of the catalogue gives its verdict, its place and its time, to the exact instant."""

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.abc import HalfCloseableStream
from trio.testing import MockClock

import probe
from probe.catalogue import BY_NAME, SERVERS, Server, serve
from probe.catalogue.moves import Abort, Repeat
from probe.catalogue.play import play
from probe.catalogue.servers import NOT_SERVED

AnyStream = trio.StapledStream[Any, Any]

every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
in_virtual_time = pytest.mark.parametrize(
    "server",
    [server for server in SERVERS if not server.needs_kernel],
    ids=lambda server: server.name,
)

WITHOUT_RST = [
    server
    for server in SERVERS
    if not server.needs_kernel and not any(isinstance(move, Abort) for move in server.turns[0])
]


def assert_expected(report: probe.Report, server: Server) -> None:
    expected = server.expected
    assert report.verdict == expected.verdict, report.line()
    assert report.where == expected.where
    assert report.whose == expected.whose
    assert report.spent_s == pytest.approx(expected.spent_s, abs=1e-9)
    assert [finding.rule.code for finding in report.findings] == list(expected.findings)


@in_virtual_time
async def test_over_loopback_tcp(server: Server, autojump_clock: MockClock) -> None:
    async with serve(server) as (host, port):
        assert_expected(await probe.check(host, port), server)


@pytest.mark.real_time
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: TCP_INFO and socket filters")
async def test_what_only_the_kernel_can_tell() -> None:
    """In real time, all side by side: the kernel's timers know no virtual clock."""
    wrong: list[str] = []

    async def probe_one(server: Server) -> None:
        async with serve(server) as (host, port):
            report = await probe.check(host, port)
        expected = server.expected
        seen = (report.verdict, report.where, report.whose, report.findings)
        if seen != (expected.verdict, expected.where, expected.whose, ()):
            wrong.append(f"{server.name}: {report.line()} {report.evidence.tcp}")

    async with trio.open_nursery() as nursery:
        for server in SERVERS:
            if server.needs_kernel:
                nursery.start_soon(probe_one, server)
    assert not wrong


@pytest.mark.parametrize(
    "stream_pair",
    [trio.testing.lockstep_stream_pair, trio.testing.memory_stream_pair],
    ids=["the sender waits", "the sender never waits"],
)
@pytest.mark.parametrize("server", WITHOUT_RST, ids=lambda server: server.name)
async def test_over_a_stream(
    server: Server,
    stream_pair: Callable[[], tuple[AnyStream, AnyStream]],
    autojump_clock: MockClock,
) -> None:
    ours, theirs = stream_pair()

    async def refuse_to_abort() -> None:
        await trio.lowlevel.checkpoint()
        raise AssertionError

    async def be_server(stream: HalfCloseableStream) -> None:
        async with stream:
            await play(server.turns[0], stream, refuse_to_abort)

    async with trio.open_nursery() as nursery, ours:
        nursery.start_soon(be_server, theirs)
        assert_expected(await probe.handshake(ours), server)
        nursery.cancel_scope.cancel()  # a server that stalls would stay for ever


@every_server
def test_names_and_ids_are_unique_and_in_order(server: Server) -> None:
    assert BY_NAME[server.name] is server
    assert [other.id for other in SERVERS] == sorted({other.id for other in SERVERS})


def test_every_verdict_has_a_server_or_a_reason_for_having_none() -> None:
    """Adding a verdict means adding the server that shows it."""
    served = {server.expected.verdict for server in SERVERS}
    assert served | set(NOT_SERVED) == set(probe.Verdict)
    assert not served & set(NOT_SERVED)


def test_rows_that_expect_the_same_say_what_differs() -> None:
    by_expectation = defaultdict(list)
    for server in SERVERS:
        expected = server.expected
        key = (expected.verdict, expected.where, expected.whose, expected.findings)
        by_expectation[key].append(server)
    for servers in by_expectation.values():
        said = [server.differs for server in servers]
        assert len(servers) == 1 or all(said), [server.name for server in servers]
        assert len(set(said)) == len(said), said


def test_no_two_rows_do_the_same() -> None:
    assert len({server.moves for server in SERVERS}) == len(SERVERS)


def test_a_suite_in_which_failing_always_passes_is_worthless() -> None:
    assert sum(server.expected.verdict == "ok" for server in SERVERS) >= 15
    assert len(SERVERS) >= 100


async def test_a_server_serves_many_clients_at_once(autojump_clock: MockClock) -> None:
    reports: list[probe.Report] = []

    async def ask(host: str, port: int) -> None:
        reports.append(await probe.check(host, port))

    async with serve("silent") as (host, port), trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask, host, port)
    assert [report.verdict for report in reports] == ["silent"] * 100
    assert trio.current_time() < 5


@pytest.mark.parametrize(
    "server",
    [server for server in SERVERS if any(isinstance(move, Repeat) for move in server.moves)],
    ids=lambda server: server.name,
)
async def test_a_flood_ends_when_its_client_leaves(
    server: Server,
    autojump_clock: MockClock,
) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def be_client() -> None:
        async with ours:
            await ours.receive_some(1)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(be_client)
            await play(server.moves, theirs, theirs.aclose)


@pytest.mark.parametrize("cap_octets", [4096, 65536])
async def test_a_flood_tires(
    cap_octets: int,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A forgotten server must not burn a core, and yet free nobody by its end."""
    monkeypatch.setattr("probe.catalogue.play.LARGEST_FLOOD_OCTETS", cap_octets)
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.move_on_after(10.5):
        await play(BY_NAME["endless-octets"].moves, theirs, theirs.aclose)
    await theirs.send_eof()
    received = 0
    async for octets in ours:
        received += len(octets)
    assert received == cap_octets + 10 * 4096


async def test_turns_are_taken(autojump_clock: MockClock) -> None:
    async with serve("drops-every-second-client") as (host, port):
        verdicts = [(await probe.check(host, port)).verdict for _ in range(4)]
    assert verdicts == ["ok", "throttled"] * 2


async def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        async with serve("no-such-server"):
            pass
