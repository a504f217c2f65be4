"""From a name to a connected socket: resolve, then connect address by address."""

import errno
import socket
import sys
from functools import partial
from typing import Final, cast

import trio

from probe.budget import CONNECT, RESOLVE
from probe.evidence import Attempt, End, Evidence
from probe.net.kernel import begin_keepalive
from probe.net.stages import Ended, OpenStage, Stages, open_nursery, wait_at_most
from probe.net.tcp import TcpStream

CONNECTION_ATTEMPT_DELAY_S: Final = 0.25
"""How long an address has before the next one is tried as well: RFC 8305 §5 recommends 250 ms."""

RESOLVER_THREADS: Final = 128
"""Names looked up side by side. A look-up against a dead resolver keeps its thread until the
system gives up, long after the probe did; glibc takes up to 30 s for that, so this many allow
four dead names a second before others have to queue."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
"""Numeric host and port; for IPv6 also flow label and scope."""

AddressInfo = tuple[socket.AddressFamily, SocketAddress]
"""A family and a socket address of that family."""

_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""linux/in.h: Python's socket module names it from 3.12 on."""


class _LookUp:
    """A look-up in its thread, which goes on when nobody waits for it any more."""

    __slots__ = ("_look_up", "is_awaited")

    def __init__(self, look_up: "partial[list[AddressInfo]]") -> None:
        self._look_up = look_up
        self.is_awaited = True

    def run(self) -> list[AddressInfo]:
        _look_ups.add(self)
        try:
            return self._look_up()
        finally:
            _look_ups.discard(self)


_look_ups: set[_LookUp] = set()
"""Those that run, in threads of all loops."""

_limiter: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("sshprobe-resolver")


def source_address(source: str) -> AddressInfo:
    """Read the address that connections shall come from.

    Args:
        source: Numeric; ``fe80::1%eth0`` for a scoped one.

    Raises:
        ValueError: It is no numeric address.
    """
    try:
        return _look_up(source, 0, socket.AF_UNSPEC, socket.AI_NUMERICHOST)[0]
    except (OSError, UnicodeError):
        message = f"not a numeric address to connect from: {source!r}"
        raise ValueError(message) from None


async def resolve(
    stages: Stages,
    evidence: Evidence,
    family: socket.AddressFamily = socket.AF_UNSPEC,
) -> list[AddressInfo]:
    """Find the addresses of ``evidence.host``, and record them.

    A numeric address takes no thread, no time, and no stage. A name is looked up in a thread of
    a limiter of our own: a dead resolver starves neither the caller's other threads nor, being
    abandoned on cancellation, the caller.

    Args:
        stages: Where the stage ``resolve`` is opened.
        evidence: Whose host and port are looked up.
        family: ``AF_INET`` or ``AF_INET6`` to take addresses of that family alone.

    Returns:
        At least one address, in the resolver's order.

    Raises:
        Ended: There is none; the evidence holds the resolver's words.
    """
    host, port = evidence.host, evidence.port
    if family != socket.AF_INET6 and _is_ipv4(host):  # getaddrinfo takes five times as long
        evidence.addresses = (host,)
        return [(socket.AF_INET, (host, port))]
    look_up = partial(_look_up, host, port, family)
    try:
        found = look_up(socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        with stages.open(RESOLVE):
            found = await _resolve_name(look_up, evidence)
    evidence.addresses = tuple(_written(address) for _, address in found)
    return found


async def wait_for_resolver() -> None:
    """Wait until a thread is free to look a name up, so that ``resolve`` finds it at once.

    A checkpoint. Only one task at a time shall wait here, and call ``resolve`` before it waits for
    anything else.
    """
    async with _resolver_limiter():
        pass


def abandoned_look_ups() -> int:
    """Return how many threads still look up a name that no probe waits for any more."""
    return sum(not look_up.is_awaited for look_up in list(_look_ups))


async def connect(
    addresses: list[AddressInfo],
    opened: OpenStage,
    evidence: Evidence,
    source: AddressInfo | None = None,
) -> TcpStream:
    """Connect to the first address that answers.

    They are dialled in order, each 250 ms after the one before or as soon as that fails. The
    outcome of each is recorded, and every socket but the returned one is closed.

    Args:
        addresses: At least one.
        opened: The stage ``connect``, one for all addresses. It is left at success.
        evidence: Where outcomes are recorded.
        source: Where connections shall come from; the system's choice if ``None``.

    Raises:
        Ended: No address could be connected to.
    """
    if len(addresses) == 1:
        winner = await _dial(addresses[0], opened, evidence, source)
    else:
        winner = await _Race(opened, evidence, source).run(addresses)
    if winner is None:
        raise Ended(End.UNCONNECTED)
    opened.stages.leave(CONNECT)
    return TcpStream(winner)


def _is_ipv4(host: str) -> bool:
    """Whether it is an address of four decimal numbers, in the one way of writing it."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except (OSError, UnicodeError):
        return False
    return True


def _look_up(
    host: str,
    port: int,
    family: socket.AddressFamily,
    flags: int = 0,
) -> list[AddressInfo]:
    # An ASCII name goes as octets: as text it would load the IDNA codec for nothing.
    name = host.encode() if host.isascii() else host
    rows = socket.getaddrinfo(name, port, family, socket.SOCK_STREAM, 0, flags)
    return [(found, cast("SocketAddress", address)) for found, _, _, _, address in rows]


def _written(address: SocketAddress) -> str:
    """Return the host as a person writes it, scope included; getaddrinfo keeps that apart."""
    host, _, *kept_apart = address
    if not kept_apart:  # IPv4
        return host
    return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]


async def _resolve_name(
    look_up: "partial[list[AddressInfo]]",
    evidence: Evidence,
) -> list[AddressInfo]:
    running = _LookUp(look_up)
    try:
        limiter = _resolver_limiter()
        return await trio.to_thread.run_sync(running.run, limiter=limiter, abandon_on_cancel=True)
    except socket.gaierror as error:
        evidence.add_error("getaddrinfo", error.errno, error.strerror or "")
    except (OSError, UnicodeError) as error:  # a name that no resolver can be asked for
        evidence.add_error("getaddrinfo", getattr(error, "errno", None), str(error))
    finally:
        running.is_awaited = False
    raise Ended(End.UNRESOLVED)


def _resolver_limiter() -> trio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(RESOLVER_THREADS)
        _limiter.set(limiter)
        return limiter


class _Race:
    """Several addresses dialled side by side; the first that answers wins."""

    def __init__(self, opened: OpenStage, evidence: Evidence, source: AddressInfo | None) -> None:
        self._opened = opened
        self._evidence = evidence
        self._source = source
        self._winner: socket.socket | None = None

    async def run(self, addresses: list[AddressInfo]) -> socket.socket | None:
        self._opened.follow()
        try:
            async with open_nursery() as nursery:
                for address in addresses:
                    failed = trio.Event()
                    nursery.start_soon(self._enter, address, failed, nursery.cancel_scope)
                    await wait_at_most(failed, CONNECTION_ATTEMPT_DELAY_S)
        except BaseException:
            if self._winner is not None:
                self._winner.close()
            raise
        return self._winner

    async def _enter(
        self,
        address: AddressInfo,
        failed: trio.Event,
        race: trio.CancelScope,
    ) -> None:
        self._opened.stages.tick()
        sock = await _dial(address, self._opened, self._evidence, self._source)
        if sock is None:
            failed.set()
        elif self._winner is None:
            self._winner = sock
            race.cancel()
        else:
            sock.close()


async def _dial(
    info: AddressInfo,
    opened: OpenStage,
    evidence: Evidence,
    source: AddressInfo | None,
) -> socket.socket | None:
    """Dial one address, record the outcome, return the connected socket or ``None``.

    A checkpoint.
    """
    stages = opened.stages
    family, address = info
    written = _written(address)
    began_s = stages.elapsed_s
    outcome, failed = "abandoned", None
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        if source is not None:
            _bind(sock, source)
        failed = await _connect(sock, address, opened)
        outcome = "failed" if failed else "connected"
    except OSError as error:
        outcome, failed = "failed", error.errno
        await trio.lowlevel.checkpoint()  # there may have been none, and a caller may try again
    finally:
        if sock is not None and outcome != "connected":
            sock.close()
        stages.tick()
        spent_s = stages.elapsed_s - began_s
        evidence.add_attempt(Attempt(written, began_s, spent_s, outcome, failed or None))
    if outcome != "connected":
        return None
    if evidence.address is None:  # of two that answer at one instant the first wins
        evidence.address = written
    return sock


def _bind(sock: socket.socket, source: AddressInfo) -> None:
    """Choose the address, and leave the port to ``connect``: so two servers may see one port."""
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind(source[1])


async def _connect(sock: socket.socket, address: SocketAddress, opened: OpenStage) -> int:
    """Connect, and return the errno: 0 if connected. A checkpoint unless connected at once.

    A server on this machine has answered before ``connect`` returns, though that says otherwise. A
    second call tells, and spares such a probe a third of its waits.
    """
    sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    begin_keepalive(sock)
    failed = sock.connect_ex(address)
    if failed == errno.EINPROGRESS:
        failed = sock.connect_ex(address)
    if failed == errno.EALREADY:
        opened.follow()
        await trio.lowlevel.wait_writable(sock)
        failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    elif failed in _CONNECTED:
        failed = 0
    else:
        await trio.lowlevel.checkpoint()
    return failed or _self_connected(sock, address[1])


_CONNECTED: Final = (0, errno.EISCONN)
"""What the second ``connect`` returns: Linux, and BSD."""


def _self_connected(sock: socket.socket, port: int) -> int:
    """Return ECONNREFUSED if the socket, connected to ``port``, is connected to itself, else 0.

    A port of this machine that nobody listens on can be the very one that the kernel chose for
    us; TCP's simultaneous open then connects the socket to itself, and it would probe our echo.
    """
    try:
        mine = sock.getsockname()
        alone = mine[1] == port and mine == sock.getpeername()
    except OSError:  # reset meanwhile; the first read will say so
        return 0
    return errno.ECONNREFUSED if alone else 0
