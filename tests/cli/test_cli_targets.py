"""Lists of targets: read a line at a time, and no line is a crash."""

import os
import tracemalloc
from collections.abc import Iterable
from contextlib import closing
from ipaddress import ip_network
from itertools import islice
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from probe.cli.targets import LONGEST_LINE_OCTETS, BadLine, Input, Lines, count_targets, read_line
from probe.target import Target

LINES = {
    "host": [("host", 22)],
    "host:2222": [("host", 2222)],
    "  host \t": [("host", 22)],
    "host\r": [("host", 22)],
    "host # of the second floor": [("host", 22)],
    "ssh://user@host:2222": [("host", 2222)],
    "2001:db8::1": [("2001:db8::1", 22)],
    "[2001:db8::1]:2222": [("2001:db8::1", 2222)],
    "": [],
    "   ": [],
    "# host": [],
    "192.0.2.4/31": [("192.0.2.4", 22), ("192.0.2.5", 22)],
    "192.0.2.5/31": [("192.0.2.4", 22), ("192.0.2.5", 22)],
    "192.0.2.4/31:2222": [("192.0.2.4", 2222), ("192.0.2.5", 2222)],
    "192.0.2.4/32": [("192.0.2.4", 22)],
    "[2001:db8::]/127": [("2001:db8::", 22), ("2001:db8::1", 22)],
    "[2001:db8::]/127:2222": [("2001:db8::", 2222), ("2001:db8::1", 2222)],
    "2001:db8::/127": [("2001:db8::", 22), ("2001:db8::1", 22)],
}

BAD_LINES = {
    "two words": "not a host",
    "user@host": "write host without user@",
    "host:0": "not a port",
    "host:": "not a port",
    "192.0.2.0/33": "192.0.2.0/33",
    "192.0.2.0/24:": "not a port",
    "192.0.2.0/24:ssh": "not a port",
    "192.0.2/24": "192.0.2/24",
    "1.2.3.4.5/24": "1.2.3.4.5/24",
    "host/24": "not a host",
    "ssh://host/path": "has a path",
    "\0": "not a host",
    "x" * (LONGEST_LINE_OCTETS + 1): "longer than 1024 octets",
}


def read_all(path: Path | list[Path], done: Iterable[Target] = ()) -> tuple[Input, list[Target]]:
    names = [str(each) for each in ([path] if isinstance(path, Path) else path)]
    bad: list[BadLine] = []
    passed = set(done)

    async def read() -> tuple[Input, list[Target]]:
        source = Input(names, 22, passed.__contains__, bad.append)
        return source, [target async for target in source]

    source, targets = trio.run(read)
    assert len(bad) == source.bad_lines + source.unreadable
    return source, targets


@pytest.mark.parametrize("line", LINES)
def test_what_a_line_may_be(line: str) -> None:
    assert list(read_line(line.encode(), 22)) == LINES[line]


@pytest.mark.parametrize("line", BAD_LINES)
def test_what_is_wrong_with_a_line(line: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_line(line.encode(), 22)
    assert BAD_LINES[line] in str(refused.value)


def test_a_line_that_is_not_utf_8() -> None:
    with pytest.raises(ValueError, match="not UTF-8"):
        read_line(b"h\xf6st", 22)


@given(st.binary(max_size=2000))
def test_no_line_crashes(line: bytes) -> None:
    try:
        targets = list(islice(read_line(line, 22), 10))
    except ValueError:
        return
    assert all(target.host and 1 <= target.port <= 65535 for target in targets)


@given(
    st.ip_addresses(),
    st.integers(0, 6),
    st.integers(1, 65535) | st.none(),
    st.booleans(),
)
def test_a_block_is_each_of_its_addresses(
    address: object,
    bits: int,
    port: int | None,
    brackets: bool,  # noqa: FBT001 - a case
) -> None:
    longest = 128 if ":" in str(address) else 32
    network = ip_network(f"{address}/{longest - bits}", strict=False)
    host = f"[{address}]" if brackets or ":" in str(address) else str(address)
    line = f"{host}/{longest - bits}" + ("" if port is None else f":{port}")
    assert list(read_line(line.encode(), 22)) == [
        (str(one), 22 if port is None else port) for one in network
    ]


def test_the_largest_blocks_cost_nothing_until_they_are_read() -> None:
    assert list(islice(read_line(b"10.0.0.0/8", 22), 2)) == [("10.0.0.0", 22), ("10.0.0.1", 22)]
    assert list(islice(read_line(b"::/0", 22), 2)) == [("::", 22), ("::1", 22)]


# A byte order mark in front of it makes it no shorter, however a pipe cuts it.
def test_a_long_first_line_is_long_however_it_comes() -> None:
    async def read() -> list[tuple[int, bytes]]:
        reader, writer = os.pipe()
        with closing(Lines(reader)) as lines:
            os.write(writer, b"\xef\xbb\xbf" + b"h" * (LONGEST_LINE_OCTETS + 1))
            assert await lines.read() == []
            os.write(writer, b"\n")
            os.close(writer)
            return await lines.read() or []

    [(number, line)] = trio.run(read)
    assert (number, len(line)) == (1, LONGEST_LINE_OCTETS + 1)


# Files. ------------------------------------------------------------------------------------------

words = st.sampled_from(["a", "b:1", "c # d", "", "#", "two words", "192.0.2.0/30", "x" * 1500])


@given(
    lines=st.lists(words, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    ends=st.booleans(),
)
def test_a_file_is_its_lines(
    lines: list[str],
    end: str,
    ends: bool,  # noqa: FBT001 - a case
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes((end.join(lines) + (end if ends else "")).encode())
    wanted, bad = [], 0
    for line in lines:
        try:
            wanted += list(read_line(line.encode(), 22))
        except ValueError:
            bad += 1
    source, targets = read_all(path)
    assert targets == wanted
    assert source.bad_lines == bad


def test_files_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"\xef\xbb\xbfa\nb")
    (tmp_path / "two").write_bytes(b"")
    (tmp_path / "three").write_bytes(b"c\n")
    _, targets = read_all([tmp_path / "one", tmp_path / "two", tmp_path / "three"])
    assert [target.host for target in targets] == ["a", "b", "c"]


def test_a_bad_line_has_a_name_and_a_number(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"a\n\x1b[3J b\n#\nc\n\xff\n")
    bad: list[BadLine] = []

    async def read() -> list[Target]:
        return [target async for target in Input([str(path)], 22, lambda _: False, bad.append)]

    assert len(trio.run(read)) == 2
    assert [line.where.rpartition(", ")[2] for line in bad] == ["line 2", "line 5"]
    assert all(line.why.isprintable() and line.where.isprintable() for line in bad)


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "last").write_bytes(b"a\n")
    source, targets = read_all([tmp_path / "none", tmp_path, tmp_path / "last"])
    assert targets == [("a", 22)]
    assert source.unreadable == 2


def test_what_is_done_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"10.0.0.0/22\nb\n")
    done = [Target(f"10.0.{i // 256}.{i % 256}", 22) for i in range(1023)]
    source, targets = read_all(tmp_path / "list", done)
    assert targets == [("10.0.3.255", 22), ("b", 22)]
    assert source.passed_over == 1023


async def test_a_pipe_is_read_as_it_comes() -> None:
    reader, writer = os.pipe()
    source = Input([f"/dev/fd/{reader}"], 22, lambda _: False, lambda _: None)
    os.write(writer, b"a\nb")
    assert await anext(source) == ("a", 22)
    with trio.move_on_after(0.05) as waiting:
        await anext(source)
    assert waiting.cancelled_caught
    os.write(writer, b"c\n")
    assert await anext(source) == ("bc", 22)
    os.close(writer)
    with pytest.raises(StopAsyncIteration):
        await anext(source)
    os.close(reader)


@pytest.mark.parametrize("line", [b"10.0.0.0/9\n", b"x" * 8_000_000], ids=["a block", "one line"])
def test_memory_does_not_depend_on_what_is_in_a_file(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(line)

    async def read() -> int:
        source = Input([str(path)], 22, lambda _: False, lambda _: None)
        count = 0
        async for _ in source:
            count += 1
            if count == 5000:
                break
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    most = trio.run(read)
    tracemalloc.stop()
    assert most < 2_000_000


# How many there are. -----------------------------------------------------------------------------


def test_targets_are_counted_beforehand(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(
        "a\n\n# b\nssh://c\n192.0.2.0/24:2222\n2001:db8::/120\n" + "x" * 2000 + "\n1/99"
    )
    assert trio.run(count_targets, [str(path), str(path)]) == 2 * (2 + 256 + 256)


def test_what_can_be_read_only_once_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a")
    os.mkfifo(tmp_path / "fifo")
    assert trio.run(count_targets, [str(tmp_path / "list"), "-"]) is None
    assert trio.run(count_targets, [str(tmp_path / "fifo")]) is None
