"""``serve``: many clients at once, a bounded number of places, and nothing left behind."""

import errno
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from probe.catalogue import BY_NAME, serve
from probe.catalogue.listen import MAX_CLIENTS, STALLED_AFTER_FIN_S, VANISHED_S, Visit

GOOD = "openssh"
SILENT = "silent"
NEVER_ACCEPTS = "never-accepts"

BEGINNING = b"SSH-2.0-OpenSSH_10.5\r\n"
"""What the good server says first, as captured."""

Leave = Callable[[trio.SocketStream], Awaitable[None]]


def open_descriptors() -> int:
    return len([*Path("/dev/fd").iterdir()])


async def is_served(client: trio.SocketStream, within_s: float = 1.0) -> bool:
    """Whether a server that speaks first has accepted ``client``."""
    with trio.move_on_after(within_s):
        return await client.receive_some() != b""
    return False


async def leave_with_fin(client: trio.SocketStream) -> None:
    await client.aclose()


async def leave_with_rst(client: trio.SocketStream) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await client.aclose()


every_way_to_leave = pytest.mark.parametrize("leave", [leave_with_fin, leave_with_rst])


# Places: law 1, every buffer has a cap. ----------------------------------------------------------


@every_way_to_leave
async def test_one_client_too_many_waits_until_another_leaves(
    leave: Leave,
    autojump_clock: MockClock,
) -> None:
    async with serve(GOOD) as address, AsyncExitStack() as guests:
        clients = [
            await guests.enter_async_context(await trio.open_tcp_stream(*address))
            for _ in range(MAX_CLIENTS)
        ]
        assert all([await is_served(client) for client in clients])
        async with await trio.open_tcp_stream(*address) as one_too_many:
            assert not await is_served(one_too_many, within_s=60)
            await leave(clients[100])
            assert await is_served(one_too_many)


async def test_a_client_has_its_place_to_itself(autojump_clock: MockClock) -> None:
    """One that sends nothing and reads nothing does not keep another one waiting."""
    async with (
        serve(GOOD) as address,
        await trio.open_tcp_stream(*address),
        await trio.open_tcp_stream(*address) as client,
    ):
        assert await is_served(client)


async def test_places_are_for_clients_and_not_for_servers_that_have_none(
    autojump_clock: MockClock,
) -> None:
    """Several servers may share one place: they serve all their clients, one at a time."""
    places = trio.Semaphore(1)
    async with AsyncExitStack() as served:
        addresses = [await served.enter_async_context(serve(GOOD, places=places)) for _ in range(3)]
        for address in reversed(addresses):
            async with await trio.open_tcp_stream(*address) as client:
                assert await is_served(client)


@pytest.mark.parametrize(
    "name",
    [GOOD, SILENT, "resets-at-once", "closes-at-once", "endless-octets", "tarpit-line-a-second"],
)
@every_way_to_leave
async def test_however_a_visit_ends_its_place_is_free_again(
    name: str,
    leave: Leave,
    autojump_clock: MockClock,
) -> None:
    places = trio.Semaphore(1)
    async with serve(name, places=places) as address:
        for _ in range(3):
            client = await trio.open_tcp_stream(*address)
            await trio.sleep(3)
            await leave(client)
            await trio.sleep(3)
            assert places.value == 1


@every_way_to_leave
async def test_a_server_that_stalls_has_its_place_back_in_the_end(
    leave: Leave,
    autojump_clock: MockClock,
) -> None:
    """It cannot read, so it cannot know at once that the client left."""
    async with serve("never-closes", places=trio.Semaphore(1)) as address:
        for _ in range(3):
            client = await trio.open_tcp_stream(*address)
            assert await is_served(client, within_s=2 * STALLED_AFTER_FIN_S + 1)
            await leave(client)


async def test_a_server_that_stalls_does_not_answer_fin_with_fin(
    autojump_clock: MockClock,
) -> None:
    """A client that waits for the server to leave as well must find that it waits too long."""
    async with serve("never-reads") as address, await trio.open_tcp_stream(*address) as client:
        await client.send_all(b"SSH-2.0-client\r\n")
        await trio.sleep(1000)
        await client.send_eof()
        assert not await is_gone(client, within_s=STALLED_AFTER_FIN_S - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: socket filters")
@every_way_to_leave
async def test_a_server_that_vanished_is_back_after_a_while_and_remembers_nothing(
    leave: Leave,
    autojump_clock: MockClock,
) -> None:
    """Not even the client's RST reaches it, so it cannot know that the client left."""
    places = trio.Semaphore(1)
    async with serve("vanishes-before-identification", places=places) as address:
        for _ in range(3):
            client = await trio.open_tcp_stream(*address)
            await client.send_all(b"SSH-2.0-client\r\n")
            await trio.sleep(VANISHED_S - 1)
            await leave(client)
            assert places.value == 0
            await trio.sleep(2)
            assert places.value == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: socket filters")
async def test_a_client_that_waits_for_a_server_that_vanished_is_reset(
    autojump_clock: MockClock,
) -> None:
    """RFC 9293 §3.5.1: what comes for a connection that is not known is answered with RST."""
    async with (
        serve("vanishes-before-identification") as address,
        await trio.open_tcp_stream(*address) as client,
    ):
        await client.send_all(b"SSH-2.0-client\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
    assert trio.current_time() == pytest.approx(VANISHED_S)


async def is_gone(client: trio.SocketStream, within_s: float) -> bool:
    """Whether the server closes the connection of ``client``, with FIN or with RST."""
    with trio.move_on_after(within_s):
        try:
            while await client.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        return True
    return False


# Never accepted. ---------------------------------------------------------------------------------


async def test_the_kernel_alone_answers_where_nobody_accepts(autojump_clock: MockClock) -> None:
    visits: list[Visit] = []
    async with serve(NEVER_ACCEPTS, on_leave=visits.append) as address:
        before = open_descriptors()
        client = await trio.open_tcp_stream(*address)  # returns after the TCP handshake
        async with client:
            await client.send_all(b"SSH-2.0-client\r\n")
            assert not await is_gone(client, within_s=1000)
            assert open_descriptors() == before + 1  # an accepted socket would be the second
        await trio.sleep(1000)
    assert visits == []


async def test_who_was_never_accepted_is_reset_when_the_server_ends(
    autojump_clock: MockClock,
) -> None:
    async with serve(NEVER_ACCEPTS) as address:
        client = await trio.open_tcp_stream(*address)
    async with client:
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


# What a client did. ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stays_s", "read_octets"),
    [
        pytest.param(SILENT, 3.0, 16, id="reads all"),
        pytest.param("waits-for-identification", 0.5, 16, id="reads a line"),
        pytest.param("closes-at-once", 2.0, 16, id="has sent FIN"),
        pytest.param("endless-octets", 0.0, 0, id="never reads"),
    ],
)
async def test_on_leave_reports_octets_and_seconds(
    name: str,
    stays_s: float,
    read_octets: int,
    autojump_clock: MockClock,
) -> None:
    visits: list[Visit] = []
    async with serve(name, on_leave=visits.append) as address:
        async with await trio.open_tcp_stream(*address) as client:
            host, port = client.socket.getsockname()
            await client.send_all(b"SSH-2.0-client\r\n")
            await trio.sleep(stays_s)
            assert visits == []
        await trio.sleep(10)
    assert visits == [Visit(name, f"{host}:{port}", read_octets, stays_s)]


async def test_on_leave_writes_an_ipv6_address_in_brackets(autojump_clock: MockClock) -> None:
    visits: list[Visit] = []
    try:
        async with serve(SILENT, "::1", on_leave=visits.append) as address:
            client = await trio.open_tcp_stream(*address)
            port = client.socket.getsockname()[1]
            await client.aclose()
            await trio.sleep(1)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    assert [visit.client for visit in visits] == [f"[::1]:{port}"]


async def test_every_client_is_reported(autojump_clock: MockClock) -> None:
    visits: list[Visit] = []
    ports = set()
    async with serve(SILENT, on_leave=visits.append) as address:
        for _ in range(20):
            async with await trio.open_tcp_stream(*address) as client:
                ports.add(f"127.0.0.1:{client.socket.getsockname()[1]}")
        await trio.sleep(1)
    assert {visit.client for visit in visits} == ports
    assert len(visits) == 20


async def test_who_listens_in_gets_the_stream_to_every_client(autojump_clock: MockClock) -> None:
    streams: list[trio.SocketStream] = []

    def listen_in(stream: trio.SocketStream) -> trio.SocketStream:
        streams.append(stream)
        return stream

    async with serve(SILENT, tap=listen_in) as address:
        for number in range(1, 4):
            async with await trio.open_tcp_stream(*address) as client:
                await trio.sleep(1)
                assert len(streams) == number
                assert streams[-1].socket.getpeername() == client.socket.getsockname()


# Nothing is left. --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [GOOD, SILENT, "never-reads", NEVER_ACCEPTS, "endless-octets"])
async def test_nothing_is_left_open(name: str, autojump_clock: MockClock) -> None:
    """Law 7, seen from the other side: also with clients that have not left."""
    before = open_descriptors()
    async with AsyncExitStack() as guests:
        async with serve(name) as address:
            for _ in range(5):
                await guests.enter_async_context(await trio.open_tcp_stream(*address))
            await trio.sleep(1)
        assert open_descriptors() == before + 5  # the clients' own
        with pytest.raises(OSError, match="connect"):
            await trio.open_tcp_stream(*address)


async def test_a_caller_that_is_cancelled_leaves_nothing_open(autojump_clock: MockClock) -> None:
    before = open_descriptors()
    with trio.move_on_after(1) as scope:
        async with serve(SILENT) as address, await trio.open_tcp_stream(*address):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert open_descriptors() == before


async def test_a_caller_that_fails_leaves_nothing_open(autojump_clock: MockClock) -> None:
    before = open_descriptors()
    raised = None
    try:
        async with serve(SILENT) as address, await trio.open_tcp_stream(*address):
            raise LookupError  # noqa: TRY301 - where it is raised is the case
    except* LookupError as group:
        raised = group
    assert raised is not None
    assert open_descriptors() == before


# Where it listens. -------------------------------------------------------------------------------


async def test_a_row_may_be_given_by_its_name_or_as_it_is(autojump_clock: MockClock) -> None:
    for server in (GOOD, BY_NAME[GOOD]):
        async with serve(server) as address, await trio.open_tcp_stream(*address) as client:
            assert (await client.receive_some()).startswith(BEGINNING)


async def test_a_port_may_be_chosen_and_used_again(autojump_clock: MockClock) -> None:
    async with serve(GOOD) as (host, port):
        client = await trio.open_tcp_stream(host, port)
        assert await is_served(client)
    await client.aclose()
    async with serve(GOOD, port=port) as address:
        assert address == (host, port)
        async with await trio.open_tcp_stream(*address) as client:
            assert await is_served(client)


async def test_a_port_that_is_taken_is_an_error() -> None:
    before = open_descriptors()
    async with serve(SILENT) as (host, port):
        with pytest.raises(OSError, match="in use") as failure:
            async with serve(GOOD, host, port):
                pass
    assert failure.value.errno == errno.EADDRINUSE
    assert open_descriptors() == before


@pytest.mark.parametrize("host", ["localhost", "", "server.example", "127.0.0.256"])
async def test_a_host_that_is_no_address_is_refused(host: str) -> None:
    """A name may have several addresses, of which a server would listen on one."""
    with pytest.raises(ValueError, match="does not appear to be"):
        async with serve(GOOD, host):
            pass


@pytest.mark.parametrize("port", [-1, 65536])
async def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    """The system would take it modulo 65536, and 0 for any free port."""
    with pytest.raises(ValueError, match=f"not a port: {port}"):
        async with serve(GOOD, port=port):
            pass
