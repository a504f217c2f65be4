"""What the tests of the exporter share: one that runs in the test, its clients, and servers."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple
from urllib.parse import quote

import trio
from prometheus_client.parser import text_string_to_metric_families

from probe.exporter.config import Config, parse_config
from probe.exporter.service import Service
from probe.target import Target, parse_target

HOST = "127.0.0.1"

LISTENING = "listening on http://"

LOOPBACK = """
[[allow]]
networks = ["127.0.0.0/8", "::1/128"]
ports = {ports}
"""
"""Lets the servers of a test be probed."""


class Response(NamedTuple):
    """What an exporter answered.

    Attributes:
        status: Of HTTP.
        headers: By their names in lower case.
        text: The body.
    """

    status: int
    headers: dict[str, str]
    text: str

    def samples(self) -> dict[str, float]:
        """Return the metrics, each by its name and labels as they are written."""
        return {
            sample.name
            + (
                "{" + ",".join(f'{name}="{value}"' for name, value in sample.labels.items()) + "}"
                if sample.labels
                else ""
            ): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def verdict(self) -> str:
        """Return the verdict that is 1."""
        [name] = [
            name.split('"')[1]
            for name, value in self.samples().items()
            if name.startswith("probe_ssh_verdict{") and value
        ]
        return name


class Running:
    """An exporter that runs.

    Attributes:
        address: Where it listens.
        service: It.
        said: What it told who runs it.
        begun: Set when it listens.
        ended: Set when it has ended; ``number`` is the signal then.
    """

    def __init__(self, config: Config, *, debug: bool) -> None:
        self.address = Target(HOST, 0)
        self.service = Service(config, say=self.hear, debug=debug)
        self.said: list[str] = []
        self.begun = trio.Event()
        self.ended = trio.Event()
        self.number = 0

    async def run(self) -> None:
        self.number = await self.service.run(Target(HOST, 0))
        self.ended.set()

    def hear(self, line: str) -> None:
        """Keep what the service says; once it listens, it says where."""
        self.said.append(line)
        if line.startswith(LISTENING):
            self.address = parse_target(line.removeprefix(LISTENING))
            self.begun.set()

    async def get(self, path: str, **headers: str) -> Response:
        """Ask for ``path``; ``_`` stands for ``-`` in names of headers."""
        named = {"host": HOST} | {name.replace("_", "-"): text for name, text in headers.items()}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in named.items())]
        return await self.send("\r\n".join([*lines, "", ""]).encode())

    async def scrape(self, target: tuple[str, int], query: str = "", **headers: str) -> Response:
        """Ask for a probe."""
        host, port = target
        return await self.get(f"/probe?target={quote(f'{host}:{port}')}{query}", **headers)

    async def send(self, octets: bytes) -> Response:
        """Send a request, and read its answer to the end."""
        async with await self.connect() as stream:
            await stream.send_all(octets)
            return read(await read_all(stream))

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.address)


async def read_all(stream: trio.SocketStream) -> bytes:
    """Read until the end, or until the connection breaks."""
    octets = b""
    try:
        async for some in stream:
            octets += some
    except trio.BrokenResourceError:
        pass
    return octets


def read(octets: bytes) -> Response:
    head, _, body = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return Response(int(first.split()[1]), headers, body.decode())


@asynccontextmanager
async def exporter(config: Config | str = "", *, debug: bool = False) -> AsyncIterator[Running]:
    """Run an exporter until the context is left."""
    parsed = parse_config(config) if isinstance(config, str) else config
    running = Running(parsed, debug=debug)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        await running.begun.wait()
        yield running
        if not running.ended.is_set():
            signal.raise_signal(signal.SIGTERM)
            await running.ended.wait()


def allowing(*targets: tuple[str, int]) -> str:
    """Write a configuration that admits these."""
    return LOOPBACK.format(ports=[port for _, port in targets])


@asynccontextmanager
async def serving(
    *handlers: Callable[[trio.SocketStream], Awaitable[None]],
) -> AsyncIterator[list[tuple[str, int]]]:
    """Serve SSH, or what is none, with each handler."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        addresses = []
        for handler in handlers:
            [listener] = await trio.open_tcp_listeners(0, host=HOST)
            await nursery.start(trio.serve_listeners, handler, [listener])
            addresses.append(listener.socket.getsockname()[:2])
        yield addresses
        nursery.cancel_scope.cancel()
