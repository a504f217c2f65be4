"""The arguments of ``sshprobe wait``."""

from argparse import Namespace
from collections.abc import Callable

from probe.budget import LEAST_LIMIT_S
from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser
from probe.target import parse_port, parse_target

_DESCRIPTION = """\
Wait until a server can begin a session: a host that boots, an sshd that is
restarted. What it finds meanwhile is said on stderr."""

_EPILOG = f"""\
times:
  seconds, or for example 90s, 5m, 1h30m

limits of each probe:
{shared.STAGE_LINES}

{shared.EXPECTATION_HELP}

exit status:
  0 as soon as it is ok, or as --expect wants it
  else that of the last verdict: 1 throttled   2 critical   3 unknown, or usage
  130 interrupted   143 terminated

Pauses grow from 1 s to 5 s; after throttled they last as long as a penalty."""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG
    parser.add_argument("target", metavar="TARGET", help="a server: host, host:port, [v6]:port")
    parser.add_argument(
        "--for",
        dest="for_s",
        metavar="TIME",
        type=shared.seconds,
        default=300.0,
        help="how long to wait in all (default: 5m)",
    )
    shared.add_port(parser)
    shared.add_limits(parser)
    shared.add_route(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing meanwhile")
    shared.add_verbose(parser, "print a page at the end; -vv with the whole transcript")
    shared.add_json(parser, "at the end; with -v the transcript is in it")
    shared.add_expectation(parser)
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.wait import run  # noqa: PLC0415 - --help and mistakes need no trio

    shared.finish_route(options)
    shared.finish_expectation(options)
    options.target = parse_target(options.target, parse_port(options.port))
    if not LEAST_LIMIT_S <= options.for_s < float("inf"):
        message = f"--for must be a time above 0, not {options.for_s}"
        raise ValueError(message)
    return run
