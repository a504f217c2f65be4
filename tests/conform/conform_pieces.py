"""What the tests of the suite share: cases, and clients as programs of a few lines."""

import sys
from collections.abc import Callable
from pathlib import Path

import trio

from probe.catalogue import BY_NAME
from probe.conform.case import Case, Kind, case_of
from probe.conform.judge import Judgement, judge
from probe.conform.observed import Observed
from probe.conform.suite import Client, Patience, run_case

LIMIT_S = 1.0
QUICK = Patience(margin_s=0.4, hard=2.0)

WAITS_FOR_EVER = "socket.create_connection((host, port)).makefile('rb').read()"
CONNECTS = "s = socket.create_connection((host, port))"


def python(*lines: str) -> tuple[str, ...]:
    """Return a client in Python that is told where to connect."""
    head = "import os, socket, subprocess, sys, threading, time"
    where = "host, port, limit = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])"
    program = "\n".join((head, where, *lines))
    return (sys.executable, "-I", "-S", "-c", program, "{host}", "{port}", "{limit}")


def driver(*lines: str, left: str = "") -> tuple[str, ...]:
    """Return a driver in Python whose call is ``lines``."""
    return python(
        "print('sshprobe: calling threads=1', flush=True)",
        *lines,
        "sys.stdin.read()",
        f"print('sshprobe: left {left}', flush=True)",
        "os._exit(0)",
    )


def case(name: str, kind: Kind = Kind.LOGIN, limit_s: float = LIMIT_S) -> Case:
    """Return the case of a row of the catalogue."""
    return case_of(BY_NAME[name], kind, limit_s)


def observe(one: Case, client: Client, patience: Patience = QUICK) -> Observed:
    """Run a client against one server."""
    return trio.run(run_case, one, client, patience)


def judged(one: Case, client: Client, patience: Patience = QUICK) -> Judgement:
    """Run a client against one server, and judge it."""
    return judge(one, observe(one, client, patience), patience.margin_s)


Judged = Callable[[Case, Client], Judgement]


def lives(mark: str) -> bool:
    """Whether some process has ``mark`` on its command line."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in file.read_bytes():
                return True
        except OSError:
            continue
    return False
