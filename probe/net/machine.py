"""What this machine allows: file descriptors and ports."""

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

DESCRIPTORS_EACH: Final = 2
"""Sockets that a probe may have at once: the second address of a name is dialled beside the first.
Names with more addresses are rare enough for the spare ones."""

SPARE_DESCRIPTORS: Final = 320
"""What the rest of the process may open meanwhile: two for each of 128 look-ups, and some files."""

PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The ports that Linux chooses from, for IPv6 too: ip-sysctl.rst of its documentation."""

_OPEN: Final = Path("/dev/fd")
"""The open descriptors of the process that looks, on Linux and elsewhere."""

_SOME: Final = 64
"""Descriptors that are believed to be open where nobody says how many are."""


def allow_descriptors(count: int) -> bool:
    """Let ``count`` file descriptors be open if the system does, and say whether it does.

    Many systems give a process 256 or 1024 at first, and more to one that asks.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _covers(allowed, count):
        return True
    with suppress(OSError, ValueError):  # the kernel may have a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (count if _covers(most, count) else most, most))
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _covers(allowed, count)


def most_in_flight(wished: int) -> int:
    """Return how many probes may run side by side: ``wished``, or what this machine allows.

    Asks the system for as many file descriptors as that takes. Half of the ports are left to those
    connections that wait for stray segments after their end.
    """
    taken = _taken()
    enough = allow_descriptors(taken + SPARE_DESCRIPTORS + wished * DESCRIPTORS_EACH)
    room = wished if enough else _room(taken)
    return max(1, min(wished, room, _ports() // 2))


def _taken() -> int:
    try:
        return len(list(_OPEN.iterdir()))
    except OSError:  # a jail without it, or no descriptor left to look with
        return _SOME


def _room(taken: int) -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = allowed - taken
    return (free - min(SPARE_DESCRIPTORS, free // 2)) // DESCRIPTORS_EACH


def _ports() -> int:
    """Return how many ports the kernel chooses from, or all there are where it does not say."""
    try:
        first, last = map(int, PORT_RANGE.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return 1 << 16
    return last - first + 1


def _covers(limit: int, count: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= count
