"""No wait without a deadline: the watch that every test runs under has been seen to bite.

Each broken prober is the good one with a part replaced. It runs under a watch of its own, and what
that finds is compared with the place that waits. See ``tests/waits.py`` for what is judged and why.
"""

import math
import re
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import pytest
import trio
import waits
from proof_pieces import HOST, IDENTIFIED, PORT, Kernel, Server
from trio.testing import MockClock, memory_stream_pair

import probe
from probe import prober
from probe.budget import PROBE, Budget, Ledger, Stage
from probe.net.driver import Conversation
from probe.net.stages import Expired, Stages
from probe.net.tcp import TcpStream

LATE = 1e6
"""When a prober that does not end is stopped."""

SILENT = Server(0.5, ())


class Scene(NamedTuple):
    """What makes a prober wait.

    Attributes:
        server: Whom it asks.
        host: By what name.
        budget: With what limits.
        takes: Whether the kernel takes what it sends.
    """

    server: Server = SILENT
    host: str = HOST
    budget: Budget = Budget()
    takes: bool = True


def found(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Play a scene under a watch, and give what that found, without the numbers of lines."""

    async def play() -> None:
        with trio.move_on_at(LATE):
            async with Kernel(scene.server, takes=scene.takes).installed(monkeypatch):
                await probe.check(scene.host, PORT, budget=scene.budget)

    return found_in(play)


def found_in(main: Callable[[], Awaitable[object]]) -> list[str]:
    lines: list[str] = []
    waits.run_with(waits.Watch(lines), main, clock=MockClock(autojump_threshold=0))
    return [re.sub(r":\d+ ", " ", line) for line in lines]


async def wait_shielded(*_: object) -> None:
    with trio.CancelScope(shield=True, deadline=LATE):
        await trio.sleep_forever()
    await trio.lowlevel.checkpoint()


async def wait_for_ever(*_: object, **__: object) -> None:
    await trio.sleep_forever()


# It bites. ----------------------------------------------------------------------------------------

NAME = Scene(host="host.invalid")
UNCONNECTED = Scene(Server(math.inf, ()))
SAID_AN_OCTET = Scene(Server(0.5, ((1.0, 1),)))
SAID_ITS_IDENTIFICATION = Scene(Server(0.5, ((1.0, IDENTIFIED),)))
IN_A_HURRY = Scene(budget=Budget(3, first_octet_s=9, identification_s=9))

INFINITE = {
    Stage.PROBE: (IN_A_HURRY, "tcp.py in wait_readable waits until 9.5, and probe is due at 3.0"),
    Stage.RESOLVE: (NAME, "dial.py in _resolve_name waits until 10.0, and resolve is due at 2.0"),
    Stage.CONNECT: (UNCONNECTED, "dial.py in _connect waits until 10.0, and connect is due at 4.0"),
    Stage.IDENTIFICATION: (
        SAID_AN_OCTET,
        "tcp.py in wait_readable waits until 10.0, and identification is due at 5.5",
    ),
    Stage.FIRST_OCTET: (
        Scene(),
        "tcp.py in wait_readable waits until 5.5, and first-octet is due at 4.5",
    ),
    Stage.KEXINIT: (
        SAID_ITS_IDENTIFICATION,
        "tcp.py in wait_readable waits until 10.0, and kexinit is due at 6.0",
    ),
}


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_without_a_deadline(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(ledger: Ledger, begun: Stage) -> None:
        good_begin(ledger, begun)
        if begun is stage:
            ledger._deadlines_s[stage] = math.inf  # noqa: SLF001 - its defect

    good_begin = Ledger.begin
    scene, expected = INFINITE[stage]
    monkeypatch.setattr(trio.to_thread, "run_sync", wait_for_ever)
    assert found(scene, monkeypatch) == []
    monkeypatch.setattr(Ledger, "begin", begin)
    assert found(scene, monkeypatch) == [expected]


class Broken(NamedTuple):
    """A prober with a part replaced, and what the watch says of it."""

    owner: object
    part: str
    by: Callable[..., Awaitable[object]]
    scene: Scene
    says: str


async def wait_then_converse(*converse: object) -> None:
    await wait_for_ever()
    await good_converse(*converse)


async def converse_then_wait(*converse: object) -> None:
    with suppress(Expired):
        await good_converse(*converse)
    await wait_for_ever()


async def leave_then_wait(_: object, stages: Stages, __: object) -> None:
    stages.leave(PROBE)
    await wait_for_ever()


good_converse: Callable[..., Awaitable[None]] = prober.Route.converse

BROKEN = {
    "a shielded wait": Broken(
        TcpStream,
        "wait_readable",
        wait_shielded,
        Scene(),
        "driver.py in listen waits until 1000000.0, and first-octet is due at 4.5",
    ),
    "a shielded wait in a task": Broken(
        Conversation,
        "_send_rest",
        wait_shielded,
        Scene(takes=False),
        "test_proof_waits.py in wait_shielded waits until 1000000.0, and first-octet is due at 4.5",
    ),
    "a wait before the outer scope": Broken(
        prober.Route,
        "converse",
        wait_then_converse,
        Scene(),
        "prober.py in check waits until 1000000.0, and probe is due at 10.0",
    ),
    "a wait after the outer scope": Broken(
        prober.Route,
        "converse",
        converse_then_wait,
        Scene(),
        "prober.py in check waits until 1000000.0, and first-octet is due at 4.5",
    ),
    "a wait outside of all stages": Broken(
        prober.Route,
        "converse",
        leave_then_wait,
        Scene(),
        "prober.py in check waits until 1000000.0, and no stage runs",
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_wait_beyond_the_scopes(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(broken.scene, monkeypatch) == []
    monkeypatch.setattr(broken.owner, broken.part, broken.by)
    assert found(broken.scene, monkeypatch) == [broken.says]


# It judges probes, and nothing else. --------------------------------------------------------------


class Restless(trio.abc.Stream):
    """A stream of a caller's that starts a task of its own when it is read."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 - trio's
        self._nursery.start_soon(trio.sleep_forever)
        await trio.sleep(1)
        return b"SSH"

    async def send_all(self, data: object) -> None:  # noqa: ARG002 - trio's
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def a_read_without_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Kernel(SILENT).installed(monkeypatch) as kernel:
        await kernel.connected_stream().receive_some()


async def a_server_beside_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.receive_some)
        nursery.start_soon(trio.sleep_forever)
        await probe.handshake(ours)


async def a_task_of_a_callers_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trio.open_nursery() as nursery:
        await probe.handshake(Restless(nursery))
        await trio.sleep_forever()


@pytest.mark.parametrize(
    "wait",
    [a_read_without_a_probe, a_server_beside_a_probe, a_task_of_a_callers_stream],
)
def test_waits_that_are_not_a_probes(
    wait: Callable[[pytest.MonkeyPatch], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        with trio.move_on_at(LATE):
            await wait(monkeypatch)
        assert trio.current_time() == LATE

    assert found_in(main) == []


# Every run is watched. ----------------------------------------------------------------------------


async def probe_badly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TcpStream, "wait_readable", wait_shielded)
    async with Kernel(SILENT).installed(monkeypatch):
        await probe.check(HOST, PORT)


def assert_found_and_forget() -> None:
    assert [line for line in waits.FOUND if "in listen waits" in line]
    waits.FOUND.clear()


async def test_an_async_test(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    await probe_badly(monkeypatch)
    assert_found_and_forget()


def test_a_run_of_a_tests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    trio.run(probe_badly, monkeypatch, clock=MockClock(autojump_threshold=0))
    assert_found_and_forget()


def test_a_run_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        trio.run(probe_badly, monkeypatch, clock=MockClock(autojump_threshold=0))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert_found_and_forget()


def test_a_watch_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "_stack", None)
    trio.run(trio.sleep, 0)
    assert waits.FOUND == ["the watch broke: see the log"]
    waits.FOUND.clear()


def test_what_is_found_fails_the_test() -> None:
    call = waits.pytest_runtest_call()
    next(call)
    waits.FOUND.append("a wait")
    with pytest.raises(pytest.fail.Exception, match="a wait"):
        next(call)
    assert waits.FOUND == []
