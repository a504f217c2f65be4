"""The arguments of ``sshprobe schema``: none."""

from argparse import Namespace
from collections.abc import Callable

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = "Print the JSON Schema (draft 2020-12) of what --json prints."
    return _finish


def _finish(_options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.schema import run  # noqa: PLC0415 - --help needs none of it

    return run
