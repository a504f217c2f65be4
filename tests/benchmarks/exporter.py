"""What the exporter bears: silent targets by the thousand, scrapes by the ten thousand, CPU.

* 1000 scrapes at once, of as many silent targets, with Prometheus' ten seconds each: when the last
  answer is there. Each probe takes 3.8 s, since its server is silent.
* The resident set after 20 000 scrapes against that after 2 000: what grows is a leak.
* CPU per scrape, of a good server, beside blackbox_exporter's ``ssh_banner`` if Debian's package
  prometheus-blackbox-exporter is here. It reads a line and leaves; ours goes on to KEXINIT, which
  costs a kilobyte and its parsing, and writes a hundred and ten samples where it writes a dozen.

Exits 1 over a bar. The servers are ``responder.c``; scrapes come from this process.

What was found: 1.5 ms of CPU for a scrape, where blackbox_exporter takes 0.55: a third is writing
the samples, a quarter HTTP, and the probe itself a fifth. Memory is the same after 20 000 scrapes,
to the page. A thousand scrapes at once take a second and a half of a core, so they want one to
themselves: on a machine with a load of 15 the last answer was 12 s late.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from shutil import which

import trio
from benchmark_pieces import GOOD, SILENT, Address, raise_descriptor_limit, responder

SCRAPES_AT_ONCE = 1000
SCRAPE_S = 10.0

FIRST, THEN = 2_000, 20_000
GROWTH_BAR = 1.05

CPU_SCRAPES = 2_000
CPU_BAR = 4.0

SIDE_BY_SIDE = 8
BLACKBOX = "prometheus-blackbox-exporter"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

CONFIG = """
exporter.fresh_s = 0
exporter.max_in_flight = 2048
[[allow]]
networks = ["127.0.0.0/8"]
ports = {ports}
"""


def main() -> int:
    raise_descriptor_limit()
    failed = [bench() for bench in (deadlines, memory, cpu)]
    return int(any(failed))


def deadlines() -> bool:
    with responder(SILENT, SCRAPES_AT_ONCE) as servers, exporter(servers) as (port, _):
        header = f"x-prometheus-scrape-timeout-seconds: {SCRAPE_S}\r\n"
        last_s = max(trio.run(scrape_all, port, servers, SCRAPES_AT_ONCE, header))
    print(f"last of {SCRAPES_AT_ONCE} answers     {last_s:8.3f} s    bar {SCRAPE_S:g}")
    return last_s > SCRAPE_S


def memory() -> bool:
    with responder(GOOD, SCRAPES_AT_ONCE) as servers, exporter(servers) as (port, process):
        trio.run(scrape_all, port, servers, FIRST, "")
        first = resident_kib(process)
        trio.run(scrape_all, port, servers, THEN - FIRST, "", SIDE_BY_SIDE)
        then = resident_kib(process)
    growth = then / first
    print(f"memory after {THEN} scrapes {then:8.0f} KiB, after {FIRST} {first:.0f}: {growth:.3f}")
    print(f"                                               bar {GROWTH_BAR}")
    return growth > GROWTH_BAR


def cpu() -> bool:
    with responder(GOOD, SCRAPES_AT_ONCE) as servers:  # each is asked politely
        with exporter(servers) as (port, process):
            ours_us = us_a_scrape(port, process, servers, "ssh")
        print(f"CPU of a scrape {ours_us:8.0f} µs")
        if which(BLACKBOX) is None:
            print(f"{BLACKBOX} is not here")
            return False
        with blackbox() as (port, process):
            theirs_us = us_a_scrape(port, process, servers, "ssh_banner")
    ratio = ours_us / theirs_us
    print(f"of blackbox     {theirs_us:8.0f} µs   ratio {ratio:.1f}, bar {CPU_BAR:g}")
    return ratio > CPU_BAR


def us_a_scrape(port: int, process: int, servers: list[Address], module: str) -> float:
    before_s = cpu_s(process)
    trio.run(scrape_all, port, servers, CPU_SCRAPES, "", SIDE_BY_SIDE, module)
    return (cpu_s(process) - before_s) / CPU_SCRAPES * 1e6


# Scrapes. ----------------------------------------------------------------------------------------


async def scrape_all(  # noqa: PLR0913, PLR0917 - what a run can be told
    port: int,
    servers: list[Address],
    count: int,
    header: str = "",
    side_by_side: int = SCRAPES_AT_ONCE,
    module: str = "ssh",
) -> list[float]:
    """Scrape each server in turn, and return how long each answer took."""
    limiter, spent_s = trio.CapacityLimiter(side_by_side), list[float]()

    async def scrape(target: Address) -> None:
        async with limiter:
            began = time.perf_counter()
            answer = await ask(
                port, f"/probe?module={module}&target={target[0]}:{target[1]}", header
            )
            assert answer.startswith(b"HTTP/1.1 200"), answer
            spent_s.append(time.perf_counter() - began)

    async with trio.open_nursery() as nursery:
        for target in islice(cycle(servers), count):
            nursery.start_soon(scrape, target)
    return spent_s


async def ask(port: int, path: str, header: str = "") -> bytes:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n"
        await stream.send_all(request.encode())
        return b"".join([octets async for octets in stream])


# The programs. -----------------------------------------------------------------------------------


@contextmanager
def exporter(servers: list[Address]) -> Iterator[tuple[int, int]]:
    """Run ours, and give its port and process."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "exporter.toml"
        config.write_text(CONFIG.format(ports=sorted({port for _, port in servers})))
        command = [sys.executable, "-m", "probe", "exporter", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(
            [*command, "--config", str(config)], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            [port] = re.findall(r"http://127.0.0.1:(\d+)", process.stderr.readline())
            try:
                yield int(port), process.pid
            finally:
                process.terminate()


@contextmanager
def blackbox() -> Iterator[tuple[int, int]]:
    """Run Debian's blackbox_exporter, with the modules that it brings."""
    modules = "modules: {ssh_banner: {prober: tcp, tcp: {query_response: [{expect: '^SSH-2.0-'}]}}}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "blackbox.yml"
        config.write_text(modules)
        command = [BLACKBOX, f"--config.file={config}", "--web.listen-address=127.0.0.1:9115"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: trio.run(ask, 9115, "/metrics"))
                yield 9115, process.pid
            finally:
                process.terminate()


def wait_until(ready: Callable[[], object]) -> None:
    for _ in range(100):
        try:
            ready()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("it does not begin")


def resident_kib(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def cpu_s(process: int) -> float:
    """CPU time of a process, the kernel's included: proc(5), stat, fields 14 and 15."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


if __name__ == "__main__":
    sys.exit(main())
