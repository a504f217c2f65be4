"""Moves octets between a stream and the machine, and fills in the evidence."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLError
from typing import Final, Protocol

import trio

from probe.budget import Stage
from probe.evidence import KEPT_OCTETS, End, Evidence
from probe.net.stages import Ended, Expired, Stages, open_nursery
from probe.net.tcp import READ_OCTETS
from probe.ssh.handshake import RANDOM_OCTETS, Closed, Event, Handshake, State, Violation
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
        """Return what is there, ``b""`` at the end, ``None`` if nothing is or nobody knows."""

    async def receive_some(self, max_bytes: int, /) -> bytes:
        """Return what came; ``b""`` at the end."""

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until ``send_nowait`` would take an octet."""


class Conversation:
    """One handshake over one connection.

    It speaks first and never waits to speak: sending is tried once, and only octets that the
    kernel does not take (it takes a whole handshake's) cost a second task.

    Args:
        wire: The connection.
        stages: Where the stages from ``identification`` on are opened.
        evidence: Filled in; after ``run`` it is whole, however ``run`` ended.
    """

    __slots__ = ("_evidence", "_machine", "_mute", "_stages", "_unsent", "_wire")

    def __init__(self, wire: Wire, stages: Stages, evidence: Evidence) -> None:
        self._wire = wire
        self._stages = stages
        self._evidence = evidence
        self._machine = Handshake(SOFTWAREVERSION, os.urandom(RANDOM_OCTETS))
        self._unsent = b""
        self._mute = False

    async def run(self) -> None:
        """Hold the conversation until KEXINIT is in.

        Raises:
            Ended: The server ended it, broke a rule, or vanished.
            Expired: A stage of it ran out of time.
        """
        try:
            self._send(self._machine.octets_to_send())
            self._stages.begin(Stage.IDENTIFICATION)
            await self._wait(Stage.FIRST_OCTET, self._heard)
            await self._wait(Stage.IDENTIFICATION, self._identified)
            await self._wait(Stage.KEXINIT, self._completed)
            self._evidence.end = End.COMPLETE
        finally:
            self._conclude()

    # What is waited for: each takes the events that are there and says whether it has come. ------

    def _heard(self) -> bool:
        return not self._evidence.silent

    def _identified(self) -> bool:
        return self._passed(State.IDENTIFICATION)

    def _completed(self) -> bool:
        return self._passed(State.KEXINIT)

    def _passed(self, state: State) -> bool:
        while self._machine.state is state:
            event = self._machine.next_event()
            if event is None:
                return False
            self._record(event)
            self._send(self._machine.octets_to_send())
        return True

    # Waiting. ------------------------------------------------------------------------------------

    async def _wait(self, stage: Stage, arrived: Callable[[], bool]) -> None:
        """Wait until what ``stage`` waits for has come; if it is there, open no scope for it."""
        self._stages.begin(stage)
        if arrived():
            self._stages.leave(stage)
            return
        try:
            with self._stages.open(stage):
                await self._receive()
                while not arrived():
                    await self._receive()
        except Expired:
            if not self._arrived_after_all(stage, arrived):
                raise

    def _arrived_after_all(self, stage: Stage, arrived: Callable[[], bool]) -> bool:
        """Read what is there without waiting: a stall of ours is not the server's silence."""
        while not arrived():
            octets = self._receive_nowait()
            if octets is None:
                return False
            self._take(octets)
        self._stages.leave(stage)
        return True

    # Octets. -------------------------------------------------------------------------------------

    def _send(self, octets: bytes) -> None:
        if self._mute:
            return
        self._unsent += octets
        if self._unsent:
            try:
                sent = self._wire.send_nowait(self._unsent)
            except OSError as error:
                self._evidence.add_error("send", error.errno, error.strerror or "")
                self._fall_silent()
            else:
                if sent:
                    self._evidence.add_sent(self._unsent[:sent], self._stages.elapsed_s())
                self._unsent = self._unsent[sent:]

    def _fall_silent(self) -> None:
        """Send no more: octets after a gap are no SSH, and a second errno is the first one's echo.

        It is not the end: what the server said before it left can still be read.
        """
        self._mute = True
        self._unsent = b""

    def _receive(self) -> Awaitable[None]:
        """Take what comes next, at the latest when something does."""
        return self._send_and_receive() if self._unsent else self._receive_some()

    async def _send_and_receive(self) -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(self._send_rest)
            await self._receive_some()
            nursery.cancel_scope.cancel()

    async def _send_rest(self) -> None:
        try:
            while self._unsent:
                await self._wire.wait_send_all_might_not_block()
                self._send(b"")
        except trio.BrokenResourceError as error:
            record_broken(self._evidence, "send", error)
            self._fall_silent()

    async def _receive_some(self) -> None:
        try:
            octets = await self._wire.receive_some(READ_OCTETS)
        except trio.BrokenResourceError as error:
            record_broken(self._evidence, "recv", error)
            self._fall_silent()
            raise Ended(End.BROKEN) from None
        self._take(octets)

    def _receive_nowait(self) -> bytes | None:
        try:
            return self._wire.receive_nowait()
        except OSError as error:
            self._evidence.add_error("recv", error.errno, error.strerror or "")
            raise Ended(End.BROKEN) from None

    def _take(self, octets: bytes) -> None:
        if octets:
            if self._evidence.silent:
                self._stages.leave(Stage.FIRST_OCTET)
            self._evidence.add_octets(octets, self._stages.elapsed_s())
            self._machine.receive_octets(octets)
        else:
            self._machine.receive_eof()
            self._passed(self._machine.state)

    # Evidence. -----------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        evidence = self._evidence
        match event:
            case LineBefore():
                evidence.add_line_before(event.octets)
            case Identification():
                evidence.identification = event
            case KexInit():
                evidence.kexinit = event
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

    def _conclude(self) -> None:
        self._evidence.findings = self._machine.findings()
        if self._evidence.kexinit is None:
            self._evidence.unread_octets = self._machine.unread_octets(KEPT_OCTETS)


class _StreamWire:
    """A stream of the caller's, which may make a sender wait, behind a task that sends."""

    def __init__(self, stream: trio.abc.Stream, outbox: trio.MemorySendChannel[bytes]) -> None:
        self._stream = stream
        self._outbox = outbox

    def send_nowait(self, octets: bytes) -> int:
        self._outbox.send_nowait(octets)
        return len(octets)

    def receive_nowait(self) -> bytes | None:
        return None

    async def receive_some(self, max_bytes: int) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

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
