"""A file of expected failures is read or refused with a line number, and fits the run it is of."""

import re
from typing import Any

import pytest
from conform_samples import HUNG, LATE, MIXED, run_of, runs, unhurried, with_hostile_texts
from hypothesis import given
from hypothesis import strategies as st

from probe.catalogue.servers import SERVERS
from probe.conform.expected import Comparison, Expected, Surprise, compare, parse, write
from probe.conform.judge import Result

NAMES = [row.name for row in SERVERS]

UNREADABLE = {
    "name alone": ("silent", 'a name and its results are wanted, not "silent"'),
    "a word too many": (
        "silent hung late",
        'a name and its results are wanted, not "silent hung late"',
    ),
    "unknown case": (
        "silence hung",
        'unknown case "silence"; sshprobe servers list has their ids and names',
    ),
    "a pattern that fits nothing": (
        "Z* hung",
        'no case fits "Z*"; sshprobe servers list has their ids and names',
    ),
    "unknown result": (
        "silent hung,lost",
        'unknown result "lost"; there are passed, hung, late, wrong, crashed, leaked',
    ),
    "no result": (
        "silent hung,",
        'unknown result ""; there are passed, hung, late, wrong, crashed, leaked',
    ),
    "passed alone": (
        "silent passed",
        "to pass is expected of every case; a line says how one fails",
    ),
    "hostile": ("\x1b[2J", r'a name and its results are wanted, not "\x1b[2J"'),
}

ROW = st.sampled_from(NAMES)
RESULTS = st.sets(st.sampled_from(Result), min_size=1).filter({Result.PASSED}.__ne__)


def test_file() -> None:
    text = "# ours\n\nsilent hung # no limit yet\r\nT0[12]\tlate,passed\n"
    flaky = Expected(4, frozenset({Result.LATE, Result.PASSED}), "")
    assert parse(text) == {
        "silent": Expected(3, frozenset({Result.HUNG}), "no limit yet"),
        "vanishes-before-identification": flaky,
        "vanishes-after-identification": flaky,
    }


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_line_is_refused_by_its_number(case: str) -> None:
    line, complaint = UNREADABLE[case]
    with pytest.raises(ValueError, match=r"^line 3: ") as caught:
        parse(f"# ours\nopenssh hung\n{line}\n")
    assert str(caught.value) == f"line 3: {complaint}"


@pytest.mark.parametrize("again", ["silent late", "C01 hung", "s* hung"])
def test_case_is_written_once(again: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2: silent is written on line 1 already$"):
        parse(f"silent hung\n{again}\n")


@given(st.text(alphabet=st.sampled_from("C01sil*[] \t#,hungpased\r\n\0\u202e"), max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    complaint = ""
    expected: dict[str, Expected] = {}
    try:
        expected = parse(text)
    except ValueError as error:
        complaint = str(error)
    assert set(expected) <= set(NAMES)
    assert complaint == "" or re.fullmatch(r"line \d+: .+", complaint)
    assert complaint.isprintable()


@unhurried
@given(st.dictionaries(ROW, RESULTS, max_size=10), st.sampled_from([" ", "\t", "   "]))
def test_what_is_written_by_hand_is_read(lines: dict[str, set[Result]], gap: str) -> None:
    text = "".join(f"{gap}{name}{gap}{','.join(results)}#why\n" for name, results in lines.items())
    assert {name: set(said.results) for name, said in parse(text).items()} == lines


@unhurried
@given(runs)
def test_file_of_a_run_expects_that_run(members: dict[str, Any]) -> None:
    assert compare(members, parse(write(members))) == Comparison((), (), ())


@unhurried
@given(runs)
def test_file_of_a_run_is_printable(members: dict[str, Any]) -> None:
    spoilt = with_hostile_texts(members)
    for case, plain in zip(spoilt["cases"], members["cases"], strict=True):
        case["name"] = plain["name"]
    assert all(line.isprintable() for line in write(spoilt).split("\n"))
    assert compare(members, parse(write(spoilt))) == Comparison((), (), ())


@unhurried
@given(runs, st.dictionaries(ROW, RESULTS, max_size=10))
def test_each_case_is_at_most_one_surprise(
    members: dict[str, Any], lines: dict[str, set[Result]]
) -> None:
    expected = {name: Expected(1, frozenset(results), "") for name, results in lines.items()}
    surprises = [surprise for kind in compare(members, expected) for surprise in kind]
    assert len({surprise.name for surprise in surprises}) == len(surprises)
    for case in members["cases"]:
        surprised = case["name"] in {surprise.name for surprise in surprises}
        if case["name"] in lines:
            assert surprised == (case["result"] not in lines[case["name"]])
        else:
            assert surprised == (case["failed"] == "MUST")


def compared(seen: dict[str, Any], text: str) -> list[tuple[tuple[str, str], ...]]:
    comparison = compare(run_of(seen), parse(text))
    return [tuple((one.name, one.result) for one in kind) for kind in comparison]


def test_failure_without_a_line_is_unexpected() -> None:
    assert compared(MIXED, "smtp leaked\ngarbage late") == [
        (("silent", "hung"), ("http", "wrong"), ("tls", "crashed")),
        (),
        (),
    ]


def test_case_that_passes_is_out_of_date() -> None:
    assert compared({"silent": MIXED["closes-at-once"]}, "silent hung") == [
        (),
        (("silent", "passed"),),
        (),
    ]


def test_other_result_is_told() -> None:
    assert compared({"silent": LATE}, "silent hung") == [(), (), (("silent", "late"),)]
    assert compared({"max-startups-then-closes": HUNG}, "I34 wrong")[2] != ()


def test_flaky_case_and_one_that_did_not_run_are_no_surprise() -> None:
    assert compared({"silent": HUNG}, "silent hung,passed\ngarbage hung") == [(), (), ()]


def test_surprise_has_the_line() -> None:
    (surprise,) = compare(run_of({"silent": LATE}), parse("\nsilent hung # soon")).others
    line = Expected(2, frozenset({Result.HUNG}), "soon")
    assert surprise == Surprise("silent", Result.LATE, line)
