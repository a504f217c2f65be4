"""Every address of a name, a chosen source, and what the log is told."""

import logging
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
from trio.testing import MockClock

import probe
from probe import Budget, Stage
from probe.catalogue import serve
from probe.net import dial
from probe.net.stages import Stages
from probe.prober import LOGGER

HOST = "127.0.0.1"
NAME = "build-7.example"

only_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere loopback has one address"
)


def resolve_to(
    addresses: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    after_s: float = 0.0,
) -> None:
    """Let every name have these addresses, after a while of virtual time."""

    async def resolve(
        stages: Stages,
        evidence: probe.Evidence,
        family: socket.AddressFamily,
    ) -> list[dial.AddressInfo]:
        with stages.open(Stage.RESOLVE):
            await trio.sleep(after_s)
        evidence.addresses = tuple(addresses)
        return [(socket.AF_INET, (address, evidence.port)) for address in addresses]

    monkeypatch.setattr("probe.prober.resolve", resolve)


@only_linux
async def test_each_address_has_a_report_in_the_resolvers_order(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    resolve_to(["127.0.0.3", "127.0.0.1", "127.0.0.2"], monkeypatch)
    async with serve("openssh", "127.0.0.1") as (_, port), serve("silent", "127.0.0.2", port):
        reports = await probe.check_addresses(NAME, port)
    assert [report.verdict for report in reports] == ["refused", "ok", "silent"]
    addresses = [report.evidence.addresses for report in reports]
    assert addresses == [("127.0.0.3",), ("127.0.0.1",), ("127.0.0.2",)]
    assert {report.target for report in reports} == {f"{NAME}:{port}"}


@only_linux
async def test_they_share_the_look_up_and_the_time(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    resolve_to(["127.0.0.1", "127.0.0.2"], monkeypatch, after_s=1.5)
    async with serve("silent", "127.0.0.1") as (_, port), serve("silent", "127.0.0.2", port):
        reports = await probe.check_addresses(
            NAME, port, budget=Budget(3, resolve_s=2, connect_s=9)
        )
    for report in reports:
        look_up = report.evidence.stage(Stage.RESOLVE)
        assert look_up is not None
        assert (look_up.began_s, look_up.spent_s, look_up.completed) == (0.0, 1.5, True)
        assert report.spent_s == pytest.approx(1.5 + 1.2)
    assert trio.current_time() == pytest.approx(2.7)


async def test_the_whole_probe_has_one_limit_for_look_up_and_addresses(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    resolve_to([HOST], monkeypatch, after_s=9.0)
    async with serve("silent") as (_, port):
        [report] = await probe.check_addresses(NAME, port, budget=Budget(10, resolve_s=9.5))
    assert report.verdict == "budget-exhausted"
    assert report.whose is Stage.PROBE
    assert trio.current_time() == pytest.approx(10)


async def test_a_name_that_is_slow_to_resolve_has_one_report(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    resolve_to([HOST], monkeypatch, after_s=60)
    [report] = await probe.check_addresses(NAME)
    assert report.verdict == "name-timeout"


async def test_a_resolver_that_repeats_itself_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    resolve_to([HOST, HOST], monkeypatch)
    async with serve("openssh") as (_, port):
        [report] = await probe.check_addresses(NAME, port)
    assert report.ok


async def test_a_numeric_address_is_its_only_one(autojump_clock: MockClock) -> None:
    async with serve("openssh") as (host, port):
        [report] = await probe.check_addresses(host, port)
    assert report.ok
    assert report.evidence.stage(Stage.RESOLVE) is None


async def test_the_callers_cancellation_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    resolve_to([HOST, "127.0.0.2"], monkeypatch)
    async with serve("silent") as (_, port):
        with trio.move_on_after(2) as scope:
            await probe.check_addresses(NAME, port)
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(2)


# Where connections come from. --------------------------------------------------------------------


async def source_of(ask: Callable[[int], Awaitable[object]]) -> str:
    """The address that a server sees."""
    seen: list[str] = []

    async def look(stream: trio.SocketStream) -> None:
        seen.append(stream.socket.getpeername()[0])
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(0, host=HOST)
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, look, [listener])
        await ask(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()
    return seen[0]


@only_linux
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.9"])
async def test_a_server_sees_the_source(source: str, autojump_clock: MockClock) -> None:
    async def ask(port: int) -> None:
        await probe.check(HOST, port, source=source)

    assert await source_of(ask) == source


@only_linux
def test_a_source_serves_for_more_connections_than_it_has_ports() -> None:
    """The port is chosen as the connection is made, so that two servers may see the same one."""
    with socket.create_server((HOST, 0)) as listener:
        info = dial.source_address("127.0.0.9")
        with socket.socket() as sock:
            dial._bind(sock, info)  # noqa: SLF001 - what is behind it cannot be seen from outside
            assert sock.getsockname()[1] == 0
            sock.connect(listener.getsockname())
            assert sock.getsockname()[1] != 0


async def test_a_source_that_is_not_ours_is_a_local_error(autojump_clock: MockClock) -> None:
    report = await probe.check(HOST, 22, source="192.0.2.1")
    assert report.verdict == "local-error"
    assert "EADDRNOTAVAIL" in (report.error or "")


async def test_the_source_decides_on_the_ip_version() -> None:
    report = await probe.check("::1", 22, source=HOST)
    assert report.verdict == "name-error"  # an IPv6 address is no name with IPv4 addresses


async def test_a_source_on_a_system_that_chooses_ports_early(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    async with serve("openssh") as (host, port):
        assert (await probe.check(host, port, source=HOST)).ok


@pytest.mark.parametrize("source", ["", "localhost", "127.0.0.256", "a\0b", "ü"])
async def test_a_source_that_is_no_address_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="not a numeric address"):
        await probe.check(HOST, source=source)


async def test_a_source_of_the_other_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no address of IP version 6"):
        await probe.check(HOST, source=HOST, ip_version=6)


# The log. ----------------------------------------------------------------------------------------


def test_nothing_is_logged_unasked() -> None:
    """Not even by Python's handler of last resort."""
    program = (
        "import logging, probe; probe.check; "
        "logging.getLogger('probe').error('a bug'); print(logging.getLogger('probe').handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "NullHandler" in done.stdout


async def test_what_came_of_a_probe_is_told_to_who_asks(
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    async with serve("line-before-with-escapes") as (host, port):
        report = await probe.check(host, port)
        assert caplog.messages == []
        with caplog.at_level(logging.DEBUG, "probe"):
            await probe.check(host, port)
    [message] = caplog.messages
    assert message.split("  ")[:4] == report.line().split("  ")[:4]
    assert message.isprintable()
    assert LOGGER.name == "probe"


async def test_a_bug_of_ours_is_told_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    async def fail(*_: object) -> None:
        await trio.lowlevel.checkpoint()
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr("probe.prober.resolve", fail)
    report = await probe.check(HOST)
    assert report.verdict == "internal-error"
    assert "RuntimeError: a bug" in caplog.text
