"""What is answered to which request: ``ROUTES``.

All of it can be read without probing anything, but for ``/probe`` itself. ``/debug`` shows what no
stranger needs to know, and is there with ``--debug`` alone.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, NamedTuple

import trio

from probe.exporter import page, tasks
from probe.exporter.config import FIRST_MODULE, Config, Module
from probe.exporter.insides import Insides
from probe.exporter.metrics import expose, registry_of
from probe.exporter.probing import Prober
from probe.exporter.refusals import REFUSALS, Reason, RefusedError
from probe.exporter.result import Result, Scrape
from probe.exporter.web import Answer, Request, is_ours, say
from probe.target import parse_target
from probe.text import escape

SCRAPE_TIMEOUT: Final = "x-prometheus-scrape-timeout-seconds"

LEAST_SCRAPE_S: Final = 0.001

_METHODS: Final = ("GET", "HEAD")


class Application:
    """Answers requests.

    Args:
        prober: Whom scrapes are handed to.
        insides: What the exporter knows of itself.
        config: Returns the configuration of the moment.
        waits: Knows how long tasks have waited; ``None`` without ``--debug``.
    """

    def __init__(
        self,
        prober: Prober,
        insides: Insides,
        config: Callable[[], Config],
        waits: tasks.Waits | None,
    ) -> None:
        self.prober = prober
        self.insides = insides
        self.config = config
        self.waits = waits

    async def answer(self, request: Request) -> Answer:
        """Answer a request. A checkpoint; what it waits for is bounded."""
        await trio.lowlevel.checkpoint()
        try:
            return await self._answer(request)
        except RefusedError as refused:
            self.insides.refuse(refused.reason)
            status, text = REFUSALS[refused.reason]
            detail = f": {refused.detail}" if refused.detail else ""
            return say(text + detail, status, refused.retry_after_s)

    async def _answer(self, request: Request) -> Answer:
        if not is_ours(request.headers.get("host", ""), self.config().exporter.hosts):
            raise RefusedError(Reason.HOST)
        if request.method not in _METHODS:
            return say("only GET and HEAD are answered", HTTPStatus.NOT_IMPLEMENTED)
        for route in ROUTES:
            if route.fits(request.path) and (self.waits is not None or not route.is_debug):
                return await route.answer(self, request)
        return say("there is no such page", HTTPStatus.NOT_FOUND)


class Route(NamedTuple):
    """A row of ``ROUTES``.

    Attributes:
        path: What it answers; one that ends in ``/`` and is longer, all that begins with it.
        answer: Does so.
        is_debug: Whether it is there with ``--debug`` alone.
    """

    path: str
    answer: Callable[[Application, Request], Awaitable[Answer]]
    is_debug: bool = False

    def fits(self, path: str) -> bool:
        """Whether it answers ``path``."""
        is_prefix = len(self.path) > 1 and self.path.endswith("/")
        return path.startswith(self.path) if is_prefix else path == self.path


# Probes. -----------------------------------------------------------------------------------------


async def _probe(own: Application, request: Request) -> Answer:
    result = await own.prober.ask(read_scrape(request, own.config()))
    body, content_type = expose(registry_of(result), request.headers.get("accept", ""))
    if request.query.get("debug") == "true":
        return say(_explain(result, body))
    return Answer(body, content_type)


def _explain(result: Result, metrics: bytes) -> str:
    assessment = result.assessment
    text = result.report.explain(whole=True, state=assessment.state, notes=assessment.reasons)
    module = f"Module {result.scrape.name}\n  {result.scrape.module}"
    return f"{text}\n\nMetrics\n{metrics.decode()}\n{module}"


def read_scrape(request: Request, config: Config) -> Scrape:
    """Understand what is asked for.

    Raises:
        RefusedError: It makes no sense.
    """
    name = request.query.get("module", FIRST_MODULE)
    module = config.modules.get(name)
    if module is None:
        raise RefusedError(Reason.REQUEST, f"no module is called {escape(name)}")
    try:
        target = parse_target(request.query.get("target", ""), module.port)
        limit_s = read_limit(request, module, config.exporter.scrape_offset_s)
    except ValueError as error:
        raise RefusedError(Reason.REQUEST, escape(str(error))) from None
    return Scrape(target, name, module, limit_s)


def read_limit(request: Request, module: Module, offset_s: float) -> float:
    """Return the seconds that a probe has: the module's, or what the scraper waits, and less.

    Of a scrape that is hardly longer than the offset, half is kept for the answer.

    Raises:
        ValueError: The scraper's header makes no sense.
    """
    written = request.headers.get(SCRAPE_TIMEOUT)
    if written is None:
        return module.limit_s
    scrape_s = float(written)
    if not scrape_s >= LEAST_SCRAPE_S:
        message = f"{SCRAPE_TIMEOUT} must be a number of seconds, not {written}"
        raise ValueError(message)
    return min(module.limit_s, max(scrape_s - offset_s, scrape_s / 2))


# What the exporter knows. ------------------------------------------------------------------------


async def _metrics(own: Application, request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(*expose(own.insides.registry, request.headers.get("accept", "")))


async def _health(own: Application, _: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    own.insides.look()
    if own.insides.outlived:
        text = f"probes that outlived their budgets: {own.insides.outlived}"
        return say(text, HTTPStatus.SERVICE_UNAVAILABLE)
    return say("healthy: no probe ever outlived its budget")


async def _tasks(own: Application, request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    if request.query.get("full") and own.waits is not None:
        return say(tasks.list_tasks(own.waits))
    return say(tasks.count_stacks())


# Pages. ------------------------------------------------------------------------------------------


async def _overview(own: Application, request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(page.overview(own.insides.results, request.query.get("verdict")), page.HTML)


async def _detail(own: Application, request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    number = request.path.removeprefix(_PROBES)
    for result in own.insides.results:
        if str(result.number) == number:
            return Answer(page.detail(result), page.HTML)
    return say("that probe is not kept, or never was", HTTPStatus.NOT_FOUND)


async def _style(_own: Application, _request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(page.style(), page.CSS)


_PROBES: Final = "/probes/"

ROUTES: Final = (
    Route("/probe", _probe),
    Route("/metrics", _metrics),
    Route("/healthz", _health),
    Route("/", _overview),
    Route(_PROBES, _detail),
    Route("/style.css", _style),
    Route("/debug/tasks", _tasks, is_debug=True),
)
"""The first that fits answers."""
