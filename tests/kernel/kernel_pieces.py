"""Two network namespaces with a cable between them: a prober's host and a server's, real kernels.

Each pair is a world of its own, so all pairs use the same addresses, and many live side by side.
Their names say whose they are: a run that was killed leaves some behind, and the next removes them.
"""

import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import pytest

import probe

CLIENT: Final = "192.0.2.1"
SERVER: Final = "192.0.2.2"
NOBODY: Final = "192.0.2.99"
CLIENT_6: Final = "2001:db8::1"
SERVER_6: Final = "2001:db8::2"

PATIENCE_S: Final = 20.0

_CLONE_NEWNET: Final = 0x40000000
_NAMES: Final = re.compile(r"sshprobe-(\d+)-\d+-\w+")
_SBIN: Final = ":/usr/sbin:/sbin:/usr/local/sbin"
_numbers: Final = itertools.count()

T = TypeVar("T")


class Pair(NamedTuple):
    """The names of the prober's namespace and of the server's. The cable's end in each is eth0."""

    client: str
    server: str


# What must be there. -----------------------------------------------------------------------------


def program(name: str) -> str:
    """Find a program; where CI is to have installed it, its absence is a failure."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + _SBIN)
    return found or _miss(f"{name} is not installed")


def require_namespaces() -> None:
    """Skip, or fail in CI, where namespaces and packet filters cannot be made."""
    if sys.platform != "linux":
        pytest.skip("network namespaces are Linux's")
    if os.geteuid() != 0:
        _miss("only root makes network namespaces")
    program("ip")
    program("nft")
    program("ss")
    try:
        _remove_leftovers()
        with pair() as hosts:
            firewall(hosts.server, "type filter hook input priority 0; numgen random mod 2 0 drop")
    except subprocess.CalledProcessError as error:
        _miss(f"this kernel makes no namespaces or filters: {error.stderr.strip()}")


def _miss(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI must have it")
    pytest.skip(what)


# Hosts. ------------------------------------------------------------------------------------------


@contextmanager
def pair() -> Iterator[Pair]:
    """Two hosts and a cable between them, gone afterwards whatever happened."""
    prefix = f"sshprobe-{os.getpid()}-{next(_numbers)}-"
    hosts = Pair(f"{prefix}client", f"{prefix}server")
    try:
        for host in hosts:
            add_host(host)
        cable = ("netns", hosts.client, "type", "veth", "peer", "name", "eth0", "netns")
        ip("link", "add", "eth0", *cable, hosts.server)
        set_up(hosts.client, CLIENT, CLIENT_6)
        set_up(hosts.server, SERVER, SERVER_6)
        yield hosts
    finally:
        for host in _hosts():
            if host.startswith(prefix):
                _remove(host)


def add_host(host: str) -> None:
    """Add a host without a cable."""
    ip("netns", "add", host)
    ip("-n", host, "link", "set", "lo", "up")


def set_up(host: str, *addresses: str) -> None:
    """Give the host's end of the cable its addresses, and begin."""
    for address in addresses:
        length, flags = ("/64", ("nodad",)) if ":" in address else ("/24", ())
        ip("-n", host, "address", "add", address + length, "dev", "eth0", *flags)
    ip("-n", host, "link", "set", "eth0", "up")


def reboot(hosts: Pair) -> None:
    """Put another host in the server's place: same cable and address, no memory of connections."""
    successor = f"{hosts.server}-rebooted"
    add_host(successor)
    ip("-n", hosts.server, "link", "set", "eth0", "netns", successor)
    set_up(successor, SERVER)


def ip(*words: str) -> str:
    return run(program("ip"), *words)


def firewall(host: str, *chains: str, family: str = "inet", sets: str = "") -> None:
    """Load packet filters: each chain its hook and its rules, separated by semicolons."""
    numbered = "".join(f"chain c{number} {{ {chain}; }}; " for number, chain in enumerate(chains))
    table = f"table {family} t {{ {sets} {numbered} }}"
    run(program("ip"), "netns", "exec", host, program("nft"), table)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _hosts() -> list[str]:
    return [line.split()[0] for line in ip("netns", "list").splitlines()]


def _remove_leftovers() -> None:
    for host in _hosts():
        ours = _NAMES.fullmatch(host)
        if ours and not Path("/proc", ours[1]).exists():
            _remove(host)


def _remove(host: str) -> None:
    """With all its processes: what sshd started for a client that is gone would wait for it."""
    for pid in ip("netns", "pids", host).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    ip("netns", "delete", host)


# In a host. --------------------------------------------------------------------------------------


def inside(host: str, function: Callable[[], T]) -> T:
    """Call ``function`` in a thread of the host's. Its sockets stay there for life."""

    def enter() -> T:
        with Path("/run/netns", host).open("rb") as namespace:
            _set_namespace(namespace.fileno())
        return function()

    with ThreadPoolExecutor(1) as thread:  # it ends there: no other call may come upon it
        return thread.submit(enter).result()


def _set_namespace(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is Python 3.12's
    if libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def probe_from(host: str, target: str, limit_s: float = 10.0) -> dict[str, Any]:
    """Probe a numeric address from the host, and return the members of the report.

    Not a name: the thread that looks it up outlives the call, and would stay in the host.
    """
    budget = probe.Budget(limit_s)
    return inside(host, lambda: probe.check_blocking(target, budget=budget)).to_dict()


def probe_name_from(host: str, name: str, *addresses: str) -> dict[str, Any]:
    """Run ``sshprobe check`` in the host, where the name has these addresses."""
    files = Path("/etc/netns", host)  # ip puts them in the place of those in /etc
    files.mkdir(parents=True)
    try:
        (files / "hosts").write_text("".join(f"{address} {name}\n" for address in addresses))
        check = [sys.executable, "-m", "probe", "check", "--json", name]
        command = [program("ip"), "netns", "exec", host, *check]
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
    finally:
        shutil.rmtree(files)
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def orphans(host: str) -> list[str]:
    """The host's TCP connections that are past ESTABLISHED: no process of ours has any there."""
    wanted = ("state", "connected", "exclude", "established")
    ss = run(program("ip"), "netns", "exec", host, program("ss"), "-Hnt", *wanted)
    return ss.splitlines()
