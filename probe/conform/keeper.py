"""Keeps one client: starts it, watches it, ends it, and gives an account of it.

A process of its own for each client, so that whatever a client leaves behind is known to be its
own, and ends with it. Its orders are a JSON object on the command line, its account is one on
standard output; when standard input ends, everything ends. It needs no more than the standard
library, and no site.

A driver calls a library, and stays alive so that what the call left can be seen. It says on lines
of their own when it calls and when the call has returned, waits for the end of its standard input,
and then counts what is left::

    sshprobe: calling threads=1
    sshprobe: returned failed TimeoutError: timed out
    sshprobe: left threads=2

What it counts (threads, goroutines, file descriptors) is its own affair: what grew was left.
"""

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

KEPT_OCTETS: Final = 16 * 1024
"""Octets of the client's output that are kept: the last ones."""

KILLING_S: Final = 5.0
"""How long processes have to die of SIGKILL: one of another user does not."""

TICK_S: Final = 0.02
"""Between two looks at what ends without a word."""

_PR_SET_CHILD_SUBREAPER: Final = 36
"""linux/prctl.h: who loses its parent below us becomes our child, in whatever process group."""

_CLOSED: Final = "0"
"""The inode of a connection that no process holds any more: the kernel is ending it."""

_LINE: Final = re.compile(rb"sshprobe: (calling|returned|left)\b(.*)")


class Orders(NamedTuple):
    """What to run, and for how long.

    Attributes:
        command: The client and its arguments.
        port: The port that it is to connect to.
        is_driver: Whether it speaks the lines of a driver.
        hard_limit_s: When it is killed, in seconds; of a driver, how long it has to call, and
            after that to return.
        settle_s: How long what is left may take to vanish, in seconds.
    """

    command: list[str]
    port: int
    is_driver: bool
    hard_limit_s: float
    settle_s: float


class Output:
    """What the client writes; the lines of a driver are read as they come.

    Attributes:
        said: What a driver said, by the first word of its lines, and when on the monotonic clock.
        kept: The last octets.
    """

    def __init__(self) -> None:
        self.said: dict[str, tuple[float, str]] = {}
        self.kept = b""
        self._unread = b""

    def add(self, octets: bytes) -> None:
        """Take what came."""
        self.kept = (self.kept + octets)[-KEPT_OCTETS:]
        *lines, unread = (self._unread + octets).split(b"\n")
        self._unread = unread[:KEPT_OCTETS]  # of a long line, what it says is at its beginning
        for line in lines:
            if said := _LINE.fullmatch(line.strip()):
                words = said[2].strip().decode(errors="backslashreplace")
                self.said.setdefault(said[1].decode(), (time.monotonic(), words))


class Keeper:
    """One client, from its start to the end of its last child."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._output = Output()
        self._ended_at: float | None = None
        self._is_called_off = False
        self._peak_octets = 0
        self._began_at = time.monotonic()
        self._client = subprocess.Popen(  # noqa: S603 - the caller's own command
            orders.command,
            stdin=subprocess.PIPE if orders.is_driver else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self) -> dict[str, Any]:
        """See the client to its end, and return the account of it."""
        if self._orders.is_driver:
            self._wait(self._has_called, self._orders.hard_limit_s)
        self._wait(self._is_over, self._orders.hard_limit_s)
        account: dict[str, Any] = {"began_at": self._began_at, "killed_at": time.monotonic()}
        account |= {"connections": 0, "children": []}
        if self._is_over():
            self._wait(self._left_nothing, self._orders.settle_s)
            account["connections"] = sum(1 for _ in connections(self._orders.port))
            account["children"] = list(self._children())
            self._dismiss()
        account |= self._end()
        return account | {
            "ended_at": self._ended_at,
            "said": self._output.said,
            "output": self._output.kept.decode(errors="backslashreplace"),
        }

    # What is waited for. --------------------------------------------------------------------------

    def _has_called(self) -> bool:
        return "calling" in self._output.said or self._is_over()

    def _is_over(self) -> bool:
        return "returned" in self._output.said or self._has_ended()

    def _has_ended(self) -> bool:
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if self._ended_at is None and os.waitid(os.P_PID, self._client.pid, look) is not None:
            self._ended_at = time.monotonic()
        return self._ended_at is not None

    def _left_nothing(self) -> bool:
        """Whether that is sure: what a driver counts is not known before it is dismissed."""
        return (
            self._has_ended()
            and next(connections(self._orders.port), None) is None
            and next(self._children(), None) is None
        )

    def _children(self) -> Iterator[str]:
        """Name the living processes below the client."""
        for pid in descendants(os.getpid()):
            if pid != self._client.pid and (name := name_of(pid)):
                yield name

    def _wait(self, has_come: Callable[[], bool], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not has_come() and not self._is_called_off and time.monotonic() < deadline:
            self._peak_octets = peak_octets(self._client.pid) or self._peak_octets
            self._hear(TICK_S)

    def _hear(self, most_s: float) -> bool:
        """Take what the client writes and whether all is called off; say whether anything came."""
        output = _open(self._client.stdout)
        ready, _, _ = select.select((*output, sys.stdin), (), (), most_s)
        if sys.stdin in ready:  # nothing is ever written there
            self._is_called_off = True
        if self._client.stdout in ready:
            octets = os.read(output[0].fileno(), KEPT_OCTETS)
            self._output.add(octets)
            if not octets:
                output[0].close()
        return bool(ready)

    # The end. -------------------------------------------------------------------------------------

    def _dismiss(self) -> None:
        """Let a driver count what is left, and end."""
        for stdin in _open(self._client.stdin):
            with suppress(OSError):  # it has ended
                stdin.close()
            self._wait(self._has_ended, self._orders.settle_s)

    def _end(self) -> dict[str, Any]:
        """Kill and reap all that lives; say how the client ended, and what it took."""
        account: dict[str, Any] = {"status": None, "cpu_s": 0.0, "peak_octets": self._peak_octets}
        for pid, status, usage in reap():
            if pid == self._client.pid:
                self._client.returncode = os.waitstatus_to_exitcode(status)
                account["status"] = self._client.returncode
                account["cpu_s"] = usage.ru_utime + usage.ru_stime
        while _open(self._client.stdout) and not self._is_called_off and self._hear(0):
            pass
        return account


def reap() -> Iterator[tuple[int, int, Any]]:
    """Kill all that lives below this process, and give what ``wait4`` gives of each."""
    deadline = time.monotonic() + KILLING_S
    with suppress(ChildProcessError):  # there is none any more
        while time.monotonic() < deadline:
            for pid in descendants(os.getpid()):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            ended = os.wait4(-1, os.WNOHANG)
            if ended[0]:
                yield ended
            else:
                time.sleep(TICK_S)


def descendants(pid: int) -> Iterator[int]:
    """Give the processes below ``pid``. Linux."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has just ended
            for child in map(int, children.read_text().split()):
                yield child
                yield from descendants(child)


def name_of(pid: int) -> str:
    """Return the command line of ``pid``, or nothing if it lives no more."""
    with suppress(OSError):
        octets = Path(f"/proc/{pid}/cmdline").read_bytes()
        return octets.rstrip(b"\0").replace(b"\0", b" ").decode(errors="backslashreplace")
    return ""


def peak_octets(pid: int) -> int:
    """Return the most memory that ``pid`` has had, 0 if nobody knows. Linux.

    ``wait4`` knows it too, but counts this process in, of which the client is a copy at first.
    """
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_bytes()
        if peak := re.search(rb"VmHWM:\s*(\d+) kB", status):
            return int(peak[1]) * 1024
    return 0


def connections(port: int) -> Iterator[str]:
    """Give the connections to ``port`` of this host that some process still holds. Linux."""
    for table in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")):
        with suppress(OSError):
            for row in table.read_text().splitlines()[1:]:
                _, local, remote, _, _, _, _, _, _, inode, *_ = row.split()
                ports = [int(address.rpartition(":")[2], 16) for address in (local, remote)]
                if ports[1] == port != ports[0] and inode != _CLOSED:
                    yield local


def _open(file: IO[bytes] | None) -> tuple[IO[bytes], ...]:
    return () if file is None or file.closed else (file,)


def main() -> None:
    """Obey the orders on the command line."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    orders = Orders(**json.loads(sys.argv[1]))
    try:
        account = Keeper(orders).run()
    except OSError as error:
        account = {"could_not_start": error.strerror or str(error)}
    print(json.dumps(account))  # noqa: T201 - the account


if __name__ == "__main__":
    main()
