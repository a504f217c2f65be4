"""The receive buffer: lines and counts off the front, in linear time."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.ssh import packet
from probe.ssh.buffer import ReceiveBuffer
from probe.ssh.rules import Findings


def filled(*pieces: bytes) -> ReceiveBuffer:
    buffer = ReceiveBuffer()
    for piece in pieces:
        buffer.append(piece)
    return buffer


def octet_by_octet(octets: bytes) -> Iterable[bytes]:
    return (octets[at : at + 1] for at in range(len(octets)))


@pytest.mark.parametrize(
    ("octets", "most", "line", "left"),
    [
        (b"", 9, None, b""),
        (b"ab", 9, None, b"ab"),
        (b"\n", 9, b"\n", b""),
        (b"ab\r\ncd\n", 9, b"ab\r\n", b"cd\n"),
        (b"ab\0cd\n", 9, b"ab\0", b"cd\n"),
        (b"\0\n", 9, b"\0", b"\n"),
        (b"ab\n", 3, b"ab\n", b""),
        (b"abc\n", 3, None, b"abc\n"),
    ],
)
def test_take_line(octets: bytes, most: int, line: bytes | None, left: bytes) -> None:
    buffer = filled(octets)
    assert buffer.take_line(most) == line
    assert buffer.peek(99) == left


@pytest.mark.parametrize(
    ("count", "taken", "left"),
    [(0, b"", b"abc"), (2, b"ab", b"c"), (3, b"abc", b""), (4, None, b"abc")],
)
def test_take_exactly(count: int, taken: bytes | None, left: bytes) -> None:
    buffer = filled(b"a", b"bc")
    assert buffer.take_exactly(count) == taken
    assert buffer.peek(99) == left
    assert len(buffer) == len(left)


def test_peek_takes_nothing() -> None:
    buffer = filled(b"abc")
    assert (buffer.peek(2), buffer.peek(9), len(buffer)) == (b"ab", b"abc", 3)


# What was searched in vain is remembered for this front alone.
def test_a_line_is_found_after_octets_were_taken() -> None:
    buffer = filled(b"abcd")
    assert buffer.take_line(9) is None
    assert buffer.take_exactly(3) == b"abc"
    buffer.append(b"\ne\n")
    assert buffer.take_line(9) == b"d\n"
    assert buffer.take_line(9) == b"e\n"


# Law 1: the cap holds however the octets came, and the line behind it is not found by waiting.
def test_a_line_beyond_the_most_is_never_taken() -> None:
    buffer = ReceiveBuffer()
    for octet in octet_by_octet(b"abcd\n"):
        buffer.append(octet)
        assert buffer.take_line(4) is None


@settings(deadline=None)
@given(st.lists(st.binary(max_size=12).map(lambda octets: octets.replace(b"a", b"\n"))))
def test_lines_are_what_split_says(pieces: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    lines = []
    for piece in pieces:
        buffer.append(piece)
        while (line := buffer.take_line(1000)) is not None:
            lines.append(line)
    whole = b"".join(pieces)
    assert lines == re.findall(rb"[^\n\0]*[\n\0]", whole)
    assert b"".join(lines) + buffer.peek(1000) == whole


class CountingPattern:
    """Searches like the pattern that it stands for, and counts the octets it looks at."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.searched = 0

    def search(self, octets: bytearray, begin: int, end: int) -> re.Match[bytes] | None:
        found = self._pattern.search(octets, begin, end)
        stopped = min(len(octets), end) if found is None else found.end()
        self.searched += max(0, stopped - begin)
        return found


# Linear time: no octet is searched twice, in the worst way of cutting.
@pytest.mark.parametrize(
    "octets",
    [b"a" * 8192, b"a" * 8191 + b"\n", b"ab\r\n" * 2000, b"\n" * 5000, b"\0" * 5000],
    ids=["no-line", "longest-line", "short-lines", "empty-lines", "nuls"],
)
def test_no_octet_is_searched_twice(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = CountingPattern(re.compile(rb"[\n\0]"))
    monkeypatch.setattr("probe.ssh.buffer._LINE_END", counting)
    buffer = ReceiveBuffer()
    for octet in octet_by_octet(octets):
        buffer.append(octet)
        buffer.take_line(8192)
    assert counting.searched == len(octets)


class CountingBuffer(ReceiveBuffer):
    """Counts the octets that it hands out."""

    handed_out = 0

    def peek(self, most: int) -> bytes:
        octets = super().peek(most)
        self.handed_out += len(octets)
        return octets

    def take_exactly(self, count: int) -> bytes | None:
        octets = super().take_exactly(count)
        self.handed_out += len(octets or b"")
        return octets


# Linear time: a packet that comes octet by octet costs its header a time, and itself once.
def test_a_dripped_packet_is_copied_once() -> None:
    octets = b"\0\0\x88\xb4\x04\x02" + bytes(34994)
    buffer = CountingBuffer()
    payloads = []
    for octet in octet_by_octet(octets):
        buffer.append(octet)
        payloads.append(packet.read_payload(buffer, len(octets), Findings()))
    assert payloads == [None] * 34999 + [b"\x02" + bytes(34990)]
    assert buffer.handed_out <= (5 + 1) * len(octets)
