"""What the tests of the command share: servers in a thread, and the command as a process."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import trio

from probe.catalogue import Server, serve

HOST = "127.0.0.1"

PATIENCE_S = 20.0
"""Longer than any command here may run on the slowest machine."""

MODULE = (sys.executable, "-m", "probe")
SCRIPT = (str(Path(sys.executable).with_name("sshprobe")),)

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")
} | {"TERM": "xterm"}

Handler = Callable[[trio.SocketStream], Awaitable[None]]
Serving = AbstractAsyncContextManager[tuple[str, int]]


def sshprobe(
    *arguments: str,
    command: tuple[str, ...] = MODULE,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, and keep what it printed."""
    return subprocess.run(
        (*command, *arguments),
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def start(
    *arguments: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command; it is gone when the context is left, whatever it was at."""
    command = (*MODULE, *arguments)
    with subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.kill()


class Servers:
    """Servers on loopback ports, in a thread of their own, until ``close``."""

    def __init__(self) -> None:
        self._ready = Event()
        self._thread = Thread(target=trio.run, args=(self._run,))
        self._thread.start()
        self._ready.wait()

    def start(self, server: str | Server, host: str = HOST) -> str:
        """Serve a row of the catalogue, and return it as a target of the command."""
        return self._start(serve(server, host))

    def start_handler(self, handler: Handler, host: str = HOST) -> str:
        """Serve ``handler``, and return it as a target of the command."""
        return self._start(_serve_handler(handler, host))

    def close(self) -> None:
        trio.from_thread.run_sync(self._nursery.cancel_scope.cancel, trio_token=self._token)
        self._thread.join()

    async def _run(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await trio.sleep_forever()

    def _start(self, serving: Serving) -> str:
        begun = Queue[tuple[str, int]]()
        begin = partial(self._nursery.start_soon, _keep_serving, serving, begun)
        trio.from_thread.run_sync(begin, trio_token=self._token)
        host, port = begun.get(timeout=PATIENCE_S)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Mute:
    """A server that says nothing, and tells when its first client has come."""

    def __init__(self) -> None:
        self._visited = Event()

    async def serve_client(self, stream: trio.SocketStream) -> None:
        self._visited.set()
        async with stream:
            async for _ in stream:
                pass

    def await_client(self) -> None:
        assert self._visited.wait(PATIENCE_S)


class Recorder:
    """A server that identifies itself, falls silent, and keeps what its clients sent."""

    def __init__(self) -> None:
        self._conversations = Queue[bytes]()

    async def serve_client(self, stream: trio.SocketStream) -> None:
        received = b""
        async with stream:
            await stream.send_all(b"SSH-2.0-recorder\r\n")
            async for octets in stream:
                received += octets
        self._conversations.put(received)

    def conversation(self) -> bytes:
        """Return all that the next client to leave had sent; wait for it to leave."""
        return self._conversations.get(timeout=PATIENCE_S)


async def _keep_serving(serving: Serving, begun: Queue[tuple[str, int]]) -> None:
    async with serving as address:
        begun.put(address)
        await trio.sleep_forever()


@asynccontextmanager
async def _serve_handler(handler: Handler, host: str) -> AsyncIterator[tuple[str, int]]:
    [listener] = await trio.open_tcp_listeners(0, host=host)
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, handler, [listener])
        yield listener.socket.getsockname()[:2]
        nursery.cancel_scope.cancel()
