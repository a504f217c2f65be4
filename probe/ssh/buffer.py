"""Octets that came and are not yet understood."""

import re
from typing import Final

_LINE_END: Final = re.compile(rb"[\n\0]")


class ReceiveBuffer:
    """A queue of octets, taken off by the line or by the count, in linear time.

    It keeps what it is given; the readers bound it by taking or by refusing. The octets are
    stored from the first on, so that a peer that never speaks costs no storage.

    Attributes:
        taken_octets: How many have been taken off.
    """

    __slots__ = ("_octets", "_searched", "taken_octets")

    def __init__(self) -> None:
        self.taken_octets = 0
        self._octets = bytearray()
        self._searched = 0  # octets in which no line ends, so that none is searched twice

    def __len__(self) -> int:
        return len(self._octets)

    def append(self, octets: bytes) -> None:
        """Add ``octets`` at the end."""
        self._octets += octets

    def peek(self, most: int) -> bytes:
        """Return up to ``most`` octets from the front and leave them in place."""
        return bytes(self._octets[:most])

    def take_exactly(self, count: int) -> bytes | None:
        """Take ``count`` octets off the front, or ``None`` if there are fewer."""
        if len(self._octets) < count:
            return None
        taken = bytes(self._octets[:count])
        del self._octets[:count]
        self.taken_octets += count
        self._searched = 0
        return taken

    def take_line(self, most: int) -> bytes | None:
        """Take a line off the front: all octets up to the first LF or NUL, it included.

        NUL ends a line because no line may hold one: the caller need not wait for an LF that may
        never come to refuse it.

        Args:
            most: Octets to search.

        Returns:
            The line; ``None`` if neither LF nor NUL is among the first ``most`` octets.
        """
        end = _LINE_END.search(self._octets, self._searched, most)
        if end is None:
            self._searched = min(len(self._octets), most)
            return None
        return self.take_exactly(end.end())
