"""Mutates inputs of a corpus, with nothing but the standard library."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Final, NamedTuple

from fuzz.work import keep_failure

WORDS: Final = (
    b"SSH- SSH-2.0- SSH-1.99- SSH-1.5- ssh- 2.0 - OpenSSH_9.2p1 HTTP/1.1 Not"
    b" curve25519-sha256 kex-strict-s-v00@openssh.com ssh-ed25519 aes128-ctr hmac-sha2-256 none"
    b" aes256-gcm@openssh.com , @ \\ \" ' < & | {} ; # [ ] : / % .. 1e999 NaN null"
).split()
"""What SSH, and what shows or reads it, has words for."""

CHARACTERS: Final = (
    *(b"\n", b"\r\n", b"\r\r\n", b"\r", b"\0", b" ", b"\t", b"\xff"),
    *(b"\x1b[2J", b"\xc2\x9b", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
)
"""What is odd in a text: the last are an escape, C1, an override, a surrogate, and a mark."""

PACKETS: Final = (
    b"\0\0\0\x0c\x06\x02\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\x0c\x06\x03",
    b"\0\0\0\x0c\x04\x07",
    b"\x14",
)

TOKENS: Final = (*WORDS, *CHARACTERS, *PACKETS)
"""What no flip of bits finds."""

SHORT_LENGTHS: Final = (0, 1, 3, 4, 5, 11, 12, 16, 19, 20, 28, 64, 65, 127, 128, 255)
LONG_LENGTHS: Final = (256, 8191, 8192, 34996, 35000, 262140, 262144, 262148, 2**31, 2**32 - 1)
"""Lengths at which something changes: of fields, of lines, of packets, of numbers with a sign."""


class Tally(NamedTuple):
    """What came of a run.

    Attributes:
        executions: Inputs that were run.
        failures: Files that hold an input each which broke the invariant.
        spent_s: How long it took.
    """

    executions: int
    failures: tuple[Path, ...]
    spent_s: float


class Mutator:
    """Makes inputs of others, the same ones for the same seed.

    Args:
        inputs: At least one.
        seed: Any number.
        most_octets: Longer ones are cut.
    """

    def __init__(self, inputs: Sequence[bytes], seed: int, most_octets: int) -> None:
        self._inputs = inputs
        self._dice = Random(seed)  # noqa: S311 - reproducible, not secret
        self._most_octets = most_octets

    def next_input(self) -> bytes:
        """Take an input, and change it a few times."""
        octets = bytearray(self._dice.choice(self._inputs))
        for _ in range(self._dice.choice((1, 1, 1, 2, 2, 4, 8))):
            begin = self._dice.randint(0, len(octets))
            end = min(len(octets), begin + self._dice.choice((0, 0, 1, 1, 2, 4, 8, 64)))
            octets[begin:end] = self._dice.choice(_CHANGES)(
                self._dice, bytes(octets[begin:end]), self._inputs
            )
        return bytes(octets[: self._most_octets])


def _flip(dice: Random, octets: bytes, _: Sequence[bytes]) -> bytes:
    return bytes(octet ^ 1 << dice.randrange(8) for octet in octets)


def _randomise(dice: Random, octets: bytes, _: Sequence[bytes]) -> bytes:
    return dice.randbytes(max(1, len(octets)))


def _repeat(dice: Random, octets: bytes, _: Sequence[bytes]) -> bytes:
    return octets * dice.choice((0, 2, 3, 17, 100))


def _put_token(dice: Random, octets: bytes, _: Sequence[bytes]) -> bytes:
    return dice.choice(TOKENS) + octets[: dice.randint(0, 1)]


def _put_number(dice: Random, _octets: bytes, _: Sequence[bytes]) -> bytes:
    number = dice.choice((*SHORT_LENGTHS, *LONG_LENGTHS))
    return number.to_bytes(1 if number in SHORT_LENGTHS and dice.random() < 1 / 2 else 4)


def _splice(dice: Random, _octets: bytes, inputs: Sequence[bytes]) -> bytes:
    other = dice.choice(inputs)
    begin = dice.randint(0, len(other))
    return other[begin : begin + dice.choice((4, 16, 64, 1024))]


_CHANGES: Final = (_flip, _randomise, _repeat, _put_token, _put_number, _splice, _splice)


def fuzz(
    name: str,
    one_input: Callable[[bytes], None],
    mutator: Mutator,
    seconds: float,
    most: float = math.inf,
) -> Tally:
    """Run mutated inputs for a while, and keep each that fails.

    Args:
        name: Of the target, under which failures are kept.
        one_input: Raises if an input breaks its invariant.
        mutator: Where inputs come from.
        seconds: How long, on the real clock.
        most: Inputs at the most.
    """
    began, executions, failures = time.monotonic(), 0, dict[object, Path]()
    while executions < most and time.monotonic() - began < seconds:
        data = mutator.next_input()
        executions += 1
        try:
            one_input(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            if (kind := _kind(error)) not in failures:
                failures[kind] = keep_failure(name, data)
    return Tally(executions, tuple(failures.values()), time.monotonic() - began)


def _kind(error: Exception) -> tuple[str, str, int]:
    """Tell failures apart by where they were raised: one input of each kind is enough."""
    frame = extract_tb(error.__traceback__)[-1]
    return type(error).__name__, frame.filename, frame.lineno or 0
