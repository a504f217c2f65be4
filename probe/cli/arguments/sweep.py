"""The arguments of ``sshprobe sweep``."""

import math
import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser
from probe.target import parse_port

_DESCRIPTION = """\
Probe every server of a list of any length, and print a JSON object for each as
it ends. Progress and a summary are on stderr."""

_EPILOG = f"""\
a line of FILE:
  host, host:port, [2001:db8::1]:port, ssh://host:port   as for sshprobe check
  192.0.2.0/24, 192.0.2.0/24:22, [2001:db8::]/120:2222   each address of a block
  # begins a comment; a line that makes no sense is reported and skipped

limits:
{shared.STAGE_LINES}
  --limit scales every stage that --stage-limit does not set.

An interrupted sweep goes on with the same command and --resume FILE, where FILE
is what it wrote. Targets that are in it are passed over; one that stands in the
list more often than in FILE is probed again.

Descriptors, ports or memory that this machine lacks are waited for; what stays
lacking is reported as local-error, and says nothing of the server.

exit status, whatever the verdicts:
  0   every target was probed
  1   the sweep came to its end, but lines were skipped, or some reports are
      local-error or internal-error
  3   a file could not be read or written, or the command line makes no sense
  130 interrupted   143 terminated   141 output closed, full or deleted"""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="targets, one a line, see below; - or nothing for standard input",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--output", metavar="FILE", help="write reports to a new file")
    place.add_argument(
        "--resume",
        metavar="FILE",
        help="append reports to FILE, and pass over the targets that are in it",
    )
    shared.add_port(parser)
    shared.add_limits(parser)
    shared.add_route(parser)
    _add_pace(parser)
    return _finish


def _add_pace(parser: Parser) -> None:
    parser.add_argument(
        "--max-in-flight",
        metavar="N",
        type=_count,
        help="probes side by side (default: 4096, or what this machine allows)",
    )
    parser.add_argument(
        "--rate",
        metavar="N",
        type=_rate,
        help="probes that begin in a second (default: 1000)",
    )
    parser.add_argument(
        "--per-server-rate",
        metavar="N",
        type=_rate_or_none,
        help="probes of one server in a second, after a burst of 15; 0 for no limit (default: 1,"
        " because OpenSSH punishes sources that do not log in)",
    )


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.sweep import run  # noqa: PLC0415 - --help and mistakes need no trio

    shared.finish_route(options)
    options.port = parse_port(options.port)
    options.files = options.files or ["-"]
    _require_readable(options.files)
    for name in ("max_in_flight", "rate", "per_server_rate"):
        if getattr(options, name) is not None:
            options.keywords[name] = getattr(options, name)
    return run


def _require_readable(names: list[str]) -> None:
    for name in names:
        if name == "-":
            if sys.stdin is not None and sys.stdin.isatty():
                message = "name a file of targets, or let another program write them to this one"
                raise ValueError(message)
        elif not os.access(name, os.R_OK) or Path(name).is_dir():
            message = f"cannot read {name!r}"
            raise ValueError(message)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):  # noqa: PLR2004 - digits
        message = f"not a number of probes: {text!r}"
        raise ArgumentTypeError(message)
    return int(text)


def _rate(text: str) -> float:
    rate = _rate_or_none(text)
    if not rate:
        message = f"must be above 0, not {text!r}"
        raise ArgumentTypeError(message)
    return rate


def _rate_or_none(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (rate == 0 or 1e-6 <= rate <= 1e6):  # noqa: PLR2004 - once in eleven days
        message = f"not a number a second: {text!r}"
        raise ArgumentTypeError(message)
    return rate
