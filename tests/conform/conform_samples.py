"""Results of clients that never were, made as a run makes them: what the tests of reports share."""

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from probe.catalogue.servers import BY_NAME, SERVERS
from probe.conform.case import Kind, case_of
from probe.conform.judge import judge
from probe.conform.observed import Observed, Talk
from probe.conform.results import Run, read, to_members
from probe.conform.suite import Client, Ended, Patience
from probe.evidence import Passage, Side

SAID = b"SSH-2.0-x\r\n"

TALK = Talk(
    0.1,
    0.2,
    SAID,
    SAID,
    (
        Passage(0.1, Side.CLIENT, 0, 11, SAID),
        Passage(0.2, Side.SERVER, 0, 300, bytes(range(40))),
        Passage(0.3, Side.SERVER, 400, 11, SAID),
    ),
)

FAILED = Observed(0.1, 0.3, status=255, succeeded=False, output="no\r\n", talks=(TALK,))
SUCCEEDED = Observed(0.1, 0.3, status=0, succeeded=True, talks=(TALK,))
HUNG = Observed(0.1, killed_s=9.1, succeeded=False, talks=(TALK, TALK))
LATE = Observed(0.1, 5.1, status=255, succeeded=False, talks=(TALK,))
CRASHED = Observed(0.1, 0.3, status=-11, succeeded=False, talks=())
LEAKED = Observed(0.1, 0.3, status=0, succeeded=False, left=("a process: sleep",), talks=(TALK,))

MIXED = {
    "closes-at-once": FAILED,
    "silent": HUNG,
    "garbage": LATE,
    "http": SUCCEEDED,
    "tls": CRASHED,
    "smtp": LEAKED,
    "max-startups-then-closes": SUCCEEDED,
    "no-common-kex": SUCCEEDED,
}
"""Of each result one at the level MUST, and one that is wrong at each lesser level."""


def run_of(
    seen: dict[str, Observed], name: str = "ssh 1.0", *, complete: bool = True
) -> dict[str, Any]:
    """The results of a client, read as a file of them is."""
    cases = {name: case_of(BY_NAME[name], Kind.LOGIN, 3.0) for name in seen}
    ended = [Ended(case, seen[name], judge(case, seen[name], 1.0)) for name, case in cases.items()]
    client = Client(("ssh", "-p", "{port}", "{host}"))
    run = Run(name, client, Patience(), "2026-01-02T03:04:05Z", complete)
    return read(json.dumps(to_members(run, ended)))


runs = st.builds(
    run_of,
    st.dictionaries(
        st.sampled_from([row.name for row in SERVERS]),
        st.sampled_from([FAILED, SUCCEEDED, HUNG, LATE, CRASHED, LEAKED]),
        max_size=12,
    ),
    st.text(st.characters(codec=None), max_size=60),
    complete=st.booleans(),
)

unhurried = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests that take many runs: a busy machine is no failure."""

HOSTILE = "</script><img src=x onerror=ran=1>&lt;<!--\u202e\u2066\0\x1b[2J\ud800\u2028|`\r"
"""What would run, hide, turn round or break something, if it were not escaped."""


def with_hostile_texts(members: dict[str, Any]) -> dict[str, Any]:
    """The same results, in which every free text ends hostile."""
    free = ("name", "section", "requirement", "differs", "why", "output", "version", "date")

    def spoil(value: Any, name: str = "") -> Any:  # noqa: ANN401 - what JSON has
        match value:
            case dict():
                return {name: spoil(inner, name) for name, inner in value.items()}
            case list():
                return [spoil(inner, name) for inner in value]
            case str() if name in {*free, "command", "left"}:
                return value + HOSTILE
        return value

    spoilt: dict[str, Any] = spoil(members)
    return spoilt
