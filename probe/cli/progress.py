"""What a person sees of a sweep while it runs: on a terminal a line that changes, else some lines.

Standard error that takes nothing at once goes without: nobody's terminal stops a sweep.
"""

import os
from collections import deque
from collections.abc import Iterable
from typing import Final

from probe.cli.output import ERASE_LINE, STDERR, STDOUT, complain, write_at_once
from probe.cli.tally import Tally

REDRAW_S: Final = 0.2
"""Between two changes of the line on a terminal."""

PLAIN_S: Final = 30.0
"""Between two lines where there is no terminal: a log of a day has 3000."""

_RATE_OVER: Final = 25
"""Drawings that the rate is taken over: five seconds on a terminal."""

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class Progress:
    """Shows how far a sweep is.

    Attributes:
        total: How many targets there are, once that is known.
        every_s: Seconds between two calls of ``show``.
    """

    def __init__(self, tally: Tally) -> None:
        self.total: int | None = None
        self._tally = tally
        self._is_live = _is_live()
        self._is_drawn = False
        self._seen = deque[tuple[float, int]](maxlen=_RATE_OVER)
        self.every_s = REDRAW_S if self._is_live else PLAIN_S

    def begin(self, now: float) -> None:
        """Count from ``now`` on."""
        self._seen.append((now, self._tally.count))

    def show(self, now: float, passed_over: int) -> None:
        """Say how far it is.

        Args:
            now: Seconds on any clock.
            passed_over: Targets that needed no probe.
        """
        self._seen.append((now, self._tally.count))
        text = self._text(passed_over)
        if self._is_live:
            self._is_drawn = write_at_once(ERASE_LINE + text[: _columns() - 1])
        else:
            complain(text)

    def say(self, message: str) -> None:
        """Say something else, above the line that changes."""
        self.erase()
        complain(message)

    def erase(self) -> None:
        """Take the line that changes away."""
        if self._is_drawn:
            self._is_drawn = not write_at_once(ERASE_LINE)

    def end(self, lines: Iterable[str]) -> None:
        """Say the last words, in one piece."""
        self.erase()
        write_at_once("".join(f"{line}\n" for line in lines))

    def _text(self, passed_over: int) -> str:
        done, rate = self._tally.count + passed_over, self._rate()
        parts = [f"{done}" if self.total is None else f"{done} of {self.total}", f"{rate:.0f}/s"]
        if self.total is not None and rate > 0:
            parts.append(f"{duration(max(self.total - done, 0) / rate)} left")
        return "  ".join([*parts, self._tally.line()]).rstrip()

    def _rate(self) -> float:
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began else 0.0


def duration(seconds: float) -> str:
    """Write a time in its two largest units: ``3 min 20 s``."""
    rest, parts = round(seconds), list[str]()
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _is_live() -> bool:
    """Whether a line may change: on a terminal that can, and that results are not printed on."""
    return os.isatty(STDERR) and not os.isatty(STDOUT) and os.environ.get("TERM") != "dumb"


def _columns() -> int:
    try:
        return os.get_terminal_size(STDERR).columns or 80
    except OSError:
        return 80
