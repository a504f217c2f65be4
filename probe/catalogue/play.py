"""Plays the moves of a row over a stream."""

from collections.abc import Awaitable, Callable
from typing import assert_never

import trio

from probe.catalogue.moves import (
    LARGEST_FLOOD_OCTETS,
    Abort,
    Drip,
    HalfClose,
    Hold,
    Move,
    ReadLine,
    ReadPacket,
    Repeat,
    Send,
    Wait,
)

Aborter = Callable[[], Awaitable[None]]
"""Ends the connection with RST."""


async def play(
    moves: tuple[Move, ...],
    stream: trio.abc.HalfCloseableStream,
    abort: Aborter,
) -> None:
    """Play ``moves`` over ``stream``, and return at their end or when the client leaves.

    A checkpoint. The stream is left open.

    Args:
        moves: What to do, in order.
        stream: Any stream that can half-close.
        abort: Ends the connection with RST.
    """
    player = _Player(stream, abort)
    try:
        for move in moves:
            await player.make(move)
    except (trio.BrokenResourceError, EOFError):
        return  # the client left


class _Player:
    def __init__(self, stream: trio.abc.HalfCloseableStream, abort: Aborter) -> None:
        self._stream = stream
        self._abort = abort
        self._unread = b""

    async def make(self, move: Move) -> None:
        match move:
            case Send():
                await self._stream.send_all(move.octets)
            case Drip():
                await self._drip(move)
            case Repeat():
                await self._repeat(move)
            case Wait():
                await trio.sleep(move.seconds)
            case ReadLine():
                await self._read_line()
            case ReadPacket():
                packet_length = int.from_bytes(await self._read(4))
                await self._read(packet_length)
            case HalfClose():
                await self._stream.send_eof()
            case Abort():
                await self._abort()
            case Hold():
                await self._hold()
            case _:
                assert_never(move)

    async def _drip(self, drip: Drip) -> None:
        for octet in drip.octets:
            await trio.sleep(drip.every_s)
            await self._stream.send_all(bytes((octet,)))

    async def _repeat(self, repeat: Repeat) -> None:
        sent = 0
        while sent < LARGEST_FLOOD_OCTETS:
            await trio.sleep(repeat.every_s)
            await self._stream.send_all(repeat.octets)
            sent += len(repeat.octets)

    async def _read_line(self) -> None:
        while b"\n" not in self._unread:
            await self._receive()
        self._unread = self._unread.partition(b"\n")[2]

    async def _read(self, count: int) -> bytes:
        while len(self._unread) < count:
            await self._receive()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    async def _hold(self) -> None:
        while True:
            self._unread = b""
            await self._receive()

    async def _receive(self) -> None:
        octets = await self._stream.receive_some()
        if not octets:
            raise EOFError
        self._unread += octets
