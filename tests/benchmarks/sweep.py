"""What ``sshprobe sweep`` takes of CPU and memory, and how late it sees a deadline, by the count.

    python tests/benchmarks/sweep.py [TARGETS ...]

The targets are addresses of 127.0.0.0/8, all served by one process that answers at once with a
captured conversation, or says nothing and is left after 1.5 s. What a target takes of CPU is what
it adds to the start-up, which is the first row. Exits 1 if a target of the largest count takes more
than the bar's multiple of what one of a thousand takes, or if the peak of memory is higher by more
than a tenth than with ten thousand good ones or two thousand silent ones.

Takes three minutes, since a thousand targets a second is what a sweep starts unless it is told
otherwise. Counts on the command line replace those of the good servers, leave out the silent ones,
and are swept as fast as it goes: ``1 1000 10000 1000000`` takes six minutes.

What was found: 260 to 280 µs a target at any count from 1000 to 100 000, and 290 to 340 up to a
million as fast as it goes, 3000 a second; a fifth to a quarter of it is JSON. A sleep for each
start, in place of one for those of five milliseconds, had taken a half more, and escaping what
servers say character by character a quarter. The peak is 28.9 MiB with 100 000 targets at the usual
rate; as fast as it goes 32.4 with ten thousand and 34.6 with a million; and 40.1 with 20 000 that
say nothing, of which 1500 are in flight.
"""

import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.fleet import IN_FLIGHT
from probe.net.machine import allow_descriptors

FIRST = int(IPv4Address("127.1.0.0"))

COUNTS = {"good": (1, 10, 100, 1000, 10_000, 100_000), "silent": (1, 2000, 20_000)}

SILENCE_S = 1.5
"""So that fifteen hundred are in flight, of the smaller count, too."""

FEW = 1000
"""Of fewer targets the CPU time of the start-up, which varies, hides theirs."""

FILLED = {"good": 10_000, "silent": 2000}
"""Targets that bring as many in flight, and as much into caches, as there ever are."""

AT_FULL_SPEED = ("--rate", "10000", "--max-in-flight", "512")
"""So few in flight that none waits for its turn until a deadline of its own passes."""

CPU_BAR = 1.25
MEMORY_BAR = 1.1

DESCRIPTORS = 2 * IN_FLIGHT
"""What the server may need: a client that left is noticed a little later."""

LIMIT_S = 3600.0
"""After which a server that was forgotten ends."""

WORDS = {"good": OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT, "silent": b""}

MEASURED = """\
import resource, sys
from probe.cli import main
status = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(used.ru_utime + used.ru_stime, peak, file=sys.stderr)
sys.exit(status)
"""
"""``ru_maxrss`` would not do: it counts what the process was before it became this program."""


class Run(NamedTuple):
    """A sweep, measured."""

    targets: int
    cpu_s: float
    rate: str
    slowest_s: float
    peak_mib: float


def main() -> int:
    given = tuple(map(int, sys.argv[1:]))
    counts, pace = ({"good": given}, AT_FULL_SPEED) if given else (COUNTS, ())
    print("server   targets         CPU   a target   rate      slowest   peak memory")
    exceeded = False
    for words in counts:
        with serving(words) as port:
            runs = measure_all(words, counts[words], port, pace)
        exceeded |= exceeds(CPU_BAR, "CPU a target", cpu_growth(runs))
        exceeded |= exceeds(MEMORY_BAR, "memory", memory_growth(runs, FILLED[words]))
    return int(exceeded)


def measure_all(words: str, counts: Sequence[int], port: int, pace: Sequence[str]) -> list[Run]:
    runs: list[Run] = []
    for count in counts:
        runs.append(run := measure(count, port, pace))
        cpu = f"{run.cpu_s:9.2f} s{us_a_target(run, runs[0]):8.0f} µs"
        rest = f"{run.rate:>7}{run.slowest_s:9.3f} s{run.peak_mib:10.1f} MiB"
        print(f"{words:6} {count:9} {cpu}{rest}", flush=True)
    return runs


def us_a_target(run: Run, start_up: Run) -> float:
    """Return the CPU time that each target but the first adds, in microseconds."""
    if run is start_up:
        return run.cpu_s / run.targets * 1e6
    return (run.cpu_s - start_up.cpu_s) / (run.targets - start_up.targets) * 1e6


def exceeds(bar: float, what: str, growth: float) -> bool:
    print(f"{what}, the most targets against few: {growth:.2f}      bar {bar}")
    return growth > bar


def cpu_growth(runs: Sequence[Run]) -> float:
    few = next((run for run in runs if run.targets >= FEW), runs[-1])
    return us_a_target(runs[-1], runs[0]) / us_a_target(few, runs[0])


def memory_growth(runs: Sequence[Run], filled: int) -> float:
    few = next((run for run in runs if run.targets >= filled), runs[-1])
    return runs[-1].peak_mib / few.peak_mib


def measure(count: int, port: int, pace: Sequence[str]) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "list"
        with listed.open("w") as lines:
            lines.writelines(f"{IPv4Address(FIRST + i)}:{port}\n" for i in range(count))
        limit = ("--stage-limit", f"first-octet={SILENCE_S}")
        arguments = ("sweep", *pace, *limit, "--output", os.devnull, str(listed))
        command = (sys.executable, "-c", MEASURED, *arguments)
        done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True)
    rate = re.findall(r"\((\d+/s)\)", done.stderr)[0]
    slowest_s = float(re.findall(r"slowest:\n +([\d.]+) s", done.stderr)[0])
    cpu_s, peak_kib = map(float, done.stderr.splitlines()[-1].split())
    return Run(count, cpu_s, rate, slowest_s, peak_kib / 1024)


# The server. -------------------------------------------------------------------------------------


@contextmanager
def serving(words: str) -> Iterator[int]:
    command = (sys.executable, __file__, "--serve", words)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def serve(octets: bytes) -> None:
    """Answer every client with ``octets``, and close once it has left."""
    allow_descriptors(DESCRIPTORS)
    with socket.create_server(("0.0.0.0", 0), backlog=4096) as listener:  # noqa: S104 - 127.0.0.0/8
        print(listener.getsockname()[1], flush=True)
        listener.settimeout(0)
        waiting = selectors.DefaultSelector()
        waiting.register(listener, selectors.EVENT_READ)
        while ready := waiting.select(LIMIT_S):
            for key, _ in ready:
                if key.fileobj is listener:
                    accept(listener, waiting, octets)
                elif has_left(key.fileobj):  # type: ignore[arg-type]
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]


def accept(listener: socket.socket, waiting: selectors.BaseSelector, octets: bytes) -> None:
    client, _ = listener.accept()
    client.settimeout(0)
    client.send(octets)
    waiting.register(client, selectors.EVENT_READ)


def has_left(client: socket.socket) -> bool:
    try:
        return not client.recv(65536)
    except OSError:
        return True


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(WORDS[sys.argv[2]])
    else:
        sys.exit(main())
