"""The prober, whole: a budget and a server in, a report out."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from socket import AF_INET, AF_INET6, AF_UNSPEC
from typing import Final, Literal

import trio

from probe import liveness
from probe.budget import Budget, Stage
from probe.evidence import End, Evidence
from probe.net import kernel
from probe.net.dial import connect, resolve
from probe.net.driver import Conversation, open_wire
from probe.net.stages import Ended, Expired, Stages
from probe.report import Report
from probe.target import SSH_PORT, require_target

DEFAULT_BUDGET: Final = Budget()

_FAMILIES: Final = {None: AF_UNSPEC, 4: AF_INET, 6: AF_INET6}


async def check(
    host: str,
    port: int = SSH_PORT,
    *,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
) -> Report:
    """Ask the server at ``host`` whether a session can begin, and always have an answer.

    A checkpoint. It connects, exchanges identification strings and KEXINIT, and leaves; it needs
    no keys and does not log in. It returns when the budget is spent at the latest.

    Pass a budget, not a cancel scope of your own: cancelled from outside, it raises
    ``trio.Cancelled``, has closed its socket, and gives no verdict.

    OpenSSH 9.8 and later punishes sources that connect often without logging in: ask one server
    at most once a second, and in bursts of 15 at most.

    Args:
        host: A name or a numeric address; ``fe80::1%eth0`` for a scoped one.
        port: 1 to 65535.
        budget: How long it may take, in all and stage by stage.
        ip_version: 4 or 6 to use addresses of that version alone.

    Returns:
        The report. Whatever is wrong with the server or the network is in it, never raised.

    Raises:
        ValueError: ``host`` is empty or holds NUL or white space, or ``port`` is out of range.
    """
    require_target(host, port)
    evidence = Evidence(host, port)
    stages = Stages(budget)

    async def converse() -> None:
        addresses = await resolve(stages, evidence, _FAMILIES[ip_version])
        stream = await connect(addresses, stages, evidence)
        with closing(stream):
            try:
                await Conversation(stream, stages, evidence).run()
            finally:
                kernel.record(stream.socket, evidence)

    return await _conduct(converse, stages, evidence)


async def handshake(stream: trio.abc.Stream, *, budget: Budget = DEFAULT_BUDGET) -> Report:
    """Ask the server at the other end of ``stream``, which may be a proxy or a tunnel.

    Like ``check`` from the moment when the connection is up. The stream is left open and is the
    caller's to close; it is of no further use for SSH.

    Args:
        stream: Connected, nothing sent or received on it yet, nobody else using it.
        budget: The limits from ``identification`` on apply, and that of the whole probe.

    Returns:
        The report; its target is ``stream``.
    """
    evidence = Evidence()
    stages = Stages(budget)

    async def converse() -> None:
        async with open_wire(stream, evidence) as wire:
            await Conversation(wire, stages, evidence).run()

    return await _conduct(converse, stages, evidence)


def check_blocking(
    host: str,
    port: int = SSH_PORT,
    *,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
) -> Report:
    """Do what ``check`` does, for code without trio. Blocks the calling thread for the budget.

    It may be called from any thread, by several at once, and with ``asyncio.to_thread``.

    Raises:
        ValueError: As for ``check``.
        RuntimeError: The thread already runs trio: use ``check`` there.
    """

    async def run() -> Report:
        return await check(host, port, budget=budget, ip_version=ip_version)

    return trio.run(run)


async def _conduct(
    converse: Callable[[], Awaitable[None]],
    stages: Stages,
    evidence: Evidence,
) -> Report:
    """Run a conversation under the probe's own scope, and report however it ended."""
    try:
        with stages.open(Stage.PROBE):
            await converse()
    except Ended as ended:
        evidence.end = ended.end
    except Expired:
        if evidence.end is End.UNKNOWN:
            evidence.end = End.DEADLINE
            evidence.whose = stages.ledger.whose()
    except Exception as error:  # noqa: BLE001 - a bug of ours must become a verdict: UNKNOWN
        evidence.end = End.INTERNAL
        evidence.internal_error = repr(error)
    evidence.spent_s = stages.elapsed_s()
    if evidence.end is End.COMPLETE:
        stages.leave(Stage.PROBE)
    evidence.where = stages.ledger.where()
    evidence.stages = stages.ledger.times(stages.ledger.began_at + evidence.spent_s)
    evidence.findings += tuple(liveness.findings(evidence))
    return Report(evidence)
