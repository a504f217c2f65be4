"""Results in one table, a line a client: for a terminal, and for a README."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from probe.conform.judge import Result
from probe.conform.words import clean, count, title

_COLUMNS: Final = 80

_HEADS: Final = (*Result, "MUST failures")

_GAP: Final = 2
"""Columns between two."""

_NAME_COLUMNS: Final = _COLUMNS - sum(_GAP + len(head) for head in _HEADS)

_MARKDOWN: Final = re.compile(r"[\\`*_{}\[\]<>|~&#@]")
"""What Markdown reads as more than itself in the middle of a line."""


def to_lines(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give the table for a terminal, in lines of 80 columns without their ends.

    Args:
        results: Of each client, as ``results.read`` gives them.
    """
    yield _line("client", _HEADS)
    for members in results:
        name, *more = wrap(title(members), _NAME_COLUMNS) or [""]
        yield _line(name, count(members).values())
        yield from (f"  {part}" for part in more)


def to_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the table in Markdown, with its date.

    Args:
        results: Of each client, as ``results.read`` gives them.
    """
    rows = [
        ["client", *_HEADS],
        ["---", *["---:"] * len(_HEADS)],
        *([_plain(title(members)), *count(members).values()] for members in results),
    ]
    table = "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
    return f"{table}\n{'; '.join(dict.fromkeys(map(_origin, results)))}.\n"


def _line(name: str, cells: Iterable[object]) -> str:
    columns = (f"{cell:>{_GAP + len(head)}}" for cell, head in zip(cells, _HEADS, strict=True))
    return f"{name:{_NAME_COLUMNS}}{''.join(columns)}"


def _origin(members: Mapping[str, Any]) -> str:
    """Say when, by what and on how many cases."""
    version, date = clean(members["version"]), clean(members["date"])
    return (
        f"sshprobe conform {_plain(version)} on {_plain(date[:10])}, {len(members['cases'])} cases"
    )


def _plain(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", text)
