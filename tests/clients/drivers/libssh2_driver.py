"""libssh2, its timeout set for the session: up to the end of key exchange."""

import socket

from ssh2.session import Session

from probe.conform.driver import drive


def call(host: str, port: int, limit_s: float) -> None:
    with socket.create_connection((host, port), limit_s) as connection:
        session = Session()
        session.set_timeout(int(limit_s * 1000))
        session.handshake(connection)


drive(call)
