"""Law: results have all that a report needs, in the catalogue's order, and are read again."""

import json
from dataclasses import replace

import pytest
from conform_pieces import case

from probe.conform.judge import judge
from probe.conform.observed import Observed, Talk
from probe.conform.results import Run, read, to_json, to_members
from probe.conform.suite import Client, Ended, Patience
from probe.evidence import Passage, Side

RUN = Run(
    name="client 1.0",
    client=Client(("client", "{port}")),
    patience=Patience(),
    date="2026-11-24T12:00:00+00:00",
    complete=True,
)

TALK = Talk(0.1, 0.2, b"SSH-", b"", (Passage(0.2, Side.SERVER, 0, 4, b"SSH-"),))
SEEN = Observed(
    began_s=0.1,
    ended_s=0.6,
    status=1,
    succeeded=False,
    left=('a process: "sleep"',),
    output="no\x1b[31m\n",
    cpu_s=0.25,
    peak_octets=4096,
    talks=(TALK,),
)


def ended(name: str, seen: Observed = SEEN) -> Ended:
    return Ended(case(name), seen, judge(case(name), seen, 1.0))


def test_a_case_is_told_with_its_rule_its_judgement_and_its_evidence() -> None:
    [told] = to_members(RUN, [ended("silent")])["cases"]
    assert (told["id"], told["name"], told["level"]) == ("C01", "silent", "MUST")
    assert (told["right"], told["result"], told["failed"]) == ("fails", "leaked", "MUST")
    assert (told["limit_s"], told["hard_limit_s"], told["spent_s"]) == (1.0, 3.0, 0.5)
    assert told["left"] == ['a process: "sleep"']
    assert told["output"] == "no\x1b[31m\n"
    [talk] = told["talks"]
    assert talk["passages"] == [
        {"at_s": 0.2, "side": "server", "offset": 0, "length": 4, "hex": "5353482d"}
    ]


def test_cases_are_in_the_order_of_the_catalogue() -> None:
    members = to_members(RUN, [ended("openssh"), ended("silent"), ended("http")])
    ids = [told["id"] for told in members["cases"]]
    assert ids == sorted(ids)


def test_of_many_connections_the_first_are_told_and_all_are_counted() -> None:
    [told] = to_members(RUN, [ended("silent", replace(SEEN, talks=(TALK,) * 9))])["cases"]
    assert (told["connections"], len(told["talks"])) == (9, 4)


def test_json_has_a_case_a_line_and_is_read_again() -> None:
    members = to_members(RUN, [ended("silent"), ended("openssh")])
    text = to_json(members)
    assert len(text.splitlines()) == 4
    assert read(text) == json.loads(json.dumps(members))
    assert read(to_json(to_members(RUN, [])))["cases"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not results of sshprobe conform"),
        ("{}", "not results of sshprobe conform"),
        ("[" * 100_000, "nested too deeply"),
        ('{"suite": "sshprobe conform", "schema": 2}', "results of schema 2; this version reads 1"),
        ("{", "Expecting"),
    ],
)
def test_what_are_no_results_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)
