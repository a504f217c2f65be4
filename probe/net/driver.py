"""Moves octets between a stream and the machine, and fills in the evidence."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ssl import SSLError
from typing import Final, Protocol

import trio

from probe.budget import FIRST_OCTET, IDENTIFICATION, KEXINIT, PROBE
from probe.evidence import COMPLETE, KEPT_OCTETS, End, Evidence
from probe.net.stages import Ended, Expired, OpenStage, Stages, open_nursery
from probe.net.tcp import READ_OCTETS
from probe.ssh.handshake import RANDOM_OCTETS, Closed, Event, Handshake, Violation
from probe.ssh.identification import Identification, LineBefore
from probe.ssh.kexinit import KexInit
from probe.ssh.messages import Disconnect
from probe.version import VERSION

SOFTWAREVERSION: Final = f"sshprobe_{VERSION}".encode()
"""Ours. OpenSSH closes on softwareversions that begin with ``Probe-`` before KEXINIT."""


class Wire(Protocol):
    """What a conversation needs of a connection. ``TcpStream`` is one."""

    def send_nowait(self, octets: bytes, /) -> int:
        """Take what can be taken at once, and return how many octets that was."""

    def receive_nowait(self) -> bytes | None:
        """Return what is there, ``b""`` at the end, ``None`` if nothing is."""

    async def wait_readable(self) -> None:
        """Wait until ``receive_nowait`` would return something."""

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until ``send_nowait`` would take an octet."""


class Conversation:
    """One handshake over one connection.

    It speaks first and never waits to speak: sending is tried once, and only octets that the
    kernel does not take (it takes a whole handshake's) cost a second task.

    Args:
        wire: The connection.
        stages: Where the stages from ``identification`` on are opened.
        evidence: Filled in; it is whole after each of the methods, however that ended.
    """

    __slots__ = ("_evidence", "_machine", "_mute", "_stages", "_unsent", "_wire")

    def __init__(self, wire: Wire, stages: Stages, evidence: Evidence) -> None:
        self._wire = wire
        self._stages = stages
        self._evidence = evidence
        self._machine = Handshake(SOFTWAREVERSION, os.urandom(RANDOM_OCTETS))
        self._unsent = b""
        self._mute = False

    async def hold(self) -> None:
        """Hold the conversation in scopes of its own. Raises like ``listen`` and ``resume``."""
        try:
            with self._stages.open(IDENTIFICATION) as opened:
                self.begin()
                await self.listen(opened)
        except Expired:
            await self.resume()
        finally:
            self.conclude()

    def begin(self) -> None:
        """Speak, and begin the stages in which the server shall."""
        self._send(self._machine.octets_to_send())
        self._stages.begin(IDENTIFICATION)
        self._stages.begin(FIRST_OCTET)

    async def glance(self) -> None:
        """Let the other tasks run, and take what has come by then.

        When they are many, a near server has answered meanwhile. Then the probe needs no wait and
        no scope, which are a fifth of what it costs, just when the loop is busy. When they are few
        or the server is far, the look is in vain, and costs too little to be measured.

        Raises:
            Ended: As for ``listen``.
        """
        await trio.lowlevel.checkpoint()
        self._take_what_is_there()

    async def listen(self, opened: OpenStage) -> None:
        """Wait and take what comes, in a context that is open, until all has come.

        Raises:
            Ended: The server ended the conversation, broke a rule, or vanished.
        """
        try:
            while self._evidence.kexinit is None:
                opened.follow()
                await (self._send_and_wait() if self._unsent else self._wire.wait_readable())
                self._take_what_is_there()
        except trio.BrokenResourceError as error:
            record_broken(self._evidence, "recv", error)
            raise Ended(End.BROKEN) from None

    async def resume(self) -> None:
        """Go on after a deadline cut ``listen``, if all the same something came in time.

        Raises:
            Ended: As for ``listen``.
            Expired: Nothing came.
        """
        while self._stages.have_time() or self._arrived_after_all():
            with suppress(Expired), self._stages.open(PROBE) as opened:
                return await self.listen(opened)
        raise Expired

    def conclude(self) -> None:
        """Record what only the end tells. Call it however the conversation ended."""
        self._evidence.findings = self._machine.findings()
        if self._evidence.kexinit is None:
            self._evidence.unread_octets = self._machine.unread_octets(KEPT_OCTETS)

    def _arrived_after_all(self) -> bool:
        """Read what is there without waiting: a stall of ours is not the server's silence."""
        stage = self._stages.where()
        while self._stages.where() is stage:
            if not self._take_what_is_there():
                return False
        return True

    # Octets. -------------------------------------------------------------------------------------

    def _send(self, octets: bytes) -> None:
        if self._mute:
            return
        octets = self._unsent + octets
        try:
            sent = self._wire.send_nowait(octets)
        except OSError as error:
            self._evidence.add_error("send", error.errno, error.strerror or "")
            self._fall_silent()
        else:
            self._stages.tick()
            if sent:
                self._evidence.add_sent(octets[:sent], self._stages.elapsed_s)
            self._unsent = octets[sent:]

    def _fall_silent(self) -> None:
        """Send no more: octets after a gap are no SSH, and a second errno is the first one's echo.

        It is not the end: what the server said before it left can still be read.
        """
        self._mute = True
        self._unsent = b""

    async def _send_and_wait(self) -> None:
        """Wait for what comes next, and meanwhile send what the kernel did not take."""
        async with open_nursery() as nursery:
            nursery.start_soon(self._send_rest)
            await self._wire.wait_readable()
            nursery.cancel_scope.cancel()

    async def _send_rest(self) -> None:
        try:
            while self._unsent:
                await self._wire.wait_send_all_might_not_block()
                self._send(b"")
        except trio.BrokenResourceError as error:
            record_broken(self._evidence, "send", error)
            self._fall_silent()

    def _take_what_is_there(self) -> bool:
        """Take what one read gives without waiting, and return whether that was anything."""
        try:
            octets = self._wire.receive_nowait()
        except OSError as error:
            self._evidence.add_error("recv", error.errno, error.strerror or "")
            raise Ended(End.BROKEN) from None
        if octets is None:
            return False
        self._stages.tick()
        self._take(octets)
        return True

    def _take(self, octets: bytes) -> None:
        if octets:
            self._stages.leave(FIRST_OCTET)
            self._evidence.add_octets(octets, self._stages.elapsed_s)
            self._machine.receive_octets(octets)
        else:
            self._machine.receive_eof()
        while self._evidence.kexinit is None:
            event = self._machine.next_event()
            if event is None:
                return
            self._record(event)

    # Evidence. -----------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        evidence = self._evidence
        match event:
            case Identification():
                evidence.identification = event
                self._send(self._machine.octets_to_send())
                self._stages.leave(IDENTIFICATION)
                self._stages.begin(KEXINIT)
            case KexInit():
                evidence.kexinit = event
                evidence.end = COMPLETE
                self._stages.leave(KEXINIT)
            case LineBefore():
                evidence.add_line_before(event.octets)
            case Disconnect():
                evidence.disconnect = event
                raise Ended(End.DISCONNECT)
            case Violation():
                evidence.violation = event.finding
                raise Ended(End.VIOLATION)
            case Closed():  # after an error, the end of the stream is that error's echo, not FIN
                raise Ended(End.BROKEN if evidence.errors else End.EOF)
            case _:
                evidence.messages_before += 1


class _StreamWire:
    """A stream of the caller's, which may make a sender wait, behind a task that sends."""

    def __init__(self, stream: trio.abc.Stream, outbox: trio.MemorySendChannel[bytes]) -> None:
        self._stream = stream
        self._outbox = outbox
        self._came: bytes | None = None

    def send_nowait(self, octets: bytes) -> int:
        self._outbox.send_nowait(octets)
        return len(octets)

    def receive_nowait(self) -> bytes | None:
        came, self._came = self._came, None
        return came

    async def wait_readable(self) -> None:
        self._came = bytes(await self._stream.receive_some(READ_OCTETS))

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()


@asynccontextmanager
async def open_wire(stream: trio.abc.Stream, evidence: Evidence) -> AsyncIterator[Wire]:
    """Make a wire of any trio stream; what it cannot take at once is sent by a task of its own.

    The stream is left open. If it could not take all octets, it is left in the middle of them.
    """
    outbox, inbox = trio.open_memory_channel[bytes](2)  # identification string, KEXINIT

    async def send() -> None:
        try:
            while True:
                await stream.send_all(await inbox.receive())
        except trio.BrokenResourceError as error:
            if not nursery.cancel_scope.cancel_called:  # else it is the echo of how it ended
                record_broken(evidence, "send", error)

    async with open_nursery() as nursery:
        nursery.start_soon(send)
        yield _StreamWire(stream, outbox)
        nursery.cancel_scope.cancel()


def record_broken(evidence: Evidence, call: str, broken: trio.BrokenResourceError) -> None:
    """Record a stream that broke, with the errno behind it if it says."""
    cause = broken.__cause__
    # An SSLError is an OSError, too, but its number is one of OpenSSL's.
    errno = cause.errno if isinstance(cause, OSError) and not isinstance(cause, SSLError) else None
    words = (cause.strerror or str(cause)) if isinstance(cause, OSError) else str(broken)
    evidence.add_error(call, errno, words or "the stream broke")
