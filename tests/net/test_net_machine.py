"""How many file descriptors a process is given when it asks."""

import resource
from typing import Final, NamedTuple

import pytest

from probe.net.machine import allow_descriptors

UNLIMITED: Final = resource.RLIM_INFINITY


class Case(NamedTuple):
    """A system, a wish, and what comes of it."""

    soft: int
    hard: int
    kernel: int
    wished: int
    soft_after: int


CASES = {
    "enough": Case(1024, 4096, 4096, 1000, 1024),
    "just enough": Case(1024, 4096, 4096, 1024, 1024),
    "no limit": Case(UNLIMITED, UNLIMITED, 0, 10**9, UNLIMITED),
    "more for one that asks": Case(256, 4096, 4096, 1000, 1000),
    "no hard limit": Case(256, UNLIMITED, 10**6, 1000, 1000),
    "all there is": Case(256, 512, 4096, 1000, 512),
    "a limit of the kernel's own": Case(256, UNLIMITED, 512, 1000, 256),
}


@pytest.mark.parametrize("name", CASES)
def test_a_soft_limit_is_raised_as_far_as_it_takes(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES[name]
    limits = [(case.soft, case.hard)]

    def set_limits(_: int, wished: tuple[int, int]) -> None:
        if wished[0] > case.kernel:
            raise ValueError
        limits.append(wished)

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", set_limits)
    is_enough = case.soft_after == UNLIMITED or case.soft_after >= case.wished
    assert allow_descriptors(case.wished) is is_enough
    assert limits[-1] == (case.soft_after, case.hard)
