"""What to probe, as people write it."""

import re
from ipaddress import IPv6Address
from typing import Final, NamedTuple

SSH_PORT: Final = 22
"""RFC 4253 §4.1."""

LARGEST_PORT: Final = 65535

_SCHEME: Final = "ssh://"

_IN_NO_HOST: Final = re.compile(r"[\s\0]")


class Target(NamedTuple):
    """A server.

    Attributes:
        host: A name or a numeric address.
        port: 1 to 65535.
    """

    host: str
    port: int


def require_target(host: str, port: int) -> None:
    """Refuse what can be no server.

    Raises:
        ValueError: ``host`` is empty or holds NUL or white space, or ``port`` is out of range.
    """
    if not host or _IN_NO_HOST.search(host):
        message = f"not a host: {host!r}"
        raise ValueError(message)
    if not 1 <= port <= LARGEST_PORT:
        message = f"not a port: {port!r}; ports go from 1 to {LARGEST_PORT}"
        raise ValueError(message)


def parse_target(text: str, default_port: int = SSH_PORT) -> Target:
    """Read ``host``, ``host:port``, ``[v6]:port``, a bare IPv6 address, or ``ssh://host:port``.

    A user in an ``ssh://`` address is accepted and ignored: a probe does not log in.

    Args:
        text: As a person wrote it.
        default_port: The port if the text names none.

    Raises:
        ValueError: It is none of these; the message says what to write instead.
    """
    host, port = _split(_authority(text), default_port)
    require_target(host, port)
    return Target(host, port)


def write_target(host: str, port: int | str) -> str:
    """Write a server as ``parse_target`` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_port(text: str) -> int:
    """Read a port as people write it: decimal ASCII digits, and nothing else that ``int`` takes.

    Raises:
        ValueError: It is something else, or out of range.
    """
    plausible = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_PORT))
    if not plausible or not 1 <= int(text) <= LARGEST_PORT:
        message = f"not a port: {text!r}; ports go from 1 to {LARGEST_PORT}"
        raise ValueError(message)
    return int(text)


def _authority(text: str) -> str:
    if text.lower().startswith(_SCHEME):
        rest = text[len(_SCHEME) :]
        authority = re.split("[/?#]", rest, maxsplit=1)[0]  # RFC 3986 §3.2
        if rest.removeprefix(authority) not in ("", "/"):
            message = f"{text!r} has a path: write {_SCHEME}{authority}"
            raise ValueError(message)
        return authority.rpartition("@")[2]
    if "/" in text:
        message = f"not a host: {text!r}; write host, host:port or {_SCHEME}host:port"
        raise ValueError(message)
    user, at, host = text.rpartition("@")
    if at:
        message = f"a probe does not log in: write {host} without {user}@"
        raise ValueError(message)
    return text


def _split(authority: str, default_port: int) -> tuple[str, int]:
    if authority.startswith("["):
        return _split_bracketed(authority, default_port)
    if authority.count(":") > 1:
        return _require_ipv6(authority), default_port
    host, colon, port = authority.partition(":")
    return host, parse_port(port) if colon else default_port


def _split_bracketed(authority: str, default_port: int) -> tuple[str, int]:
    host, closed, rest = authority[1:].partition("]")
    if not closed or (rest and not rest.startswith(":")):
        message = f"not an address: {authority!r}; write [::1]:22"
        raise ValueError(message)
    return _require_ipv6(host), parse_port(rest[1:]) if rest else default_port


def _require_ipv6(host: str) -> str:
    try:
        IPv6Address(host.replace("]", "%%"))  # it takes any scope, and no interface has brackets
    except ValueError:
        message = f"not an IPv6 address: {host!r}; with a port, write [::1]:22"
        raise ValueError(message) from None
    return host
