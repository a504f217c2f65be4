"""The command line: what may be typed, and what is said when something else is.

A command's arguments are in the module of its name, which is imported when that command is typed.
"""

from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from probe.cli.arguments.parser import Parser, did_you_mean
from probe.version import VERSION

COMMANDS: Final = {
    "check": "probe servers, and print a line for each",
    "wait": "wait until a server can begin a session",
    "sweep": "probe the servers of a list of any length, and print JSON",
    "nagios": "probe a server as a monitoring plugin",
    "exporter": "answer Prometheus with probes, and show its own insides",
    "explain": "say what a verdict or a finding means, and what to look at next",
    "demo": "probe the catalogue of misbehaving servers on this machine",
    "conform": "run an SSH client against the misbehaving servers, and judge it",
    "servers": "list, show and serve the misbehaving servers",
    "schema": "print the JSON Schema of reports",
    "completion": "print a script that completes commands in bash, zsh or fish",
}
"""The commands and what they do. Each is a module of this package, too, with ``fill``."""

_DESCRIPTION: Final = """\
Ask SSH servers whether they are alive enough to begin a session.

sshprobe connects, exchanges identification strings and KEXINIT (RFC 4253), and
leaves: no keys, no login. It always has an answer by the time you chose."""

_EPILOG: Final = """\
sshprobe COMMAND --help says more of each. To begin with: sshprobe check HOST"""


def parse(arguments: Sequence[str]) -> Namespace:
    """Read the command line.

    Returns:
        The options; ``run`` is the command, to be called with them.

    Raises:
        SystemExit: With status 3 and a message on stderr if it makes no sense, with status 0
            after ``--help`` and ``--version``.
    """
    command = next(iter(arguments), "")
    parser = build(command)
    if command not in COMMANDS and command[:1] not in ("", "-"):
        hint = did_you_mean(command, COMMANDS)
        instead = hint or f"; to probe a server, write: {parser.prog} check {command!r}"
        parser.error(f"no command is called {command!r}{instead}")
    options, rest = parser.parse_known_args(arguments)
    if command not in COMMANDS:
        parser.error(f"{command!r} stands before the command; options of a command follow it")
    listed = getattr(options, "targets", getattr(options, "files", None))
    if listed is not None and not any(word.startswith("-") for word in rest):
        listed += rest  # argparse takes no targets after an option that follows some
    else:
        options.parser.refuse_unrecognized(rest)
    try:
        options.run = options.finish(options)
    except ValueError as error:
        options.parser.error(str(error))
    return options


def build(command: str | None = None) -> Parser:
    """Build the parser, with the arguments of one command, or of all if ``None``."""
    parser = Parser(prog="sshprobe", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"sshprobe {VERSION}")
    commands = parser.add_subparsers(
        title="commands",
        metavar="COMMAND",
        required=True,
        parser_class=Parser,
    )
    for name, what in COMMANDS.items():
        own = commands.add_parser(name, help=what)
        if command in (None, name):
            finish = import_module(f"{__name__}.{name}").fill(own)
            own.set_defaults(parser=own, finish=finish)
    return parser
