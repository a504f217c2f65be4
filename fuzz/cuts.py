"""Cuts an input as TCP may: differently for each input, and for one input always alike."""

from collections.abc import Iterator
from random import Random
from typing import Final
from zlib import crc32

_LARGEST: Final = 40

ALL_OF_IT: Final = 255
"""As a length: all that is left."""


def cut(octets: bytes) -> Iterator[bytes]:
    """Give ``octets`` in pieces of 1 to 40 octets, of more if they are many."""
    dice = Random(crc32(octets))  # noqa: S311 - reproducible, not secret
    scale = 1 + len(octets) // 1000
    largest = dice.choice((1, 2, 9, _LARGEST)) * scale
    at = 0
    while at < len(octets):
        end = at + dice.randint(1, largest)
        yield octets[at:end]
        at = end


def payloads_in(octets: bytes) -> Iterator[bytes]:
    """Give what is after each octet of length; after 255 it is all the rest. None is empty."""
    while octets:
        end = len(octets) if octets[0] == ALL_OF_IT else 1 + octets[0]
        if octets[1:end]:
            yield octets[1:end]
        octets = octets[end:]
