"""Serves rows of the catalogue on TCP ports."""

import ctypes
import itertools
import select
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from struct import pack
from typing import Final, NamedTuple

import trio

from probe.catalogue.moves import NeverAccept, ShrinkWindow
from probe.catalogue.play import play
from probe.catalogue.row import Server
from probe.catalogue.servers import BY_NAME
from probe.target import LARGEST_PORT, write_target

LOOPBACK: Final = "127.0.0.1"

MAX_CLIENTS: Final = 256
"""Clients served at once: a quarter of the file descriptors that a process commonly has."""


STALLED_AFTER_FIN_S: Final = 60.0
"""How long a client that has sent FIN may go on waiting for ours, which a row that stalls never
sends: longer than a test of any client waits, and short enough to have its place back."""

VANISHED_S: Final = 600.0
"""How long a host that vanished is away. Then it is back, remembers nothing, and answers RST."""

_SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h: Python's socket module does not name it."""

_BPF_RETURN: Final = 0x06
"""linux/bpf_common.h: BPF_RET | BPF_K."""


class Visit(NamedTuple):
    """What one client did.

    Attributes:
        server: The name of the row.
        client: Its address, as ``host:port``.
        octets: What it sent, as far as the row reads.
        spent_s: How long it stayed, in seconds.
    """

    server: str
    client: str
    octets: int
    spent_s: float


Tap = Callable[[trio.SocketStream], trio.abc.HalfCloseableStream]
"""Takes the stream to a client that has come, and returns the one that is played over."""


@asynccontextmanager
async def serve(  # noqa: PLR0913 - what a server can be told
    server: str | Server,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    places: trio.Semaphore | None = None,
    tap: Tap = lambda stream: stream,
    on_leave: Callable[[Visit], None] | None = None,
) -> AsyncIterator[tuple[str, int]]:
    """Serve a row of the catalogue to many clients at once, until the context is left.

    Args:
        server: A row, or its name.
        host: Numeric address to listen on.
        port: To listen on; 0 for any free one.
        places: Clients served at once, which several servers may share; 256 if ``None``. Further
            ones are not accepted until one has left.
        tap: Called with the stream to each client that comes, for the one that is played over, so
            that somebody can listen in.
        on_leave: Called with what a client did once it has left.

    Yields:
        Host and port.

    Raises:
        KeyError: No row has that name.
        ValueError: The host is not a numeric address, or the port is out of range.
        OSError: The port cannot be listened on.
        ExceptionGroup: What the body raised, as out of every nursery of trio's.
    """
    row = BY_NAME[server] if isinstance(server, str) else server
    _require_address(host, port)
    [listener] = await trio.open_tcp_listeners(port, host=host)
    if isinstance(row.moves[0], ShrinkWindow):
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    bounded = _Listener(listener, places or trio.Semaphore(MAX_CLIENTS))
    async with bounded, trio.open_nursery() as nursery:
        if not isinstance(row.moves[0], NeverAccept):
            handler = _Server(row, bounded.places, tap, on_leave).serve_client
            await nursery.start(trio.serve_listeners, handler, [bounded])
        yield host, listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def _require_address(host: str, port: int) -> None:
    ip_address(host)  # a name may have several, of which one would be listened on
    if not 0 <= port <= LARGEST_PORT:  # the system would take it modulo 65536
        message = f"not a port: {port}; ports go from 1 to {LARGEST_PORT}"
        raise ValueError(message)


class _Listener(trio.abc.Listener[trio.SocketStream]):
    """A listener that accepts a client only when there is a place for it."""

    def __init__(self, listener: trio.SocketListener, places: trio.Semaphore) -> None:
        self.places = places
        self._listener = listener

    async def accept(self) -> trio.SocketStream:
        await trio.lowlevel.wait_readable(self._listener.socket)  # a place is for a client
        await self.places.acquire()
        try:
            return await self._listener.accept()
        except BaseException:
            self.places.release()
            raise

    async def aclose(self) -> None:
        await self._listener.aclose()


class _Server:
    """A row that is served, and whose turn it is."""

    def __init__(
        self,
        row: Server,
        places: trio.Semaphore,
        tap: Tap,
        on_leave: Callable[[Visit], None] | None,
    ) -> None:
        self._name = row.name
        self._turns = itertools.cycle(row.turns)
        self._places = places
        self._tap = tap
        self._on_leave = on_leave

    async def serve_client(self, stream: trio.SocketStream) -> None:
        client, began_at = _peer(stream), trio.current_time()
        try:
            async with stream:
                tcp = _Tcp(stream)
                octets = await play(
                    next(self._turns), self._tap(stream), tcp.abort, tcp.stall, tcp.vanish
                )
        finally:
            self._places.release()
        if self._on_leave is not None:
            self._on_leave(Visit(self._name, client, octets, trio.current_time() - began_at))


def _peer(stream: trio.SocketStream) -> str:
    try:
        host, port, *_ = stream.socket.getpeername()
    except OSError:  # it left before it was looked at
        return "nobody"
    return write_target(host, port)


class _Tcp:
    """What a row does to its connection that a stream has no method for."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._has_vanished = False

    async def abort(self) -> None:
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        await self._stream.aclose()

    def vanish(self) -> None:
        """Attach a classic BPF program of one instruction: keep no octet of any segment."""
        instruction = ctypes.create_string_buffer(pack("HBBI", _BPF_RETURN, 0, 0, 0))
        program = pack("HL", 1, ctypes.addressof(instruction))
        with suppress(OSError):  # not Linux: the client is still heard
            self._stream.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            self._has_vanished = True

    async def stall(self) -> None:
        if self._has_vanished:  # whether the client left cannot be known
            await trio.sleep(VANISHED_S)
            await self.abort()
            return
        while not self._client_left():  # noqa: ASYNC110 - FIN behind unread octets wakes nobody
            await trio.sleep(STALLED_AFTER_FIN_S)
        await trio.sleep(STALLED_AFTER_FIN_S)

    def _client_left(self) -> bool:
        """Whether FIN or RST came; what came before it stays in the kernel."""
        poll = select.poll()
        poll.register(self._stream.socket, getattr(select, "POLLRDHUP", select.POLLHUP))
        return bool(poll.poll(0))
