"""Arguments that several commands take."""

import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from probe.budget import STAGES, budget_from_rows
from probe.cli.arguments.parser import Parser, did_you_mean
from probe.target import SSH_PORT, parse_port, parse_target

if TYPE_CHECKING:
    from probe.expectation import Expectation

Finish = Callable[[Namespace], Callable[[Namespace], int]]
"""Checks the options and completes them, and returns what runs the command with them."""


STAGE_LINES: Final = "\n".join(
    f"  {row.stage:16}{row.limit_s:4g} s   from {row.begins} to {row.ends}" for row in STAGES
)

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|[smhd])", re.ASCII)


def seconds(text: str) -> float:
    """Read a time as people write it: ``10``, ``0.5``, ``90s``, ``5m``, ``1h30m``, ``250ms``."""
    try:
        return float(text)
    except ValueError:
        parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        message = f"not a time: {text!r}; write seconds, or for example 90s, 5m or 1h30m"
        raise ArgumentTypeError(message) from None
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


# What to connect to, from where, and for how long. -----------------------------------------------


def add_limits(parser: Parser, *names: str) -> None:
    """Add the limits; ``names`` are those of the option for the whole probe."""
    parser.add_argument(
        *(names or ("--limit",)),
        dest="limit",
        metavar="SECONDS",
        type=seconds,
        default=STAGES[0].limit_s,
        help="time for a whole probe (default: %(default)g)",
    )
    parser.add_argument(
        "--stage-limit",
        metavar="STAGE=SECONDS",
        action="append",
        default=[],
        help="time for one stage, see below; may be repeated",
    )


def add_port(parser: Parser) -> None:
    """Add the port."""
    parser.add_argument(
        "-p",
        "--port",
        default=str(SSH_PORT),
        help="port of targets that name none (default: %(default)s)",
    )


def add_route(parser: Parser) -> None:
    """Add what chooses addresses."""
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="ip_version", action="store_const", const=4, help="IPv4 only")
    family.add_argument("-6", dest="ip_version", action="store_const", const=6, help="IPv6 only")
    parser.add_argument(
        "--source",
        metavar="ADDRESS",
        help="numeric address of this machine to connect from",
    )


def finish_route(options: Namespace) -> None:
    """Complete what a probe is called with: ``budget``, and ``keywords`` besides."""
    rows = dict(_stage_limit(text) for text in options.stage_limit)
    options.budget = budget_from_rows(options.limit, rows)
    options.keywords = {
        "budget": options.budget,
        "ip_version": options.ip_version,
        "source": options.source,
    }
    if options.source is not None:
        from probe.prober import require_source  # noqa: PLC0415 - seldom needed

        require_source(options.source, options.ip_version)


def finish_targets(options: Namespace) -> None:
    """Complete ``targets``."""
    port = parse_port(options.port)
    options.targets = [parse_target(text, port) for text in options.targets]


def _stage_limit(text: str) -> tuple[str, float]:
    stage, _, limit = text.partition("=")
    try:
        return stage, seconds(limit)
    except ArgumentTypeError:
        message = f"--stage-limit takes STAGE=SECONDS, for example connect=2, not {text!r}"
        raise ValueError(message) from None


# What is expected. -------------------------------------------------------------------------------

EXPECTATION_HELP: Final = """\
what is expected:
  KIND is kex, host-key, encryption, mac or compression; NAME may hold * and ?.
  --expect refused                    a port that must be closed
  --require kex:mlkem768x25519-sha256 --forbid 'mac:*sha1*'
  sshprobe explain lists verdicts and findings."""


def add_expectation(parser: Parser) -> None:
    """Add what makes a success or a failure of a verdict."""
    parser.add_argument(
        "--expect",
        metavar="VERDICT[,VERDICT]",
        action="append",
        default=[],
        help="verdicts that are a success, all others failures (default: ok)",
    )
    parser.add_argument(
        "--require",
        metavar="KIND:NAME",
        action="append",
        default=[],
        help="algorithm that must be offered, see below; may be repeated",
    )
    parser.add_argument(
        "--forbid",
        metavar="KIND:NAME",
        action="append",
        default=[],
        help="algorithm that must not be offered; may be repeated",
    )
    parser.add_argument(
        "--warn-on",
        metavar="FINDING[,FINDING]",
        action="append",
        default=[],
        help="findings that are a warning",
    )


def finish_expectation(options: Namespace) -> None:
    """Complete ``expectation``."""
    from probe.expectation import Expectation  # noqa: PLC0415 - --help and mistakes need none

    wished = (options.expect, options.require, options.forbid, options.warn_on)
    options.expectation = _expectation(options) if any(wished) else Expectation()


def _expectation(options: Namespace) -> "Expectation":
    from probe.expectation import Expectation, parse_algorithm  # noqa: PLC0415 - as above
    from probe.explanations import Kind, codes_of  # noqa: PLC0415 - seldom needed
    from probe.verdict import Verdict  # noqa: PLC0415 - seldom needed

    verdicts = frozenset(map(Verdict, _known(options.expect, Verdict, "verdict")))
    if verdicts and Verdict.OK not in verdicts and (options.require or options.forbid):
        message = "--require and --forbid need a KEXINIT: add ok to --expect"
        raise ValueError(message)
    return Expectation(
        verdicts=verdicts,
        required=tuple(map(parse_algorithm, options.require)),
        forbidden=tuple(map(parse_algorithm, options.forbid)),
        warn_on=frozenset(_known(options.warn_on, codes_of(Kind.FINDING), "finding")),
    )


def _known(texts: Iterable[str], known: Iterable[str], what: str) -> list[str]:
    """Split lists at their commas, and refuse what is not known."""
    names = [name.strip() for text in texts for name in text.split(",")]
    return [known_code(name, known, what) for name in names]


def known_code(name: str, known: Iterable[str], what: str) -> str:
    """Return ``name`` if it is known.

    Raises:
        ValueError: It is not; the message has one that is like it.
    """
    codes = list(known)
    if name not in codes:
        hint = did_you_mean(name, codes) or "; sshprobe explain lists them"
        message = f"no {what} is called {name!r}{hint}"
        raise ValueError(message)
    return name


def add_verbose(parser: Parser, what: str) -> None:
    """Add ``-v``, which may be repeated."""
    parser.add_argument("-v", "--verbose", action="count", default=0, help=what)


def add_json(parser: Parser, what: str) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=f"print a JSON object {what}")
