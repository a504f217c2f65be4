"""``sshprobe conform``."""

import textwrap
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from probe.catalogue.row import Level
from probe.cli.arguments.conform import STDOUT
from probe.cli.colours import paint
from probe.cli.output import complain, is_colourful
from probe.cli.printing import Say, cause, print_lines, run_printing
from probe.cli.status import FAILED, NOT_CONFORMING, USAGE
from probe.conform import suite
from probe.conform.expected import Comparison, compare
from probe.conform.expected import write as write_expected
from probe.conform.judge import Result
from probe.conform.junit import to_junit
from probe.conform.matrix import to_lines, to_markdown
from probe.conform.page import to_html
from probe.conform.results import Run, to_json, to_members
from probe.conform.suite import Client, CouldNotStartError, Ended, Patience
from probe.conform.words import failed_must
from probe.text import escape, quote
from probe.verdict import State

_STATES: Final = {
    None: State.OK,
    Level.INFORMATIONAL: State.UNKNOWN,
    Level.SHOULD: State.WARNING,
    Level.MUST: State.CRITICAL,
}
"""Whose colour a case has, by the level at which it failed."""

_RESULT_WIDTH: Final = max(map(len, Result))
_INDENT: Final = " " * (_RESULT_WIDTH + 2)
_COLUMNS: Final = 80
_SHOWN: Final = 2000
"""Characters of a reason that are shown; peers' words in it are cut before."""


def run(options: Namespace) -> int:
    """Run the client against the cases, print what comes of each, return the exit status."""
    conform = _Conform(options)
    status = run_printing(conform.run)
    if conform.trouble is not None:
        complain(conform.trouble)
        return USAGE
    if status or conform.lost_a_report:
        return status or FAILED
    return NOT_CONFORMING if conform.has_surprises else 0


def run_reports(options: Namespace) -> int:
    """Report on earlier results."""
    status = print_lines(to_lines(options.results))
    return status or (0 if _write_reports(options, options.results) else FAILED)


class _Conform:
    """One run of the command."""

    def __init__(self, options: Namespace) -> None:
        self.trouble: str | None = None
        self.lost_a_report = False
        self.has_surprises = False
        self._options = options
        self._client = Client(
            tuple(options.command),
            options.kind,
            is_driver=options.driver,
            success=options.success,
        )
        self._patience = Patience(options.margin, options.hard)
        self._ended: list[Ended] = []
        self._colourful = is_colourful()
        self._began = datetime.now(UTC)

    async def run(self, say: Say) -> None:
        try:
            await self._run(_be_quiet if self._options.json == STDOUT else say)
        except* CouldNotStartError as group:
            self.trouble = str(cause(group))
        finally:
            if self.trouble is None:
                self._report(say)

    async def _run(self, say: Say) -> None:
        cases, jobs = self._options.cases, self._options.jobs
        async with suite.run(cases, self._client, self._patience, jobs) as results:
            async for ended in results:
                self._ended.append(ended)
                say("\n".join(self._lines(ended)))
        say(self._summary())

    def _failed(self, level: Level) -> int:
        return sum(1 for one in self._ended if one.judgement.level is level)

    def _report(self, say: Say) -> None:
        """Write the reports that are asked for, of an interrupted run, too."""
        results = self._results()
        self.has_surprises = self._compare(results, say)
        self.lost_a_report = not _write_reports(self._options, [results])
        if self._options.json == STDOUT:
            say(to_json(results).rstrip())

    def _compare(self, results: Mapping[str, Any], say: Say) -> bool:
        """Say what is not as it should be, and return whether anything is."""
        if self._options.expected is None:
            return any(map(failed_must, results["cases"]))
        surprises = list(_say_surprises(compare(results, self._options.expected)))
        for line in surprises:
            (complain if self._options.json == STDOUT else say)(line)
        return bool(surprises)

    def _results(self) -> dict[str, Any]:
        run = Run(
            self._options.name,
            self._client,
            self._patience,
            self._began.isoformat(timespec="seconds"),
            complete=len(self._ended) == len(self._options.cases),
        )
        return to_members(run, self._ended)

    # What is printed. -----------------------------------------------------------------------------

    def _lines(self, ended: Ended) -> Iterator[str]:
        case, seen, (result, level, why) = ended
        word = f"{result:{_RESULT_WIDTH}}"
        word = paint(word, _STATES[level]) if self._colourful else word
        count = f"{len(self._ended)}/{len(self._options.cases)}"
        yield f"{word}  {seen.spent_s:7.3f} s  {case.row.id:5} {case.row.name}  {count}"
        if level is not None:
            text = f"{level}, {case.row.section}: {escape(why, _SHOWN)}"
            yield textwrap.fill(text, _COLUMNS, initial_indent=_INDENT, subsequent_indent=_INDENT)

    def _summary(self) -> str:
        counts = Counter(one.judgement.result for one in self._ended)
        told = ", ".join(f"{counts[result]} {result}" for result in Result if counts[result])
        failed = ", ".join(f"{self._failed(level)} {level}" for level in Level)
        return f"{self._options.name}: {len(self._ended)} cases: {told}; failed: {failed}"


def _be_quiet(_: str) -> None:
    """Say nothing: standard output is a report's."""


def _say_surprises(comparison: Comparison) -> Iterator[str]:
    for name, result, _ in comparison.failures:
        yield f"not expected: {name} {result}"
    for name, result, line in comparison.passes + comparison.others:
        assert line is not None  # noqa: S101 - what is expected has a line
        expected = ", ".join(sorted(line.results))
        yield f"expected to be {expected} (line {line.line}): {name} {result}"


def _write_reports(options: Namespace, results: Sequence[Mapping[str, Any]]) -> bool:
    """Write what is asked for, and say whether all of it could be."""
    done = True
    for name, to_text in _WRITERS.items():
        path = getattr(options, name)
        if path not in (None, STDOUT):
            done = _write(path, to_text(results)) and done
    return done


_WRITERS: Final[dict[str, Callable[[Sequence[Mapping[str, Any]]], str]]] = {
    "json": lambda results: to_json(results[0]),
    "junit": to_junit,
    "html": to_html,
    "markdown": to_markdown,
    "write_expected_failures": lambda results: write_expected(results[0]),
}
"""What writes the report of each option."""


def _write(path: str, text: str) -> bool:
    """Write a report, the old one staying whole until the new one is; say whether it worked."""
    part = Path(f"{path}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        complain(f"{quote(path)}: {error.strerror}")
        return False
    return True
