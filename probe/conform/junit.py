"""Results as JUnit XML, which build servers read.

There is no standard: this keeps to what Jenkins, GitLab and GitHub's readers have in common. Only a
failure at the level MUST is a failure; lesser ones are told in ``system-out``. The standard
library's writer is enough: it quotes, and what XML cannot hold at all is escaped before.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from probe.conform.words import LAYERS, clean, failed_must, lines_of, slugs


def to_junit(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the results as one JUnit document, a suite a client.

    Args:
        results: Of each client, as ``results.read`` gives them.
    """
    suites = [_suite(members, slug) for members, slug in zip(results, slugs(results), strict=True)]
    root = ET.Element("testsuites", {"name": "sshprobe conform", **_sums(suites)})
    root.extend(suites)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(members: Mapping[str, Any], slug: str) -> ET.Element:
    cases = [_case(case, slug) for case in members["cases"]]
    if not members["complete"]:
        cases.append(_incomplete(slug))
    suite = ET.Element("testsuite", {"name": clean(members["client"]["name"])})
    suite.append(_properties(members))
    suite.extend(cases)
    time_s = sum(case["spent_s"] for case in members["cases"])
    suite.attrib |= {
        "tests": str(len(cases)),
        **{kind: str(len(suite.findall(f"*/{tag}"))) for kind, tag in _KINDS.items()},
        "time": f"{time_s:.3f}",
        "timestamp": clean(members["date"].removesuffix("Z")),  # without a zone, say its readers
    }
    return suite


_KINDS: Final = {"failures": "failure", "errors": "error", "skipped": "skipped"}
"""What a suite counts, and the element of a case that is counted."""


def _sums(suites: Sequence[ET.Element]) -> dict[str, str]:
    counts = {
        name: str(sum(int(suite.attrib[name]) for suite in suites)) for name in ("tests", *_KINDS)
    }
    return {**counts, "time": f"{sum(float(suite.attrib['time']) for suite in suites):.3f}"}


def _properties(members: Mapping[str, Any]) -> ET.Element:
    client, cases = members["client"], members["cases"]
    properties = ET.Element("properties")
    for name, value in (
        ("client", client["name"]),
        ("kind", client["kind"]),
        ("driver", "yes" if client["driver"] else "no"),
        ("command", shlex.join(client["command"])),
        ("sshprobe", members["version"]),
        ("limits_s", _distinct(case["limit_s"] for case in cases)),
        ("hard_limits_s", _distinct(case["hard_limit_s"] for case in cases)),
        ("margin_s", f"{members['margin_s']:g}"),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": clean(value)})
    return properties


def _distinct(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in sorted(set(numbers)))


def _case(case: Mapping[str, Any], slug: str) -> ET.Element:
    layer = LAYERS.get(case["id"][:1], "other").replace(" ", "-")
    element = _testcase(f"{slug}.{layer}", f"{case['id']} {case['name']}", case["spent_s"])
    if failed_must(case):
        attributes = {"type": case["result"], "message": clean(case["why"])}
        ET.SubElement(element, "failure", attributes).text = _text(_circumstances(case))
    elif case["failed"]:
        ET.SubElement(element, "system-out").text = _text(_lesser(case))
    return element


def _testcase(classname: str, name: str, time_s: float) -> ET.Element:
    attributes = {"classname": classname, "name": clean(name), "time": f"{time_s:.3f}"}
    return ET.Element("testcase", attributes)


def _incomplete(slug: str) -> ET.Element:
    element = _testcase(slug, "the run", 0.0)
    message = "The run did not come to its end: cases are missing."
    ET.SubElement(element, "error", {"type": "incomplete", "message": message})
    return element


def _lesser(case: Mapping[str, Any]) -> Iterator[str]:
    yield f"No failure, for the rule is {case['failed']} alone: {case['result']}."
    yield clean(case["why"])
    yield from _circumstances(case)


def _circumstances(case: Mapping[str, Any]) -> Iterator[str]:
    yield clean(f"{case['section']}, {case['level']}: {case['requirement']}")
    yield from filter(None, [clean(case["differs"])])
    yield (
        f"Alive for {case['spent_s']:.3f} s; limit {case['limit_s']:g} s,"
        f" hard limit {case['hard_limit_s']:g} s; {_status(case['status'])}"
    )
    yield from (f"left: {clean(left)}" for left in case["left"])
    yield from (f"output: {line}" for line in lines_of(case["output"]))


def _status(status: int | None) -> str:
    return "it did not end by itself" if status is None else f"exit status {status}"


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines)
