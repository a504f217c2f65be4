"""The command ``sshprobe``. Only the way in is here: what a command needs it imports itself."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sshprobe``, and return its exit status.

    Args:
        arguments: Without the program's name; those of the process if ``None``.
    """
    from probe.cli.arguments import parse  # noqa: PLC0415 - so that Ctrl-C finds the except below
    from probe.cli.status import INTERRUPTED  # noqa: PLC0415 - likewise

    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        status: int = options.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
