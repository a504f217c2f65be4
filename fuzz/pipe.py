"""Reads the lines of a file of targets from a pipe, in which it comes in pieces."""

import os
from contextlib import closing

import trio

from fuzz.cuts import cut
from probe.cli.targets import Lines


def read_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Read all lines, and their numbers."""
    return trio.run(_read, data)


async def _read(data: bytes) -> list[tuple[int, bytes]]:
    reader, writer = os.pipe()
    seen: list[tuple[int, bytes]] = []
    with closing(Lines(reader)) as lines:
        for piece in cut(data):
            os.write(writer, piece)
            seen += await lines.read() or []
        os.close(writer)
        while (some := await lines.read()) is not None:
            seen += some
    return seen


def split_slowly(data: bytes) -> list[bytes]:
    """What its lines are, read by eye."""
    lines = data.split(b"\n")
    lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    return lines[:-1] if data.endswith(b"\n") or not data else lines
