"""The JUnit document has the shape that its readers share, and fails where a MUST does."""

from typing import Any
from xml.etree import ElementTree as ET

from conform_samples import FAILED, HOSTILE, MIXED, run_of, runs, unhurried, with_hostile_texts
from hypothesis import given
from hypothesis import strategies as st

from probe.conform.junit import to_junit
from probe.conform.words import clean
from probe.version import VERSION

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"failure", "error", "system-out"},
    "failure": set(),
    "error": set(),
    "system-out": set(),
}
"""What may be in what: what the schemas of Jenkins and of Ant have in common, as far as we go."""

COUNTS = {"tests", "failures", "errors", "time"}

ATTRIBUTES = {
    "testsuites": {"name", "skipped", *COUNTS},
    "testsuite": {"name", "skipped", "timestamp", *COUNTS},
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}


def parsed(*results: dict[str, Any]) -> ET.Element:
    return ET.fromstring(to_junit(results).encode())  # noqa: S314 - ours


@unhurried
@given(st.lists(runs, max_size=3))
def test_shape_and_counts(results: list[dict[str, Any]]) -> None:
    root = parsed(*map(with_hostile_texts, results))
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert set(element.attrib) == ATTRIBUTES.get(element.tag, set())
    for counted in (root, *root):
        assert int(counted.attrib["tests"]) == len(list(counted.iter("testcase")))
        assert int(counted.attrib["failures"]) == len(list(counted.iter("failure")))
        assert int(counted.attrib["errors"]) == len(list(counted.iter("error")))
    names = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_only_a_must_fails() -> None:
    cases = {case.attrib["name"]: case for case in parsed(run_of(MIXED)).iter("testcase")}
    failures = {name: case.find("failure") for name, case in cases.items()}
    assert {name: one.attrib["type"] for name, one in failures.items() if one is not None} == {
        "C01 silent": "hung",
        "I17 garbage": "late",
        "I19 http": "wrong",
        "I20 tls": "crashed",
        "I24 smtp": "leaked",
    }
    told = {name: out for name, case in cases.items() if (out := case.findtext("system-out"))}
    assert {name: text.partition("\n")[0] for name, text in told.items()} == {
        "I34 max-startups-then-closes": "No failure, for the rule is SHOULD alone: wrong.",
        "K089 no-common-kex": "No failure, for the rule is informational alone: wrong.",
    }


def test_failure_says_all_that_its_author_needs() -> None:
    members = run_of({"smtp": MIXED["smtp"]})
    members["cases"][0]["output"] = "one\r\ntwo\x1b\n"
    failure = parsed(members).find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == members["cases"][0]["why"]
    assert str(failure.text).splitlines() == [
        f"RFC 4253 §4.2, MUST: {members['cases'][0]['requirement']}",
        members["cases"][0]["differs"],
        "Alive for 0.200 s; limit 3 s, hard limit 9 s; exit status 0",
        "left: a process: sleep",
        "output: one",
        r"output: two\x1b",
    ]


def test_client_and_limits_are_properties() -> None:
    root = parsed(run_of({"silent": MIXED["silent"], "slow-kexinit": FAILED}))
    properties = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    assert properties == {
        "client": "ssh 1.0",
        "kind": "login",
        "driver": "no",
        "command": "ssh -p '{port}' '{host}'",
        "sshprobe": VERSION,
        "limits_s": "3, 10",
        "hard_limits_s": "9, 30",
        "margin_s": "1",
    }
    assert root[0].attrib["timestamp"] == "2026-01-02T03:04:05"
    hung = root.find(".//failure")
    assert hung is not None
    assert "it did not end by itself" in str(hung.text)


def test_run_that_did_not_end_is_an_error() -> None:
    root = parsed(run_of(MIXED, complete=False))
    assert [error.attrib["type"] for error in root.iter("error")] == ["incomplete"]
    assert root.attrib["errors"] == "1"


def test_hostile_texts_are_texts() -> None:
    suite = parsed(with_hostile_texts(run_of(MIXED)))[0]
    assert suite.attrib["name"] == "ssh 1.0" + clean(HOSTILE)
    assert not list(suite.iter("img"))
