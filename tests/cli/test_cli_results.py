"""Files of results: whole lines, and what is in them is not done twice and not left out."""

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from probe.cli.results import LONGEST_LINE_OCTETS, Done, Results, open_again, open_new
from probe.evidence import End, Evidence
from probe.report import Report
from probe.ssh.kexinit import Algorithms, KexInit
from probe.ssh.limits import PACKET_LENGTH_CAP_OCTETS
from probe.target import Target

hosts = st.sampled_from(["a", "b.example", "::1", "\\x", 'quote"', "é", "h" * 300]) | st.text(
    min_size=1,
)
targets = st.builds(Target, hosts, st.integers(1, 65535))


def line(host: str, port: int) -> str:
    evidence = Evidence(host, port)
    evidence.end = End.UNCONNECTED
    return Report(evidence).to_json()


@contextmanager
def standard_output_kept() -> Iterator[None]:
    kept = os.dup(1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def resume(path: Path) -> Done:
    with standard_output_kept():
        return open_again(str(path))[1]


def write(lines: list[str], path: Path, *, new: bool = True) -> None:
    async def write_all(results: Results) -> None:
        for each in lines:
            await results.write(each)

    with standard_output_kept():
        trio.run(write_all, open_new(str(path)) if new else open_again(str(path))[0])


# What is done. -----------------------------------------------------------------------------------


@given(done=st.lists(targets, max_size=20), wanted=st.lists(targets, max_size=20))
def test_every_target_is_passed_over_as_often_as_it_was_reported(
    done: list[Target],
    wanted: list[Target],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("done") / "file"
    path.write_text("".join(f"{line(*target)}\n" for target in done))
    resumed, left = resume(path), Counter(done)
    assert len(resumed) == len(done)
    for target in [*wanted, *wanted, *done]:
        assert resumed.take(target) is (left[target] > 0)
        left[target] -= 1


def test_nine_octets_a_target() -> None:
    done = Done()
    for number in range(100_000):
        done.add(f"host{number}", 22)
    done.close()
    size = sum(map(sys.getsizeof, [*done._hashes, *done._taken]))  # noqa: SLF001 - it is the claim
    assert size < 100_000 * 9 + 256 * 200


def test_a_report_that_another_program_wrote_anew_counts(tmp_path: Path) -> None:
    path = tmp_path / "file"
    members = json.loads(line("a", 2222))
    path.write_text(json.dumps(dict(sorted(members.items())), separators=(",", ":")) + "\n\n")
    assert resume(path).take(Target("a", 2222))


# What is in the file. ----------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 100, 600])
def test_a_torn_line_is_cut_off_and_done_again(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    write([line("a", 1), line("b", 2)], path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    done = resume(path)
    assert [done.take(Target("a", 1)), done.take(Target("b", 2))] == [True, False]
    write([line("b", 2)], path, new=False)
    assert path.read_bytes() == whole


# A hostile server must not make a file that no sweep can go on with.
def test_the_longest_report_can_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "results"
    names = (b"\1",) * (PACKET_LENGTH_CAP_OCTETS // 2)
    seen = Evidence("host.example", 22)
    seen.end = End.COMPLETE
    seen.kexinit = KexInit(bytes(16), Algorithms(*[names], *[()] * 9), False, 0)  # noqa: FBT003
    longest = Report(seen).to_json(transcript=True) + "\n"
    assert 2**20 < len(longest) < LONGEST_LINE_OCTETS * 3 / 4
    path.write_text(longest)
    assert resume(path).take(Target("host.example", 22))


def test_a_file_that_is_not_there_is_begun(tmp_path: Path) -> None:
    assert len(resume(tmp_path / "file")) == 0
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize(
    "text",
    [
        "targets\n",
        line("a", 1) + "\n{}\n",
        line("a", 1)[:-9] + "\n" + line("b", 1) + "\n",
        line("a", 1).replace("report-1", "report-9") + "\n",
        "[]\n",
        "x" * 3_000_000,
        "[" * 100_000 + "\n",
    ],
    ids=["other text", "another object", "torn", "another schema", "list", "no end", "deep"],
)
def test_what_is_no_file_of_results_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ValueError, match="this is no report"):
        resume(path)
    assert path.read_text() == text


def test_a_file_with_something_in_it_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious\n")
    with standard_output_kept(), pytest.raises(ValueError, match="not empty"):
        open_new(str(path))
    assert path.read_text() == "precious\n"


@pytest.mark.parametrize("open_it", [open_new, open_again])
def test_two_sweeps_do_not_share_a_file(open_it: object, tmp_path: Path) -> None:
    with standard_output_kept():
        open_again(str(tmp_path / "file"))
        with pytest.raises(ValueError, match="another sweep"):
            open_it(str(tmp_path / "file"))  # type: ignore[operator]


def test_only_a_file_can_be_gone_on_with() -> None:
    with pytest.raises(ValueError, match="no file"):
        resume(Path("/dev/null"))


def test_no_descriptor_is_left_after_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x\n")
    before = os.listdir("/dev/fd")  # noqa: PTH208 - names are enough
    for refuse in (open_new, open_again):
        with pytest.raises(ValueError, match=r"not empty|no report"):
            refuse(str(tmp_path / "file"))
    assert os.listdir("/dev/fd") == before  # noqa: PTH208 - as above


def test_a_line_is_one_write(tmp_path: Path) -> None:
    """What a crash can tear is one line: even one that is larger than a pipe takes."""
    program = textwrap.dedent("""\
        import os, sys, trio
        from probe.cli.results import open_new
        results = open_new(sys.argv[1])
        writes, write = [], os.write
        os.write = lambda fd, octets: (writes.append(len(octets)), write(fd, octets))[1]
        trio.run(results.write, "x" * 99_999)
        sys.exit(writes != [100_000])
        """)
    command = [sys.executable, "-c", program, str(tmp_path / "file")]
    assert subprocess.run(command, check=False, timeout=20).returncode == 0


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    with standard_output_kept():
        results = open_new(str(tmp_path / "file"))
        results.require_there()
        (tmp_path / "file").unlink()
        with pytest.raises(FileNotFoundError):
            results.require_there()
