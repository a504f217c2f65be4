"""The arguments of ``sshprobe explain``."""

from argparse import Namespace
from collections.abc import Callable
from itertools import chain

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    from probe.explanations import Kind, of_kind  # noqa: PLC0415 - their texts are the help
    from probe.report.long import wrap_text  # noqa: PLC0415 - as above

    parser.description = "Say what a verdict, finding or violation means; without one, list them."
    lines = [[f"  {row.code}", *wrap_text(row.sentence, "    ")] for row in of_kind(Kind.VERDICT)]
    parser.epilog = "\n".join(["verdicts:", *chain(*lines)])
    parser.add_argument("code", metavar="CODE", nargs="?", help="for example silent")
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.explain import run  # noqa: PLC0415 - --help needs no explanations
    from probe.explanations import BY_CODE  # noqa: PLC0415 - --help needs none

    if options.code is not None:
        shared.known_code(options.code, BY_CODE, "verdict, finding or violation")
    return run
