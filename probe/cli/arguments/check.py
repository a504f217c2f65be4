"""The arguments of ``sshprobe check``."""

from argparse import Namespace
from collections.abc import Callable

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser
from probe.cli.status import BINARY

_EPILOG = f"""\
examples:
  sshprobe check build-7              a line: what is wrong, and where to look
  sshprobe check -v build-7:2222      a page: how sure, what else it may be, and
                                      what to type next, down to the octets
  sshprobe check --json a b | jq .    the evidence, for a program
  sshprobe check --expect refused -p 23 build-7

targets:
  host, host:port, 192.0.2.1, 2001:db8::1, [2001:db8::1]:port, ssh://host:port

limits:
{shared.STAGE_LINES}
  --limit scales every stage that --stage-limit does not set.

{shared.EXPECTATION_HELP}

exit status, of the worst target:
  0 ok   1 throttled   3 unknown: local or internal error, or usage   2 critical
  130 interrupted   143 terminated   141 output closed or never read

With --exit-binary the first two are 0, and all others 1.

A server is asked at most once a second, and in bursts of 15, because OpenSSH
punishes sources that do not log in."""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = "Probe servers side by side, and print a line for each as it ends."
    parser.epilog = _EPILOG
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="a server, see below")
    shared.add_port(parser)
    shared.add_limits(parser)
    shared.add_route(parser)
    parser.add_argument(
        "--all-addresses",
        action="store_true",
        help="probe every address of a name, and print a line for each",
    )
    shared.add_verbose(parser, "print a page for each target; -vv with the whole transcript")
    shared.add_json(parser, "a target; with -v the transcript is in it")
    shared.add_expectation(parser)
    parser.add_argument(
        BINARY,
        action="store_true",
        help="exit with 0 or 1 only, as container health checks want it",
    )
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.check import run  # noqa: PLC0415 - --help and mistakes need no trio

    shared.finish_route(options)
    shared.finish_targets(options)
    shared.finish_expectation(options)
    return run
