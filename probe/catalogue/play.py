"""Plays the moves of a row over a stream."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from probe.catalogue.moves import (
    LARGEST_FLOOD_OCTETS,
    TIRED_S,
    Abort,
    Drip,
    HalfClose,
    Hold,
    Move,
    NeverAccept,
    ReadLine,
    ReadPacket,
    Repeat,
    Send,
    ShrinkWindow,
    Stall,
    Vanish,
    Wait,
)

Aborter = Callable[[], Awaitable[None]]
"""Ends the connection with RST."""

Vanisher = Callable[[], None]
"""Makes the transport drop whatever the client sends."""

Staller = Callable[[], Awaitable[None]]
"""Does nothing with the connection, and returns once the client is past noticing."""


async def play(
    moves: tuple[Move, ...],
    stream: trio.abc.HalfCloseableStream,
    abort: Aborter,
    stall: Staller = trio.sleep_forever,
    vanish: Vanisher = lambda: None,
) -> int:
    """Play ``moves`` over ``stream``, and return at their end or when the client leaves.

    A checkpoint. The stream is left open.

    Args:
        moves: What to do, in order: one of the turns of a row.
        stream: Any stream that can half-close.
        abort: Ends the connection with RST.
        stall: Does nothing. A stream cannot say whether the client left unless it is read, so
            this is for whoever knows the transport; without it, a stall has no end.
        vanish: Makes the transport drop whatever the client sends; without it nothing is lost.

    Returns:
        How many octets of the client's were read.
    """
    player = _Player(stream, abort, stall, vanish)
    try:
        for move in moves:
            await player.make(move)
    except (trio.BrokenResourceError, EOFError):
        pass  # the client left
    return player.octets_read


class _Player:
    """One client's server. ``MOVES`` says which method makes which move."""

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream,
        abort: Aborter,
        stall: Staller,
        vanish: Vanisher,
    ) -> None:
        self._stream = stream
        self._abort = abort
        self._stall = stall
        self._vanish = vanish
        self._unread = b""
        self.octets_read = 0

    async def make(self, move: Move) -> None:
        await MOVES[type(move)](self, move)

    async def send(self, send: Send) -> None:
        await self._stream.send_all(send.octets)

    async def drip(self, drip: Drip) -> None:
        due = trio.current_time()
        for octet in drip.octets:
            due += drip.every_s  # a busy machine falls behind, and catches up
            await trio.sleep_until(due)
            await self._stream.send_all(bytes((octet,)))

    async def repeat(self, repeat: Repeat) -> None:
        sent = 0
        while True:
            tired_s = TIRED_S if sent >= LARGEST_FLOOD_OCTETS else 0.0
            await trio.sleep(repeat.every_s or tired_s)
            await self._stream.send_all(repeat.octets)
            sent += len(repeat.octets)

    async def wait(self, wait: Wait) -> None:
        await trio.sleep(wait.seconds)

    async def read_line(self, _: ReadLine) -> None:
        while b"\n" not in self._unread:
            await self._receive()
        self._unread = self._unread.partition(b"\n")[2]

    async def read_packet(self, _: ReadPacket) -> None:
        packet_length = int.from_bytes(await self._read(4))
        await self._read(packet_length)

    async def half_close(self, _: HalfClose) -> None:
        await self._stream.send_eof()

    async def abort(self, _: Abort) -> None:
        await self._abort()

    async def hold(self, _: Hold) -> None:
        while True:
            self._unread = b""
            await self._receive()

    async def stall(self, _: Stall | NeverAccept) -> None:
        await self._stall()

    async def vanish(self, _: Vanish) -> None:
        self._vanish()

    async def shrink_window(self, _: ShrinkWindow) -> None:
        """The listener did it: a window that was offered is not taken back."""

    async def _read(self, count: int) -> bytes:
        while len(self._unread) < count:
            await self._receive()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    async def _receive(self) -> None:
        octets = await self._stream.receive_some()
        if not octets:
            raise EOFError
        self._unread += octets
        self.octets_read += len(octets)


MOVES: Final[dict[type[Move], Callable[[_Player, Any], Awaitable[None]]]] = {
    Send: _Player.send,
    Drip: _Player.drip,
    Repeat: _Player.repeat,
    Wait: _Player.wait,
    ReadLine: _Player.read_line,
    ReadPacket: _Player.read_packet,
    HalfClose: _Player.half_close,
    Abort: _Player.abort,
    Hold: _Player.hold,
    Stall: _Player.stall,
    NeverAccept: _Player.stall,
    Vanish: _Player.vanish,
    ShrinkWindow: _Player.shrink_window,
}
"""Who makes which move. ``Turns`` is not here: it is played a part a client, each by a player."""
