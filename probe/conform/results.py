"""The results of a run as JSON has them, and what is read from them again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from probe.catalogue.servers import SERVERS
from probe.conform.observed import Talk
from probe.conform.suite import Client, Ended, Patience
from probe.report.record import passage_members
from probe.report.words import seconds
from probe.version import VERSION

SCHEMA: Final = 1
"""Of the JSON; another number means that members changed their meaning or went."""

_KEPT_TALKS: Final = 4
"""Connections of a case that are told: clients that look for host keys open one for each kind."""

_PLACES: Final = {row.name: place for place, row in enumerate(SERVERS)}


class Run(NamedTuple):
    """A run of the suite.

    Attributes:
        name: Of the client, for people, its version included.
        client: What was put to the test.
        patience: How long it was waited for.
        date: When, in ISO 8601.
        complete: Whether all cases came to their end.
    """

    name: str
    client: Client
    patience: Patience
    date: str
    complete: bool


def to_members(run: Run, ended: Iterable[Ended]) -> dict[str, Any]:
    """Return the results of a run as JSON has them, its cases in the catalogue's order."""
    in_order = sorted(ended, key=lambda one: _PLACES[one.case.row.name])
    return {
        "suite": "sshprobe conform",
        "schema": SCHEMA,
        "version": VERSION,
        "date": run.date,
        "complete": run.complete,
        "client": {
            "name": run.name,
            "kind": run.client.kind,
            "driver": run.client.is_driver,
            "command": list(run.client.command),
        },
        "margin_s": run.patience.margin_s,
        "cases": [_case(one, run.patience) for one in in_order],
    }


def to_json(members: Mapping[str, Any]) -> str:
    """Write results: a case a line, so that two runs can be compared by any tool."""
    cases = ",\n".join(json.dumps(case) for case in members["cases"])
    head = json.dumps({name: value for name, value in members.items() if name != "cases"})
    return f'{head[:-1]}, "cases": [\n{cases}\n]}}\n'


def _case(ended: Ended, patience: Patience) -> dict[str, Any]:
    case, seen, judgement = ended
    row = case.row
    return {
        "id": row.id,
        "name": row.name,
        "section": row.section,
        "level": row.level,
        "requirement": row.requirement,
        "differs": row.differs,
        "right": case.right,
        "limit_s": case.limit_s,
        "hard_limit_s": case.limit_s * patience.hard,
        "result": judgement.result,
        "failed": judgement.level,
        "why": judgement.why,
        "spent_s": seconds(seen.spent_s),
        "status": seen.status,
        "succeeded": seen.succeeded,
        "left": list(seen.left),
        "output": seen.output,
        "cpu_s": seconds(seen.cpu_s),
        "peak_octets": seen.peak_octets,
        "began_s": seconds(seen.began_s),
        "connections": len(seen.talks),
        "talks": [_talk(talk) for talk in seen.talks[:_KEPT_TALKS]],
    }


def _talk(talk: Talk) -> dict[str, Any]:
    return {
        "opened_s": seconds(talk.opened_s),
        "passages": [passage_members(passage) for passage in talk.transcript],
    }


def read(text: str) -> dict[str, Any]:
    """Read results again.

    Raises:
        ValueError: They are none, or of another version.
    """
    try:
        members = json.loads(text)
    except RecursionError:
        message = "not results of sshprobe conform: they are nested too deeply"
        raise ValueError(message) from None
    if not isinstance(members, Mapping) or members.get("suite") != "sshprobe conform":
        message = "not results of sshprobe conform"
        raise ValueError(message)
    if members.get("schema") != SCHEMA:
        message = f"results of schema {members.get('schema')}; this version reads {SCHEMA}"
        raise ValueError(message)
    return dict(members)
