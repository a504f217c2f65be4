"""Runs a client against cases: for each a server, and a process that keeps the client."""

import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import trio

from probe.catalogue.listen import serve
from probe.conform import keeper
from probe.conform.case import Case, Kind, is_loud
from probe.conform.judge import Judgement, judge
from probe.conform.observed import Observed, Talk
from probe.conform.tap import Tap
from probe.text import quote

KEEPER: Final = (sys.executable, "-I", "-S", keeper.__file__)
"""Without what an installation adds to Python: it starts once a case."""

_PATIENCE_S: Final = 30.0
"""How much longer than its orders a keeper may take before something is wrong with ours."""

_ENDING_S: Final = 2 * keeper.KILLING_S
"""How long a keeper that is called off may take to end its client."""


@dataclass(frozen=True, slots=True)
class Client:
    """What is put to the test.

    Attributes:
        command: The program and its arguments, in which ``{host}``, ``{port}``, ``{limit}`` and
            ``{case}`` stand for what they say.
        kind: How far it means to go.
        is_driver: Whether it calls a library, and speaks the lines of a driver.
        success: What its output shows if it succeeded; if ``None``, status 0 says so.
    """

    command: tuple[str, ...]
    kind: Kind = Kind.LOGIN
    is_driver: bool = False
    success: re.Pattern[str] | None = None


class Patience(NamedTuple):
    """How long a client is waited for.

    Attributes:
        margin_s: How much later than its limit it may end, and how long what it leaves may take
            to vanish, in seconds.
        hard: After how many times its limit it is killed.
    """

    margin_s: float = 1.0
    hard: float = 3.0


PATIENCE: Final = Patience()


class Ended(NamedTuple):
    """A case that came to its end."""

    case: Case
    seen: Observed
    judgement: Judgement


class CouldNotStartError(Exception):
    """The client could not be started; the message says why."""


@asynccontextmanager
async def run(
    cases: Iterable[Case],
    client: Client,
    patience: Patience = PATIENCE,
    jobs: int = 8,
) -> AsyncIterator[trio.MemoryReceiveChannel[Ended]]:
    """Run a client against cases, several at once, until the context is left.

    Servers that send as fast as they can take turns: two of them would make a third look slow.

    Args:
        cases: What it is put to; they begin in this order.
        client: What is put to the test.
        patience: How long it is waited for.
        jobs: Cases at once.

    Yields:
        What came of each case, in the order in which they end. It ends after the last.

    Raises:
        ExceptionGroup: Of a ``CouldNotStartError``, or of what the body raised.
    """
    outbox, inbox = trio.open_memory_channel[Ended](float("inf"))
    places, floor = trio.Semaphore(jobs), trio.Lock()

    async def run_all() -> None:
        with outbox:
            async with trio.open_nursery() as running:
                for case in cases:
                    await places.acquire()
                    running.start_soon(run_one, case)

    async def run_one(case: Case) -> None:
        async with floor if is_loud(case.row) else nullcontext():
            seen = await run_case(case, client, patience)
        outbox.send_nowait(Ended(case, seen, judge(case, seen, patience.margin_s)))
        places.release()

    async with inbox, trio.open_nursery() as nursery:
        nursery.start_soon(run_all)
        yield inbox
        nursery.cancel_scope.cancel()


async def run_case(case: Case, client: Client, patience: Patience) -> Observed:
    """Run a client against one server, and return what was seen of it.

    Raises:
        CouldNotStartError: There is no such program, or it may not be run.
    """
    began_at = time.monotonic()
    taps: list[Tap] = []

    def elapsed_s() -> float:
        return time.monotonic() - began_at

    def listen_in(stream: trio.SocketStream) -> Tap:
        taps.append(Tap(stream, elapsed_s, hangs_up=case.ends_with_kexinit))
        return taps[-1]

    async with serve(case.row, tap=listen_in) as (host, port):
        orders = keeper.Orders(
            command=[_fill(word, case, host, port) for word in client.command],
            port=port,
            is_driver=client.is_driver,
            hard_limit_s=case.limit_s * patience.hard,
            settle_s=patience.margin_s,
        )
        account = await _keep(orders)
        talks = tuple(tap.talk() for tap in taps)
    return observe(account, client, began_at, talks)


def observe(
    account: Mapping[str, Any],
    client: Client,
    began_at: float,
    talks: tuple[Talk, ...],
) -> Observed:
    """Make of a keeper's account what was seen.

    Args:
        account: As the keeper writes it.
        client: Whose account it is.
        began_at: When the case began, on the monotonic clock.
        talks: The client's connections.
    """
    said = {word: (at - began_at, text) for word, (at, text) in account["said"].items()}
    started_s = account["began_at"] - began_at
    ended_s = None if account["ended_at"] is None else account["ended_at"] - began_at
    connected_s = talks[0].opened_s if talks else started_s
    return Observed(
        began_s=said["calling"][0] if "calling" in said else connected_s,
        ended_s=said["returned"][0] if "returned" in said else ended_s,
        killed_s=account["killed_at"] - began_at,
        status=None if ended_s is None else account["status"],
        succeeded=_succeeded(account, client, has_ended=ended_s is not None),
        is_cut_short=client.is_driver and ended_s is not None and "returned" not in said,
        left=tuple(_left(account)),
        output=account["output"],
        cpu_s=account["cpu_s"],
        peak_octets=account["peak_octets"],
        talks=talks,
    )


def _succeeded(account: Mapping[str, Any], client: Client, *, has_ended: bool) -> bool | None:
    if client.is_driver:
        _, text = account["said"].get("returned", (0.0, ""))
        return {"ok": True, "failed": False}.get(text.partition(" ")[0])
    if client.success is not None:
        return client.success.search(account["output"]) is not None
    return account["status"] == 0 if has_ended else None


def _left(account: Mapping[str, Any]) -> Iterator[str]:
    """Say what lived on of a client."""
    if count := account["connections"]:
        yield "a connection to the server" if count == 1 else f"{count} connections to the server"
    for name in account["children"]:
        yield f"a process: {quote(name)}"
    before, after = (_counts(account["said"], word) for word in ("calling", "left"))
    for name, count in after.items():
        if count > before.get(name, 0):
            yield f"{name}: {before.get(name, 0)} before, {count} after"


def _counts(said: Mapping[str, tuple[float, str]], word: str) -> dict[str, int]:
    _, text = said.get(word, (0.0, ""))
    return {name: int(count) for name, count in _COUNT.findall(text)}


_COUNT: Final = re.compile(r"([\w-]+)=(\d+)", re.ASCII)


def _fill(word: str, case: Case, host: str, port: int) -> str:
    """Put what a case has to say in a word of the command; other braces stay."""
    for name, value in (
        ("host", host),
        ("port", str(port)),
        ("limit", f"{case.limit_s:g}"),
        ("case", case.row.name),
    ):
        word = word.replace(f"{{{name}}}", value)
    return word


async def _keep(orders: keeper.Orders) -> dict[str, Any]:
    """Have a keeper run the client, and return its account."""
    process = await trio.lowlevel.open_process(
        [*KEEPER, json.dumps(orders._asdict())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # an interrupted run tells it so itself
    )
    assert process.stdin is not None  # noqa: S101 - they were asked for
    assert process.stdout is not None  # noqa: S101 - likewise
    try:
        with trio.fail_after(2 * orders.hard_limit_s + 2 * orders.settle_s + _PATIENCE_S):
            octets = b"".join([part async for part in process.stdout])
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _ENDING_S):
            await process.stdin.aclose()  # calls it off if it still runs
            await process.wait()
    account: dict[str, Any] = json.loads(octets)
    if "could_not_start" in account:
        message = f"cannot start {quote(orders.command[0])}: {account['could_not_start']}"
        raise CouldNotStartError(message)
    return account
