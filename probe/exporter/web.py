"""A request and an answer, without a socket."""

from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, NamedTuple

TEXT: Final = "text/plain; charset=utf-8"

LOCALHOST: Final = "localhost"


class Request(NamedTuple):
    """What was asked for.

    Attributes:
        method: For example ``GET``.
        path: Decoded, without the query.
        query: The first value of each parameter, decoded.
        headers: By their names in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What is sent back.

    Attributes:
        body: All of it.
        content_type: Of the body.
        status: Of HTTP.
        retry_after_s: Seconds after which it is worth to ask again; ``None`` to say nothing.
    """

    body: bytes
    content_type: str = TEXT
    status: HTTPStatus = HTTPStatus.OK
    retry_after_s: int | None = None


def say(text: str, status: HTTPStatus = HTTPStatus.OK, retry_after_s: int | None = None) -> Answer:
    """Answer with a line of text."""
    return Answer(f"{text}\n".encode(), TEXT, status, retry_after_s)


def is_ours(host: str, names: tuple[str, ...]) -> bool:
    """Whether a Host header names this exporter: a numeric address, localhost, or one of ``names``.

    A page in a browser can make its own name resolve to this machine, and then read what we answer;
    it cannot make the browser send another name, and no numeric address is a name.
    """
    name = _without_port(host).lower()
    if name in (LOCALHOST, *names):
        return True
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and (":" not in name or name.endswith("]")) else host
