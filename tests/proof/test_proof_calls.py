"""A fault at every call that a probe makes on its socket, in virtual time.

The calls of a conversation are counted, and it is held again with the fault at each of them: every
errno that a verdict knows and some of this machine's, a cancellation from outside, a clock that
jumps past the limit of any stage and past that of the probe. What must come of it is worked out
from DESIGN and FIELD-NOTES below, which shares no line with ``probe.verdict``.
"""

import errno
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from functools import partial
from itertools import count
from typing import Final, NamedTuple

import pytest
import trio
from proof_faces import (
    LIMITS_S,
    PROBE_S,
    Answer,
    Face,
    ask,
    awaited,
    check,
    handshake,
    place,
)
from proof_pieces import COMPLETE, IDENTIFIED, Kernel, Server, Struck, failure
from trio.testing import MockClock

from probe.verdict import ERRNOS


class Scene(NamedTuple):
    """A conversation, and what comes of it if nothing strikes."""

    face: Face
    answer: Answer
    server: Server
    takes: bool = True


OK = Answer("ok", 2.5)
HALF_OPEN = Answer("half-open", 6.5, "kexinit", "kexinit")

IN_PARTS = ((1.0, 1), (1.5, IDENTIFIED), (2.0, 500), (2.5, COMPLETE))
SLOW, FAST = Server(0.5, IN_PARTS), Server(0, IN_PARTS)
SPEAKING_FIRST = Server(0.5, ((0.5, IDENTIFIED), (2.5, COMPLETE)))
VANISHING = Server(0.5, IN_PARTS[:-1], vanishes=True)

SCENES = {
    "check": Scene(check, OK, SLOW),
    "check a fast server": Scene(check, OK, FAST),
    "check a server that speaks first": Scene(check, OK, SPEAKING_FIRST),
    "check a server with a shut window": Scene(check, OK, SLOW, takes=False),
    "check a server that vanishes": Scene(check, HALF_OPEN, VANISHING),
    "handshake": Scene(handshake, OK, FAST),
    "handshake with a shut window": Scene(handshake, OK, FAST, takes=False),
}

scenes = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


async def struck_at_each_call(
    scene: Scene,
    fault: Callable[[Kernel], None],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Kernel, Struck, Answer | None]]:
    """Hold the conversation again and again, each time with the fault one call later."""
    for number in count():
        kernel = Kernel(scene.server, takes=scene.takes, strikes_at=number, fault=fault)
        answer = await ask(scene.face, kernel, monkeypatch)
        if kernel.struck is None:
            assert answer == scene.answer
            return
        yield kernel, kernel.struck, answer


DIALS: Final = {
    "socket",
    "setblocking",
    "setsockopt",
    "connect_ex",
    "connect_ex again",
    "wait_writable",
    "SO_ERROR",
    "getsockname",
}
SENDS: Final = {"send", "wait_writable"}
RECEIVES: Final = {"recv", "wait_readable"}
LEAVES: Final = {"TCP_INFO", "SO_ERROR", "setsockopt"}


async def test_the_calls_of_a_probe(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    made = set()
    for scene in SCENES.values():
        kernel = Kernel(scene.server, takes=scene.takes)
        await ask(scene.face, kernel, monkeypatch)
        made |= set(kernel.calls)
    assert made == DIALS | SENDS | RECEIVES | LEAVES | {"checkpoint"}


# Errnos. ------------------------------------------------------------------------------------------


class Means(StrEnum):
    """What an errno says of a connection."""

    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    LOCAL = "trouble of this machine"


MEANS: Final = {
    errno.ECONNREFUSED: Means.REFUSED,
    errno.ECONNRESET: Means.RESET,
    errno.ECONNABORTED: Means.RESET,
    errno.EPIPE: Means.RESET,
    errno.ENOTCONN: Means.RESET,
    errno.EPROTO: Means.RESET,
    errno.EHOSTUNREACH: Means.UNREACHABLE,
    errno.EHOSTDOWN: Means.UNREACHABLE,
    errno.ENETUNREACH: Means.UNREACHABLE,
    errno.ENETDOWN: Means.UNREACHABLE,
    errno.ENETRESET: Means.UNREACHABLE,
    errno.ENOPROTOOPT: Means.UNREACHABLE,
    errno.ETIMEDOUT: Means.TIMED_OUT,
    errno.EMFILE: Means.LOCAL,
    errno.ENOBUFS: Means.LOCAL,
    errno.EPERM: Means.LOCAL,
    errno.EINVAL: Means.LOCAL,
}


def test_every_errno_that_a_verdict_knows_is_tried() -> None:
    assert set(ERRNOS) < set(MEANS)


UNCONNECTED: Final = {
    Means.REFUSED: "refused",
    Means.RESET: "reset-before-identification",  # it was connected, and cut before we looked
    Means.UNREACHABLE: "unreachable",
    Means.TIMED_OUT: "connect-timeout",
    Means.LOCAL: "local-error",
}


def expected_after_errno(struck: Struck, means: Means, scene: Scene) -> Answer:
    """What follows if a call fails.

    One that sends may fail alone, or because the connection is gone; then, too, the server's last
    words are read. One that receives says that there are none.
    """
    if struck.call == "TCP_INFO" and scene.answer == HALF_OPEN:  # nothing else tells them apart
        return scene.answer._replace(verdict="kexinit-stalled")
    if struck.call == "checkpoint" or struck.leaving or struck.read == COMPLETE:
        return scene.answer
    if not struck.connected:
        return Answer(UNCONNECTED[means], struck.at_s, "connect")
    if struck.call in RECEIVES:
        return expected_after_break(struck.read, means, struck.at_s)
    if struck.call in SENDS and means is not Means.LOCAL:
        return expected_after_break(struck.arrived, means, struck.at_s)
    return scene.answer


def expected_after_break(octets: int, means: Means, at_s: float) -> Answer:
    answers_keepalive = at_s >= VANISHING.speaks_last_s() + 1  # no other scene takes so long
    reset = "half-open" if answers_keepalive else f"reset-before-{awaited(octets)}"
    verdict = {
        Means.REFUSED: reset,
        Means.RESET: reset,
        Means.UNREACHABLE: "unreachable",
        Means.TIMED_OUT: "half-open",
        Means.LOCAL: "local-error",
    }[means]
    return Answer(verdict, at_s, place(octets))


def fail_with(number: int, kernel: Kernel) -> None:
    call = kernel.calls[-1]
    if call == "checkpoint":  # has no errno
        return
    if call in SENDS | RECEIVES and MEANS[number] is not Means.LOCAL:
        kernel.break_connection()
    raise failure(number)


@scenes
@pytest.mark.parametrize("number", MEANS, ids=errno.errorcode.get)
async def test_an_errno_at_every_call(
    number: int,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    wrong = []
    fault = partial(fail_with, number)
    async for _, struck, answer in struck_at_each_call(scene, fault, monkeypatch):
        if answer != (expected := expected_after_errno(struck, MEANS[number], scene)):
            wrong.append((struck, answer, expected))
    assert wrong == []


# Cancellations. -----------------------------------------------------------------------------------


@scenes
async def test_a_cancellation_from_outside_at_every_call(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    # Law 7. It shows at the next checkpoint; a probe that comes to none has answered already.
    async for kernel, struck, answer in struck_at_each_call(scene, cancel_caller, monkeypatch):
        if answer is None:
            assert kernel.elapsed_s() == struck.at_s
        else:
            assert kernel.checkpoints_since == 0, struck
            assert answer == scene.answer


def cancel_caller(kernel: Kernel) -> None:
    kernel.caller.cancel()


@scenes
async def test_a_cancellation_from_outside_at_every_instant(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    # Among them are those of the arrivals and of each deadline: even then there is no verdict.
    eighths = int(scene.answer.spent_s * 8)
    for eighth in range(eighths):
        kernel = Kernel(scene.server, takes=scene.takes)
        kernel.caller.deadline = trio.current_time() + eighth / 8
        assert await ask(scene.face, kernel, monkeypatch) is None
        assert kernel.elapsed_s() == eighth / 8


# Jumps of the clock. ------------------------------------------------------------------------------

JUMPS_S: Final = {"past any stage": 6.0, "past the whole probe": 11.0}

BEFORE_SYN: Final = {"socket", "setblocking", "setsockopt", "connect_ex"}
BEFORE_LISTENING: Final = {"getsockname", "send"}

CONNECTED_S, SPEAKS_S = 0.5, 1.5


def scene_that_stalls(octets: int, *, takes: bool) -> Scene:
    """A server that says so much, and what comes of it if the clock does not jump."""
    server = Server(CONNECTED_S, ((SPEAKS_S, octets),))
    stage = place(octets)
    if stage is None:
        return Scene(check, Answer("ok", SPEAKS_S), server, takes)
    began_s = SPEAKS_S if stage == "kexinit" else CONNECTED_S
    verdict = stalled(stage, takes=takes)
    return Scene(check, Answer(verdict, began_s + LIMITS_S[stage], stage, stage), server, takes)


def stalled(stage: str, *, takes: bool) -> str:
    if not takes:
        return "send-stalled"
    return "silent" if stage == "first-octet" else f"{stage}-stalled"


def expected_after_jump(struck: Struck, now_s: float, octets: int, scene: Scene) -> Answer:
    """What follows if it is ``now_s`` once the call is made.

    What has come by then is read before anybody is blamed, and counts as having come just now.
    """
    stage = place(octets)
    if struck.leaving:
        return scene.answer._replace(spent_s=now_s)
    if not struck.connected and struck.call in BEFORE_SYN:
        return Answer("connect-timeout", now_s, "connect", "connect")
    if stage is None:
        return Answer("ok", now_s)
    heard_s = SPEAKS_S if struck.read else max(SPEAKS_S, now_s)
    if stage == "kexinit":
        began_s = now_s if struck.call == "send" else heard_s
    else:
        listens = struck.read or (struck.connected and struck.call not in BEFORE_LISTENING)
        began_s = CONNECTED_S if listens else now_s
    due_s = min(began_s + LIMITS_S[stage], PROBE_S)
    ends_s = max(due_s, now_s)
    if due_s == PROBE_S:
        return Answer("budget-exhausted", ends_s, stage, "probe")
    came_late = octets > 0 and heard_s > began_s + (ends_s - began_s) * 2 / 3
    verdict = f"{stage}-trickling" if came_late else stalled(stage, takes=scene.takes)
    return Answer(verdict, ends_s, stage, stage)


@pytest.mark.parametrize("takes", [True, False], ids=["", "shut window"])
@pytest.mark.parametrize("octets", [0, 1, IDENTIFIED, 500, COMPLETE])
@pytest.mark.parametrize("jump_s", JUMPS_S.values(), ids=JUMPS_S.keys())
async def test_a_jump_of_the_clock_at_every_call(
    jump_s: float,
    octets: int,
    takes: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    def jump(_: Kernel) -> None:
        autojump_clock.jump(jump_s)

    wrong = []
    scene = scene_that_stalls(octets, takes=takes)
    async for _, struck, answer in struck_at_each_call(scene, jump, monkeypatch):
        expected = expected_after_jump(struck, struck.at_s + jump_s, octets, scene)
        if answer != expected:
            wrong.append((struck, answer, expected))
    assert wrong == []
