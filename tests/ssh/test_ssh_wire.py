"""RFC 4251 §5: byte, boolean, uint32, string and name-list; the examples are the RFC's own."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.ssh.wire import (
    LengthBeyondError,
    PayloadReader,
    TruncatedError,
    encode_name_list,
    encode_string,
)

Read = Callable[[PayloadReader], object]


# R26, R27.
@pytest.mark.parametrize(
    ("read", "octets", "value", "left"),
    [
        (PayloadReader.byte, b"\x14\x00", 20, 1),
        (PayloadReader.uint32, b"\x29\xb7\xf4\xaa", 699921578, 0),
        (PayloadReader.uint32, b"\xff\xff\xff\xff", 4294967295, 0),
        (PayloadReader.string, b"\0\0\0\x07testing", b"testing", 0),
        (PayloadReader.string, b"\0\0\0\0", b"", 0),
        (PayloadReader.string, b"\0\0\0\x02a\0b", b"a\0", 1),
        (PayloadReader.name_list, b"\0\0\0\0", (), 0),
        (PayloadReader.name_list, b"\0\0\0\x04zlib", (b"zlib",), 0),
        (PayloadReader.name_list, b"\0\0\0\x09zlib,none", (b"zlib", b"none"), 0),
        (PayloadReader.name_list, b"\0\0\0\x01,", (b"", b""), 0),
        (PayloadReader.name_list, b"\0\0\0\x03a,,", (b"a", b"", b""), 0),
    ],
)
def test_read(read: Read, octets: bytes, value: object, left: int) -> None:
    reader = PayloadReader(octets)
    assert read(reader) == value
    assert reader.left() == left


@pytest.mark.parametrize(
    ("read", "octets", "error"),
    [
        (PayloadReader.byte, b"", TruncatedError),
        (PayloadReader.uint32, b"\0\0\0", TruncatedError),
        (PayloadReader.string, b"\0\0\0", TruncatedError),
        (PayloadReader.string, b"\0\0\0\x01", LengthBeyondError),
        (PayloadReader.string, b"\xff\xff\xff\xffabc", LengthBeyondError),
        (PayloadReader.name_list, b"", TruncatedError),
        (PayloadReader.name_list, b"\0\0\0\x05zlib", LengthBeyondError),
    ],
)
def test_octets_that_end_inside_a_field(
    read: Read,
    octets: bytes,
    error: type[TruncatedError],
) -> None:
    with pytest.raises(TruncatedError) as raised:
        read(PayloadReader(octets))
    assert raised.type is error


def test_length_beyond_says_both_lengths() -> None:
    with pytest.raises(LengthBeyondError, match=r"^5 octets claimed, 4 left$"):
        PayloadReader(b"\0\0\0\x05zlib").string()


def test_fields_follow_each_other_from_an_offset() -> None:
    reader = PayloadReader(b"\x14ab\x01\0\0\0\x01c", 1)
    assert (reader.take(2), reader.byte(), reader.string(), reader.left()) == (b"ab", 1, b"c", 0)


# A read that fails takes nothing.
def test_take_beyond_the_end_moves_nothing() -> None:
    reader = PayloadReader(b"abc")
    with pytest.raises(TruncatedError):
        reader.take(4)
    assert reader.take(3) == b"abc"


@pytest.mark.parametrize(
    ("names", "octets"),
    [
        ((), b"\0\0\0\0"),
        ((b"zlib",), b"\0\0\0\x04zlib"),
        ((b"zlib", b"none"), b"\0\0\0\x09zlib,none"),
    ],
)
def test_encode_name_list(names: tuple[bytes, ...], octets: bytes) -> None:
    assert encode_name_list(names) == octets


def test_encode_string() -> None:
    assert encode_string(b"testing") == b"\0\0\0\x07testing"


NAMES = st.lists(
    st.binary(min_size=1, max_size=70).filter(lambda name: b"," not in name),
    max_size=20,
).map(tuple)


@settings(deadline=None)
@given(NAMES, st.binary(max_size=9))
def test_name_list_read_after_written_is_itself(names: tuple[bytes, ...], rest: bytes) -> None:
    reader = PayloadReader(encode_name_list(names) + rest)
    assert (reader.name_list(), reader.left()) == (names, len(rest))


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=9))
def test_string_read_after_written_is_itself(octets: bytes, rest: bytes) -> None:
    reader = PayloadReader(encode_string(octets) + rest)
    assert (reader.string(), reader.left()) == (octets, len(rest))
