"""``sshprobe conform``: a line for each case, reports, and a status that says what a CI needs."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_pieces import PATIENCE_S, sshprobe, start

from probe.cli import main

QUICK = ("--limit", "0.5", "--margin", "0.4", "--hard-limit", "1")
PROBER = (sys.executable, "-m", "probe", "check", "--limit", "{limit}", "{host}:{port}")

CONNECTS = "import os, socket, sys, time; s = socket.create_connection((sys.argv[1], sys.argv[2]))"
USAGE = 3

Capture = pytest.CaptureFixture[str]


def client(program: str) -> tuple[str, ...]:
    """Return a client of one line that has connected."""
    return ("--", sys.executable, "-ISc", f"{CONNECTS}; {program}", "{host}", "{port}")


FAILS = client("sys.exit(1)")
HANGS = client("s.makefile('rb').read()")
LIES = client("sys.exit(0)")


# What is printed. --------------------------------------------------------------------------------


def test_each_case_is_a_line_and_the_last_one_counts_them() -> None:
    done = sshprobe("conform", "--case", "silent", "--case", "http", *QUICK, *FAILS)
    *cases, summary = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in cases] == ["passed", "passed"]
    assert {line.split()[4] for line in cases} == {"silent", "http"}
    assert [line.split()[-1] for line in cases] == ["1/2", "2/2"]
    told = "2 cases: 2 passed; failed: 0 MUST, 0 SHOULD, 0 informational"
    assert summary == f"{Path(sys.executable).name}: {told}"


def test_a_failed_case_is_explained_under_its_line() -> None:
    done = sshprobe("conform", "--case", "silent", *QUICK, *HANGS)
    head, *why, summary = done.stdout.splitlines()
    assert done.returncode == 1
    assert head.startswith("hung ")
    assert why[0].startswith("         MUST, RFC 4253 §4.2: It was still running after")
    assert all(len(line) <= 80 for line in why)
    assert "1 hung; failed: 1 MUST" in summary


def test_what_a_client_owes_less_is_told_and_is_no_failure() -> None:
    done = sshprobe("conform", "--kind", "kexinit", "--case", "max-*", *QUICK, *LIES)
    assert done.returncode == 0
    assert "SHOULD, " in done.stdout
    assert "failed: 0 MUST, 2 SHOULD" in done.stdout


def test_the_prober_passes_as_a_client_that_stops_at_kexinit() -> None:
    cases = ("--case", "openssh", "--case", "silent")
    done = sshprobe("conform", "--kind", "kexinit", *cases, "--name", "sshprobe", "--", *PROBER)
    assert done.stdout.splitlines()[-1].startswith("sshprobe: 2 cases: 2 passed;")


def test_success_may_be_what_the_output_shows() -> None:
    shows = client("print('a key of it'); sys.exit(0)")
    lies = sshprobe("conform", "--case", "silent", "--success", "^a key", *QUICK, *shows)
    fails = sshprobe("conform", "--case", "silent", "--success", "^no key", *QUICK, *shows)
    assert (lies.returncode, fails.returncode) == (1, 0)


def test_a_driver_is_seen_to_leave_what_it_leaves() -> None:
    call = client(
        "print('sshprobe: calling threads=1'); s.close();"
        " print('sshprobe: returned failed', flush=True);"
        " sys.stdin.read(); print('sshprobe: left threads=2')"
    )
    done = sshprobe("conform", "--driver", "--case", "silent", *QUICK, *call)
    assert done.stdout.startswith("leaked ")
    assert "threads: 1 before, 2 after" in " ".join(done.stdout.split())


def test_text_of_a_client_is_escaped() -> None:
    says = client(r"print('Traceback (most recent call last):\n\x1b[31mred'); sys.exit(1)")
    done = sshprobe("conform", "--case", "silent", *QUICK, *says)
    assert "\x1b" not in done.stdout
    assert r"\\x1b[31mred" in done.stdout


# The results as JSON. ----------------------------------------------------------------------------


def test_results_are_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    sshprobe("conform", "--case", "silent", "--json", str(path), "--name", "x 1.0", *QUICK, *FAILS)
    results = json.loads(path.read_text())
    assert results["client"]["name"] == "x 1.0"
    assert results["complete"] is True
    assert [case["result"] for case in results["cases"]] == ["passed"]
    assert list(tmp_path.iterdir()) == [path]


def test_json_on_standard_output_is_alone_there() -> None:
    done = sshprobe("conform", "--case", "silent", "--json", "-", *QUICK, *FAILS)
    assert json.loads(done.stdout)["complete"] is True


def test_a_report_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "results.json"
    began = time.monotonic()
    done = sshprobe("conform", "--case", "silent", "--json", str(path), *HANGS)
    assert done.returncode == USAGE
    assert "no file can be made there" in done.stderr
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_writes_what_it_has(number: int, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    cases = ("--case", "closes-at-once", "--case", "silent")
    reads = client("s.recv(1); sys.exit(1)")
    with start("conform", *cases, "--limit", "60", "--json", str(path), *reads) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"passed ")
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 128 + number
    results = json.loads(path.read_text())
    assert results["complete"] is False
    assert [case["name"] for case in results["cases"]] == ["closes-at-once"]


# Mistakes. ---------------------------------------------------------------------------------------


@pytest.fixture
def refused(capfd: Capture) -> Callable[..., str]:
    """Return a function that runs ``sshprobe conform`` and says why that refuses."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["conform", *arguments])
        shown, complaints = capfd.readouterr()
        assert (end.value.code, shown) == (USAGE, "")
        return complaints.splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "name the client"),
        (["--"], "name the client"),
        (["ssh", "{host}"], "write {port} among its arguments"),
        (["--case", "nothing", "x", "{port}"], "no case fits 'nothing'"),
        (["--limit", "0", "x", "{port}"], "more than 0 seconds"),
        (["--limit", "inf", "x", "{port}"], "more than 0 seconds"),
        (["--margin", "-1", "x", "{port}"], "more than 0 seconds"),
        (["--hard-limit", "6", "x", "{port}"], "later than --limit and --margin together"),
        (["--jobs", "0", "x", "{port}"], "--jobs goes from 1"),
        (["--success", "(", "x", "{port}"], "--success: missing )"),
        (["--kind", "logn", "x", "{port}"], "did you mean login?"),
        (["--limt", "3", "x", "{port}"], "did you mean --limit?"),
    ],
)
def test_mistakes_are_refused(arguments: list[str], why: str, refused: Callable[..., str]) -> None:
    assert why in refused(*arguments)


def test_words_after_the_client_are_the_clients(tmp_path: Path) -> None:
    path = tmp_path / "json"
    program = f"{CONNECTS}; print(sys.argv[3:]); sys.exit(1)"
    words = (sys.executable, "-ISc", program, "{host}", "{port}", "--json", "--limit", "{case}")
    done = sshprobe("conform", "--case", "silent", *QUICK, "--json", str(path), *words)
    assert done.returncode == 0
    [case] = json.loads(path.read_text())["cases"]
    assert case["output"] == "['--json', '--limit', 'silent']\n"


def test_a_client_that_cannot_be_started_is_a_mistake() -> None:
    done = sshprobe("conform", "--case", "silent", "--", "/there/is/none", "{port}")
    assert done.returncode == USAGE
    assert done.stderr == 'sshprobe: cannot start "/there/is/none": No such file or directory\n'


# Reports, and failures that are known. -----------------------------------------------------------


def test_reports_of_a_run_are_written(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("json", "junit", "html", "markdown")}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    done = sshprobe("conform", "--case", "silent", *options, "--name", "x", *QUICK, *HANGS)
    assert done.returncode == 1
    assert json.loads(paths["json"].read_text())["client"]["name"] == "x"
    assert '<failure type="hung"' in paths["junit"].read_text()
    assert paths["html"].read_text().startswith("<!DOCTYPE html>")
    assert "| x | 0 | 1 |" in paths["markdown"].read_text()


def test_results_of_several_clients_are_reported_side_by_side(tmp_path: Path) -> None:
    results, page = [], tmp_path / "page.html"
    for name, program in (("one", FAILS), ("two", LIES)):
        results.append(str(tmp_path / name))
        run = ("--case", "silent", "--json", results[-1], "--name", name)
        sshprobe("conform", *run, *QUICK, *program)
    done = sshprobe("conform", "--html", str(page), "--results", *results)
    assert done.returncode == 0
    head, *rows = (line.split() for line in done.stdout.splitlines())
    assert head[:2] == ["client", "passed"]
    assert rows == [["one", *"1000000"], ["two", *"0001001"]]
    assert page.read_text().count("application/json") >= 1


def test_a_failure_that_is_known_is_none_and_a_change_is_one(tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    cases = ("--case", "silent", "--case", "http")
    first = sshprobe("conform", *cases, "--write-expected-failures", str(known), *QUICK, *LIES)
    assert first.returncode == 1
    assert "silent wrong" in known.read_text()
    again = sshprobe("conform", *cases, "--expected-failures", str(known), *QUICK, *LIES)
    assert again.returncode == 0
    mended = sshprobe("conform", *cases, "--expected-failures", str(known), *QUICK, *FAILS)
    assert mended.returncode == 1
    assert "expected to be wrong (line 2): silent passed" in mended.stdout
    known.write_text("silent wrong\n")
    new = sshprobe("conform", *cases, "--expected-failures", str(known), *QUICK, *LIES)
    assert (new.returncode, new.stdout.splitlines()[-1]) == (1, "not expected: http wrong")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("--expected-failures", "silent", "line 1: "),
        ("--expected-failures", "no-such-case hung", "line 1: "),
        ("--results", "{}", "not results of sshprobe conform"),
        ("--results", "{", "Expecting"),
    ],
)
def test_files_that_make_no_sense_are_refused(
    name: str, text: str, why: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    client = () if name == "--results" else ("x", "{port}")
    said = refused(name, str(path), *client)
    assert f"{str(path)!r}: " in said
    assert why in said
    assert "No such file" in refused(name, str(tmp_path / "none"), *client)


def test_earlier_results_go_with_no_client(refused: Callable[..., str]) -> None:
    assert "with no client" in refused("--json", "x", "--results", "y")
