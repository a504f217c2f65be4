"""When a probe of a sweep may begin: in its turn, and when its server has rested.

No clock is kept: all instants are the caller's, and none is earlier than the one before.
"""

import math
from collections import Counter
from heapq import heappop, heappush, heapreplace
from typing import Final

from probe.net.pace import Pace
from probe.target import Target

CATCH_UP_S: Final = 0.01
"""How far behind its rate a sweep may be and still make up for it: what starts at once expires at
once, and five thousand that do are up to 0.3 s late."""

AHEAD_S: Final = 0.005
"""How far ahead of its turn a probe may begin: a sweep that wakes once for five of a thousand a
second needs over a quarter less CPU, and five that expire at once are not late."""


class Turns:
    """Spreads starts over time.

    Args:
        rate: Starts in a second, above 0.
    """

    def __init__(self, rate: float) -> None:
        self._interval_s = 1 / rate
        self._next_at = -math.inf

    def take(self, now: float) -> float:
        """Take the next turn, and return when that is."""
        at = max(self._next_at, now - CATCH_UP_S)
        self._next_at = at + self._interval_s
        return at


class Resting:
    """Targets whose servers have to rest. Those of one server are counted, not kept.

    Args:
        pace: Says how long they have to.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waiting = Counter[Target]()
        self._number = 0
        self._heap: list[tuple[float, int, Target]] = []  # an entry for each server
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def must_wait(self, target: Target, now: float) -> bool:
        """Whether its server has to rest, or others wait for that server already."""
        return target in self._waiting or self._pace.begins_at(target, now) > now

    def add(self, target: Target, now: float) -> None:
        """Let one more probe of ``target`` wait."""
        if target not in self._waiting:
            self._number += 1  # servers of one instant come in the order of their targets
            heappush(self._heap, (self._pace.begins_at(target, now), self._number, target))
        self._waiting[target] += 1
        self._length += 1

    def begins_at(self, now: float) -> float:
        """Return the instant at which the first may begin; infinity if none waits."""
        while self._heap:
            at, number, target = self._heap[0]
            may_begin_at = self._pace.begins_at(target, now)
            if may_begin_at <= max(at, now):
                return at
            heapreplace(self._heap, (may_begin_at, number, target))  # probed since it was added
        return math.inf

    def take(self) -> Target:
        """Return the target that may begin first, and let it wait no longer."""
        target = self._heap[0][2]
        self._length -= 1
        self._waiting[target] -= 1
        if not self._waiting[target]:
            del self._waiting[target]
            heappop(self._heap)
        return target
