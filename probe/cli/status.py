"""Exit statuses: those of monitoring plugins, and those of a shell for signals."""

from collections.abc import Iterable
from signal import SIGINT, SIGPIPE
from typing import Final

from probe.verdict import State, worst

STATUSES: Final = {
    State.OK: 0,
    State.WARNING: 1,
    State.UNKNOWN: 3,
    State.CRITICAL: 2,
}
"""From good to bad. The numbers are those of the monitoring plugins' guidelines."""

USAGE: Final = 3
"""The command line made no sense: nothing is known of any server."""

FAILED: Final = STATUSES[State.UNKNOWN]
"""The command itself failed. Python's own status for that, 1, would say throttled."""

INCOMPLETE: Final = 1
"""A sweep came to its end, and not every line of its input to a report on a server."""

NOT_CONFORMING: Final = 1
"""A client failed where it MUST not."""

BINARY: Final = "--exit-binary"
"""The option that makes 0 or 1 of every status, that of a mistake on the command line, too."""

SIGNALLED: Final = 128
"""Ended by a signal: this plus its number, as a shell says it."""

INTERRUPTED: Final = SIGNALLED + SIGINT

OUTPUT_LOST: Final = SIGNALLED + SIGPIPE
"""Nobody read the output: some reports were not written."""


def status_of(states: Iterable[State]) -> int:
    """Return the exit status of the worst of ``states``; that of OK if there are none."""
    return STATUSES[worst(states)]


def to_binary(status: int) -> int:
    """Make 0 or 1 of an exit status, as orchestrators want it: 1 is a server that is not there.

    A warning is none: sshd lives and is full, or refuses this source, and a restart mends neither.
    """
    return int(status not in (STATUSES[State.OK], STATUSES[State.WARNING]))
