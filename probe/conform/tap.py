"""Listens in on a server of the catalogue: what it said to a client, and what the client said.

A lawful server of the catalogue ends at KEXINIT, and waits. For a client that means to go on it
hangs up instead, once the client has begun key exchange: to wait for an answer that does not come
is what other servers of the catalogue put it to. It sends FIN alone, because what a client makes of
DISCONNECT is a case of its own.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio

from probe.conform.observed import Talk
from probe.conform.talk import Heard, read_client, read_server
from probe.evidence import Evidence

KEPT_OCTETS: Final = 512 * 1024
"""Octets of each side that are kept to be read: twice the longest KEXINIT of the catalogue."""


class Tap(trio.abc.HalfCloseableStream):
    """A server's stream to one client, which notes what passes.

    Args:
        stream: The stream; it is closed by whoever opened it.
        elapsed_s: Gives the seconds since the case began.
        hangs_up: Whether the server sends FIN once the client has gone on.
    """

    def __init__(
        self,
        stream: trio.SocketStream,
        elapsed_s: Callable[[], float],
        *,
        hangs_up: bool,
    ) -> None:
        self._stream = stream
        self._hangs_up = hangs_up
        self._elapsed_s = elapsed_s
        self._notes = Evidence()
        self._opened_s = elapsed_s()
        self._by_server = b""
        self._by_client = b""

    def talk(self) -> Talk:
        """Return what passed, what a server that does not read left in the kernel included."""
        with suppress(OSError):  # nothing is there, or the server has closed
            self._note_client(os.read(self._stream.socket.fileno(), KEPT_OCTETS))
        return Talk(
            self._opened_s,
            self._notes.last_octet_s,
            self._by_server,
            self._by_client,
            self._notes.transcript,
        )

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, and note what was sent once it is."""
        await self._stream.send_all(data)
        octets = bytes(data)
        self._notes.add_octets(octets, self._elapsed_s())
        self._by_server = _keep(self._by_server, octets)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait as the stream does."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Send FIN."""
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive, and note what came."""
        if self._hangs_up and self._client_went_on():
            self._hangs_up = False
            await self.send_eof()
        octets = bytes(await self._stream.receive_some(max_bytes))
        self._note_client(octets)
        return octets

    async def aclose(self) -> None:
        """Leave the stream to whoever opened it. A checkpoint."""
        await trio.lowlevel.checkpoint()

    def _client_went_on(self) -> bool:
        client = read_client(self._by_client)
        return client.went_on and read_server(self._by_server) is Heard.KEXINIT

    def _note_client(self, octets: bytes) -> None:
        if octets:
            self._notes.add_sent(octets, self._elapsed_s())
            self._by_client = _keep(self._by_client, octets)


def _keep(kept: bytes, octets: bytes) -> bytes:
    return kept if len(kept) >= KEPT_OCTETS else (kept + octets)[:KEPT_OCTETS]
