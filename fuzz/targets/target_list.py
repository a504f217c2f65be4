"""A list is the same lines however it is cut; a line is targets that write back, or a refusal."""

import os
from contextlib import closing
from itertools import islice

import trio

from fuzz.cuts import cut
from probe.cli.targets import LONGEST_LINE_OCTETS, Lines, count_line, read_line
from probe.target import parse_target, require_target, write_target
from probe.text import escape

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_TARGETS = 20
"""That are taken of a block."""


def one_input(data: bytes) -> None:
    """Read ``data`` as the file of a sweep."""
    lines = data.split(b"\n")
    lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
    if data.endswith(b"\n") or not data:
        lines.pop()
    seen = trio.run(read, data)
    assert [number for number, _ in seen] == list(range(1, len(lines) + 1))
    for line, (_, read_as) in zip(lines, seen, strict=True):
        both_too_long = min(len(line), len(read_as)) > LONGEST_LINE_OCTETS
        assert line == read_as or both_too_long
        judge(line)


async def read(data: bytes) -> list[tuple[int, bytes]]:
    """Read it from a pipe, in which it comes in pieces."""
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


def show(refusal: str) -> None:
    """Show it as a sweep does."""
    assert escape(refusal).isprintable()


def judge(line: bytes) -> None:
    """Read one line, and write its targets again."""
    try:
        targets = list(islice(read_line(line, 22), MOST_TARGETS))
    except ValueError as error:
        show(str(error))
        return
    for target in targets:
        require_target(*target)
        assert parse_target(write_target(*target)) == target
    if line.isascii() and line.strip() == line.decode().strip().encode():
        assert min(count_line(line), MOST_TARGETS) == len(targets)
