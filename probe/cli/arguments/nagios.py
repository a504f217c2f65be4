"""The arguments of ``sshprobe nagios``: those that the plugin guidelines reserve, and ours."""

from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from probe.budget import STAGES, Stage
from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser
from probe.target import parse_port, parse_target
from probe.version import VERSION

if TYPE_CHECKING:
    from probe.nagios import Range

_EPILOG = f"""\
ranges, in seconds:
  10 alerts below 0 and above 10     10: below 10      ~:10 above 10
  10:20 outside of 10 to 20          @10:20 inside     STAGE=RANGE for one stage

stages:
{shared.STAGE_LINES}

{shared.EXPECTATION_HELP}

verbosity: -v what happened, in the same line; -vv a page; -vvv the transcript.

exit status: 0 OK   1 WARNING   2 CRITICAL   3 UNKNOWN, --help and --version"""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.speaks_on_stdout = True
    parser.description = "Probe a server as the monitoring plugins' guidelines want it."
    parser.epilog = _EPILOG
    parser.add_argument("-H", "--hostname", metavar="HOST", required=True, help="the server")
    shared.add_port(parser)
    shared.add_limits(parser, "-t", "--timeout", "--limit")
    for name, state in (("warning", "WARNING"), ("critical", "CRITICAL")):
        parser.add_argument(
            f"-{name[0]}",
            f"--{name}",
            metavar="RANGE",
            action="append",
            default=[],
            help=f"times that are {state}, see below; may be repeated",
        )
    shared.add_route(parser)
    shared.add_expectation(parser)
    shared.add_verbose(parser, "say more, see below")
    parser.add_argument("-V", "--version", action="version", version=f"sshprobe nagios {VERSION}")
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.nagios import run  # noqa: PLC0415 - --help and mistakes need no trio
    from probe.nagios import Thresholds  # noqa: PLC0415 - as above

    shared.finish_route(options)
    shared.finish_expectation(options)
    options.target = parse_target(options.hostname, parse_port(options.port))
    options.thresholds = Thresholds(_ranges(options.warning), _ranges(options.critical))
    return run


def _ranges(texts: Iterable[str]) -> dict[Stage, "Range"]:
    from probe.nagios import parse_range  # noqa: PLC0415 - --help and mistakes need none

    ranges = {}
    for text in texts:
        stage, equals, bounds = text.rpartition("=")
        names = [row.stage for row in STAGES]
        stage = shared.known_code(stage, names, "stage") if equals else Stage.PROBE
        ranges[Stage(stage)] = parse_range(bounds)
    return ranges
