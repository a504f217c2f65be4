"""What a row of the catalogue is."""

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from probe.catalogue.moves import Move, ShrinkWindow, Turns, Vanish
from probe.catalogue.naive import Bite


class Level(StrEnum):
    """How much a client owes to the rule behind a row.

    MUST: an RFC's word, or ending in time at all. SHOULD: an RFC's word, or common practice.
    INFORMATIONAL: nobody is wrong, and a client does well to know.
    """

    MUST = "MUST"
    SHOULD = "SHOULD"
    INFORMATIONAL = "informational"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good prober says of a server.

    Attributes:
        verdict: The verdict's string.
        where: The stage in which the probe ended; ``None`` after success.
        whose: The stage whose limit ran out; ``None`` if none did.
        spent_s: How long it takes, in seconds.
        findings: The codes of what it notes, in order.
    """

    verdict: str
    where: str | None = None
    whose: str | None = None
    spent_s: float = 0.0
    findings: tuple[str, ...] = ()

    def __str__(self) -> str:
        findings = f" ({', '.join(self.findings)})" if self.findings else ""
        return f"{self.verdict}{findings}"


@dataclass(frozen=True, slots=True)
class Server:
    """A row of the catalogue.

    Attributes:
        id: Stable and sortable.
        name: The behaviour, or the fault.
        section: Where the rule stands that it keeps or breaks.
        level: How much a client owes to that rule.
        requirement: The rule, or the reason for the row, in one line.
        moves: What it does.
        expected: What a good prober says.
        differs: What is different on the wire from another row that expects the same.
        bites: A naive client that gets it wrong, the most telling one, and how.
    """

    id: str
    name: str
    section: str
    level: Level
    requirement: str
    moves: tuple[Move, ...]
    expected: Expected
    differs: str = ""
    bites: Bite = field(kw_only=True)

    @property
    def turns(self) -> tuple[tuple[Move, ...], ...]:
        """What it does for each client in turn; most servers do the same for all."""
        first = self.moves[0]
        return first.parts if isinstance(first, Turns) else (self.moves,)

    def fits(self, pattern: str) -> bool:
        """Whether its id or its name fits a pattern, as a shell has them."""
        return fnmatchcase(self.id, pattern) or fnmatchcase(self.name, pattern)

    @property
    def needs_kernel(self) -> bool:
        """Whether it shows its fault only over TCP on Linux, and in real time."""
        return any(isinstance(move, Vanish | ShrinkWindow) for move in self.turns[0])

    @property
    def is_lawful(self) -> bool:
        """Whether a client must get along with it, up to KEXINIT."""
        return self.expected.verdict == "ok"
