"""Politeness: how often one server may be probed."""

from collections.abc import Hashable
from typing import Final

INTERVAL_S: Final = 1.0
"""OpenSSH 9.8 and later adds a penalty of one second for each connection that does not log in."""

BURST: Final = 15
"""It refuses a source whose penalties add up to more than 15 seconds."""

_FEWEST: Final = 1024
"""Servers that are remembered before any is forgotten: a tenth of a megabyte."""


class Pace:
    """Says when a server may be probed next, so that OpenSSH never bans us.

    It keeps no clock: all instants are the caller's, and none is earlier than the one before.

    It remembers only servers that have something to forgive: as many as were probed within the
    last ``burst`` intervals, and at most as many others.

    Args:
        interval_s: Seconds between probes of one server in the long run; 0 for no rest at all.
        burst: Probes that may begin at once.

    Source:
        sshd_config(5), PerSourcePenalties: ``noauth`` 1 s, ``min`` 15 s.
    """

    __slots__ = ("_ahead_s", "_due_at", "_interval_s", "_tidy_at")

    def __init__(self, interval_s: float = INTERVAL_S, burst: int = BURST) -> None:
        self._interval_s = interval_s
        self._ahead_s = interval_s * (burst - 1)
        self._due_at: dict[Hashable, float] = {}  # when the server has forgiven all probes so far
        self._tidy_at = _FEWEST

    def __len__(self) -> int:
        """Return how many servers are remembered."""
        return len(self._due_at)

    def begins_at(self, server: Hashable, now: float) -> float:
        """Return the instant at which one more probe of ``server`` may begin, and count none."""
        return max(now, self._due_at.get(server, now) - self._ahead_s)

    def reserve(self, server: Hashable, now: float) -> float:
        """Count one more probe of ``server``, and return the instant at which it may begin."""
        if len(self._due_at) >= self._tidy_at:
            self._forget(now)
        due_at = max(self._due_at.get(server, now), now)
        self._due_at[server] = due_at + self._interval_s
        return max(now, due_at - self._ahead_s)

    def _forget(self, now: float) -> None:
        """Drop the servers that have forgiven all; seldom enough to cost nothing a probe."""
        self._due_at = {server: at for server, at in self._due_at.items() if at > now}
        self._tidy_at = max(_FEWEST, 2 * len(self._due_at))
