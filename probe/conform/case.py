"""What a client is put to: a server of the catalogue, and what is right against it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from probe.catalogue.moves import Drip, Move, Repeat, Wait
from probe.catalogue.row import Level, Server
from probe.catalogue.servers import SERVERS
from probe.catalogue.servers.exchange import EXCHANGE


class Kind(StrEnum):
    """How far a client means to go."""

    KEXINIT = "kexinit"  # it has what it wants once KEXINIT is in
    LOGIN = "login"  # it goes on to key exchange and beyond


class Right(StrEnum):
    """What is right against a server, besides to end in time and whole."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    GOES_ON = "goes on"  # it sends its first message of key exchange, and fails after that
    EITHER = "either"  # nobody is wrong


@dataclass(frozen=True, slots=True)
class Case:
    """A server, for one kind of client.

    Attributes:
        row: The server.
        right: What is right against it.
        limit_s: By when the client is asked to end, in seconds.
    """

    row: Server
    right: Right
    limit_s: float

    @property
    def ends_with_kexinit(self) -> bool:
        """Whether its server has no more to say to a client that goes on, and no fault to show."""
        goes_on = self.right in {Right.GOES_ON, Right.FAILS}
        return goes_on and self.row.is_lawful and self.row.name not in _BEYOND_KEXINIT


_CATALOGUE_LIMIT_S: Final = 10.0
"""What the catalogue's rows are written for, in seconds."""

_QUICK_S: Final = 0.5
"""Lawful servers that take longer are given that time."""

_MAY_BE_REFUSED: Final = frozenset(
    {
        "strict-kex-broken",  # who wants strict key exchange has to refuse it, and others bear it
        "ext-info-before-newkeys",  # likewise
        "boolean-of-2",  # it announces a guess, and who waits in order to skip that is right
    }
)
"""Who goes on need not get along with them."""

_BEYOND_KEXINIT: Final = frozenset(row.name for row in EXCHANGE)
"""They fail only those who go on."""


def select(patterns: Iterable[str], kind: Kind, limit_s: float) -> list[Case]:
    """Return the cases whose id or name a pattern fits, in the catalogue's order.

    Args:
        patterns: As a shell has them; none for all cases.
        kind: Of the client.
        limit_s: By when it is asked to end, unless a lawful server needs more.

    Raises:
        ValueError: A pattern fits nothing.
    """
    chosen = set().union(*map(_matches, patterns)) if (patterns := list(patterns)) else None
    return [case_of(row, kind, limit_s) for row in SERVERS if chosen is None or row.name in chosen]


def fitting(pattern: str) -> Iterator[str]:
    """Give the names of the servers whose id or name a pattern fits."""
    return (row.name for row in SERVERS if row.fits(pattern))


def case_of(row: Server, kind: Kind, limit_s: float) -> Case:
    """Return the case of one server."""
    slow = row.is_lawful and takes_s(row) > _QUICK_S
    return Case(row, right_of(row, kind), max(limit_s, _CATALOGUE_LIMIT_S) if slow else limit_s)


def right_of(row: Server, kind: Kind) -> Right:
    """Return what is right against ``row`` for a client of ``kind``."""
    if not row.is_lawful or (kind is Kind.LOGIN and row.name in _BEYOND_KEXINIT):
        return Right.FAILS
    if kind is Kind.KEXINIT:
        return Right.EITHER if row.level is Level.INFORMATIONAL else Right.SUCCEEDS
    may_be_refused = row.level is Level.INFORMATIONAL or row.name in _MAY_BE_REFUSED
    return Right.FAILS if may_be_refused else Right.GOES_ON


def takes_s(row: Server) -> float:
    """Return the seconds that a server takes to say what it has to say."""
    return max(sum(map(_move_s, part)) for part in row.turns)


def _move_s(move: Move) -> float:
    match move:
        case Wait():
            return move.seconds
        case Drip():
            return move.every_s * len(move.octets)
        case _:
            return 0.0


def is_loud(row: Server) -> bool:
    """Whether it sends as fast as it can, so that others of its kind had better wait."""
    return any(isinstance(move, Repeat) and not move.every_s for part in row.turns for move in part)


def _matches(pattern: str) -> set[str]:
    names = set(fitting(pattern))
    if not names:
        message = f"no case fits {pattern!r}; sshprobe servers list has their ids and names"
        raise ValueError(message)
    return names
