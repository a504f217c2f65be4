"""The arguments of ``sshprobe demo``."""

from argparse import Namespace
from collections.abc import Callable

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser

_DESCRIPTION = """\
Start every server of the catalogue on loopback, in this process, probe them all
at once, and print a row for each as its probe ends. It takes ten seconds.

exit status: 0 if every verdict is the expected one, else 2"""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = _DESCRIPTION
    shared.add_json(parser, "a server")
    return _finish


def _finish(_options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.demo import run  # noqa: PLC0415 - only this command needs the catalogue

    return run
