"""What this machine lacked: troubles that say nothing of a server, and that may pass."""

import errno
import socket
from typing import Final

from probe.evidence import End, Evidence

LOCAL_ERRNOS: Final = frozenset(
    {
        errno.EMFILE,  # this process has no file descriptor left
        errno.ENFILE,  # nor has the system
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENOSPC,  # epoll watches no more sockets for this user
        errno.EADDRNOTAVAIL,  # all ports are taken, or wait for stray segments
        errno.EAGAIN,  # as a failure: no port, or no room in a table of the kernel's
    },
)
"""What another moment may bring. Other troubles of this machine stay: no permission, no route."""

_RESOLVER_TROUBLES: Final = frozenset(
    {
        socket.EAI_AGAIN,  # its servers failed, or it had no socket to ask them with
        socket.EAI_MEMORY,
        socket.EAI_SYSTEM,
    },
)

_LACKING_TEXTS: Final = ("can't start new thread", "MemoryError")
"""What Python says if the system gives it no thread, which a look-up takes, or no memory."""


def failed_here(evidence: Evidence) -> bool:
    """Whether a trouble of this machine's ended the probe, or may have."""
    return lacked(evidence) or any(
        error.call == "getaddrinfo" and error.errno in _RESOLVER_TROUBLES
        for error in evidence.errors
    )


def lacked(evidence: Evidence) -> bool:
    """Whether this machine certainly lacked something, so that the server was not asked.

    A name of which one address could not be dialled for want of something was not asked, either,
    whatever another address said.
    """
    if evidence.internal_error is not None:
        return any(text in evidence.internal_error for text in _LACKING_TEXTS)
    failed = {error.errno for error in evidence.errors}
    if evidence.address is None:
        failed |= {attempt.errno for attempt in evidence.attempts}
    elif evidence.end is not End.BROKEN:
        return False
    return not failed.isdisjoint(LOCAL_ERRNOS)
