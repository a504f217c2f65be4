"""The servers of a run of pytest, which a thread with a trio loop of its own serves.

A thread, so that tests with no loop, with asyncio's and with trio's ask for them alike, and so that
a test's mock clock is not theirs.
"""

import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from typing import Final, NamedTuple, Self, TypeVar

import pytest
import trio
import trio.testing

from probe.catalogue import BY_NAME, SERVERS, Server, serve
from probe.catalogue.listen import Visit

_QUIET_S: Final = 0.005
"""How long nothing happens in the loop once it has seen what the kernel knows."""

_PATIENCE_S: Final = 0.25
"""How long to wait for that: a row that floods a client is never quiet."""

HAS_THE_KERNEL = sys.platform == "linux"

Result = TypeVar("Result")


def choose(*sets_of_patterns: Sequence[str]) -> list[Server]:
    """Return the rows whose id or name matches a pattern of each set that has any.

    Without any pattern they are those with which a client must not get along.
    """
    given = [patterns for patterns in sets_of_patterns if patterns]
    if not given:
        return [row for row in SERVERS if not row.is_lawful]
    return [row for row in SERVERS if all(_matches(row, patterns) for patterns in given)]


def _matches(row: Server, patterns: Iterable[str]) -> bool:
    return any(map(row.fits, patterns))


class _Clients:
    """Counts the clients of a server."""

    def __init__(self) -> None:
        self.arrived = 0
        self.visits: list[Visit] = []

    def arrive(self, stream: trio.SocketStream) -> trio.SocketStream:
        self.arrived += 1
        return stream


class _Address(NamedTuple):
    host: str
    port: int


class SshServer(_Address):
    """A row of the catalogue that is served: the tuple of its host and port, and what came of it.

    What the clients did is what the kernel knew when it was asked for. A server that stalls, or
    vanished, cannot know at once that they left, and one that never accepts sees none arrive.

    Attributes:
        row: The row of the catalogue: its name, its requirement, what a good prober says.
    """

    row: Server
    _clients: _Clients
    _catch_up: Callable[[], None]

    def __new__(
        cls,
        address: tuple[str, int],
        row: Server,
        clients: _Clients,
        catch_up: Callable[[], None],
    ) -> Self:
        """Only the address is of the tuple."""
        server = super().__new__(cls, *address)
        server.row, server._clients, server._catch_up = row, clients, catch_up
        return server

    def __repr__(self) -> str:
        return f"<SshServer {self.row.name} on {self.host}:{self.port}>"

    @property
    def arrived(self) -> int:
        """How many clients were accepted so far."""
        self._catch_up()
        return self._clients.arrived

    @property
    def connected(self) -> int:
        """How many of them have not left."""
        self._catch_up()
        return self._clients.arrived - len(self._clients.visits)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """What those who left did, each: its address, octets that it sent, seconds it stayed."""
        self._catch_up()
        return tuple(self._clients.visits)


class _Serving:
    """A row that the thread serves."""

    def __init__(self, row: Server) -> None:
        self.row = row
        self.clients = _Clients()
        self._stopping = trio.Event()
        self._stopped = trio.Event()
        self._error: ExceptionGroup[Exception] | None = None

    async def run(  # noqa: ASYNC114 - started in no context manager of its own
        self, task_status: "trio.TaskStatus[tuple[str, int]]"
    ) -> None:
        arrive, leave = self.clients.arrive, self.clients.visits.append
        try:
            async with serve(self.row, tap=arrive, on_leave=leave) as address:
                task_status.started(address)
                await self._stopping.wait()
        except ExceptionGroup as error:  # a row of the caller's broke
            self._error = error
        self._stopped.set()

    async def stop(self) -> None:
        self._stopping.set()
        await self._stopped.wait()
        if self._error is not None:
            raise self._error


class Servers:
    """The thread that serves. It runs from entering the context to leaving it."""

    def __init__(self) -> None:
        self._running: Future[tuple[trio.lowlevel.TrioToken, trio.Nursery]] = Future()
        self._thread = threading.Thread(
            target=trio.run, args=(self._run,), name="SSH servers", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._running.result()
        return self

    def __exit__(self, *_: object) -> None:
        token, nursery = self._running.result()
        token.run_sync_soon(nursery.cancel_scope.cancel)
        self._thread.join()

    @contextmanager
    def serve(self, row: Server) -> Iterator[SshServer]:
        """Serve a row. Entering and leaving block for about a millisecond."""
        serving = _Serving(row)
        address = self._call(self._start, serving)
        try:
            yield SshServer(address, row, serving.clients, self._catch_up)
        finally:
            self._call(serving.stop)

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._running.set_result((trio.lowlevel.current_trio_token(), nursery))
            await trio.sleep_forever()

    async def _start(self, serving: _Serving) -> tuple[str, int]:
        _, nursery = self._running.result()
        address: tuple[str, int] = await nursery.start(serving.run)
        return address

    def _catch_up(self) -> None:
        self._call(_wait_until_quiet)

    def _call(self, function: Callable[..., Awaitable[Result]], *args: object) -> Result:
        """Run a function in the thread. ``trio.from_thread`` may not be used in a trio test."""
        done: Future[Result] = Future()

        async def answer() -> None:
            try:
                done.set_result(await function(*args))
            except Exception as error:  # noqa: BLE001 - it is the caller's
                done.set_exception(error)

        token, nursery = self._running.result()
        token.run_sync_soon(nursery.start_soon, answer)
        return done.result()


async def _wait_until_quiet() -> None:
    with trio.move_on_after(_PATIENCE_S):
        await trio.testing.wait_all_tasks_blocked(_QUIET_S)


class Opener:
    """What the fixture ``ssh_server`` is: starts servers, until the test's end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._opened = ExitStack()
        self._is_over = False

    def __call__(self, server: str | Server) -> SshServer:
        """Serve a row of the catalogue on a free port of loopback.

        Args:
            server: Its name, or a row of your own.

        Returns:
            The server: host and port, ``row``, and what its clients did.

        Raises:
            LookupError: No row has that name.
            RuntimeError: The test is over.
        """
        __tracebackhide__ = True
        if self._is_over:
            message = f"ssh_server({server!r}) after the end of its test"
            raise RuntimeError(message)
        row = server if isinstance(server, Server) else _named(server)
        if row.needs_kernel and not HAS_THE_KERNEL:
            pytest.skip(f"{row.name} needs Linux, whose kernel shows its fault")
        return self._opened.enter_context(self._servers.serve(row))

    def close(self) -> None:
        """Stop them all."""
        self._is_over = True
        self._opened.close()


def _named(name: str) -> Server:
    __tracebackhide__ = True
    if name not in BY_NAME:
        near = " or ".join(get_close_matches(name, BY_NAME))
        hint = f"did you mean {near}?" if near else "`sshprobe servers list` prints them"
        message = f"no row of the catalogue is called {name!r}: {hint}"
        raise LookupError(message)
    return BY_NAME[name]
