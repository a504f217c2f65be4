"""The arguments of ``sshprobe exporter``."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser
from probe.exporter.files import FILES
from probe.target import Target, parse_target

LISTEN = "127.0.0.1:9822"

_EPILOG = """\
what it answers:
  /probe?target=HOST&module=NAME   metrics of a probe; debug=true explains it
  /metrics                         its own
  /healthz                         503 if a probe ever outlived its budget
  /                                a page of recent probes
  /debug/tasks                     with --debug: its tasks; full=1 for each

files to print:
{files}

signals:
  HUP reads the configuration again: a bad one is refused whole, the old stays
  TERM answers the requests that were begun, and ends

Without a configuration it probes port 22 of any address but loopback,
link-local and multicast.

exit status:
  0   ended by a signal, or the configuration is good
  3   it makes no sense, or the address cannot be listened at"""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = "Answer Prometheus, as blackbox_exporter does, and show its own insides."
    lines = (f"  {name:9}{what}" for name, (_, what) in FILES.items())
    parser.epilog = _EPILOG.format(files="\n".join(lines))
    parser.add_argument(
        "--listen",
        metavar="ADDRESS:PORT",
        default=LISTEN,
        help="address of this machine, and port; 0 for any free one (default: %(default)s)",
    )
    parser.add_argument("--config", metavar="FILE.toml", type=Path, help="configuration")
    parser.add_argument("--debug", action="store_true", help="show tasks at /debug/tasks")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--check-config",
        action="store_true",
        help="say whether the configuration is good, and end",
    )
    instead.add_argument(
        "--print", metavar="WHAT", choices=list(FILES), help="print a file, see below"
    )
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    try:
        from probe.cli.exporter import run  # noqa: PLC0415 - only this command needs its libraries
    except ImportError as error:
        message = f"{error.name} is missing: pip install 'sshprobe[exporter]'"
        raise ValueError(message) from None
    from probe.exporter.config import DEFAULT, read_config  # noqa: PLC0415 - as above

    options.address = _address(options.listen)
    if options.check_config and options.config is None:
        message = "--check-config needs --config FILE.toml"
        raise ValueError(message)
    options.read = DEFAULT if options.config is None else read_config(options.config)
    return run


def _address(text: str) -> Target:
    """Read where to listen: as a target, but that its port may be 0."""
    if text.endswith(":0"):
        return Target(parse_target(text.removesuffix(":0")).host, 0)
    return parse_target(text, parse_target(LISTEN).port)
