"""The tables of rules, and what is kept of a broken one."""

import re

import pytest

from probe.ssh import rules
from probe.ssh.rules import Finding, Findings, ProtocolViolation, Rule

TABLES = (*rules.FINDINGS, *rules.VIOLATIONS)


# Law 3: every rule is in one of the two tables, once.
def test_every_rule_is_in_one_table() -> None:
    written = [rule for rule in vars(rules).values() if isinstance(rule, Rule)]
    assert sorted(written) == sorted(TABLES)


def test_codes_are_unique() -> None:
    assert len({rule.code for rule in TABLES}) == len(TABLES)


@pytest.mark.parametrize("rule", TABLES, ids=lambda rule: rule.code)
def test_form_of_a_rule(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)*", rule.code)
    assert re.fullmatch(r"RFC \d{4} §\d+(\.\d+)?|draft-[a-z-]+", rule.section)
    assert rule.sentence.endswith(".")


# Law 1: a flood of findings adds nothing, and the first of each kind is the one that is kept.
def test_the_first_finding_of_each_rule_is_kept() -> None:
    findings = Findings()
    for detail in ("first", "second"):
        findings.note(rules.NAME_EMPTY, detail)
        findings.note(rules.NAME_LONG, detail)
        findings.note(rules.NAME_EMPTY, detail)
    assert findings.seen() == (
        Finding(rules.NAME_EMPTY, "first"),
        Finding(rules.NAME_LONG, "first"),
    )


def test_nothing_is_found_at_first() -> None:
    assert Findings().seen() == ()


# Law 1: both sides of the cap on what is kept of a peer's octets (limits.DETAIL_CAP_OCTETS).
@pytest.mark.parametrize(("octets", "kept"), [(0, 0), (255, 255), (256, 256), (257, 256)])
def test_detail_is_capped(octets: int, kept: int) -> None:
    findings = Findings()
    findings.note(rules.NAME_LONG, b"a" * octets)
    violation = ProtocolViolation(rules.LINE_TOO_LONG, b"a" * octets)
    assert findings.seen() == (Finding(rules.NAME_LONG, b"a" * kept),)
    assert violation.finding == Finding(rules.LINE_TOO_LONG, b"a" * kept)


# Law 8: a violation that nobody caught is our bug, and its traceback names the rule.
def test_a_violation_names_its_rule() -> None:
    assert ProtocolViolation(rules.PADDING_SHORT, "x").args == ("padding-too-short", "x")
