"""The exporter as a service: it listens, obeys signals, and ends in order.

SIGHUP reads the configuration again; a bad one is refused whole, and the old one stays. SIGTERM and
SIGINT close the listener, let connections that are open have their answers, and end: after
``end_s`` at the latest, whoever reads.
"""

import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import trio

from probe.exporter import server
from probe.exporter.config import DEFAULT, Config, ConfigError, read_config
from probe.exporter.insides import GRACE_S, Insides
from probe.exporter.probing import Prober
from probe.exporter.routes import Application
from probe.exporter.tasks import Waits
from probe.net.machine import DESCRIPTORS_EACH, SPARE_DESCRIPTORS, allow_descriptors
from probe.target import Target, write_target

BACKLOG: Final = 1024

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Say = Callable[[str], None]
"""Tells who runs the service a line. Never blocks."""


class Service:
    """One exporter.

    Args:
        config: What holds until it is read again.
        path: Of the configuration; ``None`` if there is none.
        say: Is told what happens.
        debug: Whether tasks can be seen.

    Attributes:
        config: What holds now.
    """

    def __init__(
        self, config: Config = DEFAULT, path: Path | None = None, *, say: Say, debug: bool = False
    ) -> None:
        self.config = config
        self._path = path
        self._say = say
        self._waits = Waits() if debug else None
        self.insides = Insides(config.exporter.kept_reports)

    async def run(
        self,
        address: Target,
    ) -> int:
        """Listen at ``address`` until a signal ends it, and return that signal.

        Args:
            address: Numeric host, and port; 0 for any free one.

        Raises:
            OSError: It cannot be listened at.
        """
        self._allow_descriptors()
        if self._waits is not None:
            trio.lowlevel.add_instrument(self._waits)
        with trio.open_signal_receiver(*SIGNALS) as signals:
            listeners = await trio.open_tcp_listeners(
                address.port, host=address.host, backlog=BACKLOG
            )
            async with trio.open_nursery() as everything:
                host, port = listeners[0].socket.getsockname()[:2]
                everything.start_soon(self.insides.watch)
                async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
                    accepting.start_soon(self._serve, listeners, everything, connections)
                    self._say(f"listening on http://{write_target(host, port)}")
                    number = await self._obey(signals)
                    accepting.cancel_scope.cancel()
                    connections.cancel_scope.deadline = trio.current_time() + self._end_s()
                everything.cancel_scope.cancel()
        self._say("ended")
        return number

    async def _serve(
        self,
        listeners: list[trio.SocketListener],
        probes: trio.Nursery,
        connections: trio.Nursery,
    ) -> None:
        prober = Prober(probes, self.insides, lambda: self.config)
        application = Application(prober, self.insides, lambda: self.config, self._waits)
        own = server.Server(
            application.answer,
            lambda: self.config.exporter.max_connections,
            self.insides.connections,
        )
        await trio.serve_listeners(own.serve, listeners, handler_nursery=connections)

    async def _obey(self, signals: AsyncIterator[int]) -> int:
        while (number := await anext(signals)) == signal.SIGHUP:
            self.reload()
        self._say("ending: requests that were begun are answered")
        return number

    def reload(self) -> None:
        """Read the configuration again. Requests that are being answered keep what they have."""
        try:
            config = DEFAULT if self._path is None else read_config(self._path)
        except ConfigError as error:
            self.insides.note_config(is_accepted=False)
            self._say(f"the old configuration stays: {error}")
            return
        self.config = config
        self._allow_descriptors()
        self.insides.note_config(is_accepted=True)
        self._say("the configuration was read again")

    def _end_s(self) -> float:
        """Return how long an honest scraper may take from now on, at the most."""
        longest_s = max(module.limit_s for module in self.config.modules.values())
        return server.HEAD_S + longest_s + GRACE_S + server.SEND_S + server.LINGER_S

    def _allow_descriptors(self) -> None:
        own = self.config.exporter
        wished = own.max_connections + own.max_in_flight * DESCRIPTORS_EACH + SPARE_DESCRIPTORS
        if not allow_descriptors(wished):
            self._say(f"this system allows fewer than the {wished} descriptors that may be needed")
