"""Results as one page of HTML that asks nothing of anybody.

The page holds the results as JSON, and its own script shows them, as text alone. What a client or
a peer said is escaped here, so no character of it does anything. A policy in the page forbids all
but the script and the style that are in it.
"""

import json
import shlex
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from probe.conform.judge import Result
from probe.conform.words import LAYERS, clean, count, lines_of, slugs
from probe.evidence import Side

_DESCRIPTION: Final = ("id", "name", "section", "level", "requirement", "differs")
"""What a case says of its server: the same for every client."""

_UNSAFE: Final = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&"}
"""What might end the element of the JSON; what is not ASCII is escaped already."""


class _Octets:
    """All octets of all transcripts, equal ones once: servers say the same to every client."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._starts: dict[bytes, int] = {}

    def place(self, octets: bytes) -> int:
        """Return where ``octets`` begin."""
        if octets not in self._starts:
            self._starts[octets] = len(self._kept)
            self._kept += octets
        return self._starts[octets]

    def packed(self) -> str:
        """Return them all, deflated, in base64."""
        return b64encode(zlib.compress(self._kept, 9)).decode()


def to_html(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a page that shows the results.

    Args:
        results: Of each client, as ``results.read`` gives them.
    """
    template = files("probe.conform").joinpath("page.html").read_text(encoding="utf-8")
    for element in ("script", "style"):
        template = template.replace(f"HASH-OF-{element.upper()}", _hash(template, element))
    return template.replace("RESULTS-AS-JSON", _to_json(results))


def _hash(template: str, element: str) -> str:
    """Return the hash of an element's text, as a policy has it."""
    _, _, rest = template.partition(f"<{element}>")
    text, _, _ = rest.partition(f"</{element}>")
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _to_json(results: Sequence[Mapping[str, Any]]) -> str:
    octets = _Octets()
    cases = _cases(results)
    members = {
        "layers": LAYERS,
        "results": list(Result),
        "cases": cases,
        "clients": [
            _client(members, slug, [case["name"] for case in cases], octets)
            for members, slug in zip(results, slugs(results), strict=True)
        ],
        "octets": octets.packed(),
    }
    return json.dumps(_cleaned(members), separators=(",", ":")).translate(_UNSAFE)


def _cases(results: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the cases of all clients, in the catalogue's order."""
    described = {
        case["name"]: {member: case[member] for member in _DESCRIPTION}
        for members in results
        for case in members["cases"]
    }
    layers = "".join(LAYERS)
    return sorted(described.values(), key=lambda case: (layers.find(case["id"][:1]), case["id"]))


def _client(
    members: Mapping[str, Any], slug: str, names: Sequence[str], octets: _Octets
) -> dict[str, Any]:
    """Return what the page has of a client; its runs in the order of ``names``."""
    runs = {case["name"]: _run(case, octets) for case in members["cases"]}
    return {
        **members["client"],
        "command": shlex.join(members["client"]["command"]),
        "slug": slug,
        "version": members["version"],
        "date": members["date"],
        "complete": members["complete"],
        "margin_s": members["margin_s"],
        "counts": count(members),
        "runs": [runs.get(name) for name in names],
    }


def _run(case: Mapping[str, Any], octets: _Octets) -> dict[str, Any]:
    """Return what the page has of a client's run against one server, empty members left out."""
    run = {
        **{name: value for name, value in case.items() if name not in _DESCRIPTION},
        "output": lines_of(case["output"]),
        "talks": [_talk(talk, octets) for talk in case["talks"]],
    }
    return {name: value for name, value in run.items() if value not in ([], None)}


def _talk(talk: Mapping[str, Any], octets: _Octets) -> dict[str, Any]:
    passages = [_passage(passage, octets) for passage in talk["passages"]]
    return {"opened_s": talk["opened_s"], "passages": passages}


def _passage(passage: Mapping[str, Any], octets: _Octets) -> list[Any]:
    """Return when, whether by the server, its offset and length; and where its octets are."""
    kept = bytes.fromhex(passage["hex"])
    return [
        passage["at_s"],
        int(passage["side"] == Side.SERVER),
        passage["offset"],
        passage["length"],
        octets.place(kept),
        len(kept),
    ]


def _cleaned(value: Any) -> Any:  # noqa: ANN401 - what JSON has
    """Return a value for JSON with every text in it made printable."""
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {name: _cleaned(inner) for name, inner in value.items()}
        case list():
            return list(map(_cleaned, value))
        case float():
            return round(value, 3)
        case _:
            return value
