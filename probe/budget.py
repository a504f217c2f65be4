"""How long a probe may take, stage by stage: arithmetic on seconds, no clock."""

import math
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple


class Stage(StrEnum):
    """A part of a probe that has a limit of its own."""

    PROBE = "probe"
    RESOLVE = "resolve"
    CONNECT = "connect"
    IDENTIFICATION = "identification"
    FIRST_OCTET = "first-octet"
    KEXINIT = "kexinit"


PROBE, RESOLVE, CONNECT, IDENTIFICATION, FIRST_OCTET, KEXINIT = Stage
"""The same by themselves, for code that runs in each probe: before Python 3.12, to look a member
up in its class costs as much as a call."""


class StageRow(NamedTuple):
    """A row of ``STAGES``.

    Attributes:
        stage: Its name.
        inside: The stage that encloses it; ``None`` for the outermost.
        begins: The event that starts its clock.
        ends: The event that it waits for.
        limit_s: Its limit in seconds while the whole probe has ``STAGES[0].limit_s``.
        ran_out: The verdicts that commonly follow when its limit runs out.
    """

    stage: Stage
    inside: Stage | None
    begins: str
    ends: str
    limit_s: float
    ran_out: tuple[str, ...]


STAGES: Final = (
    StageRow(Stage.PROBE, None, "call", "report", 10.0, ("budget-exhausted",)),
    StageRow(
        Stage.RESOLVE,
        Stage.PROBE,
        "call",
        "one address or more",
        2.0,
        ("name-timeout",),
    ),
    StageRow(
        Stage.CONNECT,
        Stage.PROBE,
        "first address chosen",
        "TCP handshake done",
        4.0,
        ("connect-timeout",),
    ),
    StageRow(
        Stage.IDENTIFICATION,
        Stage.PROBE,
        "connected",
        "identification string complete",
        5.0,
        ("identification-stalled", "identification-trickling"),
    ),
    StageRow(
        Stage.FIRST_OCTET,
        Stage.IDENTIFICATION,
        "connected",
        "first octet",
        4.0,
        ("silent", "half-open"),
    ),
    StageRow(
        Stage.KEXINIT,
        Stage.PROBE,
        "identification string parsed",
        "KEXINIT parsed",
        5.0,
        ("kexinit-stalled", "kexinit-trickling", "half-open", "send-stalled"),
    ),
)
"""The outer row is the promise to the caller, the inner rows are the diagnosis.

Inner limits may add up to more than the outer one. Four seconds to connect: a neighbour that does
not answer ARP is reported by Linux after 3.1 s, and that report says more than our own limit.
"""


LEAST_LIMIT_S: Final = 1e-6
"""A microsecond: less is no time at all to any clock or kernel that a probe has to do with."""


class Budget:
    """The limits of a probe, in seconds.

    Every stage has a limit; those that are not set by hand scale with the limit of the whole
    probe: ``Budget(30)`` triples them all. Immutable, hashable, picklable.

    Pass a budget, not a cancel scope of your own: when a scope of yours is cancelled, the call
    raises ``trio.Cancelled`` and there is no report, because a caller's change of mind is never a
    verdict on the server.

    Args:
        limit_s: The whole probe.
        resolve_s: Looking the name up.
        connect_s: The TCP handshake, over all addresses.
        identification_s: From there to the end of the server's identification string.
        first_octet_s: From there to the server's first octet.
        kexinit_s: From the identification string to the end of KEXINIT.

    Raises:
        ValueError: A limit is not a finite number above zero.

    Example:
        >>> Budget(30)["connect"]
        12.0
        >>> Budget(identification_s=2)
        Budget(limit_s=10.0, identification_s=2.0)
    """

    __slots__ = ("_by_hand", "_limits_s")

    def __init__(  # noqa: PLR0913 - a keyword for each row of STAGES
        self,
        limit_s: float = STAGES[0].limit_s,
        *,
        resolve_s: float | None = None,
        connect_s: float | None = None,
        identification_s: float | None = None,
        first_octet_s: float | None = None,
        kexinit_s: float | None = None,
    ) -> None:
        given = {
            Stage.PROBE: limit_s,
            Stage.RESOLVE: resolve_s,
            Stage.CONNECT: connect_s,
            Stage.IDENTIFICATION: identification_s,
            Stage.FIRST_OCTET: first_octet_s,
            Stage.KEXINIT: kexinit_s,
        }
        self._by_hand = {
            stage: _checked(stage, value) for stage, value in given.items() if value is not None
        }
        scale = self._by_hand[Stage.PROBE] / STAGES[0].limit_s
        self._limits_s: dict[str, float] = {
            row.stage: self._by_hand.get(row.stage, row.limit_s * scale) for row in STAGES
        }

    def __getitem__(self, stage: str) -> float:
        """Return the limit of ``stage`` in seconds. Raises ``KeyError`` for an unknown stage."""
        return self._limits_s[stage]

    def within(self, limit_s: float) -> "Budget":
        """Return the same limits of the stages in a whole probe of ``limit_s`` at the most.

        Raises:
            ValueError: ``limit_s`` is not a finite number above zero.
        """
        if _checked(Stage.PROBE, limit_s) >= self[Stage.PROBE]:
            return self
        stages = {_KEYWORDS[row.stage]: self[row.stage] for row in STAGES[1:]}
        return Budget(limit_s, **stages)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Budget) and self._by_hand == other._by_hand

    def __hash__(self) -> int:
        return hash(tuple(self._by_hand.items()))

    def __repr__(self) -> str:
        keywords = (f"{_KEYWORDS[stage]}={value}" for stage, value in self._by_hand.items())
        return f"Budget({', '.join(keywords)})"


_KEYWORDS: Final = {row.stage: f"{row.stage.replace('-', '_')}_s" for row in STAGES} | {
    Stage.PROBE: "limit_s",
}


def budget_from_rows(limit_s: float, rows: dict[str, float]) -> Budget:
    """Make a budget from the names of stages as they are written in ``STAGES``.

    Raises:
        ValueError: A limit is nonsense, or a stage is unknown; the message names the known ones.
    """
    for stage in rows:
        if stage not in _KEYWORDS or stage == Stage.PROBE:
            known = ", ".join(row.stage for row in STAGES[1:])
            message = f"unknown stage {stage!r}: the stages are {known}"
            raise ValueError(message)
    return Budget(limit_s, **{_KEYWORDS[Stage(stage)]: value for stage, value in rows.items()})


class StageTime(NamedTuple):
    """When a stage ran. Seconds, counted from the beginning of the probe.

    Attributes:
        stage: Which.
        began_s: When it began.
        spent_s: How long it ran; up to the end of the probe if it was cut short.
        limit_s: How long it might have run.
        completed: Whether what it waited for happened.
    """

    stage: Stage
    began_s: float
    spent_s: float
    limit_s: float
    completed: bool


def _times(
    began_s: Mapping[Stage, float],
    ended_s: Mapping[Stage, float],
    limits_s: Mapping[str, float],
    elapsed_s: float,
) -> tuple[StageTime, ...]:
    rows = [
        StageTime(
            stage,
            stage_began_s,
            ended_s.get(stage, elapsed_s) - stage_began_s,
            limits_s[stage],
            stage in ended_s,
        )
        for stage, stage_began_s in began_s.items()
    ]
    return tuple(rows)


class Ledger:
    """Keeps the books of one probe: which stages ran, when, and whose deadline is next.

    When deadlines of nested scopes expire together, the scope that caught the cancellation says
    nothing about the cause. The ledger does: it knows every deadline and compares numbers.

    All instants are seconds from the beginning of the probe. The ledger reads no clock: what
    happens, happens at ``elapsed_s``, which the caller moves on whenever time may have passed.

    Attributes:
        budget: How long each stage may take.
        elapsed_s: The present instant.
    """

    __slots__ = ("_began_s", "_deadlines_s", "_ended_s", "_limits_s", "budget", "elapsed_s")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.elapsed_s = 0.0
        self._limits_s = budget._limits_s  # noqa: SLF001 - read ten times a probe
        self._began_s: dict[Stage, float] = {}
        self._ended_s: dict[Stage, float] = {}
        self._deadlines_s: dict[Stage, float] = {}  # of those that run, outermost first

    def begin(self, stage: Stage) -> None:
        """Begin ``stage`` inside those that run. If it runs, this changes nothing."""
        if stage not in self._deadlines_s:
            self._began_s[stage] = began_s = self.elapsed_s
            self._deadlines_s[stage] = began_s + self._limits_s[stage]

    def leave(self, stage: Stage) -> None:
        """End ``stage`` and all inside it: what it waited for happened.

        A stage that fails is never left. A second call changes nothing, nor does one for a stage
        that never began.
        """
        while stage in self._deadlines_s:
            innermost, _ = self._deadlines_s.popitem()
            self._ended_s[innermost] = self.elapsed_s

    def where(self) -> Stage | None:
        """Return the innermost stage that runs; ``None`` if none does."""
        return next(reversed(self._deadlines_s), None)

    def whose(self) -> Stage | None:
        """Return the running stage whose deadline is earliest; of equal ones the outermost."""
        return min(self._deadlines_s, key=self._deadlines_s.__getitem__, default=None)

    def due_s(self) -> float:
        """Return the earliest deadline of the stages that run: one at the least."""
        return min(self._deadlines_s.values())

    def times(self) -> tuple[StageTime, ...]:
        """Return a row for each stage that began, in order."""
        return self.books()()

    def books(self) -> partial[tuple[StageTime, ...]]:
        """Return what makes these rows when somebody looks. Close the ledger first."""
        return partial(_times, self._began_s, self._ended_s, self._limits_s, self.elapsed_s)


def _checked(stage: Stage, limit_s: float) -> float:
    try:
        seconds = float(limit_s)
    except OverflowError:  # an int that no float can hold
        seconds = math.inf
    if not (math.isfinite(seconds) and seconds >= LEAST_LIMIT_S):
        message = f"the limit of {stage} must be a finite number of seconds above 0, not {limit_s}"
        raise ValueError(message)
    return seconds
