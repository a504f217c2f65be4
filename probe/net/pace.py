"""Politeness: how often one server may be probed."""

from collections.abc import Hashable
from typing import Final

INTERVAL_S: Final = 1.0
"""OpenSSH 9.8 and later adds a penalty of one second for each connection that does not log in."""

BURST: Final = 15
"""It refuses a source whose penalties add up to more than 15 seconds."""


class Pace:
    """Says when a server may be probed next, so that OpenSSH never bans us.

    It keeps no clock: all instants are the caller's.

    Args:
        interval_s: Seconds between probes of one server in the long run.
        burst: Probes that may begin at once.

    Source:
        sshd_config(5), PerSourcePenalties: ``noauth`` 1 s, ``min`` 15 s.
    """

    __slots__ = ("_ahead_s", "_due_at", "_interval_s")

    def __init__(self, interval_s: float = INTERVAL_S, burst: int = BURST) -> None:
        self._interval_s = interval_s
        self._ahead_s = interval_s * (burst - 1)
        self._due_at: dict[Hashable, float] = {}  # when the server has forgiven all probes so far

    def reserve(self, server: Hashable, now: float) -> float:
        """Count one more probe of ``server``, and return the instant at which it may begin."""
        due_at = max(self._due_at.get(server, now), now)
        self._due_at[server] = due_at + self._interval_s
        return max(now, due_at - self._ahead_s)
