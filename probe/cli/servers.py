"""``sshprobe servers``: list the catalogue, show a row, serve rows."""

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Final

import trio

from probe.catalogue import BY_NAME, SERVERS, Server, serve
from probe.catalogue.listen import Visit
from probe.catalogue.moves import Drip, Move, Repeat, Send, Wait
from probe.cli.output import complain
from probe.cli.printing import Say, print_lines, run_printing
from probe.cli.status import OUTPUT_LOST, USAGE
from probe.net.machine import allow_descriptors
from probe.text import dump, escape

_LINES_SHOWN: Final = 64
_NAME_WIDTH: Final = max(map(len, BY_NAME))
_BITES_WIDTH: Final = max(len(str(row.bites)) for row in SERVERS)
_SPARE_DESCRIPTORS: Final = 32


def run_list(options: Namespace) -> int:
    """Print the catalogue, a row a line."""
    return print_lines(_list_as_json() if options.json else _list_as_table())


def run_show(options: Namespace) -> int:
    """Print what one server does, octet by octet."""
    return print_lines(_show(BY_NAME[options.name]))


def run_serve(options: Namespace) -> int:
    """Serve rows until a signal comes, which is the ordinary end."""
    serving = _Serving(options)
    status = run_printing(serving.run)
    if serving.failed:
        return USAGE
    return status if status == OUTPUT_LOST else 0


# Listing and showing. --------------------------------------------------------------------------


def _list_as_table() -> Iterator[str]:
    yield _list_row("id", "server", "level", "bites", "a good prober says")
    for row in SERVERS:
        yield _list_row(row.id, row.name, row.level, str(row.bites), str(row.expected))


def _list_row(*cells: str) -> str:
    widths = (5, _NAME_WIDTH + 1, 14, _BITES_WIDTH + 1, 0)
    return " ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))


def _list_as_json() -> Iterator[str]:
    for row in SERVERS:
        members = asdict(row) | {"moves": [list(map(_say_move, part)) for part in row.turns]}
        yield json.dumps(members)


def _show(row: Server) -> Iterator[str]:
    yield f"{row.id}  {row.name}"
    yield f"{row.section}, {row.level}: {row.requirement}"
    if row.differs:
        yield row.differs
    for number, part in enumerate(row.turns, 1):
        yield ""
        yield f"client {number} of {len(row.turns)}:" if len(row.turns) > 1 else "moves:"
        for move in part:
            yield f"  {_say_move(move)}"
            octets = move.octets if isinstance(move, Send | Drip | Repeat) else b""
            yield from (f"    {line}" for line in dump(octets, _LINES_SHOWN))
    yield ""
    yield f"a good prober says: {row.expected}"
    yield f"where: {row.expected.where or '-'}   whose limit: {row.expected.whose or '-'}"
    yield f"after: {row.expected.spent_s:g} s, with the default budget"


def _say_move(move: Move) -> str:
    match move:
        case Send():
            return f"send {len(move.octets)} octets"
        case Drip():
            return f"send {len(move.octets)} octets, each after {move.every_s:g} s"
        case Repeat(every_s=0):
            return f"send these {len(move.octets)} octets over and over; after 64 MiB, every second"
        case Repeat():
            return f"send these {len(move.octets)} octets every {move.every_s:g} s, for ever"
        case Wait():
            return f"wait {move.seconds:g} s"
        case _:
            said = (type(move).__doc__ or "").partition(".")[0]
            return said[:1].lower() + said[1:]


# Serving. ---------------------------------------------------------------------------------------


class _Serving:
    """One run of ``sshprobe servers serve``."""

    def __init__(self, options: Namespace) -> None:
        self.failed = False
        self._options = options
        names = BY_NAME if options.all else dict.fromkeys(options.names)  # each of them once
        self._rows = [BY_NAME[name] for name in names]
        self._places = trio.Semaphore(options.max_clients)
        self._ports: dict[str, int] = {}

    async def run(self, say: Say) -> None:
        allow_descriptors(len(self._rows) + self._options.max_clients + _SPARE_DESCRIPTORS)
        async with AsyncExitStack() as served:
            for row in self._rows:
                await self._open(row, served)
                if self.failed:
                    return
            say(json.dumps(self._ports))
            await trio.sleep_forever()

    async def _open(self, row: Server, served: AsyncExitStack) -> None:
        host, base = self._options.host, self._options.port_base
        port = base + len(self._ports) if base else 0
        on_leave = _log if self._options.verbose else None
        server = serve(row, host, port, places=self._places, on_leave=on_leave)
        try:
            _, self._ports[row.name] = await served.enter_async_context(server)
        except (OSError, ValueError) as error:
            complain(f"cannot serve {row.name} on {host}, port {port or 'any'}: {error}")
            self.failed = True


def _log(visit: Visit) -> None:
    complain(
        f"{visit.server}: {escape(visit.client)} left after {visit.spent_s:.3f} s"
        f" and {visit.octets} octets",
    )
