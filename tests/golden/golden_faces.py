"""What every face says of every server of the catalogue, as files that a person can read.

Run as a program, it writes them. They hold what a run says on a path that takes no time, by a clock
that jumps, with what is random or the kernel's own put in place by hand.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import trio
from evidence_pieces import tcp
from trio._core import _run
from trio.testing import MockClock

import probe
from probe.catalogue import SERVERS, Server, serve
from probe.evidence import TcpInfo
from probe.expectation import Expectation
from probe.nagios import MORE, Thresholds, judge_report
from probe.prober import DEFAULT_BUDGET

FOLDER = Path(__file__).parent / "servers"

ALIVE = tcp()
"""What the kernel knows of a live peer."""

KERNEL = {
    "vanishes-before-identification": tcp(unacked=1, retransmits=3),
    "vanishes-after-identification": tcp(probes=3),
    "vanishes-without-acknowledging": tcp(unacked=1, retransmits=3),
    "vanishes-inside-kexinit": tcp(probes=4),
    "window-shut": tcp(window=0, unsent=370),
}
"""What it knows of the peers that only it can tell: real kernels say so in ``tests/kernel``."""

PIECES = re.compile(r"(?<=\nTranscript\n).*?\n(?=\n\$ )", re.DOTALL)
"""In how many pieces much was read: it is chance."""

MUCH_OCTETS = 64 * 1024

COUNTS = re.compile(r"\b\d{5,}\b")
"""How much of a flood was read, which is chance, too."""


def golden(server: Server) -> str:
    """Return what is said of a server."""
    with by_hand(KERNEL.get(server.name, ALIVE)):
        report = trio.run(_probe, server, clock=MockClock(autojump_threshold=0))
    text = _say(report).replace(f":{report.evidence.port}", ":22")
    text = text.replace(f'"port": {report.evidence.port}', '"port": 22')
    text = text.replace(f"{report.evidence.port}", "22")
    is_flood = report.verdict == "flooded"
    if is_flood or report.evidence.octets_received > MUCH_OCTETS:
        text = PIECES.sub("(many)", text)
    return COUNTS.sub("(many)", text) if is_flood else text


@contextmanager
def by_hand(known: TcpInfo) -> Iterator[None]:
    """Let nothing be random, and the kernel know what it is told."""
    _run._r.seed(11)  # noqa: SLF001 - in which order tasks run is chance, and trio has no other word
    with (
        patch("os.urandom", lambda count: bytes(range(count))),
        patch("probe.net.kernel.read_tcp_info", lambda _: known),
        patch("probe.net.driver.SOFTWAREVERSION", b"sshprobe"),
    ):
        yield


async def _probe(server: Server) -> probe.Report:
    async with serve(server) as (host, port):
        return await probe.check(host, port)


def _say(report: probe.Report) -> str:
    plugin = judge_report(report, DEFAULT_BUDGET, Thresholds({}, {}), Expectation(), MORE)
    members = [
        f"{json.dumps(name)}: {json.dumps(value)}" for name, value in report.to_dict().items()
    ]
    faces = {
        "check": report.line(),
        "nagios -v": "\n".join(plugin.lines),
        "check -v": report.explain(),
        "check --json": "{" + ",\n ".join(members) + "}",
    }
    return "\n".join(f"$ sshprobe {face}\n{text}\n" for face, text in faces.items())


def path_of(server: Server) -> Path:
    return FOLDER / f"{server.id}-{server.name}.txt"


if __name__ == "__main__":
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for row in SERVERS:
        path_of(row).write_text(golden(row))
