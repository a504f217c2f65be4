"""The arguments of ``sshprobe conform``."""

import os
import re
from argparse import REMAINDER, Namespace
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, TypeVar

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser

if TYPE_CHECKING:
    from probe.conform.expected import Expected

Read = TypeVar("Read")

STDOUT: Final = "-"
"""The path that means standard output."""

_DESCRIPTION = """\
Run an SSH client against each server of the catalogue, a case each, and see
whether it ends, when, whether it tells the truth, and what it leaves behind."""

_EPILOG = """\
examples:
  sshprobe conform --name OpenSSH -- ssh -o ConnectTimeout={limit} \\
      -o BatchMode=yes -p {port} nobody@{host} true
  sshprobe conform --driver --json lib.json -- python driver.py {host} {port} {limit}
  sshprobe conform --case 'K*' --case silent -- ./client {host}:{port}
  sshprobe conform --html page.html --results lib.json other.json
  sshprobe conform --expected-failures known.txt -- ./client {host}:{port}

In the words of CLIENT, {host}, {port}, {limit} and {case} are filled in. No shell
is used. The client is started anew for each case, without standard input. It is
to end by {limit} seconds, with status 0 if it was served, else with another.

results:
  passed    it ended in time, said the truth, and left nothing
  hung      it was alive at the hard limit
  late      it ended later than its limit and the margin
  wrong     success against a fault, or failure against a lawful server
  crashed   a signal or a traceback
  leaked    it was back, but its connection, threads or processes live on

To end in time and whole is a MUST in every case. What is right to say is as its
server's level has it: see sshprobe servers list.

A driver calls a library and stays alive, so that what is left can be seen. Its
lines are explained in probe.conform.driver, which has them ready for Python.

--expected-failures names them, a line a case: "NAME RESULT[,RESULT]  # why".

exit status: 0 no MUST failed   1 some did   3 usage   130 interrupted"""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.usage = "%(prog)s [options] -- CLIENT [ARGUMENT ...]"
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG
    parser.add_argument("command", metavar="CLIENT", nargs=REMAINDER, help="program and arguments")
    _add_client(parser)
    _add_run(parser)
    _add_reports(parser)
    return _finish


def _add_client(parser: Parser) -> None:
    client = parser.add_argument_group("the client")
    client.add_argument(
        "--kind",
        choices=("login", "kexinit"),
        default="login",
        help="how far it goes: on to a login, or no further than KEXINIT (default: %(default)s)",
    )
    client.add_argument("--driver", action="store_true", help="it is a driver of a library")
    client.add_argument(
        "--success",
        metavar="REGEX",
        help="what its output shows if it succeeded (default: its status says so)",
    )
    client.add_argument(
        "--name",
        help="what reports call it (default: the name of the program)",
    )


def _add_run(parser: Parser) -> None:
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--case",
        metavar="PATTERN",
        action="append",
        default=[],
        dest="patterns",
        help="cases by name or id, for example 'K*'; may be repeated (default: all)",
    )
    run.add_argument(
        "--limit",
        metavar="SECONDS",
        type=shared.seconds,
        default=5.0,
        help="time of the client; 10 at least where a server is slow (default: %(default)g)",
    )
    run.add_argument(
        "--margin",
        metavar="SECONDS",
        type=shared.seconds,
        default=1.0,
        help="how much later it may end, and what it left may vanish (default: %(default)g)",
    )
    run.add_argument(
        "--hard-limit",
        metavar="SECONDS",
        type=shared.seconds,
        help="when it is killed (default: three times its limit)",
    )
    run.add_argument(
        "--jobs",
        metavar="N",
        type=int,
        default=8,
        help="cases at once (default: %(default)s)",
    )


def _add_reports(parser: Parser) -> None:
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", metavar="FILE", help="all that was seen; - for stdout")
    reports.add_argument("--junit", metavar="FILE", help="JUnit's XML, for a CI")
    reports.add_argument("--html", metavar="FILE", help="a page for people, cases by clients")
    reports.add_argument("--markdown", metavar="FILE", help="a table of the counts")
    reports.add_argument(
        "--results",
        metavar="JSON",
        nargs="+",
        help="run nothing, and report on earlier results, several clients side by side",
    )
    reports.add_argument(
        "--expected-failures",
        metavar="FILE",
        help="failures that are known: the status is about what is not as it says",
    )
    reports.add_argument(
        "--write-expected-failures",
        metavar="FILE",
        help="make such a file of this run",
    )


REPORTS: Final = ("json", "junit", "html", "markdown", "write_expected_failures")
"""The options that name a file to be written."""


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    for name in REPORTS:
        _require_writable(name, getattr(options, name))
    if options.results is not None:
        return _finish_results(options)
    _require_times(options)
    _require_command(options)
    options.hard = (options.hard_limit or 3 * options.limit) / options.limit
    options.name = options.name or PurePath(options.command[0]).name
    options.success = _pattern(options.success)
    options.expected = _expected(options.expected_failures)

    from probe.cli.conform import run  # noqa: PLC0415 - --help and mistakes need no trio
    from probe.conform.case import Kind, select  # noqa: PLC0415 - as above

    options.kind = Kind(options.kind)
    options.cases = select(options.patterns, options.kind, options.limit)
    return run


def _finish_results(options: Namespace) -> Callable[[Namespace], int]:
    if options.command or options.json or options.write_expected_failures:
        message = "--results goes with --html, --junit and --markdown, and with no client"
        raise ValueError(message)

    from probe.cli.conform import run_reports  # noqa: PLC0415 - as above
    from probe.conform.results import read  # noqa: PLC0415 - as above

    options.results = [_read(path, read) for path in options.results]
    return run_reports


def _expected(path: str | None) -> "dict[str, Expected] | None":
    if path is None:
        return None
    from probe.conform.expected import parse  # noqa: PLC0415 - seldom needed

    return _read(path, parse)


def _read(path: str, parse: Callable[[str], Read]) -> Read:
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path!r}: {error.strerror}"
        raise ValueError(message) from None
    except ValueError as error:
        message = f"{path!r}: {error}"
        raise ValueError(message) from None


def _require_times(options: Namespace) -> None:
    if not (0 < options.limit < float("inf") and 0 < options.margin < float("inf")):
        message = "--limit and --margin are more than 0 seconds"
        raise ValueError(message)
    if options.hard_limit is not None and options.hard_limit <= options.limit + options.margin:
        message = "--hard-limit must be later than --limit and --margin together"
        raise ValueError(message)
    if options.jobs < 1:
        message = "--jobs goes from 1"
        raise ValueError(message)


def _require_command(options: Namespace) -> None:
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        message = "name the client: sshprobe conform [options] -- CLIENT {host} {port} {limit}"
        raise ValueError(message)
    if not any("{port}" in word for word in options.command[1:]):
        message = "the client is not told where to connect: write {port} among its arguments"
        raise ValueError(message)


def _require_writable(name: str, path: str | None) -> None:
    if path == STDOUT and name == "json":
        return
    if path is not None and not os.access(PurePath(path).parent, os.W_OK):
        message = f"{path!r}: no file can be made there"
        raise ValueError(message)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text, re.MULTILINE)
    except re.error as error:
        message = f"--success: {error} in {text!r}"
        raise ValueError(message) from None
