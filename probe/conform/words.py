"""What all reports of a run share: names of its layers, counts, and texts made fit to show."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from probe.catalogue.row import Level
from probe.conform.judge import Result
from probe.text import escape

LAYERS: Final = {
    "C": "connection",
    "I": "identification",
    "K": "KEXINIT",
    "X": "key exchange",
    "T": "kernel",
}
"""What a case is about, by the first letter of its id."""

_LONGEST_ESCAPE: Final = len(r"\U0010ffff")


def clean(text: str) -> str:
    r"""Make a text of ours printable that may quote a peer's, which is escaped already.

    Its backslashes stand, so what was escaped stays as it is; what was not is escaped now.
    """
    return "\\".join(map(escape_all, text.split("\\")))


def escape_all(text: str) -> str:
    """Escape a text of a client or a peer, and cut nothing."""
    return escape(text, _LONGEST_ESCAPE * len(text) + 1)


def lines_of(output: str) -> list[str]:
    """Escape what a client wrote, line by line; a line's end is no part of it."""
    lines = output.split("\n")
    return [escape_all(line.removesuffix("\r")) for line in lines[: len(lines) - (not lines[-1])]]


def title(members: Mapping[str, Any]) -> str:
    """Return a client's name, with a word if its run did not come to its end."""
    name = clean(members["client"]["name"])
    return name if members["complete"] else f"{name} (incomplete)"


def slugs(results: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give each client a name of its own of letters, digits and hyphens."""
    taken: Counter[str] = Counter()
    for members in results:
        words = re.findall(r"[a-z0-9]+", members["client"]["name"].lower())
        slug = "-".join(words) or "client"
        taken[slug] += 1
        yield slug if taken[slug] == 1 else f"{slug}--{taken[slug]}"


def count(members: Mapping[str, Any]) -> dict[str, int]:
    """Count a run's cases by result, and the failures that an RFC's MUST forbids."""
    cases = members["cases"]
    results = Counter(case["result"] for case in cases)
    return {
        **{result.value: results[result] for result in Result},
        "MUST failures": sum(failed_must(case) for case in cases),
    }


def failed_must(case: Mapping[str, Any]) -> bool:
    """Whether a client failed where it must not."""
    return bool(case["failed"] == Level.MUST)
