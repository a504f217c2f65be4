"""The monitoring plugin: the guidelines' own examples, and whatever a server says."""

import re
from typing import Any

import pytest
from evidence_pieces import KEXINIT, arbitrary, consistent, evidence, identified, ran_out
from hypothesis import given, settings
from hypothesis import strategies as st
from nagiosplugin.range import Range as TheirRange  # type: ignore[import-untyped] # their word

from probe import Budget, Report, Stage, State
from probe.budget import STAGES, StageTime
from probe.evidence import End, Evidence
from probe.expectation import Algorithm, Expectation
from probe.nagios import LABELS, Result, Thresholds, judge_report, parse_range, say_unknown
from probe.ssh import rules
from probe.ssh.rules import Finding

# Ranges: guidelines, §2.5. -----------------------------------------------------------------------

EXAMPLES: dict[str, tuple[list[float], list[float]]] = {
    "10": ([-0.1, 10.1], [0, 5, 10]),
    "10:": ([9.9, -10], [10, 11, 1e9]),
    "~:10": ([10.1], [-1e9, 0, 10]),
    "10:20": ([9.9, 20.1], [10, 15, 20]),
    "@10:20": ([10, 15, 20], [9.9, 20.1]),
}
"""Table 3 of the guidelines: what alerts, and what does not."""


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_example_ranges_of_the_guidelines(text: str) -> None:
    alerting, quiet = EXAMPLES[text]
    threshold = parse_range(text)
    assert all(threshold.alerts(value) for value in alerting)
    assert not any(threshold.alerts(value) for value in quiet)


COMMAND_LINES = {
    "-w10 -c20": {-1: "critical", 5: "ok", 15: "warning", 25: "critical"},
    "-w~:10 -c~:20": {-1: "ok", 5: "ok", 15: "warning", 25: "critical"},
    "-w10: -c20": {-1: "critical", 5: "warning", 15: "ok", 25: "critical"},
    "-c1:": {0: "critical", 1: "ok", 2: "ok"},
    "-w~:0 -c10": {0: "ok", 5: "warning", 15: "critical"},
    "-c5:6": {4: "critical", 5: "ok", 6: "ok", 7: "critical"},
    "-c@10:20": {9: "ok", 10: "critical", 20: "critical", 21: "ok"},
}
"""Table 4 of the guidelines. There the last row lacks its @, and contradicts its own words."""


def good(spent_s: float = 0.5, **seen: object) -> Evidence:
    """Evidence of a good server that took ``spent_s``."""
    stages = (StageTime(Stage.PROBE, 0.0, spent_s, 10.0, completed=True),)
    made: dict[str, object] = {"end": End.COMPLETE, "kexinit": KEXINIT, "spent_s": spent_s}
    return identified(**made | {"stages": stages} | seen)


def ranges(texts: dict[str, str]) -> dict[Stage, Any]:
    return {Stage(stage): parse_range(text) for stage, text in texts.items()}


def result_of(
    seen: Evidence,
    warning: dict[str, str] | None = None,
    critical: dict[str, str] | None = None,
    expectation: Expectation = Expectation(),  # noqa: B008 - immutable
    verbosity: int = 0,
) -> Result:
    thresholds = Thresholds(ranges(warning or {}), ranges(critical or {}))
    return judge_report(Report(seen), Budget(), thresholds, expectation, verbosity)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_the_example_command_lines_of_the_guidelines(line: str) -> None:
    given_ranges = dict(re.findall(r"-([wc])(\S+)", line))
    warning = {"probe": given_ranges["w"]} if "w" in given_ranges else {}
    critical = {"probe": given_ranges["c"]} if "c" in given_ranges else {}
    for spent_s, state in COMMAND_LINES[line].items():
        assert result_of(good(spent_s), warning, critical).state == state, spent_s


_numbers = st.integers(-99, 99).map(str) | st.decimals(-99, 99, places=2).map(str)
_ranges = st.one_of(
    _numbers,
    st.builds("{}:".format, _numbers | st.just("~")),
    st.builds("{}:{}".format, st.just("~") | st.just("") | _numbers, _numbers),
)


@given(st.sampled_from(["", "@"]), _ranges, st.floats(-100, 100))
def test_ranges_mean_what_they_mean_to_another_library(at: str, text: str, value: float) -> None:
    try:
        theirs = TheirRange(at + text)
    except ValueError:
        with pytest.raises(ValueError, match="starts above its end"):
            parse_range(at + text)
    else:
        assert parse_range(at + text).alerts(value) is not theirs.match(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        ":x",
        "x",
        "~",
        "1,5",
        "1:2:3",
        "10 ",
        "1e3",
        "nan",
        "inf",
        "--1",
        "٣",
        "5:1",
        "@5:1",
    ],
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="not a range"):
        parse_range(text)


@given(st.text(max_size=12))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    try:
        made = parse_range(text)
    except ValueError:
        return
    assert made.text == text
    assert made.start <= made.end


# The status line and its performance data: §2.1 and §2.6. ----------------------------------------

DATUM = re.compile(r"[a-z-]{1,19}=(?:U|\d+\.\d{6}s)(?:;[^; |]*){2};0;[\d.e+-]+")
"""``'label'=value[UOM];[warn];[crit];[min];[max]``; the first 19 characters of a label tell it."""


def assert_plugin_output(result: Result) -> None:
    """One line with one bar, and no other bar anywhere."""
    status, *more = result.lines
    text, data = status.split(" | ")
    assert text.startswith(f"SSH {result.state.upper()} - ")
    assert all(line.isprintable() for line in result.lines)
    assert not any("|" in part for part in (text, data, *more))
    assert all(DATUM.fullmatch(datum) for datum in data.split(" ")), data
    assert [datum.partition("=")[0] for datum in data.split(" ")] == list(LABELS.values())


def test_the_line_of_a_good_server() -> None:
    [line] = result_of(good(0.012)).lines
    assert line == (
        "SSH OK - host.example:22 ok: SSH-2.0-OpenSSH_10.5, 0.012 s | time=0.012000s;;;0;10"
        " resolve=U;;;0;2 connect=U;;;0;4 identification=U;;;0;5 first-octet=U;;;0;4"
        " kexinit=U;;;0;5"
    )


def test_every_stage_that_began_has_a_time() -> None:
    began = tuple(StageTime(row.stage, 0.0, 0.25, row.limit_s, completed=True) for row in STAGES)
    [line] = result_of(good(stages=began)).lines
    assert line.count("=0.250000s;;;0;") == len(STAGES)


def test_thresholds_are_in_the_performance_data() -> None:
    seen = good(stages=(StageTime(Stage.CONNECT, 0.0, 0.25, 4.0, completed=True),))
    [line] = result_of(seen, {"connect": "~:.1", "probe": "1"}, {"connect": "@3:"}).lines
    assert " time=U;1;;0;10 " in line
    assert " connect=0.250000s;~:.1;@3:;0;4 " in line
    assert line.startswith("SSH WARNING - host.example:22 ok (connect 0.250 s is outside ~:.1): ")


def test_inside_and_outside_are_told_apart() -> None:
    [line] = result_of(good(0.5), critical={"probe": "@0:1"}).lines
    assert line.startswith("SSH CRITICAL - host.example:22 ok (time 0.500 s is inside 0:1): ")


def test_a_bad_server_is_critical_whatever_its_times() -> None:
    result = result_of(evidence(**ran_out(Stage.FIRST_OCTET)), {"probe": "9"}, {"probe": "9"})
    assert result.state is State.CRITICAL
    assert result.lines[0].startswith("SSH CRITICAL - host.example:22 silent: TCP is up and not")


def test_expectations_hold_here_too() -> None:
    wish = Expectation(
        required=(Algorithm("kex", "none"),),
        warn_on=frozenset(["name-twice"]),
    )
    result = result_of(good(findings=(Finding(rules.NAME_TWICE),)), expectation=wish)
    assert result.state is State.CRITICAL
    reasons = "(kex:none is required and not offered; finding name-twice)"
    assert result.lines[0].startswith(f"SSH CRITICAL - host.example:22 ok {reasons}: ")


# Verbosity: §2.2. --------------------------------------------------------------------------------


def test_each_level_of_verbosity_says_more() -> None:
    seen = evidence(findings=(Finding(rules.NAME_TWICE),), **ran_out(Stage.FIRST_OCTET))
    none, one, two, three = (result_of(seen, verbosity=level).lines for level in range(4))
    assert len(none) == len(one) == 1
    assert "in first-octet, where its limit of 4 s ran out" in one[0]
    assert "name-twice (RFC 4253 §7.1)" in one[0]
    assert two[0] == one[0]
    assert two[1:] == tuple(Report(seen).explain().split("\n"))
    assert three[: len(two)] == two
    assert three[-1] == repr(Budget())
    assert "Python" in three[-2]


def test_a_page_shows_the_state_that_was_decided() -> None:
    wish = Expectation(verdicts=frozenset([Report(good()).verdict]))
    lines = result_of(evidence(**ran_out(Stage.FIRST_OCTET)), expectation=wish, verbosity=2).lines
    assert lines[1] == "CRITICAL  host.example:22  silent (expected ok)"


# Law 9. ------------------------------------------------------------------------------------------


def test_a_server_cannot_add_performance_data() -> None:
    evil = identified(end=End.COMPLETE, kexinit=KEXINIT)
    assert evil.identification is not None
    evil.identification = evil.identification._replace(octets=b"SSH-2.0-x | time=0s\n| y=1")
    result = result_of(evil, verbosity=3)
    assert_plugin_output(result)
    assert "SSH-2.0-x ¦ time=0s\\x0a¦ y=1" in result.lines[0]


@settings(deadline=None)
@given(arbitrary | consistent(), st.integers(0, 3))
def test_whatever_a_server_says_the_output_is_a_plugins(seen: Evidence, verbosity: int) -> None:
    assert_plugin_output(result_of(seen, verbosity=verbosity))


def test_a_plugin_that_cannot_do_its_work_says_so_in_a_line() -> None:
    assert say_unknown("no | such\nthing") == "SSH UNKNOWN - no ¦ such\\x0athing"
