"""What reports share: texts are printable whatever they were, names are a client's own."""

from typing import Any

import pytest
from conform_samples import MIXED, run_of
from hypothesis import example, given
from hypothesis import strategies as st

from probe.catalogue.servers import SERVERS
from probe.conform.words import LAYERS, clean, count, escape_all, lines_of, slugs
from probe.text import unescape

texts = st.text(st.characters(codec=None), max_size=300)

LINES: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", []),
    "no line end": ("a", ["a"]),
    "one": ("a\n", ["a"]),
    "CR LF": ("a\r\nb\r\n", ["a", "b"]),
    "an empty one": ("a\n\nb", ["a", "", "b"]),
    "CR within": ("a\rb\n", [r"a\x0db"]),
    "escapes and a backslash": ("\x1b[2J\\\n", [r"\x1b[2J\\"]),
}


@given(texts)
def test_clean_text_is_printable_and_stays_so(text: str) -> None:
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)


@given(texts)
def test_escaped_text_is_as_it_was_when_it_is_cleaned(text: str) -> None:
    assert clean(escape_all(text)) == escape_all(text)


@given(st.text(max_size=300))
@example("\U0010ffff" * 300)
def test_nothing_is_cut(text: str) -> None:
    assert unescape(escape_all(text)) == text


@pytest.mark.parametrize("case", LINES)
def test_lines(case: str) -> None:
    output, lines = LINES[case]
    assert lines_of(output) == lines


@given(st.lists(st.sampled_from(["ssh 1.0", "SSH-1.0", "ssh 1 0 2", "é", ""])))
def test_slugs_are_plain_and_distinct(names: list[str]) -> None:
    results: list[dict[str, Any]] = [{"client": {"name": name}} for name in names]
    given_slugs = list(slugs(results))
    assert len(set(given_slugs)) == len(names)
    assert all(slug.replace("-", "a").isalnum() and slug.isascii() for slug in given_slugs)


def test_counts() -> None:
    assert count(run_of(MIXED)) == {
        "passed": 1,
        "hung": 1,
        "late": 1,
        "wrong": 3,
        "crashed": 1,
        "leaked": 1,
        "MUST failures": 5,
    }


def test_every_server_is_of_a_layer() -> None:
    assert {row.id[0] for row in SERVERS} <= set(LAYERS)
