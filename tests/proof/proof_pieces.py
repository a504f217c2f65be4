"""A kernel and a server in virtual time, in which every call can be made to fail.

The code under test is all of the prober, from ``check`` down to ``socket.send``. What is played is
what lies below it: its socket, and trio's waits for that. Loopback does for a sample, which the
tests take, but not for ten thousand runs: that a segment has come before the clock jumps is a habit
of the kernel's, not its word.
"""

import errno
import math
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

import pytest
import trio

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.net.tcp import TcpStream

GOOD = OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT
"""All that a prober reads of a good conversation with OpenSSH 10.5p1."""

IDENTIFIED = len(OPENSSH_IDENTIFICATION)
"""Octets with which the identification string is complete."""

COMPLETE = len(GOOD)
"""Octets with which KEXINIT is complete."""

HOST, PORT = "192.0.2.1", 22


class Server(NamedTuple):
    """A server that says what OpenSSH says, up to a point. Its seconds count from our SYN.

    Attributes:
        connected_s: When its answer to the SYN is here; at 0 a second connect() tells.
        arrivals: When octets are here, and how many of what it says that makes.
        ends: What comes with the last of them: ``"FIN"``, ``"RST"``, or nothing.
        vanishes: Whether even its kernel acknowledges nothing from then on.
        says: What it says.
    """

    connected_s: float
    arrivals: tuple[tuple[float, int], ...]
    ends: str | None = None
    vanishes: bool = False
    says: bytes = GOOD

    def octets_at(self, second: float) -> int:
        return max((octets for at, octets in self.arrivals if at <= second), default=0)

    def has_sent(self, end: str, second: float) -> bool:
        return self.ends == end and self.speaks_last_s() <= second

    def speaks_last_s(self) -> float:
        return max(at for at, _ in self.arrivals)


class Struck(NamedTuple):
    """The call at which a fault struck.

    Attributes:
        call: Its name.
        connected: Whether the socket was connected by then.
        read: How many octets the prober had by then.
        arrived: How many octets had arrived by then.
        at_s: When, in seconds from the beginning of the probe.
        leaving: Whether the prober knew how it ended: it asked for TCP_INFO, or had done so.
    """

    call: str
    connected: bool
    read: int
    arrived: int
    at_s: float
    leaving: bool


class Kernel:
    """Has one connection for the prober, counts the calls on it, and lets a fault strike at one.

    Args:
        server: Who is at the other end.
        takes: Whether send() takes octets. If not, the server's window is shut for ever.
        strikes_at: The number of the call at which the fault strikes, from 0.
        fault: What happens then. An ``OSError`` that it raises is what the call fails with.

    Attributes:
        calls: The names of the calls so far.
        struck: Where the fault struck.
        checkpoints_since: Calls from there on at which a cancellation has to show.
        connected: Whether the TCP handshake is over, as the prober knows it.
        octets: How many the prober has.
        open: The sockets that were made and not closed.
        caller: The scope of whoever asked.
    """

    def __init__(
        self,
        server: Server,
        *,
        takes: bool = True,
        strikes_at: int | None = None,
        fault: "Callable[[Kernel], None]" = lambda _: None,
    ) -> None:
        self.calls: list[str] = []
        self.struck: Struck | None = None
        self.checkpoints_since = 0
        self.connected = False
        self.octets = 0
        self.open: set[Socket] = set()
        self.caller = trio.CancelScope()
        self._server = server
        self._takes = takes
        self._strikes_at = strikes_at
        self._fault = fault
        self._began_at = trio.current_time()
        self._dialled = trio.Event()
        self._dialled_at = math.inf
        self._broke_at: float | None = None
        self._reset_was_told = False
        self._unacknowledged = False
        self._waiting = trio.lowlevel.ParkingLot()

    @asynccontextmanager
    async def installed(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Self]:
        """Put this kernel below whatever runs inside."""
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", self._make_socket)
            patch.setattr(trio.lowlevel, "wait_readable", self._wait_readable)
            patch.setattr(trio.lowlevel, "wait_writable", self._wait_writable)
            patch.setattr(trio.lowlevel, "notify_closing", lambda _: None)
            for checkpoint in (trio.lowlevel.checkpoint, trio.lowlevel.checkpoint_if_cancelled):
                patch.setattr(trio.lowlevel, checkpoint.__name__, self._counted(checkpoint))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wake_at_arrivals)
                yield self
                nursery.cancel_scope.cancel()

    def connected_stream(self) -> TcpStream:
        """Connect at once, and make the stream of it that a caller would have."""
        sock = Socket(self)
        self.dial()
        self.connected = True
        return TcpStream(sock)  # type: ignore[arg-type]  # it has all that is used of one

    def elapsed_s(self) -> float:
        """Seconds since the probe began."""
        return trio.current_time() - self._began_at

    def _make_socket(self, *_: int) -> "Socket":
        self.call("socket")
        return Socket(self)

    def call(self, name: str, *, shows_cancellation: bool = False) -> None:
        """Count a call, and let the fault strike if it is its turn."""
        strikes = len(self.calls) == self._strikes_at
        if strikes:
            self.struck = Struck(
                name,
                self.connected,
                self.octets,
                self._arrived(),
                self.elapsed_s(),
                leaving="TCP_INFO" in (*self.calls, name),
            )
        self.calls.append(name)
        if self.struck is not None:
            self.checkpoints_since += shows_cancellation
        if strikes:
            self._fault(self)

    # What the socket asks. -----------------------------------------------------------------------

    def dial(self) -> int:
        self._dialled_at = trio.current_time()
        self._dialled.set()
        return errno.EINPROGRESS

    def dial_again(self) -> int:
        return errno.EALREADY if self._second() < self._server.connected_s else 0

    @property
    def dialled(self) -> bool:
        return self._dialled.is_set()

    def break_connection(self) -> None:
        """What has arrived can still be read; then the end of the stream, as after any errno."""
        self._broke_at = self._second()
        self._waiting.unpark_all()

    def read(self, most: int) -> bytes:
        octets = self._server.says[self.octets : self._arrived()][:most]
        if not octets and not self._has_ended():
            raise failure(errno.EAGAIN)
        if not octets and (error := self.take_error()):
            raise failure(error)
        self.octets += len(octets)
        return octets

    def write(self, octets: bytes) -> int:
        if error := self.take_error():
            raise failure(error)
        if self._is_reset() or self._broke_at is not None:
            raise failure(errno.EPIPE)
        if not self._takes:
            raise failure(errno.EAGAIN)
        self._unacknowledged |= self._has_vanished()
        return len(octets)

    def take_error(self) -> int:
        """The errno that the kernel has for the next call that can be told: it says it once."""
        if not self._is_reset() or self._reset_was_told:
            return 0
        self._reset_was_told = True
        return errno.ECONNRESET

    def tcp_info(self, most: int) -> bytes:
        """``struct tcp_info`` of ``linux/tcp.h``, as far as the prober makes anything of it."""
        info = bytearray(most)
        if self._unacknowledged:
            info[2] = 4  # tcpi_retransmits: after 0.2, 0.6, 1.4 and 3 s
            info[24] = 1  # tcpi_unacked
        elif self._has_vanished():
            info[3] = int(
                self._second() - self._server.speaks_last_s()
            )  # tcpi_probes: one a second
        info[144] = not self._takes  # tcpi_notsent_bytes
        info[228] = self._takes  # tcpi_snd_wnd
        return bytes(info)

    # What has happened by now. -------------------------------------------------------------------

    def _second(self) -> float:
        """The second that it is for the server; once the connection broke, the one it broke in."""
        return trio.current_time() - self._dialled_at if self._broke_at is None else self._broke_at

    def _arrived(self) -> int:
        return self._server.octets_at(self._second())

    def _is_reset(self) -> bool:
        return self._server.has_sent("RST", self._second())

    def _has_vanished(self) -> bool:
        return self._server.vanishes and self._server.speaks_last_s() <= self._second()

    def _has_ended(self) -> bool:
        ended = self._is_reset() or self._server.has_sent("FIN", self._second())
        return ended or self._broke_at is not None

    # Waiting. ------------------------------------------------------------------------------------

    async def _wait_readable(self, _: "Socket") -> None:
        self.call("wait_readable", shows_cancellation=True)
        await self._wait(lambda: self._arrived() > self.octets or self._has_ended())

    async def _wait_writable(self, _: "Socket") -> None:
        self.call("wait_writable", shows_cancellation=True)
        if self.connected:
            await self._wait(lambda: self._takes or self._is_reset() or self._broke_at is not None)
        else:
            await self._wait(lambda: self._second() >= self._server.connected_s)

    async def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait as trio does: what is there wins over a deadline that passed since it last looked.

        A wait that has begun is ended by whichever comes first, and by the deadline at a tie.
        """
        await _checkpoint_if_cancelled()
        if ready():
            await trio.lowlevel.cancel_shielded_checkpoint()
        while not ready():
            await self._waiting.park()

    async def _wake_at_arrivals(self) -> None:
        if not self._dialled.is_set():  # else this wait would be counted as a call
            await self._dialled.wait()
        instants = {self._server.connected_s, *(at for at, _ in self._server.arrivals)}
        for second in sorted(instants):
            await trio.sleep_until(self._dialled_at + second)
            self._waiting.unpark_all()

    def _counted(self, checkpoint: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def counted() -> None:
            self.call("checkpoint", shows_cancellation=True)
            await checkpoint()

        return counted


_checkpoint_if_cancelled = trio.lowlevel.checkpoint_if_cancelled


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Socket:
    """What the prober uses of a socket. Closing is not a call that fails: on a socket it cannot."""

    def __init__(self, kernel: Kernel) -> None:
        kernel.open.add(self)
        self._kernel = kernel

    def setblocking(self, _: bool) -> None:  # noqa: FBT001 - the standard library's signature
        self._kernel.call("setblocking")

    def setsockopt(self, *_: int) -> None:
        self._kernel.call("setsockopt")

    def connect_ex(self, _: tuple[str, int]) -> int:
        if self._kernel.dialled:
            failed = self._errno_of("connect_ex again") or self._kernel.dial_again()
        else:
            failed = self._errno_of("connect_ex") or self._kernel.dial()
        return self._connected_if_0(failed)

    def getsockopt(self, _: int, option: int, most: int = 0) -> int | bytes:
        if option == socket.TCP_INFO:
            self._kernel.call("TCP_INFO")
            return self._kernel.tcp_info(most)
        if self._kernel.connected:
            return self._errno_of("SO_ERROR") or self._kernel.take_error()
        return self._connected_if_0(self._errno_of("SO_ERROR"))

    def getsockname(self) -> tuple[str, int]:
        self._kernel.call("getsockname")
        return "192.0.2.2", 50000

    def send(self, octets: bytes) -> int:
        self._kernel.call("send")
        return self._kernel.write(octets)

    def recv(self, most: int) -> bytes:
        self._kernel.call("recv")
        return self._kernel.read(most)

    def fileno(self) -> int:
        return 99 if self in self._kernel.open else -1

    def close(self) -> None:
        self._kernel.open.remove(self)

    def _errno_of(self, call: str) -> int:
        try:
            self._kernel.call(call)
        except OSError as error:
            return error.errno or 0
        return 0

    def _connected_if_0(self, failed: int) -> int:
        self._kernel.connected = failed == 0
        return failed
