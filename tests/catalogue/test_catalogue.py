"""Every row of the catalogue gives its verdict, its place and its time, to the exact instant."""

import pytest
import trio
import trio.testing
from trio.abc import HalfCloseableStream
from trio.testing import MockClock

import probe
from probe.catalogue import BY_NAME, SERVERS, Server, serve
from probe.catalogue.listen import serve_client
from probe.catalogue.moves import Abort, Repeat
from probe.catalogue.play import play
from probe.catalogue.servers import NOT_SERVED

every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)

WITHOUT_RST = [
    server for server in SERVERS if not any(isinstance(move, Abort) for move in server.moves)
]


def assert_expected(report: probe.Report, server: Server) -> None:
    expected = server.expected
    assert report.verdict == expected.verdict, report.line()
    assert report.where == expected.where
    assert report.whose == expected.whose
    assert report.spent_s == pytest.approx(expected.spent_s, abs=1e-9)
    assert [finding.rule.code for finding in report.findings] == list(expected.findings)


@every_server
async def test_over_loopback_tcp(server: Server, autojump_clock: MockClock) -> None:
    async with serve(server) as (host, port):
        assert_expected(await probe.check(host, port), server)


@pytest.mark.parametrize("server", WITHOUT_RST, ids=lambda server: server.name)
async def test_over_a_stream_that_makes_the_sender_wait(
    server: Server,
    autojump_clock: MockClock,
) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def refuse_to_abort() -> None:
        await trio.lowlevel.checkpoint()
        raise AssertionError

    async def be_server(stream: HalfCloseableStream) -> None:
        async with stream:
            await play(server.moves, stream, refuse_to_abort)

    async with trio.open_nursery() as nursery, ours:
        nursery.start_soon(be_server, theirs)
        assert_expected(await probe.handshake(ours), server)


@every_server
def test_names_and_ids_are_unique_and_in_order(server: Server) -> None:
    assert BY_NAME[server.name] is server
    assert [other.id for other in SERVERS] == sorted({other.id for other in SERVERS})


def test_every_verdict_has_a_server_or_a_reason_for_having_none() -> None:
    """Adding a verdict means adding the server that shows it."""
    served = {server.expected.verdict for server in SERVERS}
    assert served | set(NOT_SERVED) == set(probe.Verdict)
    assert not served & set(NOT_SERVED)


def test_a_suite_in_which_failing_always_passes_is_worthless() -> None:
    assert sum(server.expected.verdict == "ok" for server in SERVERS) >= 10


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
    "name",
    [server.name for server in SERVERS if any(isinstance(move, Repeat) for move in server.moves)],
)
async def test_a_flood_ends_when_its_client_leaves(
    name: str,
    autojump_clock: MockClock,
) -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    client = await trio.open_tcp_stream(*listener.socket.getsockname())
    stream = await listener.accept()
    with trio.fail_after(60):  # a second move notices what the first one's pause hid
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_client, BY_NAME[name], stream)
            await client.receive_some(1)
            await client.aclose()
    await listener.aclose()


async def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        async with serve("no-such-server"):
            pass
