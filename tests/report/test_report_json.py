"""JSON for programs: what was written can be read again, and the schema says what is in it."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from evidence_pieces import arbitrary, consistent, evidence, ran, tcp
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from report_pieces import strings
from trio.testing import MockClock

import probe
from probe import Report, Stage, State, Verdict
from probe.catalogue import SERVERS, Server, serve
from probe.evidence import Attempt, CallError, End, Evidence, Side
from probe.report import SCHEMA, schema
from probe.report.record import RULES
from probe.ssh import rules
from probe.ssh.rules import Finding, Rule, Subject

IN_VIRTUAL_TIME = [server for server in SERVERS if not server.needs_kernel]


def strict(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The schema with no room for members that it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: strict(value) for key, value in schema.items()}
    return inner | ({"additionalProperties": False} if "properties" in schema else {})


PUBLISHED: Any = json.loads(schema())
STRICT = Draft202012Validator(strict(PUBLISHED))


def assert_valid(report: Report) -> None:
    for transcript in (False, True):
        members = json.loads(report.to_json(transcript=transcript))
        assert list(STRICT.iter_errors(members)) == []
        assert [*members, "reasons"] == list(PUBLISHED["properties"])
        assert list(members) == PUBLISHED["required"]


def assert_read_again(report: Report) -> None:
    for transcript in (False, True):
        written = report.to_json(transcript=transcript)
        read = Report.from_json(written)
        assert read.to_json(transcript=transcript) == written
        assert read.verdict is report.verdict
        assert read.line() == report.line()
        if transcript:
            assert read.explain(whole=True) == report.explain(whole=True)


# The schema. -------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(PUBLISHED)


@settings(deadline=None)
@given(arbitrary)
def test_the_schema_describes_every_report(seen: Evidence) -> None:
    assert_valid(Report(seen))


def test_the_schema_bites() -> None:
    members = Report(evidence()).to_dict()
    for wrong in ({"port": "22"}, {"verdict": "fine"}, {"stages": None}, {"new": 1}):
        assert list(STRICT.iter_errors(members | wrong))
    for name in members:
        assert list(
            STRICT.iter_errors({other: members[other] for other in members.keys() - {name}})
        )


@pytest.mark.compares_tables
def test_the_values_that_it_knows_are_those_of_the_code() -> None:
    members, shared = PUBLISHED["properties"], PUBLISHED["$defs"]
    assert members["schema"]["const"] == SCHEMA
    assert members["verdict"]["enum"] == list(Verdict)
    assert members["state"]["enum"] == list(State)
    assert members["end"]["enum"] == list(End)
    assert shared["stage"]["enum"] == list(Stage)
    assert shared["finding"]["properties"]["subject"]["enum"] == list(Subject)
    [passages] = (part for part in members["transcript"]["anyOf"] if "items" in part)
    assert passages["items"]["properties"]["side"]["enum"] == list(Side)


@pytest.mark.parametrize("server", IN_VIRTUAL_TIME, ids=lambda server: server.name)
async def test_every_server_of_the_catalogue(server: Server, autojump_clock: MockClock) -> None:
    async with serve(server) as (host, port):
        report = await probe.check(host, port)
    assert_valid(report)
    assert_read_again(report)


# And back. ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(arbitrary | consistent())
def test_a_report_that_was_written_can_be_read(seen: Evidence) -> None:
    assert_read_again(Report(seen))


def test_the_verdict_is_the_writers() -> None:
    """A later version may judge otherwise; what was said stays said."""
    members = Report(evidence(end=End.COMPLETE)).to_dict() | {"verdict": "silent"}
    assert Report.from_dict(members).verdict is Verdict.SILENT


def test_a_finding_that_this_version_does_not_know_is_kept() -> None:
    later = Finding(Rule("later", Subject.KEXINIT, "RFC 9999 §1", "A later rule."), "x")
    report = Report(evidence(findings=(later,)))
    assert Report.from_json(report.to_json()).findings == (later,)


def test_every_rule_is_known() -> None:
    for rule in vars(rules).values():
        if isinstance(rule, Rule):
            assert RULES[rule.code] is rule


NO_REPORTS = {
    "not JSON": "{",
    "a number": "1",
    "an array": "[]",
    "null": "null",
    "another schema": '{"schema": "sshprobe-report-2"}',
    "nothing in it": '{"schema": "sshprobe-report-1"}',
    "not UTF-8": b"\xff",
    "a deep nest": "[" * 100_000,
}


@pytest.mark.parametrize("text", NO_REPORTS.values(), ids=NO_REPORTS)
def test_what_is_no_report_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own words are among them
        Report.from_json(text)


NO_NUMBERS = {
    "an endless time": ("spent_s", math.inf),
    "no time": ("spent_s", math.nan),
    "a time before the beginning": ("spent_s", -1.0),
    "an endless port": ("port", math.inf),
    "more than a counter holds": ("messages_before", 1 << 64),
    "less than nothing": ("messages_before", -1),
    "a limit of no time": ("stages", [ran(Stage.PROBE, 0.0, 1.0)._asdict() | {"limit_s": 0}]),
}


# Python's JSON knows numbers that JSON does not, and no face could show.
@pytest.mark.parametrize(("name", "value"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_numbers_that_no_probe_has_are_refused(name: str, value: object) -> None:
    members = Report(evidence()).to_dict() | {name: value}
    with pytest.raises(ValueError, match=r"not a|no time at all"):
        Report.from_json(json.dumps(members))


def test_what_every_kernel_knows_must_be_there() -> None:
    members = json.loads(Report(evidence(tcp=tcp())).to_json())
    members["tcp"] |= {"rtt_us": None}
    with pytest.raises(ValueError, match="not a report"):
        Report.from_dict(members)


def test_a_time_beyond_all_limits_is_a_whole_bar() -> None:
    spent_s = 1e308
    stage = ran(Stage.PROBE, 0.0, spent_s)._replace(limit_s=1e-6)
    assert "#" * 20 in Report(evidence(stages=(stage,), spent_s=spent_s)).explain()


_values = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@settings(deadline=None)
@given(arbitrary, st.data())
def test_a_damaged_report_is_refused_or_read_and_nothing_else(
    seen: Evidence,
    data: st.DataObject,
) -> None:
    members = Report(seen).to_dict(transcript=True)
    name = data.draw(st.sampled_from(sorted(members)))
    damaged = members | {name: data.draw(_values)}
    if data.draw(st.booleans()):
        del damaged[name]
    try:
        read = Report.from_dict(damaged)
    except ValueError:
        return
    assert isinstance(read.to_dict(), Mapping)
    assert read.line().isprintable()
    assert read.explain().replace("\n", "").isprintable()


def test_what_a_stranger_wrote_cannot_harm_a_terminal() -> None:
    evil = "\\u001b[2J"
    seen = evidence(
        address="192.0.2.1",
        addresses=("192.0.2.1", "192.0.2.1"),
        attempts=(Attempt("192.0.2.1", 0.0, 0.0, "failed", 111),),
        findings=(Finding(Rule("later", Subject.KEXINIT, "later", "later")),),
        errors=(CallError("later", None, ""),),
    )
    written = Report(seen).to_json().replace("192.0.2.1", evil).replace("later", evil)
    read = Report.from_json(written)
    for text in (read.line(), read.explain(), *strings(read.to_dict())):
        assert text.replace("\n", "").isprintable()
    assert Report.from_json(read.to_json()).to_json() == read.to_json()


async def test_a_report_can_be_read_in_a_thread_without_trio(autojump_clock: MockClock) -> None:
    async with serve("openssh") as (host, port):
        written = (await probe.check(host, port)).to_json()
    report = await trio.to_thread.run_sync(Report.from_json, written)
    assert report.ok
