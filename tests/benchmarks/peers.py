"""What a probe costs of CPU, beside the programs and libraries that people use for it.

Each peer asks the same servers as we do in its row: the responder where it is content with KEXINIT
or less, OpenSSH's sshd on loopback where it goes on to exchange keys. Each does what it does best:
nmap and ssh-keyscan take all targets in one process, the libraries run side by side in one, and
what a program or an interpreter needs to start is taken off by the difference between many targets
and one. check_ssh and ssh-audit take one target a process, so there the process counts whole. A
peer that is not installed is left out.

Exits 1 if the best of them needs less than the bar's multiple of our CPU. Takes two minutes.

What was found: nmap comes nearest. In seven runs it needed 4.2 to 5.0 times our CPU (305 to 340 µs
against 64 to 77), and it reads lists without saying whether the server is well; before a probe
spared itself the wait for what is there already, it was 2.7 to 3.0. Then asyncssh with 4.8 to 5.8,
which exchanges keys; paramiko 7 to 9, check_ssh 11 to 15, which looks at one line; ssh-keyscan 260
(50 ms, for the keys of sntrup761, it seems), ssh-audit 700. On sshd we need 170 to 190 µs: its
answers come one by one, and each costs a turn of trio's loop. Full garbage collections are as rare
in our program as in ``sshprobe sweep``: they had taken a twentieth.

To have them all: ``apt-get install nmap openssh-client openssh-server monitoring-plugins-basic``
and ``pip install asyncssh paramiko ssh-audit``.
"""

import importlib.metadata
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmark_pieces import GOOD, Address, cpu_s, responder

BAR = 3.0
PATIENCE_S = 120

Command = Callable[[Sequence[Address]], list[str]]


class Peer(NamedTuple):
    """A row of ``PEERS``.

    Attributes:
        name: What it is known as.
        version: How to ask for its version; a distribution of Python's if there is one word only.
        server: Which server it needs.
        targets: How many it is given.
        command: What asks them all; the first word must be installed.
        one_a_process: Whether it takes one target a process.
    """

    name: str
    version: tuple[str, ...]
    server: str
    targets: int
    command: Command
    one_a_process: bool = False


OURS = """
import gc, sys, trio, probe
from probe.cli.sweep import FULL_COLLECTIONS
gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTIONS)
async def ask(host, port):
    assert (await probe.check(host, port)).ok
async def ask_all():
    async with trio.open_nursery() as nursery:
        for target in sys.argv[1:]:
            host, _, port = target.partition(":")
            nursery.start_soon(ask, host, int(port))
trio.run(ask_all)
"""

ASYNCSSH = """
import asyncio, sys, asyncssh
async def ask(host, port):
    assert await asyncssh.get_server_host_key(host, int(port))
async def ask_all():
    await asyncio.gather(*(ask(*target.split(":")) for target in sys.argv[1:]))
asyncio.run(ask_all())
"""

PARAMIKO = """
import socket, sys, paramiko
for target in sys.argv[1:]:
    host, _, port = target.partition(":")
    transport = paramiko.Transport(socket.create_connection((host, int(port))))
    transport.start_client(timeout=20)
    transport.close()
"""


def python(program: str) -> Command:
    """Give a program of Python's its targets as arguments."""
    return lambda targets: [
        sys.executable,
        "-c",
        program,
        *(f"{host}:{port}" for host, port in targets),
    ]


def hosts(targets: Sequence[Address]) -> list[str]:
    return [host for host, _ in targets]


def port(targets: Sequence[Address]) -> str:
    """The port, which all targets have in common."""
    return str(targets[0][1])


PEERS = (
    Peer(
        "check_ssh",
        ("check_ssh", "--version"),
        "responder",
        40,
        lambda targets: ["check_ssh", "-p", port(targets), *hosts(targets)],
        one_a_process=True,
    ),
    Peer(
        "nmap",
        ("nmap", "--version"),
        "responder",
        1000,
        lambda targets: [
            *("nmap", "-n", "-Pn", "-sT", "-p", port(targets)),
            *("--script", "+ssh2-enum-algos", *hosts(targets)),
        ],
    ),
    Peer(
        "ssh-keyscan",
        ("ssh", "-V"),
        "sshd",
        64,
        lambda targets: ["ssh-keyscan", "-t", "ed25519", "-p", port(targets), *hosts(targets)],
    ),
    Peer("asyncssh", ("asyncssh",), "sshd", 64, python(ASYNCSSH)),
    Peer("paramiko", ("paramiko",), "sshd", 64, python(PARAMIKO)),
    Peer(
        "ssh-audit",
        ("ssh-audit",),
        "sshd",
        3,
        lambda targets: ["ssh-audit", "--skip-rate-test", "-p", port(targets), *hosts(targets)],
        one_a_process=True,
    ),
)


def main() -> int:
    ratios = []
    with responder(GOOD, listeners=1000) as answered, sshd() as exchanged:
        servers = {"responder": answered, "sshd": exchanged}
        print(f"{'':16}{'version':24}{'server':12}{'CPU':>9}{'ours':>9}{'ratio':>7}")
        for peer in PEERS:
            targets = servers[peer.server][: peer.targets]
            if not targets or find(peer) is None:
                print(f"{peer.name:16}not installed, or no server for it")
                continue
            theirs, ours = us_a_target(peer, targets), us_of_ours(targets)
            ratios.append(theirs / ours)
            head = f"{peer.name:16}{version(peer):24}{peer.server:12}"
            print(f"{head}{theirs:6.0f} µs{ours:6.0f} µs{ratios[-1]:7.1f}", flush=True)
    if not ratios:
        sys.exit("no peer is installed")
    print(f"the best needs {min(ratios):.1f} times our CPU, bar {BAR}")
    return int(min(ratios) < BAR)


def us_a_target(peer: Peer, targets: Sequence[Address]) -> float:
    if peer.one_a_process:
        spent_s = sum(child_cpu_s(peer.command([target])) for target in targets)
        return spent_s / len(targets) * 1e6
    return us_a_target_more(peer.command, targets)


def us_of_ours(targets: Sequence[Address]) -> float:
    """Return what we need on the same servers, from enough probes to be measured."""
    return us_a_target_more(python(OURS), [*targets] * max(1, 256 // len(targets)))


def us_a_target_more(command: Command, targets: Sequence[Address]) -> float:
    """Return the CPU time that each target but the first adds, in microseconds."""
    one_s = min(child_cpu_s(command(targets[:1])) for _ in range(3))
    all_s = min(child_cpu_s(command(targets)) for _ in range(3))
    return (all_s - one_s) / (len(targets) - 1) * 1e6


def child_cpu_s(command: list[str]) -> float:
    began_s = cpu_s(resource.RUSAGE_CHILDREN)
    program = which(command[0])
    assert program is not None
    subprocess.run(
        [program, *command[1:]],
        check=False,  # ssh-audit exits with its opinion
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE_S,
    )
    return cpu_s(resource.RUSAGE_CHILDREN) - began_s


# What is installed. ------------------------------------------------------------------------------


def which(program: str) -> str | None:
    places = (str(Path(sys.executable).parent), "/usr/bin", "/usr/sbin", "/usr/lib/nagios/plugins")
    return shutil.which(program, path=":".join(places))


def find(peer: Peer) -> str | None:
    """Return the program, or where the library's version is known."""
    is_library = peer.command(((" ", 0),))[0] == sys.executable
    try:
        return version(peer) if is_library else which(peer.command(((" ", 0),))[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def version(peer: Peer) -> str:
    if len(peer.version) == 1:
        return importlib.metadata.version(peer.version[0])
    program = which(peer.version[0])
    if program is None:
        return "?"
    said = subprocess.run([program, *peer.version[1:]], check=False, capture_output=True)
    return next(
        word.strip(",v") for word in (said.stdout + said.stderr).decode().split() if "." in word
    )


@contextmanager
def sshd() -> Iterator[list[Address]]:
    """Run OpenSSH's sshd on loopback, and give its address many times over; none without it."""
    program, keygen = which("sshd"), which("ssh-keygen")
    if program is None or keygen is None:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        key = str(Path(folder) / "host_key")
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        Path("/run/sshd").mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probed:
            address = probed.getsockname()
        options = (f"ListenAddress=127.0.0.1:{address[1]}", f"HostKey={key}", "MaxStartups=1000")
        flags = [
            word for option in (*options, "PidFile=none", "UsePAM=no") for word in ("-o", option)
        ]
        command = [program, "-D", "-f", "/dev/null", *flags]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                await_server(address)
                yield [address] * 64
            finally:
                server.terminate()


def await_server(address: Address) -> None:
    for _ in range(500):
        with socket.socket() as sock:
            if sock.connect_ex(address) == 0:
                return
        time.sleep(0.01)
    sys.exit("sshd does not start")


if __name__ == "__main__":
    sys.exit(main())
