"""The arguments of ``sshprobe explain``."""

from argparse import Namespace
from collections.abc import Callable

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = (
        "Say what a verdict, a finding or a violation means; without one, list them."
    )
    parser.add_argument("code", metavar="CODE", nargs="?", help="for example silent")
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.explain import run  # noqa: PLC0415 - --help needs no explanations
    from probe.explanations import BY_CODE  # noqa: PLC0415 - --help needs none

    if options.code is not None:
        shared.known_code(options.code, BY_CODE, "verdict, finding or violation")
    return run
