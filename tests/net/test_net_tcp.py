"""The raw socket as a trio stream, over real loopback sockets."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest
import trio
from net_pieces import connected_sockets, reset
from trio.testing import MockClock, assert_checkpoints, check_half_closeable_stream

from probe.net.tcp import READ_OCTETS, TcpStream


class Pair(NamedTuple):
    """A stream of ours, and the peer's socket."""

    stream: TcpStream
    peer: socket.socket


@pytest.fixture
def pair() -> Iterator[Pair]:
    with connected_sockets() as (near, far):
        yield Pair(TcpStream(near), far)


def fill(sock: socket.socket) -> None:
    """Send until the kernel takes no octet more."""
    with suppress(BlockingIOError):
        while sock.send(bytes(65536)):
            pass


async def test_it_keeps_the_contract_of_trios_half_closeable_streams() -> None:
    async def make() -> tuple[TcpStream, TcpStream]:
        await trio.lowlevel.checkpoint()
        with connected_sockets() as (near, far):
            return TcpStream(near.dup()), TcpStream(far.dup())

    async def make_clogged() -> tuple[TcpStream, TcpStream]:
        near, far = await make()
        for stream in (near, far, near, far):  # what one sends acknowledges the other's octets
            fill(stream.socket)
        return near, far

    await check_half_closeable_stream(make, make_clogged)


# Plain calls that never wait. ---------------------------------------------------------------------


def test_send_nowait_says_how_much_the_kernel_took(pair: Pair) -> None:
    assert pair.stream.send_nowait(b"SSH-2.0-x\r\n") == 11
    assert pair.peer.recv(99) == b"SSH-2.0-x\r\n"


def test_send_nowait_takes_a_part_and_then_nothing_when_it_would_block(pair: Pair) -> None:
    octets = bytes(64 * 1024 * 1024)
    assert 0 < pair.stream.send_nowait(octets) < len(octets)
    fill(pair.stream.socket)
    assert pair.stream.send_nowait(octets) == 0


def test_receive_nowait_tells_nothing_yet_from_octets_from_the_end(pair: Pair) -> None:
    assert pair.stream.receive_nowait() is None
    pair.peer.send(b"SSH")
    assert pair.stream.receive_nowait(2) == b"SS"
    assert pair.stream.receive_nowait() == b"H"
    assert pair.stream.receive_nowait() is None
    pair.peer.shutdown(socket.SHUT_WR)
    assert pair.stream.receive_nowait() == b""
    assert pair.stream.receive_nowait() == b""


def test_receive_nowait_raises_what_the_kernel_says_after_the_last_words(pair: Pair) -> None:
    # FIELD-NOTES 6.1: text, then RST; the text can still be read first.
    pair.peer.send(b"Not allowed at this time\r\n")
    reset(pair.peer)
    assert pair.stream.receive_nowait() == b"Not allowed at this time\r\n"
    with pytest.raises(ConnectionResetError):
        pair.stream.receive_nowait()


# Receiving. ---------------------------------------------------------------------------------------


async def test_receive_some_takes_what_is_there_at_once_and_is_a_checkpoint(pair: Pair) -> None:
    pair.peer.send(b"SSH")
    with assert_checkpoints():
        assert await pair.stream.receive_some() == b"SSH"


async def test_receive_some_waits_for_octets(pair: Pair, autojump_clock: MockClock) -> None:
    async def speak_later() -> None:
        await trio.sleep(3)
        pair.peer.send(b"SSH")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak_later)
        assert await pair.stream.receive_some() == b"SSH"
    assert trio.current_time() == 3


async def test_receive_some_takes_a_read_at_most(pair: Pair) -> None:
    pair.peer.send(bytes(READ_OCTETS + 1))
    assert len(await pair.stream.receive_some()) == READ_OCTETS
    assert len(await pair.stream.receive_some(7)) == 1


async def test_receive_some_goes_on_waiting_when_another_reader_was_faster(pair: Pair) -> None:
    received: list[bytes] = []

    async def receive(stream: TcpStream) -> None:
        received.append(await stream.receive_some())

    with pair.stream.socket.dup() as same:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive, pair.stream)
            nursery.start_soon(receive, TcpStream(same))
            await trio.testing.wait_all_tasks_blocked()
            pair.peer.send(b"first")  # wakes both
            await trio.testing.wait_all_tasks_blocked()
            pair.peer.send(b"second")
    assert received == [b"first", b"second"]


@pytest.mark.parametrize("there", [b"", b"SSH"], ids=["nothing there", "octets there"])
async def test_a_cancelled_receive_loses_no_octets(there: bytes, pair: Pair) -> None:
    if there:
        pair.peer.send(there)
    with trio.CancelScope() as scope:
        scope.cancel()
        await pair.stream.receive_some()
    assert scope.cancelled_caught
    pair.peer.send(b"-2.0")
    assert await pair.stream.receive_some() == there + b"-2.0"


async def test_a_receive_cancelled_as_octets_come_loses_none(
    pair: Pair,
    autojump_clock: MockClock,
) -> None:
    async def speak() -> None:
        await trio.sleep(3)
        pair.peer.send(b"SSH")

    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speak)
        with trio.move_on_after(3):
            received = await pair.stream.receive_some()
    assert received + (pair.stream.receive_nowait() or b"") == b"SSH"


async def test_send_all_waits_for_room_as_often_as_needed(pair: Pair) -> None:
    octets = bytes(range(256)) * 4096
    pair.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    received = bytearray()

    async def receive() -> None:
        peer = TcpStream(pair.peer)
        while len(received) < len(octets):
            received.extend(await peer.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await pair.stream.send_all(octets)
    assert received == octets


async def test_a_receive_cancelled_when_it_has_taken_octets_returns_them(pair: Pair) -> None:
    async def cancel(scope: trio.CancelScope) -> None:
        await trio.lowlevel.checkpoint()
        scope.cancel()

    for _ in range(16):  # trio runs the two tasks in either order
        pair.peer.send(b"SSH")
        received = b""
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(cancel, scope)
            await trio.lowlevel.checkpoint()
            with scope:
                received = await pair.stream.receive_some()
        assert received + (pair.stream.receive_nowait() or b"") == b"SSH"


# Errors. ------------------------------------------------------------------------------------------


async def test_a_reset_found_at_once_or_waited_for_keeps_its_errno(pair: Pair) -> None:
    # Law 5: an errno that any call returned is kept.
    async def reset_later() -> None:
        await trio.testing.wait_all_tasks_blocked()
        reset(pair.peer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset_later)
        with pytest.raises(trio.BrokenResourceError) as broken:
            await pair.stream.receive_some()
    assert isinstance(broken.value.__cause__, OSError)
    assert broken.value.__cause__.errno == errno.ECONNRESET


async def test_send_all_after_a_reset_keeps_its_errno(pair: Pair) -> None:
    reset(pair.peer)
    with pytest.raises(trio.BrokenResourceError) as broken:
        await pair.stream.send_all(b"SSH")
    assert isinstance(broken.value.__cause__, OSError)
    assert broken.value.__cause__.errno == errno.ECONNRESET


async def test_send_eof_after_a_reset_keeps_its_errno(pair: Pair) -> None:
    reset(pair.peer)
    with pytest.raises(trio.BrokenResourceError) as broken:
        await pair.stream.send_eof()
    assert isinstance(broken.value.__cause__, OSError)
    assert broken.value.__cause__.errno == errno.ENOTCONN


# Closing. -----------------------------------------------------------------------------------------


def test_a_bare_close_on_top_of_octets_sends_a_reset(pair: Pair) -> None:
    # The contrast to the next test: what the kernel does if nobody drains.
    pair.peer.send(b"unread")
    pair.stream.socket.close()
    with pytest.raises(ConnectionResetError):
        pair.peer.recv(1)


def close_and_run(pair: Pair) -> None:
    async def close() -> None:
        pair.stream.close()
        await trio.lowlevel.checkpoint()

    trio.run(close)


def test_close_drains_so_that_the_peer_sees_fin(pair: Pair) -> None:
    # DESIGN, conduct: closing with octets unread sends RST, which sshd logs.
    pair.peer.send(b"unread")
    close_and_run(pair)
    assert pair.peer.recv(1) == b""


def test_close_does_not_drain_a_flood_for_ever(pair: Pair) -> None:
    pair.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    fill(pair.peer)
    close_and_run(pair)
    with pytest.raises(ConnectionResetError):
        pair.peer.recv(1)


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_close_after_the_peer_left(how: str, pair: Pair) -> None:
    pair.peer.send(b"unread")
    if how == "reset":
        reset(pair.peer)
    else:
        pair.peer.close()
    close_and_run(pair)
    assert pair.stream.socket.fileno() == -1


async def test_close_is_idempotent(pair: Pair) -> None:
    pair.stream.close()
    pair.stream.close()
    await pair.stream.aclose()
    assert pair.stream.socket.fileno() == -1


async def test_close_wakes_a_waiting_reader(pair: Pair) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, pair.stream)
        await trio.testing.wait_all_tasks_blocked()
        pair.stream.close()


async def expect_closed(stream: TcpStream) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()


async def test_aclose_closes_even_when_cancelled(pair: Pair) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await pair.stream.aclose()
    assert scope.cancelled_caught
    assert pair.stream.socket.fileno() == -1
