"""Real SSH clients, and how each is run against the suite: a row a client.

What a row's words stand for: ``{python}`` an interpreter that has the libraries, ``{go}`` the
driver in Go, ``{drivers}`` the folder of the drivers; the rest is filled in by the suite.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from probe.conform.case import Kind
from probe.conform.suite import Client

ROOT: Final = Path(__file__).parent.parent.parent
DRIVERS: Final = Path(__file__).parent / "drivers"

HOST_KEY: Final = re.compile(r"^\S+ (?:ssh|ecdsa|sk)-\S+ AAAA", re.MULTILINE)
"""What ssh-keyscan prints, whose exit status says nothing."""

VERSION: Final = re.compile(r"\d+\.\w[\w.]*")

BUILDING_S: Final = 120.0

GO_PATH: Final = "/usr/share/gocode"
"""Where Debian keeps the sources of Go's libraries, so that a build loads nothing."""


@dataclass(frozen=True, slots=True)
class RealClient:
    """A client as somebody would call it.

    Attributes:
        name: What it is called on the command line.
        title: What it is called in a table, its version left out.
        version: What prints its version.
        command: What runs it.
        needs: What has to be installed.
        kind: How far it means to go.
        is_driver: Whether the command is a driver of a library.
        success: What its output shows if it succeeded; if ``None``, status 0 says so.
    """

    name: str
    title: str
    version: tuple[str, ...]
    command: tuple[str, ...]
    needs: str
    kind: Kind = Kind.LOGIN
    is_driver: bool = False
    success: re.Pattern[str] | None = None


def library(name: str, title: str, distribution: str, driver: str, *options: str) -> RealClient:
    """Make the row of a library for Python."""
    version = f"from importlib.metadata import version; print(version({distribution!r}))"
    return RealClient(
        name,
        title,
        version=("{python}", "-c", version),
        command=("{python}", f"{{drivers}}/{driver}.py", *options, *TARGET),
        needs=distribution,
        is_driver=True,
    )


def go(name: str, title: str, mode: str) -> RealClient:
    """Make the row of a way to call Go's library."""
    return RealClient(
        name,
        title,
        version=("dpkg-query", "-W", "-f", "${Version}", GO_PACKAGES[1]),
        command=("{go}", mode, *TARGET),
        needs=" and ".join(GO_PACKAGES),
        is_driver=True,
    )


TARGET: Final = ("{host}", "{port}", "{limit}")

GO_PACKAGES: Final = ("golang-go", "golang-golang-x-crypto-dev")

SSH: Final = (
    *("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
    *("-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null"),
)

CLIENTS: Final = (
    RealClient(
        "ssh",
        "OpenSSH {} ssh, ConnectTimeout",
        version=("ssh", "-V"),
        command=(*SSH, "-o", "ConnectTimeout={limit}", "-p", "{port}", "x@{host}", "true"),
        needs="openssh-client",
    ),
    RealClient(
        "ssh-keyscan",
        "OpenSSH {} ssh-keyscan, -T",
        version=("ssh", "-V"),
        command=("ssh-keyscan", "-T", "{limit}", "-t", "ed25519", "-p", "{port}", "{host}"),
        needs="openssh-client",
        success=HOST_KEY,
    ),
    RealClient(
        "dbclient",
        "dropbear {} dbclient, -I",
        version=("dbclient", "-V"),
        command=("dbclient", "-y", "-y", "-I", "{limit}", "-p", "{port}", "x@{host}", "true"),
        needs="dropbear-bin",
    ),
    go("go", "Go x/crypto {} ssh.Dial, Timeout", "timeout"),
    go("go-deadline", "Go x/crypto {}, SetDeadline over the handshake", "deadline"),
    library("paramiko", "paramiko {}, all timeouts", "paramiko", "paramiko_driver", "all"),
    library("paramiko-timeout", "paramiko {}, timeout", "paramiko", "paramiko_driver", "timeout"),
    library(
        "asyncssh",
        "asyncssh {}, connect_timeout",
        "asyncssh",
        "asyncssh_driver",
        "connect_timeout",
    ),
    library("asyncssh-default", "asyncssh {}, default", "asyncssh", "asyncssh_driver", "default"),
    library("libssh2", "libssh2 (ssh2-python {}), set_timeout", "ssh2-python", "libssh2_driver"),
    library("libssh", "libssh (ssh-python {}), TIMEOUT", "ssh-python", "libssh_driver"),
    RealClient(
        "plink",
        "PuTTY {} plink",
        version=("plink", "-V"),
        command=("plink", "-batch", "-P", "{port}", "x@{host}", "true"),
        needs="putty-tools",
    ),
    RealClient(
        "sshprobe",
        "sshprobe {}, --limit",
        version=(sys.executable, "-m", "probe", "--version"),
        command=(sys.executable, "-m", "probe", "check", "--limit", "{limit}", "{host}:{port}"),
        needs="sshprobe",
        kind=Kind.KEXINIT,
    ),
)

BY_NAME: Final = {client.name: client for client in CLIENTS}

LIBRARIES: Final = tuple(sorted({row.needs for row in CLIENTS if "{python}" in row.command}))


class Found(NamedTuple):
    """A client that is installed.

    Attributes:
        title: Its name, with the version.
        client: What is put to the test.
    """

    title: str
    client: Client


class NotInstalledError(Exception):
    """The client is not there; the message says what it needs."""


class Tools:
    """Finds what the rows need.

    Args:
        folder: Where the driver in Go is built.
        python: An interpreter that has the libraries.
    """

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self._folder = folder
        self._python = python

    def find(self, row: RealClient) -> Found:
        """Return the client of a row, its driver built.

        Raises:
            NotInstalledError: It is not installed.
        """
        title = row.title.format(self._version(row))
        command = tuple(self._fill(row, word) for word in row.command)
        return Found(title, Client(command, row.kind, row.is_driver, row.success))

    def _version(self, row: RealClient) -> str:
        try:
            said = _output(*(self._fill(row, word) for word in row.version))
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotInstalledError(row.needs) from error
        version = VERSION.search(said)
        return version[0] if version else "of unknown version"

    def _fill(self, row: RealClient, word: str) -> str:
        filled = word.replace("{python}", self._python).replace("{drivers}", str(DRIVERS))
        return filled.replace("{go}", self._go(row)) if "{go}" in filled else filled

    def _go(self, row: RealClient) -> str:
        if shutil.which("go") is None:
            raise NotInstalledError(row.needs)
        return self._driver_in_go

    @cached_property
    def _driver_in_go(self) -> str:
        driver = self._folder / "go-driver"
        settings = {"GO111MODULE": "off", "GOPATH": GO_PATH, "GOCACHE": str(self._folder / "cache")}
        subprocess.run(
            ["go", "build", "-o", driver, "."],  # noqa: S607 - from the path, as a user would
            cwd=DRIVERS / "go",
            env=os.environ | settings,
            check=True,
            timeout=BUILDING_S,
        )
        return str(driver)


def make_venv(folder: Path) -> str:
    """Return the interpreter of a virtual environment that has the libraries, made if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *LIBRARIES], check=True)
    return str(python)


def _output(*command: str) -> str:
    ended = subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.stdout
