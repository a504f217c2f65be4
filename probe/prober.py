"""The prober, whole: a budget and a server in, a report out."""

import logging
from collections.abc import Awaitable
from socket import AF_INET, AF_INET6, AF_UNSPEC
from types import TracebackType
from typing import Final, Literal

import trio

from probe import liveness
from probe.budget import CONNECT, PROBE, Budget
from probe.evidence import COMPLETE, End, Evidence
from probe.net import kernel
from probe.net.dial import AddressInfo, connect, resolve, source_address
from probe.net.driver import Conversation, open_wire
from probe.net.stages import Ended, Expired, Stages
from probe.report import Report
from probe.target import SSH_PORT, require_target

DEFAULT_BUDGET: Final = Budget()

_FAMILIES: Final = {None: AF_UNSPEC, 4: AF_INET, 6: AF_INET6}

_VERSIONS: Final = {AF_INET: 4, AF_INET6: 6}

LOGGER: Final = logging.getLogger("probe")
"""Says at level DEBUG what came of each probe, and at ERROR, with its traceback, when a bug of ours
ended one. Silent until the caller configures logging."""

LOGGER.addHandler(logging.NullHandler())


async def check(
    host: str,
    port: int = SSH_PORT,
    *,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
    source: str | None = None,
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
        source: Numeric address of this machine to connect from; only addresses of its version are
            used then.

    Returns:
        The report. Whatever is wrong with the server or the network is in it, never raised.

    Raises:
        ValueError: ``host`` is empty or holds NUL or white space, ``port`` is out of range, or
            ``source`` is not numeric or of another IP version than ``ip_version``.
    """
    route = Route(host, port, ip_version, source)
    evidence, stages = Evidence(host, port), Stages(budget)
    with _Conduct(stages, evidence):
        await route.converse(stages, evidence)
    return report_of(evidence)


def require_source(source: str, ip_version: Literal[4, 6] | None) -> AddressInfo:
    """Read the address that connections shall come from.

    Raises:
        ValueError: It is not numeric, or of another IP version than ``ip_version``.
    """
    family, address = source_address(source)
    if ip_version not in (None, _VERSIONS[family]):
        message = f"{source} is no address of IP version {ip_version}"
        raise ValueError(message)
    return family, address


async def look_up(route: "Route", stages: Stages, evidence: Evidence) -> list[AddressInfo]:
    """Find the addresses of a server, and end there.

    Returns:
        An empty list if there are none, or not in time; the evidence then says why.
    """
    with _Conduct(stages, evidence):
        return await route.resolve(stages, evidence)
    return []


async def check_found(
    route: "Route",
    addresses: list[AddressInfo],
    looked_up: Stages,
    evidence: Evidence,
) -> Report:
    """Ask at addresses of those that were found, in the time which the look-up's probe has left.

    They are dialled as given and never looked up again: who judges them judges what is dialled.
    """
    stages = Stages(looked_up.budget, looked_up.began_at)
    with _Conduct(stages, evidence):
        stages.share_resolve(looked_up)
        await route.converse(stages, evidence, addresses)
    return report_of(evidence)


class Route:
    """Where a probe connects to, and from where.

    Args:
        host: As for ``check``, and so are the others.
        port: 1 to 65535.
        ip_version: 4 or 6.
        source: Numeric address to connect from.

    Raises:
        ValueError: As for ``check``.
    """

    __slots__ = ("_family", "_source")

    def __init__(
        self,
        host: str,
        port: int,
        ip_version: Literal[4, 6] | None,
        source: str | None,
    ) -> None:
        require_target(host, port)
        self._source = None if source is None else require_source(source, ip_version)
        self._family = _FAMILIES[ip_version] if self._source is None else self._source[0]

    def resolve(self, stages: Stages, evidence: Evidence) -> Awaitable[list[AddressInfo]]:
        """Find the addresses of those that this route may take. A checkpoint for names."""
        return resolve(stages, evidence, self._family)

    async def converse(
        self,
        stages: Stages,
        evidence: Evidence,
        addresses: list[AddressInfo] | None = None,
    ) -> None:
        """Connect to one of ``addresses``, else of those that the name has, and converse there."""
        if addresses is None:
            addresses = await self.resolve(stages, evidence)
        stream = conversation = None
        try:
            with stages.open(CONNECT, sparingly=True) as opened:
                stream = await connect(addresses, opened, evidence, self._source)
                conversation = Conversation(stream, stages, evidence)
                conversation.begin()
                await conversation.glance()
                await conversation.listen(opened)
        except Expired:
            if conversation is None:
                raise
            await conversation.resume()
        finally:
            if stream is not None:
                try:
                    kernel.record(stream.socket, evidence)
                    if conversation is not None:
                        conversation.conclude()
                finally:
                    stream.close()


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
    with _Conduct(stages, evidence), stages.open(PROBE):  # bounds the task that sends
        async with open_wire(stream, evidence) as wire:
            await Conversation(wire, stages, evidence).hold()
    return report_of(evidence)


def check_blocking(
    host: str,
    port: int = SSH_PORT,
    *,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
    source: str | None = None,
) -> Report:
    """Do what ``check`` does, for code without trio. Blocks the calling thread for the budget.

    It may be called from any thread, by several at once, and with ``asyncio.to_thread``.

    Raises:
        ValueError: As for ``check``.
        RuntimeError: The thread already runs trio: use ``check`` there.
    """

    async def run() -> Report:
        return await check(host, port, budget=budget, ip_version=ip_version, source=source)

    return trio.run(run)


class _Conduct:
    """The stage ``probe``: however what runs in this context ends, the evidence tells it."""

    __slots__ = ("_evidence", "_stages")

    def __init__(self, stages: Stages, evidence: Evidence) -> None:
        self._stages = stages
        self._evidence = evidence

    def __enter__(self) -> None:
        self._stages.begin(PROBE)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(exc, Exception):
            self._record(exc)
        elif exc is not None:  # a caller's change of mind
            return False
        self._conclude()
        return True

    def _record(self, error: Exception) -> None:
        match error:
            case Ended():
                self._evidence.end = error.end
            case Expired():
                self._evidence.end = End.DEADLINE
                self._evidence.whose = self._stages.whose()
            case _:  # a bug of ours must become a verdict: UNKNOWN
                self._evidence.end = End.INTERNAL
                self._evidence.internal_error = repr(error)
                LOGGER.error("sshprobe itself failed", exc_info=error)

    def _conclude(self) -> None:
        stages, evidence = self._stages, self._evidence
        stages.tick()
        evidence.spent_s = stages.elapsed_s
        if evidence.end is COMPLETE:
            stages.leave(PROBE)
        evidence.where = stages.where()
        evidence.stages = stages.books()
        evidence.findings += tuple(liveness.findings(evidence))


def report_of(evidence: Evidence) -> Report:
    """Judge what was seen, once it is whole, and tell the log."""
    report = Report(evidence)
    if LOGGER.isEnabledFor(logging.DEBUG):
        LOGGER.debug("%s", report.line())
    return report
