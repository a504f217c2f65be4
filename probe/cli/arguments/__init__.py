"""The command line: what may be typed, and what is said when something else is."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from probe.budget import STAGES, budget_from_rows
from probe.cli.status import USAGE
from probe.target import LARGEST_PORT, SSH_PORT, parse_port, parse_target
from probe.version import VERSION

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    _Commands = _SubParsersAction["_Parser"]

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


_DEMO_DESCRIPTION: Final = """\
Start every server of the catalogue on loopback, in this process, probe them all
at once, and print a row for each as its probe ends. It takes ten seconds.

exit status: 0 if every verdict is the expected one, else 2"""

_SERVE_DESCRIPTION: Final = """\
Serve servers of the catalogue, and print a JSON object {"name": port, ...} once
all of them listen. Stop them with Ctrl-C or SIGTERM."""


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
    commands = parser.add_subparsers(
        title="commands",
        metavar="COMMAND",
        required=True,
        parser_class=_Parser,
    )
    _add_check(commands)
    _add_demo(commands)
    _add_servers(commands)
    options = parser.parse_args(arguments)
    try:
        options.finish(options)
    except ValueError as error:
        options.parser.error(str(error))
    return options


# sshprobe check. -------------------------------------------------------------------------------


def _add_check(commands: "_Commands") -> None:
    check = commands.add_parser(
        "check",
        help="probe servers, and print a line for each",
        description="Probe servers side by side, and print a line for each as it ends.",
        epilog=_CHECK_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    check.add_argument("targets", metavar="TARGET", nargs="+", help="a server, see below")
    check.add_argument(
        "-p",
        "--port",
        default=str(SSH_PORT),
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
    _add_json(check, "a target")
    # -4 and -6 make argparse take "--limit -1" for two options; let us refuse the number instead.
    check._has_negative_number_optionals.clear()  # noqa: SLF001 - argparse has no public switch
    check.set_defaults(parser=check, finish=_finish_check)


def _finish_check(options: Namespace) -> None:
    from probe.cli.check import run  # noqa: PLC0415 - --help and mistakes need no trio

    rows = dict(_stage_limit(text) for text in options.stage_limit)
    options.budget = budget_from_rows(options.limit, rows)
    port = parse_port(options.port)
    options.targets = [parse_target(text, port) for text in options.targets]
    options.run = run


def _stage_limit(text: str) -> tuple[str, float]:
    stage, _, seconds = text.partition("=")
    try:
        return stage, float(seconds)
    except ValueError:
        message = f"--stage-limit takes STAGE=SECONDS, for example connect=2, not {text!r}"
        raise ValueError(message) from None


# sshprobe demo. --------------------------------------------------------------------------------


def _add_demo(commands: "_Commands") -> None:
    demo = commands.add_parser(
        "demo",
        help="probe the catalogue of misbehaving servers on this machine",
        description=_DEMO_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_json(demo, "a server")
    demo.set_defaults(parser=demo, finish=_finish_demo)


def _finish_demo(options: Namespace) -> None:
    from probe.cli.demo import run  # noqa: PLC0415 - only this command needs the catalogue

    options.run = run


# sshprobe servers. -----------------------------------------------------------------------------


def _add_servers(commands: "_Commands") -> None:
    servers = commands.add_parser(
        "servers",
        help="list, show and serve the misbehaving servers",
        description="The catalogue of misbehaving servers, for the tests of any SSH client.",
    )
    actions = servers.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="print the catalogue, a row a line")
    _add_json(listing, "a server")
    listing.set_defaults(parser=listing, finish=_finish_list)
    show = actions.add_parser("show", help="print what a server does, octet by octet")
    show.add_argument("name", metavar="NAME", help="a server of the list")
    show.set_defaults(parser=show, finish=_finish_show)
    _add_serve(actions)


def _add_serve(actions: "_Commands") -> None:
    serving = actions.add_parser(
        "serve",
        help="serve some of them until interrupted",
        description=_SERVE_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    serving.add_argument("names", metavar="NAME", nargs="*", help="a server of the list")
    serving.add_argument("--all", action="store_true", help="serve the whole catalogue")
    serving.add_argument(
        "--host",
        default="127.0.0.1",
        help="numeric address to listen on (default: %(default)s)",
    )
    serving.add_argument(
        "--port-base",
        metavar="N",
        type=int,
        default=0,
        help="port of the first server, the next ones follow (default: any free ports)",
    )
    serving.add_argument(
        "--max-clients",
        metavar="N",
        type=int,
        default=256,
        help="clients served at once; further ones wait (default: %(default)s)",
    )
    serving.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="log on stderr what each client did",
    )
    serving.set_defaults(parser=serving, finish=_finish_serve)


def _finish_list(options: Namespace) -> None:
    from probe.cli.servers import run_list  # noqa: PLC0415 - only this command needs the catalogue

    options.run = run_list


def _finish_show(options: Namespace) -> None:
    from probe.cli.servers import run_show  # noqa: PLC0415 - only this command needs the catalogue

    _require_servers([options.name])
    options.run = run_show


def _finish_serve(options: Namespace) -> None:
    from probe.cli.servers import run_serve  # noqa: PLC0415 - only this command needs the catalogue

    if bool(options.names) is options.all:
        message = "name the servers to serve, or write --all"
        raise ValueError(message)
    if not 0 <= options.port_base <= LARGEST_PORT or options.max_clients < 1:
        message = f"--port-base goes from 0 to {LARGEST_PORT}, and --max-clients from 1"
        raise ValueError(message)
    _require_servers(options.names)
    options.run = run_serve


def _require_servers(names: Sequence[str]) -> None:
    from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

    from probe.catalogue import BY_NAME  # noqa: PLC0415 - only this command needs the catalogue

    for name in names:
        if name not in BY_NAME:
            close = get_close_matches(name, BY_NAME, n=1)
            hint = f"; did you mean {close[0]}?" if close else ": see sshprobe servers list"
            message = f"no server is called {name!r}{hint}"
            raise ValueError(message)


def _add_json(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"print a JSON object {what}")
