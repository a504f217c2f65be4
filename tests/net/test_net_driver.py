"""The conversation: a scripted wire in virtual time, real sockets, and streams of a caller's."""

import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
import trio
from net_pieces import IDENTIFICATION, KEXINIT, connected_sockets, reset
from trio.testing import (
    MockClock,
    lockstep_stream_pair,
    memory_stream_pair,
)

from probe.budget import Budget, Stage, StageTime
from probe.evidence import CallError, End, Evidence
from probe.net.driver import Conversation, open_wire
from probe.net.stages import Ended, Expired, Stages
from probe.net.tcp import TcpStream
from probe.ssh import rules

Says = Iterable[tuple[float, bytes | OSError]]

SHORT = Budget(3, identification_s=9, first_octet_s=9, kexinit_s=9)
"""The whole probe runs out first, at 3 s."""

FIRST_LINE, TRUNCATED, REST = b"hello\r\n", KEXINIT[:500], KEXINIT[500:]

# RFC 4253 §6, §11: packets in the clear, written by hand.
IGNORE = bytes.fromhex("0000000c 06 02 00000000 000000000000")
DEBUG = bytes.fromhex("00000014 09 04 00 00000000 00000000 000000000000000000")
DISCONNECT = bytes.fromhex(
    "0000001c 0b 01 0000000b 00000003 627965 00000000 0000000000000000000000"
)
UNEXPECTED = bytes.fromhex("0000000c 0a 15 00000000000000000000")  # NEWKEYS

RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
PIPE = BrokenPipeError(errno.EPIPE, "Broken pipe")


class ScriptedWire:
    """A server and the way to it, played in virtual time.

    Args:
        says: What comes and when, in seconds: octets, ``b""`` for FIN, or what recv raises.
        takes: What becomes of each attempt to send: how many octets are taken, or what send
            raises; attempts after these take all.
        writable_after_s: How long a wait for room takes.

    Attributes:
        sent: What was taken from us, and when.
        waiting: How many tasks wait for room.
    """

    def __init__(
        self,
        says: Says = (),
        takes: Iterable[int | OSError] = (),
        writable_after_s: float = 0.25,
    ) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.waiting = 0
        self._says = deque(says)
        self._takes = deque(takes)
        self._writable_after_s = writable_after_s

    def send_nowait(self, octets: bytes, /) -> int:
        taken = self._takes.popleft() if self._takes else len(octets)
        if isinstance(taken, OSError):
            raise taken
        if taken:
            self.sent.append((trio.current_time(), octets[:taken]))
        return min(taken, len(octets))

    def receive_nowait(self) -> bytes | None:
        if not self._says or self._says[0][0] > trio.current_time():
            return None
        _, said = self._says.popleft()
        if isinstance(said, OSError):
            raise said
        return said

    async def wait_readable(self) -> None:
        await trio.sleep_until(self._says[0][0] if self._says else 1e9)

    async def wait_send_all_might_not_block(self) -> None:
        self.waiting += 1
        try:
            await trio.sleep(self._writable_after_s)
        finally:
            self.waiting -= 1


async def hold(wire: ScriptedWire | TcpStream, budget: Budget) -> Evidence:
    """Hold a conversation as the prober does, and note how it ended."""
    evidence, stages = Evidence(), Stages(budget)
    stages.begin(Stage.PROBE)
    try:
        await Conversation(wire, stages, evidence).hold()
    except Ended as ended:
        evidence.end = ended.end
    except Expired:
        evidence.end = End.DEADLINE
        evidence.whose = stages.whose()
    if evidence.end is End.COMPLETE:
        stages.leave(Stage.PROBE)
    evidence.where = stages.where()
    evidence.stages = stages.times()
    return evidence


async def hold_script(
    says: Says = (),
    takes: Iterable[int | OSError] = (),
    budget: Budget | None = None,
) -> Evidence:
    return await hold(ScriptedWire(says, takes), budget or Budget())


async def test_what_came_while_others_ran_is_taken_without_a_wait() -> None:
    evidence, stages = Evidence(), Stages(Budget())
    wire = ScriptedWire([(0, IDENTIFICATION), (0, KEXINIT)])
    conversation = Conversation(wire, stages, evidence)
    conversation.begin()
    await conversation.glance()
    assert evidence.identification is not None
    assert stages.where() is Stage.KEXINIT
    await conversation.glance()
    assert evidence.end is End.COMPLETE


# Conduct on the wire. -----------------------------------------------------------------------------


def is_our_identification(octets: bytes) -> bool:
    """RFC 4253 §4.2; OpenSSH closes on softwareversions that begin with ``Probe-``."""
    return octets.startswith(b"SSH-2.0-sshprobe_") and octets.find(b"\r\n") == len(octets) - 2


def is_a_kexinit(octets: bytes) -> bool:
    """RFC 4253 §6, §7.1: one whole packet, message number 20."""
    return int.from_bytes(octets[:4]) + 4 == len(octets) and octets[5] == 20


def is_our_conversation(octets: bytes) -> bool:
    """Both, and nothing else."""
    end = octets.find(b"\r\n") + 2
    return is_our_identification(octets[:end]) and is_a_kexinit(octets[end:])


async def test_it_speaks_first(autojump_clock: MockClock) -> None:
    # V01: a server that waits for the client's identification string.
    wire = ScriptedWire()
    await hold(wire, Budget())
    ((at_s, octets),) = wire.sent
    assert at_s == 0
    assert is_our_identification(octets)


@pytest.mark.parametrize(
    "says",
    [
        [(2, IDENTIFICATION), (4, KEXINIT)],
        [(1, IDENTIFICATION[:-1]), (2, IDENTIFICATION[-1:]), (4, KEXINIT)],
        [(1, FIRST_LINE), (2, IDENTIFICATION), (4, KEXINIT)],
        [(2, FIRST_LINE + IDENTIFICATION + TRUNCATED), (4, REST)],
    ],
    ids=["in one piece", "in two", "after a line", "with half of KEXINIT"],
)
async def test_kexinit_goes_out_as_soon_as_the_server_has_identified_itself(
    says: Says,
    autojump_clock: MockClock,
) -> None:
    # K04: a server that waits for the client's KEXINIT.
    wire = ScriptedWire(says)
    evidence = await hold(wire, Budget())
    _, (at_s, octets) = wire.sent
    assert at_s == 2
    assert is_a_kexinit(octets)
    assert evidence.end is End.COMPLETE
    assert trio.current_time() == 4
    assert evidence.octets_sent == sum(len(octets) for _, octets in wire.sent)


@pytest.mark.parametrize(
    "says",
    [
        [(0, FIRST_LINE + IDENTIFICATION + KEXINIT)],
        [(0, bytes((octet,))) for octet in FIRST_LINE + IDENTIFICATION + KEXINIT],
    ],
    ids=["all in one segment", "every octet in its own"],
)
async def test_segments_make_no_difference(says: Says, autojump_clock: MockClock) -> None:
    # N14, N15
    evidence = await hold_script(says)
    assert evidence.end is End.COMPLETE
    assert evidence.lines_before == (b"hello",)
    assert evidence.identification is not None
    assert evidence.identification.octets == b"SSH-2.0-OpenSSH_10.5"
    assert evidence.kexinit is not None
    assert evidence.kexinit.cookie == KEXINIT[6:22]
    assert [time.stage for time in evidence.stages if time.completed] == [
        Stage.PROBE,
        Stage.IDENTIFICATION,
        Stage.FIRST_OCTET,
        Stage.KEXINIT,
    ]


async def test_each_stage_is_timed(autojump_clock: MockClock) -> None:
    evidence = await hold_script(
        [(1, IDENTIFICATION[:1]), (3, IDENTIFICATION[1:]), (6, KEXINIT)],
    )
    assert evidence.stages == (
        StageTime(Stage.PROBE, 0, 6, 10, completed=True),
        StageTime(Stage.IDENTIFICATION, 0, 3, 5, completed=True),
        StageTime(Stage.FIRST_OCTET, 0, 1, 4, completed=True),
        StageTime(Stage.KEXINIT, 3, 3, 5, completed=True),
    )


async def test_messages_before_kexinit_are_counted(autojump_clock: MockClock) -> None:
    # K23
    evidence = await hold_script([(0, IDENTIFICATION), (1, IGNORE + DEBUG + IGNORE + KEXINIT)])
    assert evidence.end is End.COMPLETE
    assert evidence.messages_before == 3


# Sending that would block. ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "takes",
    [[0], [0, 0, 0], [7], [7, 0, 1, 0, 2], [99, 0, 500, 0]],
    ids=["nothing at first", "nothing for long", "a part", "a few octets", "a part of KEXINIT"],
)
async def test_what_the_kernel_does_not_take_at_once_goes_out_in_order(
    takes: Iterable[int],
    autojump_clock: MockClock,
) -> None:
    # N10: a tiny receive window.
    wire = ScriptedWire([(2, IDENTIFICATION[:4]), (3, IDENTIFICATION[4:]), (6, KEXINIT)], takes)
    evidence = await hold(wire, Budget())
    sent = b"".join(octets for _, octets in wire.sent)
    assert is_our_conversation(sent)
    assert evidence.octets_sent == len(sent)
    assert evidence.end is End.COMPLETE
    assert (evidence.first_octet_s, trio.current_time()) == (2, 6)
    assert wire.waiting == 0


async def test_a_peer_that_takes_nothing_is_still_read(autojump_clock: MockClock) -> None:
    wire = ScriptedWire([(2, IDENTIFICATION), (4, KEXINIT)], [3, 0, 0], writable_after_s=1e9)
    evidence = await hold(wire, Budget())
    assert evidence.end is End.COMPLETE
    assert trio.current_time() == 4
    assert evidence.octets_sent == 3
    assert wire.waiting == 0


async def test_a_deadline_leaves_no_task_that_sends(autojump_clock: MockClock) -> None:
    wire = ScriptedWire(takes=[0], writable_after_s=1e9)
    evidence = await hold(wire, Budget())
    assert (evidence.end, evidence.where) == (End.DEADLINE, Stage.FIRST_OCTET)
    assert trio.current_time() == 4
    assert wire.waiting == 0


async def test_what_lies_there_when_the_whole_probe_runs_out_counts_while_sending(
    autojump_clock: MockClock,
) -> None:
    wire = ScriptedWire([(3, IDENTIFICATION + KEXINIT)], [0], writable_after_s=1e9)
    evidence = await hold(wire, SHORT)
    assert evidence.end is End.COMPLETE
    assert trio.current_time() == 3
    assert wire.waiting == 0


@pytest.mark.parametrize("error", [PIPE, RESET], ids=["EPIPE", "ECONNRESET"])
@pytest.mark.parametrize("takes", [[], [0], [7, 0]], ids=["at once", "later", "in the middle"])
async def test_a_send_that_fails_is_not_the_end_of_what_the_server_said(
    takes: list[int | OSError],
    error: OSError,
    autojump_clock: MockClock,
) -> None:
    # Law 5, FIELD-NOTES 6.1: what it said can still be read, and b"" after an errno is not FIN.
    evidence = await hold_script([(1, b"Not allowed at this time\r\n"), (2, b"")], [*takes, error])
    assert evidence.errors == (CallError("send", error.errno, str(error.strerror)),)
    assert evidence.lines_before == (b"Not allowed at this time",)
    assert evidence.end is End.BROKEN
    assert trio.current_time() == 2


async def test_a_server_that_takes_nothing_and_says_all_is_complete(
    autojump_clock: MockClock,
) -> None:
    evidence = await hold_script([(1, IDENTIFICATION), (2, KEXINIT)], [PIPE, PIPE])
    assert evidence.end is End.COMPLETE
    assert [error.call for error in evidence.errors] == ["send"]  # it does not try again
    assert evidence.octets_sent == 0


# How it ends, and where. --------------------------------------------------------------------------


class Case(NamedTuple):
    """What a server says, and what must come of it.

    Attributes:
        says: Octets and when they come.
        end: How the conversation ends.
        where: The innermost stage that ran.
        ended_at: When.
        whose: Whose deadline it was, if it was one.
        budget: The usual one, or one in which the whole probe runs out first.
    """

    says: Says
    end: End
    where: Stage | None
    ended_at: float
    whose: Stage | None = None
    budget: Budget = Budget()


ENDS = {
    "nothing": Case([], End.DEADLINE, Stage.FIRST_OCTET, 4, Stage.FIRST_OCTET),
    "an octet": Case([(1, b"S")], End.DEADLINE, Stage.IDENTIFICATION, 5, Stage.IDENTIFICATION),
    "a line a second": Case(
        [(second, FIRST_LINE) for second in range(9)],
        End.DEADLINE,
        Stage.IDENTIFICATION,
        5,
        Stage.IDENTIFICATION,
    ),
    "an identification string": Case(
        [(1, IDENTIFICATION)],
        End.DEADLINE,
        Stage.KEXINIT,
        6,
        Stage.KEXINIT,
    ),
    "half of KEXINIT": Case(
        [(1, IDENTIFICATION + TRUNCATED)],
        End.DEADLINE,
        Stage.KEXINIT,
        6,
        Stage.KEXINIT,
    ),
    "FIN": Case([(1, b"")], End.EOF, Stage.FIRST_OCTET, 1),
    "FIN after an octet": Case([(1, b"S"), (2, b"")], End.EOF, Stage.IDENTIFICATION, 2),
    "FIN after identification": Case([(1, IDENTIFICATION), (2, b"")], End.EOF, Stage.KEXINIT, 2),
    "FIN in KEXINIT": Case(
        [(1, IDENTIFICATION + TRUNCATED), (2, b"")],
        End.EOF,
        Stage.KEXINIT,
        2,
    ),
    "RST": Case([(1, RESET)], End.BROKEN, Stage.FIRST_OCTET, 1),
    "RST after an octet": Case([(1, b"S"), (2, RESET)], End.BROKEN, Stage.IDENTIFICATION, 2),
    "RST in KEXINIT": Case(
        [(1, IDENTIFICATION + TRUNCATED), (2, RESET)],
        End.BROKEN,
        Stage.KEXINIT,
        2,
    ),
    "violation in the first chunk": Case([(1, b"\0")], End.VIOLATION, Stage.IDENTIFICATION, 1),
    "violation after identification": Case(
        [(1, IDENTIFICATION), (2, UNEXPECTED)],
        End.VIOLATION,
        Stage.KEXINIT,
        2,
    ),
    "violation in the chunk of identification": Case(
        [(1, IDENTIFICATION + UNEXPECTED)],
        End.VIOLATION,
        Stage.KEXINIT,
        1,
    ),
    "DISCONNECT": Case([(1, IDENTIFICATION + DISCONNECT)], End.DISCONNECT, Stage.KEXINIT, 1),
}

TIES = {
    "first-octet: an octet": Case(
        [(4, b"S")],
        End.DEADLINE,
        Stage.IDENTIFICATION,
        5,
        Stage.IDENTIFICATION,
    ),
    "first-octet: all": Case([(4, IDENTIFICATION + KEXINIT)], End.COMPLETE, None, 4),
    "first-octet: FIN": Case([(4, b"")], End.EOF, Stage.FIRST_OCTET, 4),
    "first-octet: RST": Case([(4, RESET)], End.BROKEN, Stage.FIRST_OCTET, 4),
    "first-octet: violation": Case([(4, b"\0")], End.VIOLATION, Stage.IDENTIFICATION, 4),
    "identification: a part": Case(
        [(1, b"S"), (5, b"SH-2.0")],
        End.DEADLINE,
        Stage.IDENTIFICATION,
        5,
        Stage.IDENTIFICATION,
    ),
    "identification: the rest": Case(
        [(1, b"S"), (5, IDENTIFICATION[1:]), (7, KEXINIT)],
        End.COMPLETE,
        None,
        7,
    ),
    "identification: the rest, in two": Case(
        [(1, b"S"), (5, b"S"), (5, IDENTIFICATION[2:] + KEXINIT)],
        End.COMPLETE,
        None,
        5,
    ),
    "identification: FIN": Case([(1, b"S"), (5, b"")], End.EOF, Stage.IDENTIFICATION, 5),
    "identification: RST": Case([(1, b"S"), (5, RESET)], End.BROKEN, Stage.IDENTIFICATION, 5),
    "identification: violation": Case(
        [(1, b"S"), (5, b"\0")],
        End.VIOLATION,
        Stage.IDENTIFICATION,
        5,
    ),
    "identification: the rest and a violation": Case(
        [(1, b"S"), (5, IDENTIFICATION[1:] + UNEXPECTED)],
        End.VIOLATION,
        Stage.KEXINIT,
        5,
    ),
    "kexinit: a part": Case(
        [(1, IDENTIFICATION), (6, TRUNCATED)],
        End.DEADLINE,
        Stage.KEXINIT,
        6,
        Stage.KEXINIT,
    ),
    "kexinit: the rest": Case([(1, IDENTIFICATION + TRUNCATED), (6, REST)], End.COMPLETE, None, 6),
    "kexinit: FIN": Case([(1, IDENTIFICATION), (6, b"")], End.EOF, Stage.KEXINIT, 6),
    "kexinit: RST": Case([(1, IDENTIFICATION), (6, RESET)], End.BROKEN, Stage.KEXINIT, 6),
    "kexinit: violation": Case(
        [(1, IDENTIFICATION), (6, UNEXPECTED)],
        End.VIOLATION,
        Stage.KEXINIT,
        6,
    ),
    "kexinit: DISCONNECT": Case(
        [(1, IDENTIFICATION), (6, DISCONNECT)],
        End.DISCONNECT,
        Stage.KEXINIT,
        6,
    ),
}


def at_3_s(says: Says, end: End, where: Stage | None) -> Case:
    """The whole probe runs out first."""
    return Case(says, end, where, 3, Stage.PROBE if end is End.DEADLINE else None, SHORT)


WHOLE_PROBE = {
    "probe: nothing": at_3_s([], End.DEADLINE, Stage.FIRST_OCTET),
    "probe: an octet": at_3_s([(3, b"S")], End.DEADLINE, Stage.IDENTIFICATION),
    "probe: a part": at_3_s([(1, b"S"), (3, b"SH-")], End.DEADLINE, Stage.IDENTIFICATION),
    "probe: identification": at_3_s([(3, IDENTIFICATION)], End.DEADLINE, Stage.KEXINIT),
    "probe: half of KEXINIT with it": at_3_s(
        [(1, b"S"), (3, IDENTIFICATION[1:] + TRUNCATED)],
        End.DEADLINE,
        Stage.KEXINIT,
    ),
    "probe: nothing since identification": at_3_s(
        [(1, IDENTIFICATION)],
        End.DEADLINE,
        Stage.KEXINIT,
    ),
    "probe: half of KEXINIT": at_3_s(
        [(1, IDENTIFICATION), (3, TRUNCATED)],
        End.DEADLINE,
        Stage.KEXINIT,
    ),
    "probe: all": at_3_s([(3, IDENTIFICATION + KEXINIT)], End.COMPLETE, None),
    "probe: all, in many": at_3_s(
        [(3, b"S"), (3, IDENTIFICATION[1:]), (3, TRUNCATED), (3, REST)],
        End.COMPLETE,
        None,
    ),
    "probe: KEXINIT": at_3_s([(1, IDENTIFICATION), (3, KEXINIT)], End.COMPLETE, None),
    "probe: FIN": at_3_s([(3, b"")], End.EOF, Stage.FIRST_OCTET),
    "probe: an octet and FIN": at_3_s([(3, b"S"), (3, b"")], End.EOF, Stage.IDENTIFICATION),
    "probe: RST": at_3_s([(3, RESET)], End.BROKEN, Stage.FIRST_OCTET),
    "probe: RST in KEXINIT": at_3_s(
        [(1, IDENTIFICATION), (3, RESET)],
        End.BROKEN,
        Stage.KEXINIT,
    ),
    "probe: violation": at_3_s([(3, b"\0")], End.VIOLATION, Stage.IDENTIFICATION),
    "probe: identification and a violation": at_3_s(
        [(3, IDENTIFICATION + UNEXPECTED)],
        End.VIOLATION,
        Stage.KEXINIT,
    ),
    "probe: DISCONNECT": at_3_s(
        [(1, IDENTIFICATION), (3, DISCONNECT)],
        End.DISCONNECT,
        Stage.KEXINIT,
    ),
}

CASES = ENDS | TIES | WHOLE_PROBE


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_end(case: Case, autojump_clock: MockClock) -> None:
    # DESIGN: octets that are in the socket at the tie win; FIN, RST and deadlines are never merged.
    evidence = await hold_script(case.says, budget=case.budget)
    assert (evidence.end, evidence.where, evidence.whose) == (case.end, case.where, case.whose)
    assert trio.current_time() == case.ended_at


async def test_kexinit_began_when_the_identification_string_was_parsed(
    autojump_clock: MockClock,
) -> None:
    evidence = await hold_script([(3, IDENTIFICATION)], budget=SHORT)
    assert evidence.stages[-1] == StageTime(Stage.KEXINIT, 3, 0, 9, completed=False)
    assert [time.completed for time in evidence.stages] == [False, True, True, False]


@pytest.mark.parametrize(
    ("says", "end"),
    [
        ([(1, IDENTIFICATION[:-2] + b"\n"), (2, TRUNCATED)], End.DEADLINE),
        ([(1, IDENTIFICATION[:-2] + b"\n"), (2, TRUNCATED), (3, b"")], End.EOF),
        ([(1, IDENTIFICATION[:-2] + b"\n"), (2, TRUNCATED), (3, RESET)], End.BROKEN),
        ([(1, IDENTIFICATION[:-2] + b"\n" + TRUNCATED[:5]), (2, TRUNCATED[5:])], End.DEADLINE),
    ],
    ids=["deadline", "FIN", "RST", "in other chunks"],
)
async def test_evidence_is_whole_after_every_end(
    says: Says,
    end: End,
    autojump_clock: MockClock,
) -> None:
    # Law 5: a failure never discards what was seen.
    evidence = await hold_script(says)
    assert evidence.end is end
    assert evidence.octets_received == len(IDENTIFICATION) - 1 + len(TRUNCATED)
    assert (evidence.first_octet_s, evidence.last_octet_s) == (1, 2)
    assert evidence.first_octets == (IDENTIFICATION[:-2] + b"\n" + TRUNCATED)[:512]
    assert evidence.unread_octets == TRUNCATED
    assert [finding.rule for finding in evidence.findings] == [rules.IDENTIFICATION_LF_ONLY]


async def test_a_violation_leaves_the_octets_that_broke_the_rule(
    autojump_clock: MockClock,
) -> None:
    evidence = await hold_script([(1, IDENTIFICATION[:-2] + b"\n"), (2, b"Protocol mismatch.\n")])
    assert evidence.violation is not None
    assert evidence.violation.rule is rules.TEXT_INSTEAD_OF_PACKET
    assert evidence.unread_octets == b"Protocol mismatch.\n"
    assert [finding.rule for finding in evidence.findings] == [rules.IDENTIFICATION_LF_ONLY]


async def test_a_disconnect_is_kept(autojump_clock: MockClock) -> None:
    # K22
    evidence = await hold_script([(1, IDENTIFICATION + DISCONNECT + b"junk")])
    assert evidence.disconnect is not None
    assert evidence.disconnect == (11, b"bye")
    assert evidence.unread_octets == b"junk"


async def test_after_kexinit_nothing_counts_as_last_words(autojump_clock: MockClock) -> None:
    evidence = await hold_script([(1, IDENTIFICATION + KEXINIT + IGNORE)])
    assert evidence.end is End.COMPLETE
    assert evidence.unread_octets == b""


async def test_the_callers_cancellation_leaves_whole_evidence_and_no_verdict(
    autojump_clock: MockClock,
) -> None:
    # Law 7
    evidence, stages = Evidence(), Stages(Budget())
    wire = ScriptedWire([(1, b"SSH-"), (2, b"2.0-"), (3, b"x")])
    with trio.move_on_after(2) as scope:
        await Conversation(wire, stages, evidence).hold()
    assert scope.cancelled_caught
    assert evidence.end is End.UNKNOWN
    assert evidence.unread_octets == b"SSH-"
    assert stages.where() is Stage.IDENTIFICATION


async def test_a_flood_at_the_deadline_ends_at_the_cap(autojump_clock: MockClock) -> None:
    # Law 1: reading what is there has a cap, too.
    flood = [(4.0, b"x" * 16384)] * 1000
    wire = ScriptedWire(flood)
    evidence = await hold(wire, Budget())
    assert evidence.end is End.VIOLATION
    assert evidence.octets_received == 16384


# Real sockets. ------------------------------------------------------------------------------------


class StalledStream(TcpStream):
    """A socket whose reader never gets to run, as on a machine that is too busy."""

    async def wait_readable(self) -> None:
        await trio.sleep_forever()


def leave_text(peer: socket.socket) -> None:
    peer.send(b"Not allowed at this time\r\n")


def leave_all(peer: socket.socket) -> None:
    peer.send(IDENTIFICATION + KEXINIT)


def leave_violation(peer: socket.socket) -> None:
    peer.send(b"\0")


def leave_fin(peer: socket.socket) -> None:
    leave_text(peer)
    peer.shutdown(socket.SHUT_WR)


def leave_rst(peer: socket.socket) -> None:
    leave_text(peer)
    peer.recv(9999)  # or the kernel would send RST in any case
    reset(peer)


@pytest.mark.parametrize(
    ("leave", "end"),
    [
        (leave_text, End.DEADLINE),
        (leave_all, End.COMPLETE),
        (leave_violation, End.VIOLATION),
        (leave_fin, End.EOF),
        (leave_rst, End.BROKEN),
    ],
)
async def test_what_lies_in_the_socket_at_the_deadline_counts(
    leave: Callable[[socket.socket], None],
    end: End,
    autojump_clock: MockClock,
) -> None:
    # DESIGN: our own stall is not the peer's silence.
    async def leave_later() -> None:
        await trio.sleep(2)
        leave(far)

    with connected_sockets() as (near, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_later)
            evidence = await hold(StalledStream(near), Budget())
    assert evidence.end is end
    assert evidence.first_octet_s == 4
    assert [error.errno for error in evidence.errors] == (
        [errno.ECONNRESET] if end is End.BROKEN else []
    )


async def test_text_then_rst_before_we_speak_is_text_then_broken(
    autojump_clock: MockClock,
) -> None:
    # FIELD-NOTES 8: send consumes the RST, and recv then gives the text and b"", as after FIN.
    with connected_sockets() as (near, far):
        leave_text(far)
        reset(far)
        evidence = await hold(TcpStream(near), Budget())
    assert [(error.call, error.errno) for error in evidence.errors] == [("send", errno.ECONNRESET)]
    assert evidence.lines_before == (b"Not allowed at this time",)
    assert evidence.end is End.BROKEN


async def test_a_full_socket_does_not_keep_us_from_listening(autojump_clock: MockClock) -> None:
    # N10, for real: the peer's window is shut, then it opens.
    filling = b"-" * 65536
    with connected_sockets() as (near, far):
        stream, peer = TcpStream(near), TcpStream(far)
        filled = 0
        while taken := stream.send_nowait(filling):
            filled += taken

        async def serve() -> None:
            await trio.sleep(1)
            await peer.send_all(IDENTIFICATION)
            await trio.sleep(1)
            left = filled
            while left:
                left -= len(await peer.receive_some(min(left, 65536)))
            await receive_until(is_our_conversation, peer)
            await peer.send_all(KEXINIT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            evidence = await hold(stream, Budget())
    assert evidence.end is End.COMPLETE
    assert evidence.first_octet_s == 1


async def receive_until(
    come: Callable[[bytes], bool],
    stream: trio.abc.ReceiveStream,
    received: bytes = b"",
) -> bytes:
    while not come(received):
        received += await stream.receive_some()
    return received


# Streams of a caller's. ---------------------------------------------------------------------------


async def talk_over(stream: trio.abc.Stream, evidence: Evidence) -> None:
    async with open_wire(stream, evidence) as wire:
        await Conversation(wire, Stages(Budget()), evidence).hold()


async def serve_in_turns(stream: trio.abc.Stream) -> None:
    """Say nothing before the client has: identification string, then KEXINIT."""
    received = await receive_until(is_our_identification, stream)
    await stream.send_all(IDENTIFICATION)
    await receive_until(is_our_conversation, stream, received)
    await stream.send_all(KEXINIT)


@pytest.mark.parametrize("make_pair", [memory_stream_pair, lockstep_stream_pair])
async def test_a_stream_of_the_callers(
    make_pair: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]],
    autojump_clock: MockClock,
) -> None:
    near, far = make_pair()
    evidence = Evidence()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_in_turns, far)
        await talk_over(near, evidence)
    assert evidence.end is End.COMPLETE


async def test_a_socket_stream_of_the_callers() -> None:
    evidence = Evidence()
    with connected_sockets() as (near, far):
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(near.dup()))
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(serve_in_turns, TcpStream(far))
            await talk_over(stream, evidence)
    assert evidence.end is End.COMPLETE


async def test_the_callers_stream_is_left_open_and_usable(autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()
    evidence = Evidence()
    await far.send_all(IDENTIFICATION + KEXINIT)
    await talk_over(near, evidence)
    await far.send_all(b"more")
    assert await near.receive_some() == b"more"
    await near.send_all(b"more")


async def test_a_stream_that_never_takes_anything_delays_nothing(
    autojump_clock: MockClock,
) -> None:
    near, far = lockstep_stream_pair()
    evidence = Evidence()

    async def speak() -> None:
        await trio.sleep(1)
        await far.send_all(IDENTIFICATION + KEXINIT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        await talk_over(near, evidence)
    assert evidence.end is End.COMPLETE
    assert trio.current_time() == 1


async def test_a_stream_is_not_cut_when_another_stage_gives_more_time(
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Not every stream of a caller's keeps what it had read when it is cut.
    near, far = memory_stream_pair()
    receive_some, cut_at = near.receive_some, []

    async def receive_and_tell(max_bytes: int | None = None) -> bytes | bytearray:
        try:
            return await receive_some(max_bytes)
        except trio.Cancelled:
            cut_at.append(trio.current_time())
            raise

    async def speak() -> None:
        await trio.sleep(3)
        await far.send_all(IDENTIFICATION)
        await trio.sleep(4.5)  # beyond the limits of all stages before
        await far.send_all(KEXINIT)

    monkeypatch.setattr(near, "receive_some", receive_and_tell)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        await talk_over(near, Evidence())
    assert trio.current_time() == 7.5
    assert cut_at == []


async def test_the_wire_of_a_stream_waits_as_the_stream_does(autojump_clock: MockClock) -> None:
    near, far = lockstep_stream_pair()

    async def receive() -> None:
        await trio.sleep(1)
        await far.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        async with open_wire(near, Evidence()) as wire:
            await wire.wait_send_all_might_not_block()
        assert trio.current_time() == 1
        nursery.cancel_scope.cancel()


async def test_a_sender_that_breaks_is_recorded_and_the_server_is_heard(
    autojump_clock: MockClock,
) -> None:
    # Law 5, over a stream: the words first, then the break, which no FIN is made of.
    near, far = memory_stream_pair()
    await far.send_all(b"Not allowed at this time\r\n")
    await far.send_stream.aclose()
    await far.receive_stream.aclose()
    evidence = Evidence()
    with pytest.raises(Ended) as ended:
        await talk_over(near, evidence)
    assert ended.value.end is End.BROKEN
    assert evidence.lines_before == (b"Not allowed at this time",)
    assert [(error.call, error.errno) for error in evidence.errors] == [("send", None)]


def broken_by(cause: BaseException | None, words: str = "") -> trio.BrokenResourceError:
    broken = trio.BrokenResourceError(words)
    broken.__cause__ = cause
    return broken


@pytest.mark.parametrize(
    ("broken", "recorded"),
    [
        (broken_by(RESET), (errno.ECONNRESET, "Connection reset by peer")),
        (broken_by(OSError("no errno")), (None, "no errno")),
        (broken_by(ssl.SSLError(1, "bad record mac")), (None, "bad record mac")),
        (broken_by(ValueError("no errno"), "proxy gone"), (None, "proxy gone")),
        (broken_by(None), (None, "the stream broke")),
    ],
    ids=[
        "an errno",
        "an error without errno",
        "an errno of OpenSSL's",
        "another cause",
        "no cause",
    ],
)
async def test_a_stream_that_breaks_is_recorded_with_what_it_says(
    broken: trio.BrokenResourceError,
    recorded: tuple[int | None, str],
    autojump_clock: MockClock,
) -> None:
    # Law 5: an errno that any call returned is kept.
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise broken

    near, _ = memory_stream_pair()
    near.receive_stream.receive_some_hook = fail
    evidence = Evidence()
    with pytest.raises(Ended) as ended:
        await talk_over(near, evidence)
    assert ended.value.end is End.BROKEN
    assert evidence.errors == (CallError("recv", *recorded),)
