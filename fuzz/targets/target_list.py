"""A list is the same lines however it is cut; a line is targets that write back, or a refusal."""

from itertools import islice

from fuzz.pipe import read_lines, split_slowly
from probe.cli.targets import LONGEST_LINE_OCTETS, count_line, read_line
from probe.target import Target, parse_target, require_target, write_target
from probe.text import escape

MOST_TARGETS = 20
"""That are taken of a block."""


def one_input(data: bytes) -> None:
    """Read ``data`` as the file of a sweep."""
    lines, seen = split_slowly(data), read_lines(data)
    assert [number for number, _ in seen] == list(range(1, len(lines) + 1))
    for line, (_, read_as) in zip(lines, seen, strict=True):
        assert line == read_as or min(len(line), len(read_as)) > LONGEST_LINE_OCTETS
        for target in targets_of(line):
            require_target(*target)
            assert parse_target(write_target(*target)) == target


def targets_of(line: bytes) -> list[Target]:
    """Read one line; what is said of one that is refused can be printed."""
    try:
        targets = list(islice(read_line(line, 22), MOST_TARGETS))
    except ValueError as error:
        said = escape(str(error))
    else:
        said = ""
        if line.isascii() and line.strip() == line.decode().strip().encode():
            assert min(count_line(line), MOST_TARGETS) == len(targets)
    assert said.isprintable()
    return [] if said else targets
