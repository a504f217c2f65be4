"""Exit statuses: those of monitoring plugins, and those of a shell for signals."""

from collections.abc import Iterable
from signal import SIGINT, SIGPIPE
from typing import Final

from probe.verdict import State

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

SIGNALLED: Final = 128
"""Ended by a signal: this plus its number, as a shell says it."""

INTERRUPTED: Final = SIGNALLED + SIGINT

OUTPUT_LOST: Final = SIGNALLED + SIGPIPE
"""Nobody read the output: some reports were not written."""

_ORDER: Final = tuple(STATUSES)


def worst(states: Iterable[State]) -> int:
    """Return the exit status of the worst of ``states``; that of OK if there are none."""
    return STATUSES[max(states, key=_ORDER.index, default=State.OK)]
