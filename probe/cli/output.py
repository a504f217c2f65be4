"""Standard output as something that may be closed, full, or never read."""

import os
import select
import sys
from contextlib import suppress
from typing import Final

import trio

STDOUT: Final = 1
STDERR: Final = 2

ERASE_LINE: Final = "\r\033[K"
"""To the first column, and clear the line: ECMA-48 §8.3.41, EL."""


def reserve_standard_streams() -> None:
    """Open ``/dev/null`` for each standard stream that is closed.

    Else the next socket would get its number, and a report could be sent to a server.
    """
    for descriptor in (0, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one


async def write_line(line: str) -> None:
    """Write ``line`` and its end to standard output, and wait while nobody reads.

    A checkpoint. Cancelled, a part of the line may have been written.

    Raises:
        OSError: Standard output is closed, or the disk is full.
    """
    octets = f"{line}\n".encode(_encoding(), "backslashreplace")
    while octets:
        octets = octets[await _write(octets[: select.PIPE_BUF]) :]


def complain(message: str) -> None:
    """Write a line to standard error if that takes it at once, else do without."""
    write_at_once(f"sshprobe: {message}\n")


def write_at_once(text: str) -> bool:
    """Write ``text`` to standard error if that takes it at once, and return whether it did."""
    _, writable, _ = select.select((), (STDERR,), (), 0)
    if writable:
        with suppress(OSError):  # often the same closed pipe as standard output
            os.write(STDERR, text.encode(errors="backslashreplace")[: select.PIPE_BUF])
            return True
    return False


def is_colourful() -> bool:
    """Whether standard output is a terminal that shows colours, and nobody objects."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and os.isatty(STDOUT)


async def _write(octets: bytes) -> int:
    """Write some of ``octets``, at most ``PIPE_BUF``, and return how many. A checkpoint."""
    if os.isatty(STDOUT):  # writable with room for one octet; a stopped one blocks for the others
        return await trio.to_thread.run_sync(os.write, STDOUT, octets, abandon_on_cancel=True)
    await _wait_writable()
    return os.write(STDOUT, octets)


async def _wait_writable() -> None:
    """Wait until ``PIPE_BUF`` octets can be written without blocking."""
    try:
        await trio.lowlevel.wait_writable(STDOUT)
    except PermissionError:  # a file or a device: never full in this sense, and epoll refuses it
        await trio.lowlevel.checkpoint()


def _encoding() -> str:
    return "utf-8" if sys.stdout is None else sys.stdout.encoding
