"""How many file descriptors this process may have open."""

import resource
from contextlib import suppress


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


def _covers(limit: int, count: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= count
