"""The table of a run fits 80 columns, and its counts are those of the cases."""

from typing import Any

import pytest
from conform_samples import HOSTILE, MIXED, run_of, runs, unhurried
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from probe.conform.matrix import to_lines, to_markdown
from probe.version import VERSION

NAMES = {
    "short": ("ssh 1.0", ["ssh 1.0"]),
    "of as many columns as there are": ("x" * 21, ["x" * 21]),
    "too long": ("the client of somebody else 1.0", ["the client of", "  somebody else 1.0"]),
    "empty": ("", [""]),
}


def test_table() -> None:
    other = run_of({"silent": MIXED["closes-at-once"]}, "other 2.0", complete=False)
    assert list(to_lines([run_of(MIXED), other])) == [
        "client                 passed  hung  late  wrong  crashed  leaked  MUST failures",
        "ssh 1.0                     1     1     1      3        1       1              5",
        "other 2.0                   1     0     0      0        0       0              0",
        "  (incomplete)",
    ]


@pytest.mark.parametrize("case", NAMES)
def test_name_is_wrapped_and_never_cut(case: str) -> None:
    name, shown = NAMES[case]
    lines = list(to_lines([run_of(MIXED, name)]))
    assert [line[:23].rstrip() for line in lines[1:]] == shown


@unhurried
@given(st.lists(runs, max_size=3))
def test_lines_are_printable_and_of_80_columns(results: list[dict[str, Any]]) -> None:
    lines = list(to_lines(results))
    assert all(line.isprintable() and len(line) <= 80 for line in lines)
    assert sum(line[-1:].isdigit() and len(line) == 80 for line in lines) >= len(results)


def test_markdown() -> None:
    assert to_markdown([run_of(MIXED)]) == (
        "| client | passed | hung | late | wrong | crashed | leaked | MUST failures |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| ssh 1.0 | 1 | 1 | 1 | 3 | 1 | 1 | 5 |\n"
        "\n"
        f"sshprobe conform {VERSION} on 2026-01-02, 8 cases.\n"
    )


@unhurried
@given(runs)
def test_markdown_is_a_table_whatever_a_client_is_called(members: dict[str, Any]) -> None:
    rendered = MarkdownIt().enable("table").render(to_markdown([members]))
    assert rendered.count("<tr>") == 2
    assert rendered.count("<td") == 8


def test_markdown_shows_marks_as_they_are() -> None:
    rendered = MarkdownIt().enable("table").render(to_markdown([run_of(MIXED, HOSTILE)]))
    assert "<img" not in rendered
    assert "<td>&lt;/script&gt;&lt;img src=x onerror=ran=1&gt;&amp;lt;&lt;!--\\u202e" in rendered
