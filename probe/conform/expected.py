"""The failures that a project knows of, so that its tests fail by the next one.

A line a case: ``NAME RESULT[,RESULT]  # why``. A name is a case's id or name, or a pattern as a
shell has them. A line for a case that is not the same each time names several results, ``passed``
among them.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from probe.conform.case import fitting
from probe.conform.judge import Result
from probe.conform.words import clean, failed_must
from probe.text import quote


class Expected(NamedTuple):
    """What a project expects of a case.

    Attributes:
        line: Where it says so, counted from 1.
        results: Each of them is expected.
        why: In its own words, or nothing.
    """

    line: int
    results: frozenset[Result]
    why: str


class Surprise(NamedTuple):
    """A case that did not come out as expected.

    Attributes:
        name: Of the case.
        result: What came of it.
        expected: What was expected; ``None`` if no line is about the case.
    """

    name: str
    result: Result
    expected: Expected | None


class Comparison(NamedTuple):
    """How a run differs from what was expected of it, each in the order of the run.

    Attributes:
        failures: Cases that fail at the level MUST, and no line is about them.
        passes: Cases that pass and are expected to fail: the file is out of date.
        others: Cases that come to another result than expected.
    """

    failures: tuple[Surprise, ...]
    passes: tuple[Surprise, ...]
    others: tuple[Surprise, ...]


def parse(text: str) -> dict[str, Expected]:
    """Read what a project expects.

    Args:
        text: Of the file.

    Returns:
        By the name of the case.

    Raises:
        ValueError: A line makes no sense; the message has its number.
    """
    expected: dict[str, Expected] = {}
    for number, line in enumerate(text.split("\n"), 1):
        try:
            expected |= _read_line(number, line, expected)
        except ValueError as error:
            message = f"line {number}: {error}"
            raise ValueError(message) from None
    return expected


def write(results: Mapping[str, Any]) -> str:
    """Return a file that expects of a client what came of it, where it fails at the level MUST.

    Args:
        results: Of one client, as ``results.read`` gives them.
    """
    failed = [case for case in results["cases"] if failed_must(case)]
    columns = max((len(case["name"]) for case in failed), default=0)
    head = (results["client"]["name"], f"sshprobe {results['version']}", results["date"])
    return "".join(
        (
            f"# Expected failures: {clean(', '.join(head))}\n",
            *(
                f"{case['name']:{columns}} {case['result']:7}  # {clean(case['why'])}\n"
                for case in failed
            ),
        )
    )


def compare(results: Mapping[str, Any], expected: Mapping[str, Expected]) -> Comparison:
    """Compare what came of a client with what was expected. Cases that did not run say nothing.

    Args:
        results: Of one client, as ``results.read`` gives them.
        expected: As ``parse`` gives it.
    """
    failures: list[Surprise] = []
    passes: list[Surprise] = []
    others: list[Surprise] = []
    for case in results["cases"]:
        line, result = expected.get(case["name"]), Result(case["result"])
        surprise = Surprise(case["name"], result, line)
        if line is None:
            failures += [surprise] if failed_must(case) else []
        elif result not in line.results:
            (passes if result is Result.PASSED else others).append(surprise)
    return Comparison(tuple(failures), tuple(passes), tuple(others))


_WORDS: Final = re.compile(r"(\S+)[ \t]+(\S+)", re.ASCII)


def _read_line(number: int, line: str, before: Mapping[str, Expected]) -> dict[str, Expected]:
    """Return what a line says of each case that it is about."""
    words, _, why = line.partition("#")
    if not words.strip():
        return {}
    parts = _WORDS.fullmatch(words.strip())
    if parts is None:
        message = f"a name and its results are wanted, not {quote(words.strip())}"
        raise ValueError(message)
    says = Expected(number, _read_results(parts[2]), why.strip())
    names = list(fitting(parts[1]))
    _check_names(parts[1], names, before)
    return dict.fromkeys(names, says)


def _read_results(text: str) -> frozenset[Result]:
    words = text.split(",")
    unknown = [word for word in words if word not in set(Result)]
    if unknown:
        message = f"unknown result {quote(unknown[0])}; there are {', '.join(Result)}"
        raise ValueError(message)
    if set(words) == {Result.PASSED}:
        message = "to pass is expected of every case; a line says how one fails"
        raise ValueError(message)
    return frozenset(map(Result, words))


def _check_names(pattern: str, names: list[str], before: Mapping[str, Expected]) -> None:
    if not names:
        what = "no case fits" if set(pattern) & set("*?[") else "unknown case"
        message = f"{what} {quote(pattern)}; sshprobe servers list has their ids and names"
        raise ValueError(message)
    for name in names:
        if name in before:
            message = f"{name} is written on line {before[name].line} already"
            raise ValueError(message)
