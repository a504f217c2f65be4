"""What a misbehaving server does, as data: a row of the catalogue is a tuple of moves."""

from dataclasses import dataclass
from typing import Final

LARGEST_FLOOD_OCTETS: Final = 64 * 1024 * 1024
"""What a flood sends to one client at full speed: a forgotten server must not burn a core."""

TIRED_S: Final = 1.0
"""Between two sends of a flood after that. It goes on, so that nobody is freed by its end."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send octets at once."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """Send octets one by one, each after a pause."""

    octets: bytes
    every_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the same octets over and over until the client leaves.

    With a pause before each, or, without one, as fast as the client reads, and after 64 MiB once a
    second.
    """

    octets: bytes
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NeverAccept:
    """Leave the client to the kernel, which completes the TCP handshake. The only move of its row.

    Over a stream there is nothing to accept: it is then the same as ``Stall``.
    """


@dataclass(frozen=True, slots=True)
class Stall:
    """Do nothing for ever: send nothing, read nothing, do not even close. The last move."""


@dataclass(frozen=True, slots=True)
class Vanish:
    """From now on neither send nor acknowledge anything, as a host that lost its power. Linux.

    A socket filter drops every further segment of the client's before it reaches TCP.
    """


@dataclass(frozen=True, slots=True)
class ShrinkWindow:
    """Take as few octets as the kernel lets a listener ask for. The first move of its row."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Play another part for each client in turn, and begin anew after the last part.

    The only move of its row.
    """

    parts: tuple[tuple["Move", ...], ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for a while; what the client sends stays unread."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ReadLine:
    """Read until the client has sent an LF."""


@dataclass(frozen=True, slots=True)
class ReadPacket:
    """Read until the client has sent a whole packet (RFC 4253 §6)."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN, and go on reading. Closing is no move: with octets unread it would send RST."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Send RST. The last move of its row."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing more, and read until the client leaves. The last move of its row."""


Move = (
    Send
    | Drip
    | Repeat
    | Wait
    | ReadLine
    | ReadPacket
    | HalfClose
    | Abort
    | Hold
    | Stall
    | NeverAccept
    | Vanish
    | ShrinkWindow
    | Turns
)
