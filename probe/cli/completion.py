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
from probe.explanations import BY_CODE, Kind, codes_of

_WORDS: Final = {
    "code": list(BY_CODE),
    "expect": codes_of(Kind.VERDICT),
    "warn_on": codes_of(Kind.FINDING),
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
