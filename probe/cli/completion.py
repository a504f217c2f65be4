"""``sshprobe completion``."""

from argparse import Action, Namespace
from collections.abc import Iterator
from typing import Final

from probe.catalogue import BY_NAME
from probe.cli.arguments import build
from probe.cli.arguments.parser import Parser
from probe.cli.output import complain
from probe.cli.printing import print_lines
from probe.cli.status import USAGE
from probe.expectation import KINDS
from probe.explanations import EXPLANATIONS, Kind

_CODES: Final = {kind: [row.code for row in EXPLANATIONS if row.kind is kind] for kind in Kind}

_WORDS: Final = {
    "code": [row.code for row in EXPLANATIONS],
    "expect": _CODES[Kind.VERDICT],
    "warn_on": _CODES[Kind.FINDING],
    "require": [f"{kind}:" for kind in KINDS],
    "forbid": [f"{kind}:" for kind in KINDS],
    "name": list(BY_NAME),
    "names": list(BY_NAME),
}
"""What an argument may be, where argparse does not know."""


def run(options: Namespace) -> int:
    """Print the script for a shell."""
    try:
        import shtab  # noqa: PLC0415 - an extra
    except ImportError:
        complain("this needs shtab: pip install 'sshprobe[completion]'")
        return USAGE
    parser = build()
    for action in _actions(parser):
        action.choices = _WORDS.get(action.dest, action.choices)
        if action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab's own
    return print_lines(shtab.complete(parser, options.shell).splitlines())


def _actions(parser: Parser) -> Iterator[Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        yield action
        for inner in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
            yield from _actions(inner)
