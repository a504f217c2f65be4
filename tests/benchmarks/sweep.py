"""How fast ``sshprobe sweep`` is, what memory it takes, and how late it sees a deadline.

    python tests/benchmarks/sweep.py [TARGETS]

The targets are addresses of 127.0.0.0/8, all served by one process that answers at once with a
captured conversation, or says nothing and is left after 1.5 s. Each count is swept after a tenth of
it: memory that grows with the number of targets exits 1. A million targets take a quarter of an
hour a server.

What was found, on two cores of which others used one and a half: 990 good targets a second at the
default rate, half of them answered within 1 ms, in 30 MiB; 13 KiB more for each silent one in
flight. With 4096 silent ones in flight, full garbage collections made some deadlines 165 ms late;
since they are rare, 32 ms at the most.
"""

import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.fleet import IN_FLIGHT
from probe.net.machine import allow_descriptors

TARGETS = 20_000
FIRST = int(IPv4Address("127.1.0.0"))

SILENCE_S = 1.5
"""So that fifteen hundred are in flight, of the smaller count, too."""

BAR = 1.1
"""Peak memory of all targets against that of a tenth of them."""

DESCRIPTORS = 2 * IN_FLIGHT
"""What the server may need: a client that left is noticed a little later."""

LIMIT_S = 3600.0
"""After which a server that was forgotten ends."""

WORDS = {"good": OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT, "silent": b""}

MEASURED = """\
import resource, sys
from probe.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


class Run(NamedTuple):
    """A sweep, measured."""

    rate: str
    slowest_s: float
    peak_mib: float


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TARGETS
    print("server   targets   rate        slowest      peak memory")
    ratio = 0.0
    for words in WORDS:
        with serving(words) as port:
            few, all_ = (measure(words, port, number) for number in (count // 10, count))
        ratio = max(ratio, all_.peak_mib / few.peak_mib)
    print(f"memory, all against a tenth: {ratio:.2f}      bar {BAR}")
    return int(ratio > BAR)


def measure(words: str, port: int, count: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "list"
        listed.write_text("".join(f"{IPv4Address(FIRST + i)}:{port}\n" for i in range(count)))
        limit = ("--stage-limit", f"first-octet={SILENCE_S}")
        arguments = ("sweep", *limit, "--output", os.devnull, str(listed))
        command = (sys.executable, "-c", MEASURED, *arguments)
        done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True)
    rate = re.findall(r"\((\d+/s)\)", done.stderr)[0]
    slowest_s = float(re.findall(r"slowest:\n +([\d.]+) s", done.stderr)[0])
    run = Run(rate, slowest_s, int(done.stderr.splitlines()[-1]) / 1024)
    print(f"{words:6} {count:9}   {rate:8} {slowest_s:8.3f} s {run.peak_mib:10.1f} MiB", flush=True)
    return run


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
