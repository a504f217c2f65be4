"""The command line: what may be typed, and what is said when something else is."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Final, NoReturn

from probe.budget import STAGES, budget_from_rows
from probe.cli.status import USAGE
from probe.target import SSH_PORT, parse_target
from probe.version import VERSION

_DESCRIPTION: Final = """\
Ask SSH servers whether they are alive enough to begin a session.

sshprobe connects, exchanges identification strings and KEXINIT (RFC 4253), and
leaves: no keys, no login. It always has an answer by the time you chose."""

_STAGES: Final = "\n".join(
    f"  {row.stage:16}{row.limit_s:4g} s   from {row.begins} to {row.ends}" for row in STAGES
)

_CHECK_EPILOG: Final = f"""\
targets:
  host, host:port, 192.0.2.1, 2001:db8::1, [2001:db8::1]:port, ssh://host:port

limits:
{_STAGES}
  --limit scales every stage that --stage-limit does not set.

exit status, of the worst target:
  0 ok   1 throttled   3 unknown: local or internal error, or usage   2 critical
  130 interrupted   143 terminated   141 output closed or never read

A server is asked at most once a second, and in bursts of 15, because OpenSSH
punishes sources that do not log in."""


class _Parser(ArgumentParser):
    """argparse with the exit status of monitoring plugins: 2 would mean a critical server."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> Namespace:
    """Read the command line.

    Returns:
        The options; ``run`` is the command, to be called with them.

    Raises:
        SystemExit: With status 3 and a message on stderr if it makes no sense, with status 0
            after ``--help`` and ``--version``.
    """
    parser = _Parser(
        prog="sshprobe",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sshprobe {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="probe servers, and print a line for each",
        description="Probe servers side by side, and print a line for each as it ends.",
        epilog=_CHECK_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_check_arguments(check)
    options = parser.parse_args(arguments)
    _finish_check(check, options)
    return options


def _add_check_arguments(check: ArgumentParser) -> None:
    check.add_argument("targets", metavar="TARGET", nargs="+", help="a server, see below")
    check.add_argument(
        "-p",
        "--port",
        type=int,
        default=SSH_PORT,
        help="port of targets that name none (default: %(default)s)",
    )
    check.add_argument(
        "--limit",
        metavar="SECONDS",
        type=float,
        default=STAGES[0].limit_s,
        help="time for a whole probe (default: %(default)g)",
    )
    check.add_argument(
        "--stage-limit",
        metavar="STAGE=SECONDS",
        action="append",
        default=[],
        help="time for one stage, see below; may be repeated",
    )
    family = check.add_mutually_exclusive_group()
    family.add_argument("-4", dest="ip_version", action="store_const", const=4, help="IPv4 only")
    family.add_argument("-6", dest="ip_version", action="store_const", const=6, help="IPv6 only")
    check.add_argument("--json", action="store_true", help="print one JSON object a line")
    # -4 and -6 make argparse take "--limit -1" for two options; let us refuse the number instead.
    check._has_negative_number_optionals.clear()  # noqa: SLF001 - argparse has no public switch


def _finish_check(check: ArgumentParser, options: Namespace) -> None:
    """Turn words into targets and a budget."""
    from probe.cli.check import run  # noqa: PLC0415 - --help and mistakes need no trio

    try:
        rows = dict(_stage_limit(text) for text in options.stage_limit)
        options.budget = budget_from_rows(options.limit, rows)
        options.targets = [parse_target(text, options.port) for text in options.targets]
    except ValueError as error:
        check.error(str(error))
    options.run = run


def _stage_limit(text: str) -> tuple[str, float]:
    stage, _, seconds = text.partition("=")
    try:
        return stage, float(seconds)
    except ValueError:
        message = f"--stage-limit takes STAGE=SECONDS, for example connect=2, not {text!r}"
        raise ValueError(message) from None
