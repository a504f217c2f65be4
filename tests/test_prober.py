"""The prober, whole: servers over loopback, in virtual time."""

import asyncio
import errno
import json
import resource
import signal
import socket
import socketserver
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from trio.testing import (
    MockClock,
    assert_checkpoints,
    lockstep_stream_pair,
    memory_stream_pair,
    wait_all_tasks_blocked,
)

from probe.budget import Budget, Stage
from probe.net.tcp import TcpStream
from probe.prober import check, check_blocking, handshake
from probe.report import Report
from probe.ssh.handshake import Handshake
from probe.verdict import Verdict

HOST = "127.0.0.1"

CAPTURED = Path(__file__).parent / "data" / "openssh-10.5p1.json"

IDENTIFICATION, KEXINIT = (
    bytes.fromhex(event["octets_hex"])
    for event in json.loads(CAPTURED.read_text())["events"]
    if event["direction"] == "received"
)
"""What OpenSSH 10.5p1 said."""

SHORT = Budget(3, connect_s=9, identification_s=9, first_octet_s=9, kexinit_s=9)
"""The whole probe runs out first, at 3 s."""

NEVER = float("inf")

PATIENCE_S = 10
"""How long a thread may take to start."""


class Server(NamedTuple):
    """What a server does from the moment in which it accepts.

    Attributes:
        says: Octets, and the second at which it sends them.
        sends_fin_at: When it says that it has no more to say.
        resets_at: When it aborts the connection.
    """

    says: Sequence[tuple[float, bytes]] = ()
    sends_fin_at: float = NEVER
    resets_at: float = NEVER

    async def serve(self, stream: trio.SocketStream) -> None:
        began_at = trio.current_time()
        for at_s, octets in self.says:
            await trio.sleep_until(began_at + at_s)
            await stream.send_all(octets)
        await trio.sleep_until(began_at + min(self.sends_fin_at, self.resets_at))
        if self.resets_at < self.sends_fin_at:
            reset_on_close = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
            return
        await stream.send_eof()
        await trio.sleep_forever()  # a close on top of octets would send RST


GOOD = Server([(0, IDENTIFICATION), (0, KEXINIT)])


@asynccontextmanager
async def serving(serve: Callable[[trio.SocketStream], Awaitable[object]]) -> AsyncIterator[int]:
    """Serve on a port of loopback."""
    listeners = await trio.open_tcp_listeners(0, host=HOST)
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that the kernel accepts on, for nobody (N04)."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and where nobody listens (N03)."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose accept queue is full, so that the kernel drops every SYN (N05)."""
    with socket.create_server((HOST, 0), backlog=0) as listener:
        port: int = listener.getsockname()[1]
        with socket.create_connection((HOST, port)):
            yield port


@contextmanager
def dead_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name is ever looked up to the end (N20)."""
    asked, over = threading.Event(), threading.Event()

    def look_up(*question: object) -> list[object]:
        if question[-1] != socket.AI_NUMERICHOST:
            asked.set()
            over.wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        yield
        asked.wait(PATIENCE_S)  # or a thread that starts late would ask the real one
    over.set()


def open_sockets() -> set[str]:
    """Every socket of this process."""
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found.add(str(fd.readlink()))
    return {name for name in found if name.startswith("socket:")}


# From a server's behaviour to the verdict. --------------------------------------------------------


class Case(NamedTuple):
    """A server, and what the report must say.

    Attributes:
        server: What it does.
        verdict: The answer.
        where: The innermost stage that ran.
        whose: Whose limit ran out.
        spent_s: To the exact virtual instant.
        budget: What the caller gave.
    """

    server: Server
    verdict: Verdict
    where: Stage | None
    whose: Stage | None
    spent_s: float
    budget: Budget = Budget()


# RFC 4253 §6, §11: packets in the clear, written by hand.
EMPTY_KEXINIT = bytes.fromhex("0000000c 0a 14 00000000000000000000")
NEWKEYS = bytes.fromhex("0000000c 0a 15 00000000000000000000")
DISCONNECT = bytes.fromhex("00000014 06 01 0000000b 00000000 00000000 000000000000")

CASES = {
    "a healthy server": Case(
        Server([(1, IDENTIFICATION), (3, KEXINIT)]), Verdict.OK, None, None, 3
    ),
    "a slow server and a patient caller": Case(
        Server([(12, IDENTIFICATION + KEXINIT)]), Verdict.OK, None, None, 12, Budget(40)
    ),
    "throttled, then FIN": Case(
        Server([(1, b"Not allowed at this time\r\n")], sends_fin_at=1),
        Verdict.THROTTLED,
        Stage.IDENTIFICATION,
        None,
        1,
    ),
    "throttled, then RST": Case(
        Server([(1, b"Not allowed at this time\r\n")], resets_at=1),
        Verdict.THROTTLED,
        Stage.IDENTIFICATION,
        None,
        1,
    ),
    "HTTP": Case(
        Server([(1, b"HTTP/1.1 400 Bad Request\r\n\r\n")], sends_fin_at=2),
        Verdict.NOT_SSH,
        Stage.IDENTIFICATION,
        None,
        2,
    ),
    "silence": Case(Server(), Verdict.SILENT, Stage.FIRST_OCTET, Stage.FIRST_OCTET, 4),
    "silence beyond the budget": Case(
        Server(), Verdict.BUDGET_EXHAUSTED, Stage.FIRST_OCTET, Stage.PROBE, 3, SHORT
    ),
    "an identification string that stalls": Case(
        Server([(1, b"SSH-")]),
        Verdict.IDENTIFICATION_STALLED,
        Stage.IDENTIFICATION,
        Stage.IDENTIFICATION,
        5,
    ),
    "a tarpit": Case(
        Server([(second + 0.5, b"7%p\r\n") for second in range(9)]),
        Verdict.IDENTIFICATION_TRICKLING,
        Stage.IDENTIFICATION,
        Stage.IDENTIFICATION,
        5,
    ),
    "NUL in the identification string": Case(
        Server([(1, b"SSH-2.0-x\0")]),
        Verdict.IDENTIFICATION_MALFORMED,
        Stage.IDENTIFICATION,
        None,
        1,
    ),
    "SSH-1": Case(
        Server([(1, b"SSH-1.5-x\r\n")]),
        Verdict.PROTOCOL_UNSUPPORTED,
        Stage.IDENTIFICATION,
        None,
        1,
    ),
    "FIN": Case(
        Server(sends_fin_at=1), Verdict.CLOSED_BEFORE_IDENTIFICATION, Stage.FIRST_OCTET, None, 1
    ),
    "RST": Case(
        Server(resets_at=1), Verdict.RESET_BEFORE_IDENTIFICATION, Stage.FIRST_OCTET, None, 1
    ),
    "silence after identification": Case(
        Server([(1, IDENTIFICATION)]), Verdict.KEXINIT_STALLED, Stage.KEXINIT, Stage.KEXINIT, 6
    ),
    "KEXINIT that drips": Case(
        Server([(1, IDENTIFICATION), *((n + 1.5, KEXINIT[n : n + 1]) for n in range(9))]),
        Verdict.KEXINIT_TRICKLING,
        Stage.KEXINIT,
        Stage.KEXINIT,
        6,
    ),
    "KEXINIT without fields": Case(
        Server([(1, IDENTIFICATION), (2, EMPTY_KEXINIT)]),
        Verdict.KEXINIT_MALFORMED,
        Stage.KEXINIT,
        None,
        2,
    ),
    "text after identification": Case(
        Server([(1, IDENTIFICATION), (2, b"Protocol mismatch.\n")]),
        Verdict.PACKET_MALFORMED,
        Stage.KEXINIT,
        None,
        2,
    ),
    "NEWKEYS before KEXINIT": Case(
        Server([(1, IDENTIFICATION), (2, NEWKEYS)]),
        Verdict.UNEXPECTED_MESSAGE,
        Stage.KEXINIT,
        None,
        2,
    ),
    "DISCONNECT": Case(
        Server([(1, IDENTIFICATION), (2, DISCONNECT)]),
        Verdict.DISCONNECTED,
        Stage.KEXINIT,
        None,
        2,
    ),
    "FIN after identification": Case(
        Server([(1, IDENTIFICATION)], sends_fin_at=2),
        Verdict.CLOSED_BEFORE_KEXINIT,
        Stage.KEXINIT,
        None,
        2,
    ),
    "RST after identification": Case(
        Server([(1, IDENTIFICATION)], resets_at=2),
        Verdict.RESET_BEFORE_KEXINIT,
        Stage.KEXINIT,
        None,
        2,
    ),
    "lines without end": Case(
        Server([(1, b"x\r\n" * 2000)]), Verdict.FLOODED, Stage.IDENTIFICATION, None, 1
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_every_end_leads_to_its_verdict(case: Case, autojump_clock: MockClock) -> None:
    before = open_sockets()
    async with serving(case.server.serve) as port:
        report = await check(HOST, port, budget=case.budget)
    assert (report.verdict, report.where, report.whose) == (case.verdict, case.where, case.whose)
    assert report.spent_s == case.spent_s
    assert trio.current_time() == case.spent_s
    assert open_sockets() == before


async def test_what_lies_in_the_socket_when_the_whole_probe_runs_out_counts(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    # DESIGN: our own stall is not the peer's silence.
    async def stall(stream: TcpStream) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(TcpStream, "wait_readable", stall)
    async with serving(GOOD.serve) as port:
        report = await check(HOST, port, budget=SHORT)
    assert (report.verdict, report.spent_s) == (Verdict.OK, 3)
    assert (report.where, report.whose) == (None, None)


async def test_a_server_that_is_there_at_once_is_a_checkpoint() -> None:
    async with serving(GOOD.serve) as port:
        with assert_checkpoints():
            report = await check(HOST, port)
    assert report.ok


async def test_a_closed_port_is_refused_and_is_a_checkpoint(autojump_clock: MockClock) -> None:
    with refusing_port() as port, assert_checkpoints():
        report = await check(HOST, port)
    assert report.verdict is Verdict.REFUSED
    assert (report.where, report.whose, report.spent_s) == (Stage.CONNECT, None, 0)


async def test_an_address_for_everybody_is_unreachable(autojump_clock: MockClock) -> None:
    report = await check("255.255.255.255")
    assert report.verdict is Verdict.UNREACHABLE
    assert report.evidence.attempts[0].errno == errno.ENETUNREACH


async def test_a_full_accept_queue_is_a_connect_timeout(autojump_clock: MockClock) -> None:
    with full_port() as port:
        report = await check(HOST, port)
    assert report.verdict is Verdict.CONNECT_TIMEOUT
    assert (report.where, report.whose, report.spent_s) == (Stage.CONNECT, Stage.CONNECT, 4)


async def test_a_dead_resolver_is_a_name_timeout(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    with dead_resolver(monkeypatch):
        report = await check("host.example")
    assert report.verdict is Verdict.NAME_TIMEOUT
    assert (report.where, report.whose, report.spent_s) == (Stage.RESOLVE, Stage.RESOLVE, 2)


async def test_an_address_of_the_other_version_is_a_name_error() -> None:
    report = await check(HOST, ip_version=6)
    assert report.verdict is Verdict.NAME_ERROR
    assert (report.where, report.whose) == (Stage.RESOLVE, None)


async def test_an_address_of_the_wanted_version_is_dialled(autojump_clock: MockClock) -> None:
    async with serving(GOOD.serve) as port:
        report = await check(HOST, port, ip_version=4)
    assert report.ok
    assert report.evidence.address == HOST


async def test_a_machine_without_file_descriptors_is_a_local_error(
    autojump_clock: MockClock,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with assert_checkpoints():
            report = await check(HOST)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert report.verdict is Verdict.LOCAL_ERROR
    assert (report.where, report.whose) == (Stage.CONNECT, None)


@pytest.mark.parametrize(
    ("host", "port"),
    [("", 22), ("a\0b", 22), ("a b", 22), ("a\n", 22), ("a", 0), ("a", -1), ("a", 65536)],
)
def test_what_can_be_no_server_is_refused(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"not a (host|port)"):
        trio.run(check, host, port)
    with pytest.raises(ValueError, match=r"not a (host|port)"):
        check_blocking(host, port)


# Conduct. -----------------------------------------------------------------------------------------


async def test_it_leaves_with_fin_even_when_more_has_come(autojump_clock: MockClock) -> None:
    # DESIGN, conduct: FIN is one INFO line in sshd's log, RST is two.
    received = bytearray()

    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(IDENTIFICATION + KEXINIT + b"more")
        async for octets in stream:
            received.extend(octets)
        left.set()

    left = trio.Event()
    async with serving(serve) as port:
        report = await check(HOST, port)
        await left.wait()
    assert report.ok
    assert len(received) == report.evidence.octets_sent


# Law 7: the caller's cancellation and KeyboardInterrupt propagate, and leave nothing open. --------


@contextmanager
def unanswering(where: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Make a target at which a probe waits for ever in ``where``."""
    with monkeypatch.context() as patch, full_port() as full, silent_port() as silent:
        if where == "resolve":
            with dead_resolver(monkeypatch):
                yield "host.example", 22
        elif where == "connect":
            yield HOST, full
        elif where == "connect, a race":
            row = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (HOST, full))
            patch.setattr(socket, "getaddrinfo", lambda *_asked: [row, row])
            yield "host.example", full
        else:
            yield HOST, silent


waiting = pytest.mark.parametrize(
    "where",
    ["resolve", "connect", "connect, a race", "first-octet"],
)


@waiting
async def test_the_callers_cancellation_propagates(
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    with unanswering(where, monkeypatch) as (host, port):
        before = open_sockets()
        with trio.move_on_after(1) as scope:
            await check(host, port)
        assert open_sockets() == before
    assert scope.cancelled_caught
    assert trio.current_time() == 1


async def interrupted(probing: Callable[[], Awaitable[Report]]) -> Report:
    """Probe until Ctrl-C, which comes as soon as the probe waits."""

    async def interrupt() -> None:
        await wait_all_tasks_blocked()
        signal.raise_signal(signal.SIGINT)

    trio.lowlevel.spawn_system_task(interrupt)
    return await probing()


@waiting
def test_an_interrupt_propagates(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with unanswering(where, monkeypatch) as (host, port):
        before = open_sockets()
        with pytest.raises(KeyboardInterrupt):
            trio.run(interrupted, partial(check, host, port), clock=MockClock())
        assert open_sockets() == before


# Law 8: a bug of ours is no verdict on the peer. --------------------------------------------------


async def test_a_bug_is_an_internal_error_and_closes_the_socket(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    def fail(machine: Handshake, _: int) -> None:
        raise ZeroDivisionError(machine.state.value)

    monkeypatch.setattr(Handshake, "unread_octets", fail)
    with silent_port() as port:
        before = open_sockets()
        report = await check(HOST, port)
        assert open_sockets() == before
    assert report.verdict is Verdict.INTERNAL_ERROR
    assert report.evidence.internal_error == "ZeroDivisionError('identification')"
    assert (report.where, report.whose) == (Stage.FIRST_OCTET, None)


async def test_a_bug_before_the_conversation_closes_the_socket_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("probe.net.driver.Handshake", fail)
    with silent_port() as port:
        before = open_sockets()
        report = await check(HOST, port)
        assert open_sockets() == before
    assert report.verdict is Verdict.INTERNAL_ERROR


# A stream of the caller's. ------------------------------------------------------------------------


async def serve_in_turns(stream: trio.abc.Stream) -> None:
    """Wait for the client's identification string, then say all."""
    received = b""
    while not received.endswith(b"\r\n"):
        received += await stream.receive_some()
    await stream.send_all(IDENTIFICATION + KEXINIT)


@pytest.mark.parametrize("make_pair", [memory_stream_pair, lockstep_stream_pair])
async def test_handshake_over_a_stream(
    make_pair: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]],
    autojump_clock: MockClock,
) -> None:
    near, far = make_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_in_turns, far)
        report = await handshake(near)
    assert report.verdict is Verdict.OK
    assert report.target == "stream"
    assert (report.where, report.whose, report.spent_s) == (None, None, 0)


async def test_handshake_over_a_socket_stream_leaves_it_open(autojump_clock: MockClock) -> None:
    server = Server([(1, IDENTIFICATION), (2, KEXINIT), (3, b"more")])
    async with serving(server.serve) as port, await trio.open_tcp_stream(HOST, port) as stream:
        report = await handshake(stream)
        assert (report.verdict, report.spent_s) == (Verdict.OK, 2)
        assert await stream.receive_some() == b"more"


async def test_handshake_over_a_stream_that_never_takes_anything(
    autojump_clock: MockClock,
) -> None:
    # N10: nobody receives at the other end, and the verdict comes in time.
    near, _ = lockstep_stream_pair()
    report = await handshake(near)
    assert (report.verdict, report.spent_s) == (Verdict.SILENT, 4)
    assert (report.where, report.whose) == (Stage.FIRST_OCTET, Stage.FIRST_OCTET)


async def test_a_stream_that_breaks_without_errno_counts_as_reset(
    autojump_clock: MockClock,
) -> None:
    async def break_off() -> None:
        await trio.sleep(1)
        raise trio.BrokenResourceError

    near, _ = memory_stream_pair()
    near.receive_stream.receive_some_hook = break_off
    report = await handshake(near)
    assert report.verdict is Verdict.RESET_BEFORE_IDENTIFICATION
    assert report.spent_s == 1


@pytest.mark.parametrize("call", ["send_all", "receive_some"])
async def test_a_stream_with_a_bug_is_an_internal_error(
    call: str,
    autojump_clock: MockClock,
) -> None:
    # Law 8, and "always have an answer"
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError(call)

    near, _ = memory_stream_pair()
    if call == "send_all":
        near.send_stream.send_all_hook = fail
    else:
        near.receive_stream.receive_some_hook = fail
    report = await handshake(near)
    assert report.verdict is Verdict.INTERNAL_ERROR
    assert report.evidence.internal_error == f"ZeroDivisionError('{call}')"
    assert (report.where, report.whose) == (Stage.FIRST_OCTET, None)


async def test_handshake_gives_way_to_the_callers_cancellation(
    autojump_clock: MockClock,
) -> None:
    near, _ = lockstep_stream_pair()
    with trio.move_on_after(1) as scope:
        await handshake(near)
    assert scope.cancelled_caught
    assert trio.current_time() == 1


def test_handshake_gives_way_to_an_interrupt() -> None:
    async def probe() -> Report:
        near, _ = lockstep_stream_pair()
        return await interrupted(partial(handshake, near))

    with pytest.raises(KeyboardInterrupt):
        trio.run(probe, clock=MockClock())


# For code without trio. ---------------------------------------------------------------------------


@pytest.fixture
def good_port() -> Iterator[int]:
    """A good server in a thread of its own."""

    class Good(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(IDENTIFICATION + KEXINIT)
            while self.request.recv(4096):  # until the client has left
                pass

    with socketserver.ThreadingTCPServer((HOST, 0), Good) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_check_blocking(good_port: int) -> None:
    assert check_blocking(HOST, good_port).ok


def test_check_blocking_from_several_threads_at_once(good_port: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(partial(check_blocking, HOST), [good_port] * 8))
    assert [report.verdict for report in reports] == [Verdict.OK] * 8


def test_check_blocking_in_threads_of_asyncio(good_port: int) -> None:
    async def probe() -> list[Report]:
        return await asyncio.gather(
            *(asyncio.to_thread(check_blocking, HOST, good_port) for _ in range(4)),
        )

    assert [report.verdict for report in asyncio.run(probe())] == [Verdict.OK] * 4


def test_check_blocking_passes_the_budget_and_the_version_on() -> None:
    report = check_blocking(HOST, 22, budget=Budget(60, resolve_s=7), ip_version=6)
    assert report.verdict is Verdict.NAME_ERROR
    assert [(time.stage, time.limit_s) for time in report.evidence.stages] == [
        (Stage.PROBE, 60),
        (Stage.RESOLVE, 7),
    ]


async def test_check_blocking_says_that_trio_runs_here_already() -> None:
    await trio.lowlevel.checkpoint()
    with pytest.raises(RuntimeError):
        check_blocking(HOST)
