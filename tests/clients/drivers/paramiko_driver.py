"""paramiko, called as its documentation calls it: ``timeout`` alone, or with all three timeouts."""

import logging
import sys

import paramiko

from probe.conform.driver import drive

[TIMEOUTS] = sys.argv[1:-3]

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it raises what it logs, too


def call(host: str, port: int, limit_s: float) -> None:
    more = {"banner_timeout": limit_s, "auth_timeout": limit_s} if TIMEOUTS == "all" else {}
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            host,
            port,
            username="x",
            password="x",  # noqa: S106 - no server of the catalogue asks for it
            timeout=limit_s,
            allow_agent=False,
            look_for_keys=False,
            **more,
        )


drive(call)
