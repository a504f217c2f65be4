"""What the benchmarks share: a server that is no bottleneck, and the CPU time of a call.

The server is ``responder.c`` beside this file, compiled when it is needed: it takes about a tenth
of the CPU of a probe, on another core, and listens on many addresses of loopback so that ports in
TIME_WAIT do not run out.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import NamedTuple

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT

LISTENERS = 50

Address = tuple[str, int]


class Conversation(NamedTuple):
    """What a server says: when it accepts, and when it was spoken to."""

    identification: bytes
    kexinit: bytes


GOOD = Conversation(OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT)
SILENT = Conversation(b"", b"")


@contextmanager
def responder(
    conversation: Conversation,
    listeners: int = LISTENERS,
    late_ms: int = 0,
) -> Iterator[list[Address]]:
    """Serve on loopback, and give the addresses. The server ends with us, however we end.

    Args:
        conversation: What it says.
        listeners: How many addresses.
        late_ms: How far away it appears to be to clients that come after 20 ms without any.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "responder")
        subprocess.run([_compiler(), "-O2", "-o", program, str(SOURCE)], check=True)
        numbers = (listeners, late_ms, *map(len, conversation))
        command = [program, *map(str, numbers)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(b"".join(conversation))
            server.stdin.flush()
            rows = [line.decode().split() for line in server.stdout]
            yield [(host, int(port)) for host, port in rows]
            server.stdin.close()


SOURCE = Path(__file__).with_name("responder.c")


def _compiler() -> str:
    compiler = which("cc") or which("gcc")
    if compiler is None:
        sys.exit("the benchmark's server is compiled when it runs: install gcc, or another cc")
    return compiler


def raise_descriptor_limit() -> int:
    """Allow as many open sockets as the system lets us, and return how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cpu_s(whose: int = resource.RUSAGE_SELF) -> float:
    """CPU time, the kernel's included, in seconds."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime
