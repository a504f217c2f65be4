"""Plays a server that says anything at any time, in virtual time, to the whole prober."""

import math
import os
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

import pytest
import trio
import waits
from proof_faces import Face, check, handshake
from proof_pieces import Kernel, Server
from trio.testing import MockClock

from fuzz.cuts import ALL_OF_IT
from probe.net import driver
from probe.report import Report

ENDS: Final = (None, "FIN", "RST", None)
CONNECTED_S: Final = (0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 6.0, math.inf)
TICK_S: Final = 0.125
"""A binary fraction, so that sums of it are exact."""

MOST_PASSAGES: Final = 32


class Script(NamedTuple):
    """What is played.

    Attributes:
        server: Says what it says, and when.
        face: How it is asked.
        takes: Whether its kernel takes what we send.
    """

    server: Server
    face: Face
    takes: bool


def read_script(data: bytes) -> Script:
    """Read a script: an octet of flags, then passages.

    The flags are, from the lowest bit: how the server ends (2), whether it vanishes, whether its
    window is shut, whether it is asked over a stream of the caller's, and when it is connected (3).
    A passage is an octet of eighths of a second since the one before, its length (255: all that is
    left), and its octets.
    """
    flags = data[0] if data else 0
    over_stream = bool(flags & 16)
    connected_s = 0.0 if over_stream else CONNECTED_S[flags >> 5]
    at_s, says, arrivals = connected_s, b"", {connected_s: 0}
    for delay, octets in _passages(data[1:]):
        at_s, says = at_s + delay * TICK_S, says + octets
        arrivals[at_s] = len(says)  # what comes at one instant is one arrival
    server = Server(
        connected_s,
        tuple(arrivals.items()),
        ENDS[flags & 3],
        vanishes=bool(flags & 4),
        says=says,
    )
    return Script(server, handshake if over_stream else check, takes=not flags & 8)


def _passages(data: bytes) -> Iterator[tuple[int, bytes]]:
    for _ in range(MOST_PASSAGES):
        if len(data) < 2:
            return
        end = len(data) if data[1] == ALL_OF_IT else 2 + data[1]
        yield data[0], data[2:end]
        data = data[end:]


def play(script: Script) -> Report:
    """Probe the server, and see that no wait was without a deadline, and that nothing is left."""
    found: list[str] = []
    reports: list[Report] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", bytes)  # what is played again is the same again
        patch.setattr(driver, "SOFTWAREVERSION", b"sshprobe_fuzz")
        main = partial(_probe, script, patch, reports)
        waits.run_with(waits.Watch(found), main, clock=MockClock(autojump_threshold=0))
    assert not found, found
    return reports[0]


async def _probe(script: Script, patch: pytest.MonkeyPatch, reports: list[Report]) -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with Kernel(script.server, takes=script.takes).installed(patch) as kernel:
        reports.append(await script.face(kernel))
    assert not kernel.open
    assert trio.lowlevel.current_statistics().tasks_living == tasks
