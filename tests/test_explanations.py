"""The explanations: a row for each code, and what a row claims is so."""

import re
import string

import pytest
from trio.testing import MockClock

import probe
from probe import liveness
from probe.catalogue import BY_NAME, serve
from probe.catalogue.servers import NOT_SERVED
from probe.explanations import BY_CODE, EXPLANATIONS, HERE, THERE, Explanation, Kind, codes_of
from probe.ssh import rules
from probe.verdict import VERDICTS

every_row = pytest.mark.parametrize("row", EXPLANATIONS, ids=lambda row: row.code)


# Adding a verdict or a rule means explaining it.
@pytest.mark.compares_tables
def test_every_code_is_explained_in_the_order_of_its_table() -> None:
    assert codes_of(Kind.VERDICT) == [row.verdict for row in VERDICTS]
    findings = (*rules.FINDINGS, *liveness.FINDINGS)
    assert codes_of(Kind.FINDING) == [rule.code for rule in findings]
    assert codes_of(Kind.VIOLATION) == [rule.code for rule in rules.VIOLATIONS]
    assert list(BY_CODE.values()) == list(EXPLANATIONS)


@every_row
def test_texts_are_whole_sentences(row: Explanation) -> None:
    assert all(text == "" or text.endswith(".") for text in (row.sentence, row.sure, row.clients))
    assert row.sentence
    assert row.sure
    assert not any(cause.endswith(".") for cause in row.alike)


@every_row
def test_a_verdict_says_where_to_look_and_a_rule_what_to_do(row: Explanation) -> None:
    if row.kind is Kind.VERDICT:
        assert row.steps
        assert not row.clients
        assert not row.remedy
    else:
        assert row.clients
        assert row.remedy
        assert row.section


@every_row
def test_commands_can_be_typed_as_they_are(row: Explanation) -> None:
    """A bar would end a monitor's text, and a line break would end the command."""
    for step in row.steps:
        fields = {field for _, field, _, _ in string.Formatter().parse(step.command) if field}
        assert fields <= {"host", "port", "target"}
        assert step.side in (HERE, THERE)
        assert not re.search(r"[|\n]", step.command)
        assert len(step.command.format(host="HOST", port=22, target="HOST:22")) <= 70
        assert step.why[0].islower()


@every_row
async def test_the_server_named_shows_it(row: Explanation, autojump_clock: MockClock) -> None:
    if not row.shown_by:
        assert row.code in NOT_SERVED or row.code in {rule.code for rule in liveness.FINDINGS}
        return
    server = BY_NAME[row.shown_by]
    if server.needs_kernel:
        assert server.expected.verdict == row.code
        return
    async with serve(server) as (host, port):
        report = await probe.check(host, port)
    violation = report.evidence.violation
    shown: dict[Kind, set[str]] = {
        Kind.VERDICT: {report.verdict},
        Kind.FINDING: {finding.rule.code for finding in report.findings},
        Kind.VIOLATION: set() if violation is None else {violation.rule.code},
    }
    assert row.code in shown[row.kind]
