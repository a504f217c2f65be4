"""HTTP over sockets: h11 is the protocol, and every wait here has a deadline.

A connection carries one request and its answer, and is closed by us:

=========  =============  =========================================================================
stage      at most        what is done
=========  =============  =========================================================================
head       ``HEAD_S``     read until the head of the request is whole; one that is longer than
                          ``LARGEST_HEAD_OCTETS`` is refused
answer     the handler's  the handler makes it; nothing is read meanwhile, so a body costs nothing
send       ``SEND_S``     the whole of it, however slowly somebody reads
linger     ``LINGER_S``   FIN is sent, and up to ``LINGER_OCTETS`` are read and thrown away: to
                          close with octets unread sends RST, which can take the answer with it
=========  =============  =========================================================================
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote

import h11
import trio

from probe.exporter.web import Answer, Request, say
from probe.prober import LOGGER
from probe.version import VERSION

HEAD_S: Final = 5.0
"""A scraper sends its request in one segment; this is two retransmissions of it and more."""

SEND_S: Final = 5.0
"""For a whole answer. The largest have about a megabyte."""

LINGER_S: Final = 1.0

LINGER_OCTETS: Final = 1 << 16

LARGEST_HEAD_OCTETS: Final = 1 << 14

MOST_PARAMETERS: Final = 16

RECEIVE_OCTETS: Final = 1 << 13

DROPS: Final = ("full", "head", "send", "lost")
"""Why connections are closed without an answer: there are too many, it asks too slowly, it reads
too slowly, or its other end is gone."""

HEADERS: Final = (
    ("Server", f"sshprobe/{VERSION}"),
    ("Connection", "close"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of every answer. No script runs on our pages, wherever their text came from."""

Handler = Callable[[Request], Awaitable[Answer]]


class Tally:
    """Counts connections.

    Attributes:
        connections: How many are open.
        dropped: How many were closed without an answer, by a member of ``DROPS``.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.dropped = Counter(dict.fromkeys(DROPS, 0))


class Server:
    """Answers connections with ``handler``; for ``trio.serve_listeners``.

    Args:
        handler: Answers a request. What it raises is a bug of ours, and 500.
        most: Says how many connections may be open.
        tally: Where they are counted.
    """

    def __init__(self, handler: Handler, most: Callable[[], int], tally: Tally) -> None:
        self._handler = handler
        self._tally = tally
        self._most = most

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer one connection; the caller closes it. A checkpoint."""
        if self._tally.connections >= self._most():
            self._tally.dropped["full"] += 1
            await trio.lowlevel.checkpoint()
            return
        self._tally.connections += 1
        try:
            await self._converse(stream)
        except trio.BrokenResourceError:
            self._tally.dropped["lost"] += 1
        finally:
            self._tally.connections -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_OCTETS)
        head: h11.Request | None = None
        try:
            head = await _receive(stream, http)
        except h11.RemoteProtocolError as error:
            answer = say(f"no HTTP: {error}", HTTPStatus(error.error_status_hint))
        else:
            if head is None:
                self._tally.dropped["head"] += 1
                return
            answer = await self._answer(head)
        is_head = head is not None and head.method == b"HEAD"
        if await _send(stream, _write(http, answer, is_head=is_head)):
            await _linger(stream)
        else:
            self._tally.dropped["send"] += 1

    async def _answer(self, head: h11.Request) -> Answer:
        try:
            request = read_request(head)
        except ValueError as error:
            return say(f"no request: {error}", HTTPStatus.BAD_REQUEST)
        try:
            return await self._handler(request)
        except Exception:  # noqa: BLE001 - whatever it is, the next scrape shall be answered
            LOGGER.exception("sshprobe itself failed")
            return say("sshprobe itself failed", HTTPStatus.INTERNAL_SERVER_ERROR)


def read_request(head: h11.Request) -> Request:
    """Understand the head of a request.

    Raises:
        ValueError: It has too many parameters.
    """
    path, _, query = head.target.decode("ascii").partition("?")
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    return Request(
        head.method.decode("ascii"),
        unquote(path),
        dict(reversed(pairs)),  # the first of each name
        {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
    )


async def _receive(stream: trio.SocketStream, http: h11.Connection) -> h11.Request | None:
    """Read the head of a request; ``None`` if it does not come in time, or the other end leaves."""
    with trio.move_on_after(HEAD_S):
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some(RECEIVE_OCTETS)))
        return event if isinstance(event, h11.Request) else None
    return None


async def _send(stream: trio.SocketStream, octets: bytes) -> bool:
    """Send an answer, and return whether it was sent in time."""
    with trio.move_on_after(SEND_S) as sending:
        await stream.send_all(octets)
    return not sending.cancelled_caught


def _write(http: h11.Connection, answer: Answer, *, is_head: bool) -> bytes:
    headers = [
        *HEADERS,
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
    ]
    if answer.retry_after_s is not None:
        headers.append(("Retry-After", str(answer.retry_after_s)))
    events = (
        h11.Response(status_code=answer.status, reason=answer.status.phrase, headers=headers),
        h11.Data(data=b"" if is_head else answer.body),
        h11.EndOfMessage(),
    )
    return b"".join(http.send(event) or b"" for event in events)


async def _linger(stream: trio.SocketStream) -> None:
    left = LINGER_OCTETS
    with trio.move_on_after(LINGER_S):
        await stream.send_eof()
        while left > 0 and (octets := await stream.receive_some(RECEIVE_OCTETS)):
            left -= len(octets)
