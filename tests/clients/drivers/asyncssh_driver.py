"""asyncssh, with ``connect_timeout`` or as it is by default."""

import sys

import asyncssh

from probe.conform.driver import drive

[TIMEOUT] = sys.argv[1:-3]


async def call(host: str, port: int, limit_s: float) -> None:
    limits = {"connect_timeout": limit_s} if TIMEOUT == "connect_timeout" else {}
    async with asyncssh.connect(
        host,
        port,
        username="x",
        password="x",  # noqa: S106 - no server of the catalogue asks for it
        known_hosts=None,
        client_keys=None,
        config=None,
        **limits,
    ):
        pass


drive(call)
