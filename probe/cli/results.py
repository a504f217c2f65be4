"""Where the reports of a sweep go: NDJSON, whole lines, and a file that can be gone on with.

A line is one write, so a process that is killed loses at most that line. A file that ends within a
line is cut back to its last whole one before more is appended.
"""

import fcntl
import json
import os
import re
import stat
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO, Final

import trio

from probe.cli.output import STDOUT, write_line
from probe.report import SCHEMA
from probe.target import Target
from probe.text import escape, quote

LONGEST_LINE_OCTETS: Final = 1 << 21
"""Of a report, commonly of a few thousand octets. The longest holds a hostile server's KEXINIT of
names of an octet each: escaped, they are nine for every two of its 256 KiB."""

_HASH_OCTETS: Final = 8

_BUCKETS: Final = 256

_HEAD: Final = re.compile(
    rb'\{"schema": "%b", "target": "(?:[^"\\]|\\.)*",'
    rb' "host": ("(?:[^"\\]|\\.)*"), "port": (\d+), ' % SCHEMA.encode(),
)
"""How a report begins. Reading that is 30 times as fast as reading all of it."""


class Done:
    """Which targets have been reported, and how often.

    Nine octets each: a hash, and whether it was taken. Where a million were reported, one in
    eighteen million sweeps of a million passes a target over by mistake.
    """

    def __init__(self) -> None:
        self._hashes = [array("Q") for _ in range(_BUCKETS)]
        self._taken = [bytearray() for _ in range(_BUCKETS)]
        self._repeated: dict[int, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._hashes))

    def add(self, host: str, port: int) -> None:
        """Count one more report.

        Args:
            host: As it is in reports: escaped.
            port: Of the target.
        """
        number = _hash(host, port)
        self._hashes[number % _BUCKETS].append(number)

    def close(self) -> None:
        """Sort what was added, bucket by bucket, so that no second copy is held."""
        for bucket, hashes in enumerate(self._hashes):
            self._hashes[bucket] = array("Q", sorted(hashes))
            self._taken[bucket] = bytearray(len(hashes))

    def take(self, target: Target) -> bool:
        """Return whether there is a report of ``target`` that was not taken yet, and take it."""
        number = _hash(escape(target.host), target.port)
        hashes, taken = self._hashes[number % _BUCKETS], self._taken[number % _BUCKETS]
        first = bisect_left(hashes, number)
        if first == len(hashes) or hashes[first] != number:
            return False
        if not taken[first]:
            taken[first] = 1
            return True
        count = self._repeated.get(number, 1)
        if count >= bisect_right(hashes, number) - first:
            return False
        self._repeated[number] = count + 1
        return True


class Results:
    """Takes reports for standard output, or for the file that stands in its place.

    Args:
        name: Of the file; ``None`` for what standard output is.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._is_file = _is_file(STDOUT)

    async def write(self, line: str) -> None:
        """Write a line, and wait while nobody reads. A checkpoint.

        Raises:
            OSError: Standard output is closed, or the disk is full.
        """
        if not self._is_file:
            await write_line(line)
            return
        await trio.lowlevel.checkpoint()
        octets = f"{line}\n".encode()
        while octets:  # once, unless the disk has no room for all of it
            octets = octets[os.write(STDOUT, octets) :]

    def require_there(self) -> None:
        """Raise ``OSError`` if the file was deleted, so that nobody will find what is in it."""
        if self._name is not None and self._is_file and not os.fstat(STDOUT).st_nlink:
            raise FileNotFoundError(0, "it was deleted, and what was in it is lost")

    @property
    def name(self) -> str:
        """What to call it."""
        return "standard output" if self._name is None else quote(self._name)


def open_new(name: str) -> Results:
    """Let a new file stand in the place of standard output.

    Raises:
        OSError: It cannot be written.
        ValueError: It has something in it already, or another sweep writes to it.
    """
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        if _is_file(descriptor):
            _lock(descriptor, name)
            _require_empty(descriptor, name)
    except BaseException:
        os.close(descriptor)
        raise
    return _take_place(descriptor, name)


def open_again(name: str) -> tuple[Results, Done]:
    """Let a file that an interrupted sweep left stand in the place of standard output.

    It is begun if it is not there. An unfinished last line is cut off.

    Raises:
        OSError: It cannot be read or written.
        ValueError: It holds something else than reports, or another sweep writes to it.
    """
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _require_file(descriptor, name)
        _lock(descriptor, name)
        done = Done()
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            whole = _read_done(file, name, done)
        os.truncate(descriptor, whole)
    except BaseException:
        os.close(descriptor)
        raise
    done.close()
    return _take_place(descriptor, name), done


def _require_empty(descriptor: int, name: str) -> None:
    if os.fstat(descriptor).st_size:
        message = f"{quote(name)} is not empty: remove it, or go on with it by --resume"
        raise ValueError(message)


def _require_file(descriptor: int, name: str) -> None:
    if not _is_file(descriptor):
        message = f"{quote(name)} is no file that could be gone on with"
        raise ValueError(message)


def _lock(descriptor: int, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"another sweep writes to {quote(name)}"
        raise ValueError(message) from None


def _read_done(file: BinaryIO, name: str, done: Done) -> int:
    """Read which targets were reported; return how many octets the whole lines have."""
    whole = 0
    for number, line in enumerate(_whole_lines(file), 1):
        try:
            if not line.isspace():
                done.add(*_target_of(line))
        except (ValueError, LookupError, TypeError, RecursionError):
            message = f"{quote(name)}, line {number}: this is no report"
            raise ValueError(message) from None
        whole += len(line)
    return whole


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    while (line := file.readline(LONGEST_LINE_OCTETS)).endswith(b"\n"):
        yield line
    if len(line) == LONGEST_LINE_OCTETS:
        yield b"?\n"  # no report is that long


def _target_of(line: bytes) -> tuple[str, int]:
    head = _HEAD.match(line)
    if head is not None and line.endswith(b"}\n"):
        return json.loads(head[1]), int(head[2])
    members = json.loads(line)  # written by another program, perhaps, in another order
    if members["schema"] != SCHEMA or not isinstance(members["host"], str):
        raise ValueError
    return members["host"], int(members["port"])


def _take_place(descriptor: int, name: str) -> Results:
    os.dup2(descriptor, STDOUT)
    os.close(descriptor)
    return Results(name)


def _is_file(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:  # closed
        return False


def _hash(host: str, port: int) -> int:
    text = f"{port} {host}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=_HASH_OCTETS).digest())
