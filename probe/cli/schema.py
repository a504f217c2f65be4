"""``sshprobe schema``."""

from argparse import Namespace

from probe.cli.printing import print_lines
from probe.report import schema


def run(_options: Namespace) -> int:
    """Print the JSON Schema of reports."""
    return print_lines(schema().splitlines())
