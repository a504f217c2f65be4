"""The command ``sshprobe``. Only the way in is here: what a command needs it imports itself."""

import sys
from collections.abc import Sequence

from probe.cli.status import BINARY, FAILED, INTERRUPTED, to_binary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sshprobe``, and return its exit status.

    Args:
        arguments: Without the program's name; those of the process if ``None``.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    if BINARY not in typed:
        return _run(typed)
    try:
        return to_binary(_run(typed))
    except SystemExit as ended:  # a mistake on the command line, which shall be 0 or 1, too
        raise SystemExit(to_binary(int(ended.code or 0))) from None


def _run(arguments: Sequence[str]) -> int:
    try:
        from probe.cli.arguments import parse  # noqa: PLC0415 - so that Ctrl-C finds the except

        options = parse(arguments)
        status: int = options.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, it says nothing of any server
        sys.excepthook(type(error), error, error.__traceback__)
        return FAILED
    return status
