"""libssh, its timeout set for the session: up to the end of key exchange."""

import math

from ssh import options  # type: ignore[attr-defined] # not that of tests/ssh
from ssh.session import Session

from probe.conform.driver import drive


def call(host: str, port: int, limit_s: float) -> None:
    session = Session()
    session.options_set(options.HOST, host)
    session.options_set_port(port)
    session.options_set_int_val(options.TIMEOUT, math.ceil(limit_s))
    session.connect()


drive(call)
