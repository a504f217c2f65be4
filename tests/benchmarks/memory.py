"""What a probe in flight takes of memory, while its server is silent.

A thousand probes are started, then four thousand more, all against ``responder.c``, which accepts
and says nothing; the figure is what the resident set of this process grew by in between, a probe.
Exits 1 over the bar.

What was found: 12.3 KiB at first, 7.6 now. A task and its coroutines take 3, trio's wait and its
place among the deadlines 1, a scope 0.9: there were three in flight, and there is one. What a
server says is stored from its first octet on.
"""

import gc
import os
import sys
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import trio
import trio.testing
from benchmark_pieces import SILENT, Address, raise_descriptor_limit, responder

import probe

BAR_KIB = 10.0
FIRST = 1000
THEN = 4000
PATIENT = probe.Budget(120)


def main() -> int:
    raise_descriptor_limit()
    with responder(SILENT) as servers:
        kib = trio.run(kib_a_probe, list(islice(cycle(servers), FIRST + THEN)))
    print(f"a probe in flight {kib:6.2f} KiB   {FIRST} to {FIRST + THEN} in flight, bar {BAR_KIB}")
    return int(kib > BAR_KIB)


async def kib_a_probe(targets: list[Address]) -> float:
    async with trio.open_nursery() as nursery:
        before = await resident_after(nursery, targets[:FIRST])
        after = await resident_after(nursery, targets[FIRST:])
        nursery.cancel_scope.cancel()
    return (after - before) / THEN


async def resident_after(nursery: trio.Nursery, targets: list[Address]) -> float:
    """Start a probe of each target, and return the resident set in KiB once all wait."""
    for host, port in targets:
        nursery.start_soon(partial(probe.check, host, port, budget=PATIENT))
    await trio.testing.wait_all_tasks_blocked(0.5)
    gc.collect()
    return resident_kib()


def resident_kib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    sys.exit(main())
