"""Targets as files have them: one a line, read as they are needed and never held.

A line is what ``check`` takes, or a block of addresses: ``192.0.2.0/24``, ``192.0.2.0/24:2222``,
``2001:db8::/120``, ``[2001:db8::]/120:2222``. ``#`` begins a comment.
"""

import os
import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, NamedTuple

import trio

from probe.target import Target, parse_port, parse_target
from probe.text import escape, quote

STANDARD_INPUT: Final = "-"

LONGEST_LINE_OCTETS: Final = 1024
"""A name has 255 octets at most (RFC 1035 §2.3.4); three times that is left for a comment."""

_READ_OCTETS: Final = 64 * 1024

_QUOTED: Final = 60
"""Characters of a bad line that are shown."""

_WITHOUT_CHECKPOINT: Final = 256
"""Targets that are passed over before other tasks have their turn: a millisecond."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_KEPT_OCTETS: Final = LONGEST_LINE_OCTETS + 1 + len(_BYTE_ORDER_MARK)
"""Of a line whose end has not come: enough to be too long, even without the mark."""

_BLOCK: Final = re.compile(r"\[?([0-9A-Fa-f:.]+)\]?/(\d{1,3})(?::(.*))?")


class BadLine(NamedTuple):
    """A line that names no target.

    Attributes:
        where: File and number of the line.
        why: What is wrong with it, printable.
    """

    where: str
    why: str


def read_line(line: bytes, default_port: int) -> Iterator[Target]:
    """Read one line: no target, one, or all of a block, in order, as they are asked for.

    Raises:
        ValueError: It is too long, not UTF-8, or no target; at once, not when targets are taken.
    """
    if len(line) > LONGEST_LINE_OCTETS:
        message = f"longer than {LONGEST_LINE_OCTETS} octets"
        raise ValueError(message)
    try:
        text = line.decode()
    except UnicodeDecodeError:
        message = "not UTF-8"
        raise ValueError(message) from None
    return _read_text(text.partition("#")[0].strip(), default_port)


def count_line(line: bytes) -> int:
    """Return how many targets a line has, as far as that is to be seen without reading them."""
    text = line.partition(b"#")[0].strip()
    if not text or len(line) > LONGEST_LINE_OCTETS:
        return 0
    block = _BLOCK.fullmatch(text.decode(errors="replace")) if b"/" in text else None
    if block is None:
        return 1
    try:
        return _network(block).num_addresses
    except ValueError:
        return 0


def _read_text(text: str, default_port: int) -> Iterator[Target]:
    if not text:
        return iter(())
    block = _BLOCK.fullmatch(text)
    if block is None:
        return iter((parse_target(text, default_port),))
    network = _network(block)
    port = default_port if block[3] is None else parse_port(block[3])
    return (Target(str(address), port) for address in network)


def _network(block: re.Match[str]) -> IPv4Network | IPv6Network:
    """Read a block. Its address may be any in it, as in the configuration of an interface."""
    return ip_network(f"{block[1]}/{block[2]}", strict=False)


class Lines:
    """The lines of a file that is read as they are taken; of too long ones only the beginning.

    Args:
        descriptor: Of the file, a pipe or a terminal.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._number = 0
        self._rest = b""
        self._is_over = False

    async def read(self) -> list[tuple[int, bytes]] | None:
        """Return the next lines and their numbers, ``None`` at the end. A checkpoint.

        Raises:
            OSError: The file cannot be read.
        """
        if self._is_over:
            return None
        octets = await _read(self._descriptor)
        self._is_over = not octets
        *lines, rest = (self._rest + octets).split(b"\n")
        self._rest = rest[:_KEPT_OCTETS]
        if self._is_over and rest:
            lines.append(rest)
        if self._number == 0 and lines:
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        first, self._number = self._number + 1, self._number + len(lines)
        return list(enumerate(lines, first))

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._descriptor:
            os.close(self._descriptor)


async def _read(descriptor: int) -> bytes:
    try:
        await trio.lowlevel.wait_readable(descriptor)
    except PermissionError:  # a file: never empty in this sense, and epoll refuses it
        await trio.lowlevel.checkpoint()
    return os.read(descriptor, _READ_OCTETS)


class Input:
    """All targets of several files, in order: an async iterator.

    Args:
        names: Of files; ``-`` is standard input.
        default_port: The port of targets that name none.
        is_done: Says of each target whether it is to be passed over.
        on_bad_line: Called with each line that names no target.

    Attributes:
        passed_over: How many targets were.
        bad_lines: How many lines named no target.
        unreadable: How many files could not be read to their ends.
    """

    def __init__(
        self,
        names: list[str],
        default_port: int,
        is_done: Callable[[Target], bool],
        on_bad_line: Callable[[BadLine], None],
    ) -> None:
        self.passed_over = 0
        self.bad_lines = 0
        self.unreadable = 0
        self._names = iter(names)
        self._default_port = default_port
        self._is_done = is_done
        self._on_bad_line = on_bad_line
        self._name = ""
        self._lines: Lines | None = None
        self._ready: Iterator[Target] = iter(())

    def __aiter__(self) -> "Input":
        return self

    async def __anext__(self) -> Target:
        while True:
            for target in self._ready:
                if not self._is_done(target):
                    return target
                self.passed_over += 1
                if self.passed_over % _WITHOUT_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
            await self._read_more()

    async def _read_more(self) -> None:
        try:
            if self._lines is None:
                await self._open_next()
            elif (lines := await self._lines.read()) is None:
                self._close()
            else:
                self._ready = self._targets(lines)
        except OSError as error:
            self.unreadable += 1
            self._on_bad_line(BadLine(_say(self._name), error.strerror or str(error)))
            self._close()

    async def _open_next(self) -> None:
        name = next(self._names, None)
        if name is None:
            raise StopAsyncIteration
        self._name = name
        self._lines = Lines(await open_input(name))

    def _close(self) -> None:
        if self._lines is not None:
            self._lines.close()
        self._lines = None

    def _targets(self, lines: list[tuple[int, bytes]]) -> Iterator[Target]:
        for number, line in lines:
            try:
                yield from read_line(line, self._default_port)
            except ValueError as error:
                self.bad_lines += 1
                where = f"{_say(self._name)}, line {number}"
                self._on_bad_line(BadLine(where, escape(str(error))))


def _say(name: str) -> str:
    return "standard input" if name == STANDARD_INPUT else quote(name, _QUOTED)


async def open_input(name: str) -> int:
    """Open a file to read, in a thread: a FIFO waits for its writer. A checkpoint."""
    if name == STANDARD_INPUT:
        await trio.lowlevel.checkpoint()
        return 0
    flags = os.O_RDONLY | os.O_CLOEXEC
    return await trio.to_thread.run_sync(os.open, name, flags, abandon_on_cancel=True)


async def count_targets(names: list[str]) -> int | None:
    """Count the targets of files, a little at a time; ``None`` if one can be read only once.

    Raises:
        OSError: A file cannot be read.
    """
    if not all(map(_can_be_read_twice, names)):
        return None
    count = 0
    for name in names:
        lines = Lines(await open_input(name))
        while (some := await lines.read()) is not None:
            count += sum(count_line(line) for _, line in some)
        lines.close()
    return count


def _can_be_read_twice(name: str) -> bool:
    return name != STANDARD_INPUT and Path(name).is_file()
