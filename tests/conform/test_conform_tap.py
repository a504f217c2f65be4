"""Law: a tap passes on what a stream does, and keeps as much of it as it may."""

import pytest
import trio
from trio.testing import MockClock

from probe.catalogue import BY_NAME
from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.catalogue.octets import kexinit, packet
from probe.catalogue.play import play
from probe.conform.tap import KEPT_OCTETS, Tap

GOES_ON = b"SSH-2.0-x\r\n" + packet(kexinit(kex="curve25519-sha256")) + packet(b"\x1e" + bytes(36))


async def open_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Return both ends of a connection: the client's, and the server's."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        host, port, *_ = listener.socket.getsockname()
        client = await trio.open_tcp_stream(host, port)
        return client, await listener.accept()


async def test_what_passes_is_noted_with_its_time() -> None:
    client, server = await open_pair()
    tap = Tap(server, lambda: 7.0, hangs_up=False)
    async with client, server:
        await tap.wait_send_all_might_not_block()
        await tap.send_all(b"to the client")
        await client.send_all(b"to the server")
        assert await tap.receive_some(5) == b"to th"
        await tap.send_eof()
        assert await client.receive_some() == b"to the client"
        assert await client.receive_some() == b""
        await tap.aclose()
        talk = tap.talk()
    assert (talk.opened_s, talk.last_octet_s) == (7.0, 7.0)
    assert (talk.by_server, talk.by_client) == (b"to the client", b"to the server")
    assert [passage.octets for passage in talk.transcript] == [
        b"to the client",
        b"to th",
        b"e server",
    ]


async def test_of_what_never_ends_the_beginning_is_kept() -> None:
    client, server = await open_pair()
    tap = Tap(server, lambda: 0.0, hangs_up=False)
    async with client, server, trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, bytes(KEPT_OCTETS + 4096))
        received = 0
        while received < KEPT_OCTETS + 4096:
            received += len(await tap.receive_some())
    assert len(tap.talk().by_client) == KEPT_OCTETS


async def converse(server: str, *, hangs_up: bool) -> tuple[bytes, bool]:
    """Say to a row all that a client says that goes on.

    Returns:
        What it says within a second, and whether it hangs up by then.
    """
    client, stream = await open_pair()
    tap = Tap(stream, trio.current_time, hangs_up=hangs_up)
    heard = b""
    async with client, stream, trio.open_nursery() as nursery:
        nursery.start_soon(play, BY_NAME[server].moves, tap, stream.aclose)
        await client.send_all(GOES_ON)
        with trio.move_on_after(1.0) as patience:
            async for octets in client:
                heard += octets
        nursery.cancel_scope.cancel()
    return heard, not patience.cancelled_caught


@pytest.mark.parametrize("server", ["openssh", "waits-for-kexinit"])
async def test_a_lawful_server_hangs_up_on_a_client_that_has_gone_on(
    server: str, autojump_clock: MockClock
) -> None:
    """Not before it has said all: a client that guesses goes on before it has seen KEXINIT."""
    heard = await converse(server, hangs_up=True)
    assert heard == (OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT, True)


@pytest.mark.parametrize(
    ("server", "hangs_up"), [("openssh", False), ("silent-after-identification", True)]
)
async def test_it_does_not_to_others_or_before_kexinit(
    server: str, *, hangs_up: bool, autojump_clock: MockClock
) -> None:
    _, hung_up = await converse(server, hangs_up=hangs_up)
    assert not hung_up
