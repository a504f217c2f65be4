"""Serves rows of the catalogue on TCP ports."""

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from struct import pack

import trio

from probe.catalogue.moves import NeverAccept
from probe.catalogue.play import play
from probe.catalogue.row import Server
from probe.catalogue.servers import BY_NAME

LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def serve(
    server: str | Server,
    host: str = LOOPBACK,
    port: int = 0,
) -> AsyncIterator[tuple[str, int]]:
    """Serve a row of the catalogue to any number of clients, until the context is left.

    Args:
        server: A row, or its name.
        host: Numeric address to listen on.
        port: To listen on; 0 for any free one.

    Yields:
        Host and port.

    Raises:
        KeyError: No row has that name.
        OSError: The port cannot be listened on.
    """
    row = BY_NAME[server] if isinstance(server, str) else server
    [listener] = await trio.open_tcp_listeners(port, host=host)
    async with listener, trio.open_nursery() as nursery:
        if not isinstance(row.moves[0], NeverAccept):
            await nursery.start(trio.serve_listeners, _Server(row).serve_client, [listener])
        yield host, listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


class _Server:
    """A row that is served, and whose turn it is."""

    def __init__(self, row: Server) -> None:
        self._turns = itertools.cycle(row.turns)

    async def serve_client(self, stream: trio.SocketStream) -> None:
        async with stream:
            await play(next(self._turns), stream, partial(_abort, stream))


async def _abort(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
    await stream.aclose()
