"""A fault of the server's at every octet of a good conversation, in virtual time.

``check``, and ``handshake`` over a stream of the caller's, are run again and again over a kernel
and a server that are played (``proof_pieces.py``). Each run ends at the exact instant and with the
verdict that ``expected_after`` works out from DESIGN's tables, which shares no line with
``probe.verdict``; and it leaves no socket, no task and no thread behind (``proof_faces.py``).
"""

import math
import socket
import struct
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from proof_faces import (
    LIMITS_S,
    PROBE_S,
    Answer,
    Face,
    answer_of,
    ask,
    awaited,
    check,
    handshake,
    place,
)
from proof_pieces import COMPLETE, GOOD, IDENTIFIED, Kernel, Server
from trio.testing import MockClock

from probe import prober


class Fault(StrEnum):
    """What a server does once it has sent some octets."""

    STALL = "stalls"
    VANISH = "vanishes"
    FIN = "sends FIN"
    RST = "sends RST"
    TRICKLE = "trickles"


class Way(NamedTuple):
    """A way to ask a server.

    Attributes:
        face: What is called.
        connected_s: When the server answers our SYN.
        speaks_s: When it sends what it sends at once.
        takes: Whether it takes what is sent to it.
    """

    face: Face
    connected_s: float
    speaks_s: float
    takes: bool = True

    def in_time(self, at_s: float, due_s: float) -> bool:
        """At a tie octets that are in the socket win; in a caller's stream nobody can see them."""
        return at_s < due_s or (at_s == due_s and self.face is check)


WAYS = {
    "check": Way(check, 0, 0),
    "check slowly": Way(check, 0.5, 1.5),
    "check with a shut window": Way(check, 0.5, 1.5, takes=False),
    "handshake": Way(handshake, 0, 1.5),
    "handshake with a shut window": Way(handshake, 0, 1.5, takes=False),
}


def expected_after(fault: Fault, octets: int, way: Way) -> Answer:
    """What DESIGN says of a server that sends ``octets`` at once, and then does this."""
    if octets == COMPLETE:
        return Answer("ok", way.speaks_s)
    if fault is Fault.FIN:
        return Answer(f"closed-before-{awaited(octets)}", way.speaks_s, place(octets))
    if fault is Fault.RST:
        return Answer(f"reset-before-{awaited(octets)}", way.speaks_s, place(octets))
    if fault is Fault.TRICKLE:
        return expected_after_trickle(octets, way)
    stage = place(octets) or ""
    began_s = way.speaks_s if stage == "kexinit" else way.connected_s
    if way.face is check and not way.takes:
        verdict = "send-stalled"
    elif way.face is check and fault is Fault.VANISH:
        verdict = "half-open"
    else:
        verdict = f"{stage}-stalled" if octets else "silent"
    return Answer(verdict, began_s + LIMITS_S[stage], stage, stage)


def expected_after_trickle(octets: int, way: Way) -> Answer:
    """From there on an octet a second comes: what ends first, a stage or the server's patience?"""
    identified_s = way.speaks_s + max(0, IDENTIFIED - octets)
    complete_s = way.speaks_s + COMPLETE - octets
    due_s = way.connected_s + LIMITS_S["identification"]
    if not way.in_time(identified_s, due_s):
        return Answer("identification-trickling", due_s, "identification", "identification")
    due_s = min(identified_s + LIMITS_S["kexinit"], PROBE_S)
    if way.in_time(complete_s, due_s):
        return Answer("ok", complete_s)
    if due_s == PROBE_S:  # equal deadlines are the outermost's
        return Answer("budget-exhausted", PROBE_S, "kexinit", "probe")
    return Answer("kexinit-trickling", due_s, "kexinit", "kexinit")


def server(fault: Fault, octets: int, way: Way) -> Server:
    rest = min(COMPLETE - octets, math.ceil(PROBE_S)) if fault is Fault.TRICKLE else 0
    arrivals = tuple((way.speaks_s + more, octets + more) for more in range(rest + 1))
    ends = {Fault.FIN: "FIN", Fault.RST: "RST"}.get(fault)
    return Server(way.connected_s, arrivals, ends, vanishes=fault is Fault.VANISH)


EVERY = range(COMPLETE + 1)
SAMPLE = sorted(
    {*EVERY[::16], *EVERY[:3], *EVERY[IDENTIFIED - 6 : IDENTIFIED + 3], *EVERY[COMPLETE - 7 :]},
)
"""Both sides of each boundary, and before it the octets that make it in time when they trickle."""


@pytest.mark.parametrize(
    "offsets",
    [
        pytest.param(SAMPLE, id="a sample"),
        pytest.param(EVERY, id="every octet", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("fault", Fault)
async def test_a_server_that_fails_after_some_octets(
    fault: Fault,
    way: Way,
    offsets: Iterable[int],
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    wrong = []
    for octets in offsets:
        kernel = Kernel(server(fault, octets, way), takes=way.takes)
        answer = await ask(way.face, kernel, monkeypatch)
        if answer != (expected := expected_after(fault, octets, way)):
            wrong.append((octets, answer, expected))
    assert wrong == []


# The real kernel says the same. -------------------------------------------------------------------

LOOPBACK = Way(check, 0, 1.25)
"""Nothing comes together with a deadline: which of them is seen first is up to the kernel then."""


BOUNDARIES = (0, 1, 18, 19, IDENTIFIED - 1, IDENTIFIED, 500, COMPLETE - 6, COMPLETE - 4, COMPLETE)


def open_descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


async def play(fault: Fault, octets: int, listener: trio.SocketListener) -> None:
    sock = (await listener.accept()).socket
    with sock:
        await trio.sleep(LOOPBACK.speaks_s)
        await sock.send(GOOD[:octets])
        if fault is Fault.TRICKLE:
            for octet in GOOD[octets:]:
                await trio.sleep(1)
                await sock.send(bytes([octet]))
        if fault is Fault.FIN:
            sock.shutdown(socket.SHUT_WR)
        if fault is Fault.RST:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            await trio.sleep_forever()


@pytest.mark.parametrize("fault", sorted(set(Fault) - {Fault.VANISH}))
async def test_a_server_on_loopback_that_fails(fault: Fault, autojump_clock: MockClock) -> None:
    descriptors = open_descriptors()
    for octets in BOUNDARIES:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(play, fault, octets, listener)
            answer = answer_of(await prober.check(*listener.socket.getsockname()))
            nursery.cancel_scope.cancel()
        assert answer == expected_after(fault, octets, LOOPBACK), octets
    assert open_descriptors() <= descriptors
