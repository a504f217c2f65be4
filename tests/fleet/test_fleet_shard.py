"""A shard is a function from targets to reports that any engine can send to another process."""

import multiprocessing
import pickle
import threading
import time
from collections.abc import Iterator

import pytest
import trio
from fleet_pieces import SERVERS, descriptors, install, report

import probe
from probe.catalogue import serve
from probe.report import Report
from probe.shard import Shard
from probe.target import Target

HOST = "127.0.0.1"

LIMIT_S = 5.0
"""Longer than anything here takes on the slowest machine."""


@pytest.fixture
def good() -> Iterator[tuple[str, int]]:
    """A good server in a thread of its own."""
    ready, left = threading.Event(), trio.Event()
    tokens: list[trio.lowlevel.TrioToken] = []
    addresses: list[tuple[str, int]] = []

    async def run() -> None:
        async with serve("openssh") as address:
            addresses.append(address)
            tokens.append(trio.lowlevel.current_trio_token())
            ready.set()
            await left.wait()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    ready.wait()
    yield addresses[0]
    tokens[0].run_sync_soon(left.set)
    thread.join()


def shard_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sshprobe-shard"]


def test_targets_in_reports_out(good: tuple[str, int]) -> None:
    reports = list(Shard(per_server_rate=0)([good] * 30))
    assert [each.verdict for each in reports] == ["ok"] * 30
    assert not shard_threads()


def test_no_targets() -> None:
    assert list(Shard()([])) == []
    assert not shard_threads()


def test_it_pickles_and_is_frozen() -> None:
    shard = Shard(budget=probe.Budget(3), ip_version=4, max_in_flight=7)
    assert pickle.loads(pickle.dumps(shard)) == shard  # noqa: S301 - ours
    with pytest.raises(AttributeError):
        shard.rate = 5.0  # type: ignore[misc]


def ask(parts: tuple[Shard, list[Target]]) -> list[Report]:
    shard, targets = parts
    return list(shard(targets))


def test_a_pool_of_processes_that_share_nothing(good: tuple[str, int]) -> None:
    shard, target = Shard(budget=probe.Budget(3)), Target(*good)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        parts = pool.map(ask, [(shard, [target] * 3), (shard, [target] * 2)])
    assert [len(part) for part in parts] == [3, 2]
    assert {each.verdict for part in parts for each in part} == {"ok"}
    assert {each.identification for part in parts for each in part} == {"SSH-2.0-OpenSSH_10.5"}


def test_leaving_early_leaves_nothing(good: tuple[str, int]) -> None:
    before = descriptors()
    reports = Shard()([good] * 1000)
    assert next(reports).ok
    assert shard_threads()
    reports.close()  # type: ignore[attr-defined]
    assert not shard_threads()
    left = threading.Event()
    deadline = time.monotonic() + LIMIT_S  # the server's ends are closed by another thread
    while descriptors() != before and time.monotonic() < deadline:
        left.wait(0.01)
    assert descriptors() == before


@pytest.mark.real_time
def test_no_deadline_is_seen_late_where_reports_are_taken_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The probes have a thread of their own: the caller's work is not their delay."""
    late: list[float] = []

    async def check(host: str, port: int, **keywords: object) -> Report:
        due = trio.current_time() + 0.05
        await trio.sleep_until(due)
        late.append(trio.current_time() - due)
        return report(host, port)

    install(monkeypatch, check)
    pause = threading.Event()
    for _ in Shard(max_in_flight=3)(SERVERS[:5]):
        pause.wait(0.4)
    assert len(late) == 5
    assert max(late) < 0.3


@pytest.mark.parametrize("targets", [[("", 22)], [*SERVERS[:3], (HOST, 0)]], ids=["one", "last"])
def test_what_is_no_target_is_refused(
    targets: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(host: str, port: int, **keywords: object) -> Report:
        await trio.sleep(60)
        return report(host, port)

    install(monkeypatch, check)
    with pytest.raises(ValueError, match="not a"):
        list(Shard()(targets))
    assert not shard_threads()


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="rate must be"):
        list(Shard(rate=-1)([]))
    assert not shard_threads()


async def test_inside_trio_there_is_sweep() -> None:
    await trio.lowlevel.checkpoint()
    with pytest.raises(RuntimeError, match="blocking"):
        list(Shard()([]))
    assert not shard_threads()


def test_trouble_between_two_reports_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep fails while nobody asks it for anything."""
    failed = threading.Event()

    def targets() -> Iterator[tuple[str, int]]:
        yield SERVERS[0]
        assert taken.wait(LIMIT_S)
        failed.set()
        raise KeyError

    async def check(host: str, port: int, **keywords: object) -> Report:
        await trio.lowlevel.checkpoint()
        return report(host, port)

    install(monkeypatch, check)
    taken = threading.Event()
    reports = Shard()(targets())
    assert next(reports).ok
    taken.set()
    [thread] = shard_threads()
    thread.join(LIMIT_S)
    assert failed.is_set()
    with pytest.raises(KeyError):
        next(reports)
