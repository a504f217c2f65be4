"""What ``sshprobe check`` writes, and what happens where standard output takes nothing."""

import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from cli_pieces import ENVIRONMENT, MODULE, PATIENCE_S, Recorder, Servers, sshprobe, start

from probe.catalogue import BY_NAME, Server
from probe.catalogue.captured import OPENSSH_KEXINIT
from probe.catalogue.moves import Hold, Send
from probe.cli.colours import paint
from probe.verdict import State

GOOD = "openssh"
THROTTLED = "penalty-then-closes"
BROKEN = "garbage"
SILENT = "silent"

COLOURS = {
    GOOD: b"\x1b[32mOK\x1b[0m",
    THROTTLED: b"\x1b[33mWARNING\x1b[0m",
    BROKEN: b"\x1b[31mCRITICAL\x1b[0m",
}
"""Green, yellow and red, and back: SGR, ECMA-48 §8.3.117."""

PIPE_OCTETS = 64 * 1024
"""What a pipe holds on Linux unless told otherwise."""

IDENTIFICATION = b"SSH-2.0-x\r\n"

CONTROLS = bytes.fromhex("1b5d303b6f776e656407 1b5b334a 9b33316d 08 7f 0d c285 e280ae")
"""OSC that sets a title, CSI that clears the screen, C1 CSI as an octet, BS, DEL, CR, NEL as
UTF-8, and a bidirectional override."""


def hostile(*words: bytes) -> Server:
    """Return a server that says ``words`` and falls silent."""
    return replace(BY_NAME[SILENT], moves=(*map(Send, words), Hold()))


HOSTILE = {
    "line before": hostile(b"!" + CONTROLS + b"\r\n"),
    "no line end": hostile(b"!" + CONTROLS),
    "protoversion": hostile(b"SSH-9" + CONTROLS + b"-x\r\n"),
    "softwareversion": hostile(b"SSH-2.0-x\x1b[3J\x9b31m\x08\xe2\x80\xae\r\n", OPENSSH_KEXINIT),
    "packet": hostile(IDENTIFICATION, b"!" + CONTROLS + b"\r\n"),
    "algorithms": hostile(
        IDENTIFICATION,
        OPENSSH_KEXINIT.replace(b"aes128-ctr", b"aes\x1b[3J\xc2\x85\x7f"),
    ),
    "disconnect": hostile(
        IDENTIFICATION,
        bytes.fromhex("0000001c 0a 01 00000002 00000004 1b5b334a 00000000 00000000000000000000"),
    ),
}


def on_terminal(*arguments: str, environment: Mapping[str, str] = ENVIRONMENT) -> bytes:
    """Run the command on a terminal of its own, and return what that was sent."""
    ours, its = pty.openpty()
    shown = b""
    with start("check", *arguments, stdout=its, stderr=its, environment=environment):
        os.close(its)
        while octets := read_terminal(ours):
            shown += octets
    os.close(ours)
    return shown


def read_terminal(descriptor: int) -> bytes:
    """Return what came, ``b""`` at the end, which Linux says with EIO."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def wait(process: subprocess.Popen[bytes]) -> tuple[int, bytes, float]:
    """Wait for the end; return the exit status, standard error, and how long it took."""
    began = time.monotonic()
    _, complaints = process.communicate(timeout=PATIENCE_S)
    return process.returncode, complaints, time.monotonic() - began


def assert_plain(text: str) -> None:
    for line in text.split("\n"):
        assert line.isprintable(), line


# Colours, and the peer's. ------------------------------------------------------------------------


@pytest.mark.parametrize("name", COLOURS)
def test_colours_on_a_terminal(name: str, servers: Servers) -> None:
    target = servers.start(name)
    shown = on_terminal(target)
    coloured, rest = shown[: len(COLOURS[name])], shown[len(COLOURS[name]) :]
    assert coloured == COLOURS[name]
    assert re.fullmatch(rb" +%b  [^\x1b]+\r\n" % target.encode(), rest)


def test_every_state_has_a_colour_of_its_own() -> None:
    assert len({paint("state", state) for state in State}) == len(State) == 4


@pytest.mark.parametrize("name", COLOURS)
def test_no_colours_in_a_pipe(name: str, servers: Servers) -> None:
    assert "\x1b" not in sshprobe("check", servers.start(name)).stdout


@pytest.mark.parametrize(
    ("variable", "value", "colourful"),
    [
        ("NO_COLOR", "1", False),
        ("NO_COLOR", "", True),  # no-color.org: "when present and not an empty string"
        ("TERM", "dumb", False),
        ("TERM", "screen", True),
    ],
)
def test_who_wants_no_colours_gets_none(
    variable: str,
    value: str,
    *,
    colourful: bool,
    servers: Servers,
) -> None:
    shown = on_terminal(servers.start(GOOD), environment={**ENVIRONMENT, variable: value})
    assert (b"\x1b" in shown) == colourful


def test_json_has_no_colours_on_a_terminal(servers: Servers) -> None:
    shown = on_terminal("--json", servers.start(GOOD))
    assert json.loads(shown)["state"] == "ok"
    assert b"\x1b" not in shown


@pytest.mark.parametrize("words", HOSTILE)
def test_a_servers_control_characters_reach_no_pipe(words: str, servers: Servers) -> None:
    """Law 9: peer text is hostile (RFC 4251 §9.2)."""
    done = sshprobe("check", "--limit", "0.5", servers.start(HOSTILE[words]))
    assert done.stdout.count("\n") == 1
    assert_plain(done.stdout)
    assert done.stderr == ""


@pytest.mark.parametrize("words", HOSTILE)
def test_a_servers_control_characters_reach_no_terminal(words: str, servers: Servers) -> None:
    """Law 9: even where we colour, the peer does not."""
    shown = on_terminal("--limit", "0.5", servers.start(HOSTILE[words]))
    ours, end_of_colour, rest = shown.partition(b"\x1b[0m")
    assert re.fullmatch(rb"\x1b\[3[12]m(OK|CRITICAL)", ours)
    assert end_of_colour
    assert_plain(rest.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("words", HOSTILE)
def test_a_servers_control_characters_are_not_in_the_json_either(
    words: str,
    servers: Servers,
) -> None:
    """Law 9: nor does a reader of the JSON get them back out of it."""
    done = sshprobe("check", "--limit", "0.5", "--json", servers.start(HOSTILE[words]))
    assert done.stdout.isascii()
    assert done.stdout.count("\n") == 1
    assert_strings_are_plain(json.loads(done.stdout))


def assert_strings_are_plain(value: object) -> None:
    match value:
        case str():
            assert value.isprintable()
        case list():
            for item in value:
                assert_strings_are_plain(item)
        case dict():
            assert_strings_are_plain([*value, *value.values()])


# Nobody reads. -----------------------------------------------------------------------------------


def test_a_reader_that_left_ends_the_run(servers: Servers) -> None:
    """``sshprobe check … | head -1`` does not wait 24 s for the silent one, and is no trouble."""
    reader, writer = os.pipe()
    os.close(reader)
    targets = [servers.start(SILENT), servers.start(GOOD)]
    with start("check", "--limit", "60", *targets, stdout=writer) as run:
        os.close(writer)
        status, complaints, spent_s = wait(run)
    assert (status, complaints) == (141, b"")
    assert spent_s < 5


def test_a_reader_of_both_streams_that_left(servers: Servers) -> None:
    """``sshprobe check HOST 2>&1 | true``: nobody is there to hear a complaint, either."""
    reader, writer = os.pipe()
    os.close(reader)
    with start("check", servers.start(GOOD), stdout=writer, stderr=writer) as run:
        os.close(writer)
        assert run.wait(PATIENCE_S) == 141


def test_a_full_pipe_that_nobody_reads(servers: Servers) -> None:
    """Law 1: the reader's time is bounded, too."""
    reader, writer = os.pipe()
    fill(writer)
    targets = [servers.start(GOOD), servers.start(SILENT)]
    with start("check", "--limit", "1", *targets, stdout=writer) as run:
        status, complaints, spent_s = wait(run)
    os.close(writer)
    os.close(reader)
    assert status == 141
    assert complaints.startswith(b"sshprobe: ")
    assert complaints.count(b"\n") == 1
    assert spent_s < 5  # tests/proof/test_proof_process.py is exact


def fill(writer: int) -> None:
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"\n")
    except BlockingIOError:
        os.set_blocking(writer, True)


def test_a_terminal_that_nobody_reads(servers: Servers) -> None:
    """Law 1: a stopped terminal takes an octet, and blocks whoever writes two."""
    ours, its = pty.openpty()
    targets = [servers.start(GOOD)] * 15  # JSON of 3000 octets each: more than a terminal holds
    with start("check", "--json", *targets, stdout=its, stderr=its) as run:
        os.close(its)
        status, _, spent_s = wait(run)
    os.close(ours)
    assert status == 141
    assert spent_s < 5


def test_a_slow_reader_gets_every_line(servers: Servers) -> None:
    """The printer waits for its reader while any probe runs, and the probes for nobody."""
    targets = [servers.start(GOOD)] * 15 + [servers.start(GOOD)] * 15 + [servers.start(SILENT)]
    pause, text = Event(), b""
    with start("check", "--json", "--limit", "2.5", *targets) as run:
        assert run.stdout is not None
        while octets := os.read(run.stdout.fileno(), 2048):
            text += octets
            pause.wait(0.002)
        assert run.wait(PATIENCE_S) == 2
    assert len(text) > PIPE_OCTETS
    assert [json.loads(line)["state"] for line in text.splitlines()] == ["ok"] * 30 + ["critical"]


# Standard streams that are closed, full, or files. -----------------------------------------------


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, servers: Servers) -> None:
    """No socket gets the number of a standard stream: reports go to people, never to servers."""
    recorder = Recorder()
    targets = [servers.start(THROTTLED), servers.start_handler(recorder.serve_client)]
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh", *MODULE)
    done = sshprobe("check", "--limit", "0.5", *targets, command=shell)
    assert done.returncode == 2
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == (0 if ">&-" in closed.split() else 2)
    assert_is_only_a_handshake(recorder.conversation())


def assert_is_only_a_handshake(octets: bytes) -> None:
    """RFC 4253 §4.2 and §6: an identification string, one packet, nothing after it."""
    identification, _, packet = octets.partition(b"\r\n")
    assert re.fullmatch(rb"SSH-2\.0-sshprobe_[0-9.]+", identification)
    assert len(packet) == 4 + int.from_bytes(packet[:4])
    assert packet[5] == 20  # SSH_MSG_KEXINIT


@pytest.mark.parametrize("name", [GOOD, THROTTLED, BROKEN])
def test_a_closed_output_does_not_change_the_status(name: str, servers: Servers) -> None:
    shell = ("sh", "-c", 'exec "$@" >&-', "sh", *MODULE)
    statuses = {GOOD: 0, THROTTLED: 1, BROKEN: 2}
    assert sshprobe("check", servers.start(name), command=shell).returncode == statuses[name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "redirection",
    [">/dev/full", ">/dev/full 2>/dev/full", "1</dev/null", "1</dev/null 2>&-"],
)
def test_an_output_that_cannot_be_written(redirection: str, servers: Servers) -> None:
    shell = ("sh", "-c", f'exec "$@" {redirection}', "sh", *MODULE)
    done = sshprobe("check", servers.start(GOOD), command=shell)
    assert done.returncode == 141
    assert done.stdout == ""
    assert done.stderr.count("\n") == (0 if "2>" in redirection else 1)


def test_a_file(servers: Servers, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with report.open("wb") as file:
        file.write(b"yesterday's\n")
        file.flush()
        targets = [servers.start(GOOD), servers.start(BROKEN)]
        with start("check", *targets, stdout=file.fileno()) as run:
            assert wait(run)[:2] == (2, b"")
    old, *new = report.read_text().splitlines()
    assert old == "yesterday's"
    assert sorted(line.split()[0] for line in new) == ["CRITICAL", "OK"]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "é"), ("latin-1", "é"), ("ascii", r"\xe9")],
)
def test_a_locale_that_lacks_a_letter(encoding: str, shown: str, servers: Servers) -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": encoding}
    target = servers.start(hostile("SSH-9-é\r\n".encode()))
    with start("check", target, environment=environment) as run:
        line, _ = run.communicate(timeout=PATIENCE_S)
    assert f"SSH-9-{shown}".encode(encoding) in line
    assert run.returncode == 2
