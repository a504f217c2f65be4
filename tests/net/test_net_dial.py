"""From a name to a socket: scripted resolvers, races in virtual time, and real loopback."""

import errno
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import pytest
import trio
from net_pieces import HOST, reset
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from probe.budget import Budget, Stage
from probe.evidence import Attempt, CallError, End, Evidence
from probe.net import dial
from probe.net.dial import AddressInfo, SocketAddress, resolve
from probe.net.stages import Ended, Expired, OpenStage, Stages
from probe.net.tcp import TcpStream

# Resolving. ---------------------------------------------------------------------------------------


class Resolver:
    """Answers in place of the system's resolver; a name is never numeric.

    Attributes:
        asked: The names it was asked for, as they were given to getaddrinfo.
    """

    def __init__(self, answer: Callable[[], object]) -> None:
        self.asked: list[str | bytes] = []
        self._busy = threading.Semaphore(0)
        self._answer = answer

    def wait_until_asked(self, times: int = 1) -> None:
        """Wait for threads to start; one that is late would ask the real resolver."""
        for _ in range(times):
            assert self._busy.acquire(timeout=10)

    def getaddrinfo(
        self,
        name: str | bytes,
        port: int,
        *rest: int,
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        _family, kind, protocol, flags = rest
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        assert (kind, protocol) == (socket.SOCK_STREAM, 0)
        self.asked.append(name)
        self._busy.release()
        self._answer()
        return [(socket.AF_INET, kind, socket.IPPROTO_TCP, "", ("192.0.2.1", port))]


Install = Callable[[Callable[[], object]], Resolver]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    def make(answer: Callable[[], object]) -> Resolver:
        resolver = Resolver(answer)
        monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
        return resolver

    return make


@pytest.fixture
def dead_resolver(install: Install) -> Iterator[Resolver]:
    """A resolver that does not answer before the test is over."""
    over = threading.Event()
    yield install(over.wait)
    over.set()


def answer_at_once() -> None:
    """Give the answer that a resolver has."""


INTERFACE_INDEX, INTERFACE = socket.if_nameindex()[0]


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("127.0.0.1", socket.AF_INET),
        ("::1", socket.AF_INET6),
        (f"fe80::1%{INTERFACE}", socket.AF_INET6),
    ],
)
async def test_a_numeric_address_takes_no_thread_no_time_and_no_stage(
    host: str,
    family: socket.AddressFamily,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    # DESIGN: virtual time means numeric addresses.
    monkeypatch.delattr(trio.to_thread, "run_sync")
    stages, evidence = Stages(Budget()), Evidence(host, 22)
    ((found, address),) = await resolve(stages, evidence)
    assert (found, address[1]) == (family, 22)
    assert evidence.addresses == (host,)
    assert stages.times() == ()
    assert trio.current_time() == 0


async def test_a_scoped_address_keeps_its_scope() -> None:
    ((_, address),) = await resolve(Stages(Budget()), Evidence(f"fe80::1%{INTERFACE}", 22))
    assert address == ("fe80::1", 22, 0, INTERFACE_INDEX)


async def test_a_name_is_looked_up_in_a_stage_of_its_own(
    install: Install,
    mock_clock: MockClock,
) -> None:
    resolver = install(answer_at_once)
    stages, evidence = Stages(Budget()), Evidence("host.example", 22)
    found = await resolve(stages, evidence)
    assert found == [(socket.AF_INET, ("192.0.2.1", 22))]
    assert evidence.addresses == ("192.0.2.1",)
    assert [time.stage for time in stages.times() if time.completed] == [Stage.RESOLVE]
    assert resolver.asked == [b"host.example"]  # as text it would load the IDNA codec


async def test_a_name_beyond_ascii_is_left_to_the_idna_codec(
    install: Install,
) -> None:
    resolver = install(answer_at_once)
    await resolve(Stages(Budget()), Evidence("bücher.example", 22))
    assert resolver.asked == ["bücher.example"]


async def test_a_dead_resolver_is_abandoned_at_the_limit(
    dead_resolver: Resolver,
    autojump_clock: MockClock,
) -> None:
    # N20
    stages = Stages(Budget(resolve_s=2))
    with pytest.raises(Expired):
        await resolve(stages, Evidence("host.example", 22))
    dead_resolver.wait_until_asked()
    assert trio.current_time() == 2
    assert stages.where() is Stage.RESOLVE
    assert stages.whose() is Stage.RESOLVE


DEAD_NAMES = 50
"""More than trio's default limiter has tokens: 40."""


async def look_up_in_vain(name: str) -> None:
    with pytest.raises(Expired):
        await resolve(Stages(Budget(resolve_s=2)), Evidence(name, 22))
    assert trio.current_time() == 2


async def test_dead_resolvers_starve_neither_the_callers_threads_nor_other_names(
    dead_resolver: Resolver,
    install: Install,
    mock_clock: MockClock,
) -> None:
    # FIELD-NOTES 7.6: an abandoned look-up keeps its token until its thread ends.
    async with trio.open_nursery() as nursery:
        for _ in range(DEAD_NAMES):
            nursery.start_soon(look_up_in_vain, "dead.example")
        await wait_all_tasks_blocked()
        dead_resolver.wait_until_asked(DEAD_NAMES)
        mock_clock.jump(2)
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    install(answer_at_once)
    await resolve(Stages(Budget()), Evidence("host.example", 22))


async def test_threads_have_a_cap_and_a_name_that_queues_for_one_has_its_limit(
    dead_resolver: Resolver,
    monkeypatch: pytest.MonkeyPatch,
    mock_clock: MockClock,
) -> None:
    monkeypatch.setattr(dial, "RESOLVER_THREADS", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look_up_in_vain, "first.example")
        await wait_all_tasks_blocked()
        dead_resolver.wait_until_asked()
        nursery.start_soon(look_up_in_vain, "second.example")
        await wait_all_tasks_blocked()
        mock_clock.jump(2)
    assert dead_resolver.asked == [b"first.example"]


def test_a_run_does_not_wait_for_threads_that_an_earlier_run_abandoned(
    dead_resolver: Resolver,
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look_up() -> list[AddressInfo]:
        return await resolve(Stages(Budget()), Evidence("host.example", 22))

    monkeypatch.setattr(dial, "RESOLVER_THREADS", 1)
    with pytest.raises(Expired):
        trio.run(look_up, clock=MockClock(autojump_threshold=0))
    dead_resolver.wait_until_asked()
    install(answer_at_once)
    assert trio.run(look_up, clock=MockClock()) == [(socket.AF_INET, ("192.0.2.1", 22))]


def fail(error: Exception) -> Callable[[], object]:
    def answer() -> None:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "recorded"),
    [
        pytest.param(
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            CallError("getaddrinfo", socket.EAI_NONAME, "Name or service not known"),
            id="no such name",
        ),
        pytest.param(
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            CallError("getaddrinfo", socket.EAI_AGAIN, "Temporary failure in name resolution"),
            id="a failing server",
        ),
        pytest.param(
            socket.gaierror(socket.EAI_FAIL),
            CallError("getaddrinfo", None, ""),
            id="no words",
        ),
        pytest.param(
            OSError("Int or String expected"),
            CallError("getaddrinfo", None, "Int or String expected"),
            id="no question",
        ),
        pytest.param(
            OSError(errno.EMFILE, "Too many open files"),
            CallError("getaddrinfo", errno.EMFILE, f"[Errno {errno.EMFILE}] Too many open files"),
            id="no socket to ask with",
        ),
    ],
)
async def test_the_resolvers_words_are_recorded(
    error: Exception,
    recorded: CallError,
    install: Install,
) -> None:
    install(fail(error))
    stages, evidence = Stages(Budget()), Evidence("host.example", 22)
    with pytest.raises(Ended) as ended:
        await resolve(stages, evidence)
    assert ended.value.end is End.UNRESOLVED
    assert evidence.errors == (recorded,)
    assert evidence.addresses == ()
    assert stages.where() is Stage.RESOLVE


@pytest.mark.parametrize(
    ("host", "words"),
    [("ä" * 64 + ".example", "too long"), ("\udcff", "idna")],
    ids=["label too long", "no Unicode"],
)
async def test_a_name_that_cannot_be_written_as_one_is_unresolved(host: str, words: str) -> None:
    evidence = Evidence(host, 22)
    with pytest.raises(Ended) as ended:
        await resolve(Stages(Budget()), evidence)
    assert ended.value.end is End.UNRESOLVED
    (error,) = evidence.errors
    assert (error.call, error.errno) == ("getaddrinfo", None)
    assert words in error.text


async def test_an_address_of_the_other_version_is_unresolved() -> None:
    evidence = Evidence("127.0.0.1", 22)
    with pytest.raises(Ended) as ended:
        await resolve(Stages(Budget()), evidence, socket.AF_INET6)
    assert ended.value.end is End.UNRESOLVED
    assert [error.call for error in evidence.errors] == ["getaddrinfo"]


# The race, in virtual time, in the shape of trio's test_highlevel_open_tcp_stream.py. ------------


async def connect(
    addresses: list[AddressInfo],
    stages: Stages,
    evidence: Evidence,
) -> TcpStream:
    """Connect in the stage of that name, as the prober does."""
    with stages.open(Stage.CONNECT) as opened:
        return await dial.connect(addresses, opened, evidence)


OK = 0
NEVER = 1e9

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"  # RFC 5737: nobody's


class Network:
    """Plays dialling: each address has a delay and an outcome.

    Attributes:
        dialled_at: When each was dialled.
        sockets: The socket of each.
    """

    def __init__(self, rows: Sequence[tuple[str, float, int]]) -> None:
        self.dialled_at: dict[str, float] = {}
        self.sockets: dict[str, socket.socket] = {}
        self._rows = {address: (delay_s, outcome) for address, delay_s, outcome in rows}

    async def connect(
        self,
        sock: socket.socket,
        address: SocketAddress,
        opened: OpenStage,
    ) -> int:
        opened.follow()
        self.dialled_at[address[0]] = trio.current_time()
        self.sockets[address[0]] = sock
        delay_s, outcome = self._rows[address[0]]
        await trio.sleep(delay_s)
        return outcome

    def addresses(self) -> list[AddressInfo]:
        return [(socket.AF_INET, (address, 22)) for address in self._rows]

    def open_sockets(self) -> list[str]:
        return [address for address, sock in self.sockets.items() if sock.fileno() != -1]


class Race(NamedTuple):
    """A scenario and what must come of it.

    Attributes:
        rows: Addresses in the resolver's order: delay in seconds, and errno or OK.
        dialled_at: When each was dialled.
        ended_at: When the race was over.
        winner: Who won.
        attempts: What is recorded, in the order in which the attempts ended.
    """

    rows: Sequence[tuple[str, float, int]]
    dialled_at: dict[str, float]
    ended_at: float
    winner: str | None
    attempts: Sequence[Attempt]


RACES = {
    "one that answers": Race(
        [(A, 0.5, OK)],
        {A: 0},
        0.5,
        A,
        [Attempt(A, 0, 0.5, "connected")],
    ),
    "one that refuses": Race(
        [(A, 0.5, errno.ECONNREFUSED)],
        {A: 0},
        0.5,
        None,
        [Attempt(A, 0, 0.5, "failed", errno.ECONNREFUSED)],
    ),
    "a fast first one has no rival": Race(
        [(A, 0.125, OK), (B, 0.0, OK)],
        {A: 0},
        0.125,
        A,
        [Attempt(A, 0, 0.125, "connected")],
    ),
    "the next begins after 250 ms and wins": Race(
        [(A, 1.0, OK), (B, 0.5, OK)],
        {A: 0, B: 0.25},
        0.75,
        B,
        [Attempt(B, 0.25, 0.5, "connected"), Attempt(A, 0, 0.75, "abandoned")],
    ),
    "the next begins after 250 ms and loses": Race(
        [(A, 0.5, OK), (B, 1.0, OK)],
        {A: 0, B: 0.25},
        0.5,
        A,
        [Attempt(A, 0, 0.5, "connected"), Attempt(B, 0.25, 0.25, "abandoned")],
    ),
    "the next begins as soon as the one before failed": Race(
        [(A, 0.125, errno.ECONNREFUSED), (B, 0.125, OK), (C, 0, OK)],
        {A: 0, B: 0.125},
        0.25,
        B,
        [
            Attempt(A, 0, 0.125, "failed", errno.ECONNREFUSED),
            Attempt(B, 0.125, 0.125, "connected"),
        ],
    ),
    "the failure of one before the one before hastens nothing": Race(
        [(A, 0.375, errno.ECONNREFUSED), (B, NEVER, OK), (C, 0.125, OK)],
        {A: 0, B: 0.25, C: 0.5},
        0.625,
        C,
        [
            Attempt(A, 0, 0.375, "failed", errno.ECONNREFUSED),
            Attempt(C, 0.5, 0.125, "connected"),
            Attempt(B, 0.25, 0.375, "abandoned"),
        ],
    ),
    "all fail, the first one last": Race(
        [(A, 2.0, errno.ETIMEDOUT), (B, 0.125, errno.EHOSTUNREACH), (C, 0.5, errno.ECONNREFUSED)],
        {A: 0, B: 0.25, C: 0.375},
        2.0,
        None,
        [
            Attempt(B, 0.25, 0.125, "failed", errno.EHOSTUNREACH),
            Attempt(C, 0.375, 0.5, "failed", errno.ECONNREFUSED),
            Attempt(A, 0, 2.0, "failed", errno.ETIMEDOUT),
        ],
    ),
    "a black-holed family costs 250 ms": Race(  # N18
        [(A, NEVER, OK), (B, 0.0, OK)],
        {A: 0, B: 0.25},
        0.25,
        B,
        [Attempt(B, 0.25, 0, "connected"), Attempt(A, 0, 0.25, "abandoned")],
    ),
}


@pytest.fixture
def play(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Sequence[tuple[str, float, int]]], Network]]:
    networks: list[Network] = []

    def make(rows: Sequence[tuple[str, float, int]]) -> Network:
        network = Network(rows)
        networks.append(network)
        monkeypatch.setattr(dial, "_connect", network.connect)
        return network

    yield make
    for network in networks:
        for sock in network.sockets.values():
            sock.close()


Play = Callable[[Sequence[tuple[str, float, int]]], Network]


@pytest.mark.parametrize("race", RACES.values(), ids=RACES.keys())
async def test_race(race: Race, play: Play, autojump_clock: MockClock) -> None:
    network = play(race.rows)
    evidence, stages = Evidence(), Stages(Budget())
    end = None
    try:
        stream = await connect(network.addresses(), stages, evidence)
    except Ended as ended:
        end = ended.end
    else:
        assert race.winner is not None
        assert stream.socket is network.sockets[race.winner]
    assert trio.current_time() == race.ended_at
    assert network.dialled_at == race.dialled_at
    assert evidence.attempts == tuple(race.attempts)
    assert evidence.address == race.winner
    assert network.open_sockets() == ([race.winner] if race.winner else [])
    assert end is (None if race.winner else End.UNCONNECTED)
    assert stages.where() is (None if race.winner else Stage.CONNECT)


async def test_of_two_winners_at_one_instant_one_socket_stays_open(
    play: Play,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A sleep that ends is still cut by the winner; what the kernel has told both is not.
    async def connect_with_the_other(
        sock: socket.socket, address: SocketAddress, opened: OpenStage
    ) -> int:
        await network.connect(sock, address, opened)
        if address[0] == B:
            b_answered.set()
        else:
            await b_answered.wait()
        return OK

    b_answered = trio.Event()
    network = play([(A, 0, OK), (B, 0.75, OK)])
    monkeypatch.setattr(dial, "_connect", connect_with_the_other)
    evidence = Evidence()
    stream = await connect(network.addresses(), Stages(Budget()), evidence)
    assert trio.current_time() == 1
    assert network.open_sockets() == [B]
    assert stream.socket is network.sockets[B]
    assert evidence.address == B
    assert evidence.attempts == (
        Attempt(B, 0.25, 0.75, "connected"),
        Attempt(A, 0, 1, "connected"),
    )


SLOW = [(A, NEVER, OK), (B, NEVER, OK), (C, NEVER, OK)]

ABANDONED = [
    Attempt(A, 0, 0.375, "abandoned"),
    Attempt(B, 0.25, 0.125, "abandoned"),
]


async def test_the_deadline_in_the_middle_closes_all(
    play: Play,
    autojump_clock: MockClock,
) -> None:
    network = play(SLOW)
    stages, evidence = Stages(Budget(connect_s=0.375)), Evidence()
    with pytest.raises(Expired):
        await connect(network.addresses(), stages, evidence)
    assert trio.current_time() == 0.375
    assert stages.where() is Stage.CONNECT
    assert stages.whose() is Stage.CONNECT
    assert sorted(evidence.attempts) == ABANDONED
    assert network.open_sockets() == []


@pytest.mark.parametrize("count", [1, 3], ids=["one address", "several"])
async def test_the_callers_cancellation_in_the_middle_closes_all(
    count: int,
    play: Play,
    autojump_clock: MockClock,
) -> None:
    # Law 7: it leaves nothing open.
    network = play(SLOW[:count])
    evidence = Evidence()
    with trio.move_on_after(0.375) as scope:
        await connect(network.addresses(), Stages(Budget()), evidence)
    assert scope.cancelled_caught
    assert trio.current_time() == 0.375
    assert sorted(evidence.attempts) == ABANDONED[:count]
    assert network.open_sockets() == []


async def test_the_callers_cancellation_at_the_winners_instant_closes_the_winner(
    play: Play,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def connect_as_the_caller_leaves(
        sock: socket.socket, address: SocketAddress, opened: OpenStage
    ) -> int:
        outcome = await network.connect(sock, address, opened)
        scope.cancel()
        return outcome

    network = play([(A, 0.125, OK), (B, NEVER, OK)])
    monkeypatch.setattr(dial, "_connect", connect_as_the_caller_leaves)
    evidence = Evidence()
    with trio.CancelScope() as scope:
        await connect(network.addresses(), Stages(Budget()), evidence)
    assert scope.cancelled_caught
    assert evidence.attempts == (Attempt(A, 0, 0.125, "connected"),)
    assert network.open_sockets() == []


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
async def test_what_goes_wrong_in_a_race_comes_out_plainly_and_closes_all(
    error: type[BaseException],
    play: Play,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    # Law 7: a caller's "except KeyboardInterrupt" holds.
    async def connect_second_in_error(
        sock: socket.socket, address: SocketAddress, opened: OpenStage
    ) -> int:
        outcome = await network.connect(sock, address, opened)
        if address[0] == B:
            raise error
        return outcome

    network = play([(A, NEVER, OK), (B, 0.125, OK), (C, 0, OK)])
    monkeypatch.setattr(dial, "_connect", connect_second_in_error)
    with pytest.raises(error):
        await connect(network.addresses(), Stages(Budget()), Evidence())
    assert sorted(network.sockets) == [A, B]
    assert network.open_sockets() == []


async def test_a_failure_without_errno_is_a_failure(
    play: Play,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail_without_errno(
        sock: socket.socket, address: SocketAddress, opened: OpenStage
    ) -> int:
        await network.connect(sock, address, opened)
        message = "getsockaddrarg: bad family"
        raise OSError(message)

    network = play([(A, 0, OK)])
    monkeypatch.setattr(dial, "_connect", fail_without_errno)
    evidence = Evidence()
    with pytest.raises(Ended) as ended:
        await connect(network.addresses(), Stages(Budget()), evidence)
    assert ended.value.end is End.UNCONNECTED
    assert evidence.address is None
    assert [attempt.outcome for attempt in evidence.attempts] == ["failed"]
    assert network.open_sockets() == []


# Real sockets, over loopback. ---------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as sock:
        yield sock


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and where nobody listens."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


async def dial_loopback(port: int, evidence: Evidence, addresses: int = 1) -> TcpStream:
    return await connect(
        [(socket.AF_INET, (HOST, port))] * addresses,
        Stages(Budget()),
        evidence,
    )


@pytest.mark.parametrize("addresses", [1, 2])
async def test_a_connection_over_loopback(addresses: int, listener: socket.socket) -> None:
    evidence = Evidence()
    with assert_checkpoints() if addresses > 1 else nullcontext():  # one may connect at once
        stream = await dial_loopback(listener.getsockname()[1], evidence, addresses)
    assert stream.socket.getpeername() == listener.getsockname()
    assert not stream.socket.getblocking()
    assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert [attempt.outcome for attempt in evidence.attempts] == ["connected"]
    assert evidence.address == HOST
    stream.close()


@pytest.mark.parametrize("addresses", [1, 2])
async def test_a_closed_port_over_loopback(addresses: int, autojump_clock: MockClock) -> None:
    # N03
    evidence = Evidence()
    with refusing_port() as port, assert_checkpoints(), pytest.raises(Ended) as ended:
        await dial_loopback(port, evidence, addresses)
    assert ended.value.end is End.UNCONNECTED
    refused = Attempt(HOST, 0, 0, "failed", errno.ECONNREFUSED)
    assert evidence.attempts == (refused,) * addresses
    assert evidence.address is None


async def test_a_connection_that_is_reset_at_once_is_a_failed_attempt(
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # N07, before the kernel has told us that the connection is up
    connect_ex = socket.socket.connect_ex

    def be_reset(sock: socket.socket, address: SocketAddress) -> int:
        failed = connect_ex(sock, address)
        if failed == errno.EINPROGRESS:
            reset(listener.accept()[0])
        return failed

    monkeypatch.setattr(socket.socket, "connect_ex", be_reset)
    evidence = Evidence()
    with pytest.raises(Ended):
        await dial_loopback(listener.getsockname()[1], evidence)
    assert [attempt.errno for attempt in evidence.attempts] == [errno.ECONNRESET]


async def test_a_scoped_address_is_recorded_with_its_scope(play: Play) -> None:
    play([("fe80::1", 0, OK)])
    evidence = Evidence()
    address = ("fe80::1", 22, 0, INTERFACE_INDEX)
    await connect([(socket.AF_INET6, address)], Stages(Budget()), evidence)
    assert evidence.address == f"fe80::1%{INTERFACE}"
    assert [attempt.address for attempt in evidence.attempts] == [f"fe80::1%{INTERFACE}"]


async def test_an_address_that_the_kernel_refuses_without_a_packet() -> None:
    evidence = Evidence()
    everybody: AddressInfo = (socket.AF_INET, ("255.255.255.255", 22))
    with assert_checkpoints(), pytest.raises(Ended):
        await connect([everybody], Stages(Budget()), evidence)
    (attempt,) = evidence.attempts
    assert (attempt.outcome, attempt.errno) == ("failed", errno.ENETUNREACH)


@contextmanager
def no_file_descriptors() -> Iterator[None]:
    """Let every call that needs a new file descriptor fail with EMFILE."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("addresses", [1, 2])
async def test_a_machine_without_file_descriptors(
    addresses: int,
    autojump_clock: MockClock,
) -> None:
    evidence = Evidence()
    with no_file_descriptors(), assert_checkpoints(), pytest.raises(Ended) as ended:
        await dial_loopback(22, evidence, addresses)
    assert ended.value.end is End.UNCONNECTED
    assert evidence.attempts == (Attempt(HOST, 0, 0, "failed", errno.EMFILE),) * addresses


async def test_a_connection_to_itself_is_refused() -> None:
    # TCP's simultaneous open: a socket that dials its own port probes its own echo.
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        opened = Stages(Budget()).open(Stage.CONNECT)
        failed = await dial._connect(sock, sock.getsockname(), opened)  # noqa: SLF001 - only here is the port known
        assert failed == errno.ECONNREFUSED
        assert sock.getpeername() == sock.getsockname()


def test_a_socket_that_was_reset_meanwhile_is_not_connected_to_itself() -> None:
    with socket.socket() as sock:
        assert dial._self_connected(sock, 0) == 0  # noqa: SLF001 - the kernel cannot be made to reset between two calls


async def test_look_ups_that_nobody_waits_for_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While their threads run, and no longer: real time, since a thread knows no other."""
    release = threading.Event()

    def look_up(host: str, *rest: object) -> list[dial.AddressInfo]:
        if rest[-1] == socket.AI_NUMERICHOST:
            raise socket.gaierror
        release.wait(10)
        return [(socket.AF_INET, (host, 22))]

    monkeypatch.setattr(dial, "_look_up", look_up)
    stages = Stages(Budget(1, resolve_s=0.05))
    with pytest.raises(Expired):
        await dial.resolve(stages, Evidence("slow.example", 22))
    assert dial.abandoned_look_ups() == 1
    release.set()
    with trio.fail_after(5):
        while dial.abandoned_look_ups():  # noqa: ASYNC110 - a thread ends
            await trio.sleep(0.01)
