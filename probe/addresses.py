"""Every address of a name, probed side by side in the time of one probe."""

from typing import Literal

from probe.budget import Budget
from probe.evidence import Evidence
from probe.net.stages import Stages, open_nursery
from probe.prober import DEFAULT_BUDGET, Route, check_found, look_up, report_of
from probe.report import Report
from probe.target import SSH_PORT


async def check_addresses(
    host: str,
    port: int = SSH_PORT,
    *,
    budget: Budget = DEFAULT_BUDGET,
    ip_version: Literal[4, 6] | None = None,
    source: str | None = None,
) -> tuple[Report, ...]:
    """Ask at every address of ``host``, where ``check`` is content with the first that answers.

    A checkpoint. The name is looked up once, and the budget is that of all together: it returns
    when that is spent at the latest. Cancelled, it has closed its sockets and gives no verdict.

    Args:
        host: As for ``check``, and so are the others.
        port: 1 to 65535.
        budget: How long it may take, in all and stage by stage.
        ip_version: 4 or 6 to use addresses of that version alone.
        source: Numeric address of this machine to connect from.

    Returns:
        A report for each address, in the resolver's order; a single one if there is none.

    Raises:
        ValueError: As for ``check``.
    """
    route = Route(host, port, ip_version, source)
    scout, looked_up = Evidence(host, port), Stages(budget)
    found = await look_up(route, looked_up, scout)
    if not found:
        return (report_of(scout),)
    by_address = dict(zip(scout.addresses, found, strict=True))  # a resolver may repeat itself
    reports: dict[str, Report] = {}

    async def check_one(written: str) -> None:
        evidence = Evidence(host, port)
        evidence.addresses = (written,)
        reports[written] = await check_found(route, [by_address[written]], looked_up, evidence)

    async with open_nursery() as nursery:
        for written in by_address:
            nursery.start_soon(check_one, written)
    return tuple(reports[written] for written in by_address)
