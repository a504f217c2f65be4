"""A connected TCP socket as a trio stream that tries each call before it waits."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import trio

READ_OCTETS = 16 * 1024
"""Octets a read takes: most handshakes come in one, and a flood passes a checkpoint often."""

_DRAIN_READS = 16
"""Reads before a close: what a good server sent after KEXINIT fits, a flood is left unread."""


class TcpStream(trio.abc.HalfCloseableStream):
    """A raw, connected, non-blocking socket.

    The methods that end in ``_nowait`` are plain calls and never wait; they raise ``OSError``.
    The others are those of trio's streams, and raise what trio's streams raise; the ``OSError``
    behind a ``trio.BrokenResourceError`` is its ``__cause__``.

    Args:
        sock: Connected and non-blocking; it belongs to the stream from now on.
    """

    __slots__ = ("_finished", "_is_drained", "_readers", "_sending", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._sending = False
        self._finished = False
        self._is_drained = False
        self._readers = 0  # that wait

    def send_nowait(self, octets: bytes | memoryview) -> int:
        """Send what the kernel takes at once, and return how much that was: 0 if nothing."""
        try:
            return self.socket.send(octets)
        except BlockingIOError:
            return 0

    def receive_nowait(self, most: int = READ_OCTETS) -> bytes | None:
        """Return what is there, ``b""`` at the end of the stream, ``None`` if nothing is."""
        try:
            octets = self.socket.recv(most)
        except BlockingIOError:
            return None
        self._is_drained = len(octets) < most
        return octets

    def close(self) -> None:
        """Close at once, so that the kernel sends FIN if all that came was read.

        Octets that are in the socket are read first, without waiting: a close on top of them
        would send RST. But if the last read found fewer than it could take, and nobody has waited
        since, nothing is looked for. A second call does nothing.
        """
        if self.socket.fileno() == -1:
            return
        if not self._is_drained:
            self._drain()
        if self._readers or self._sending:
            trio.lowlevel.notify_closing(self.socket)
        self.socket.close()

    async def aclose(self) -> None:
        """Close at once. A checkpoint; cancelled, it has closed all the same."""
        self.close()
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what came, at the latest when something does; ``b""`` at the end. A checkpoint.

        Cancelled, it has taken nothing.
        """
        most = READ_OCTETS if max_bytes is None else max_bytes
        if most < 1:
            message = "max_bytes must be at least 1"
            raise ValueError(message)
        await trio.lowlevel.checkpoint_if_cancelled()
        octets = self._receive(most)
        if octets is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return octets
        while octets is None:
            await self.wait_readable()
            octets = self._receive(most)
        return octets

    async def wait_readable(self) -> None:
        """Wait until ``receive_nowait`` would return something. A checkpoint."""
        self._is_drained = False
        self._readers += 1
        try:
            await trio.lowlevel.wait_readable(self.socket)
        except OSError as error:  # no room for one more socket to watch, for example
            raise self._broken(error) from error
        finally:
            self._readers -= 1

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all octets. A checkpoint; cancelled, some of them may have been sent."""
        with self._sending_alone(), memoryview(data) as octets:
            await trio.lowlevel.checkpoint()
            sent = self._send(octets)
            while sent < len(octets):
                await self._writable()
                sent += self._send(octets[sent:])

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel would take an octet. A checkpoint."""
        if self.socket.fileno() == -1:
            raise trio.ClosedResourceError
        with self._sending_alone():
            await self._writable()

    async def send_eof(self) -> None:
        """Send FIN and go on receiving. A checkpoint; a second call does nothing more."""
        with self._sending_alone():
            await trio.lowlevel.checkpoint()
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                raise self._broken(error) from error
            self._finished = True

    @contextmanager
    def _sending_alone(self) -> Iterator[None]:
        if self._sending:
            message = "another task is sending"
            raise trio.BusyResourceError(message)
        self._sending = True
        try:
            yield
        finally:
            self._sending = False

    async def _writable(self) -> None:
        try:
            await trio.lowlevel.wait_writable(self.socket)
        except OSError as error:
            raise self._broken(error) from error

    def _receive(self, most: int) -> bytes | None:
        try:
            return self.receive_nowait(most)
        except OSError as error:
            raise self._broken(error) from error

    def _send(self, octets: memoryview) -> int:
        if self._finished:
            message = "FIN was sent"
            raise trio.ClosedResourceError(message)
        try:
            return self.send_nowait(octets)
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> trio.BrokenResourceError | trio.ClosedResourceError:
        if self.socket.fileno() == -1:
            return trio.ClosedResourceError()
        return trio.BrokenResourceError(str(error))

    def _drain(self) -> None:
        try:
            for _ in range(_DRAIN_READS):
                if not self.receive_nowait():
                    return
        except OSError:
            return
