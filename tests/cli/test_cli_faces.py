"""The faces of ``check`` that decide, choose and explain: as processes."""

import json
import signal
import socket
import sys
from collections.abc import Iterator

import pytest
from cli_pieces import HOST, SCRIPT, Mute, Servers, sshprobe, start
from jsonschema import Draft202012Validator

from probe.catalogue import SERVERS
from probe.explanations import BY_CODE, EXPLANATIONS
from probe.report import schema
from probe.verdict import VERDICTS

GOOD = "openssh"
THROTTLED = "penalty-then-closes"
BROKEN = "garbage"


def refused_port() -> str:
    """A target on which nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        return f"{HOST}:{listener.getsockname()[1]}"


# The page. ---------------------------------------------------------------------------------------


def test_a_page_for_each_target(servers: Servers) -> None:
    targets = [servers.start(GOOD), servers.start(BROKEN)]
    done = sshprobe("check", "-v", *targets)
    assert done.returncode == 2
    heads = [line for line in done.stdout.splitlines() if line.startswith(("OK ", "CRITICAL "))]
    assert sorted(line.split()[1] for line in heads) == sorted(targets)
    assert done.stdout.count("\nHow sure\n") == 2
    assert done.stdout.endswith("\n\n")


def test_two_vs_show_all_that_passed(servers: Servers) -> None:
    target = servers.start(GOOD)
    page = sshprobe("check", "-v", target).stdout
    whole = sshprobe("check", "-vv", target).stdout
    assert " octets more" in page
    assert " octets more" not in whole
    assert len(whole.splitlines()) > len(page.splitlines()) + 100


def test_json_has_the_transcript_if_asked(servers: Servers) -> None:
    target = servers.start(GOOD)
    [short] = sshprobe("check", "--json", target).stdout.splitlines()
    [long] = sshprobe("check", "--json", "-v", target).stdout.splitlines()
    assert json.loads(short)["transcript"] is None
    assert [row["side"] for row in json.loads(long)["transcript"]][:2] == ["client", "server"]


# What is expected. -------------------------------------------------------------------------------

EXPECTATIONS = {
    ("--expect", "ok"): (0, 2, 2),
    ("--expect", "not-ssh"): (2, 0, 2),
    ("--expect", "refused"): (2, 2, 0),
    ("--expect", "refused,ok"): (0, 2, 0),
    ("--expect", "refused", "--expect", "ok"): (0, 2, 0),
    ("--require", "kex:mlkem768*"): (0, 2, 2),
    ("--require", "kex:none"): (2, 2, 2),
    ("--forbid", "mac:*sha1*"): (2, 2, 2),
    ("--forbid", "mac:*md5*"): (0, 2, 2),
    ("--warn-on", "name-twice,strict-kex-absent"): (0, 2, 2),
    ("--expect", "refused,ok", "--forbid", "mac:*sha1*"): (2, 2, 0),
}
"""Exit statuses of a good server, of one that speaks something else, and of a port without any."""


@pytest.mark.parametrize("options", EXPECTATIONS, ids=" ".join)
def test_expectations_decide(options: tuple[str, ...], servers: Servers) -> None:
    targets = (servers.start(GOOD), servers.start(BROKEN), refused_port())
    statuses = tuple(sshprobe("check", *options, target).returncode for target in targets)
    assert statuses == EXPECTATIONS[options]


def test_a_finding_can_be_a_warning(servers: Servers) -> None:
    done = sshprobe("check", "--warn-on", "strict-kex-absent", servers.start("go"))
    assert done.returncode == 1
    assert done.stdout.startswith("WARNING ")
    assert "  ok (finding strict-kex-absent)  SSH-2.0-Go" in done.stdout


def test_what_was_expected_is_said_in_the_line_and_in_json(servers: Servers) -> None:
    target = servers.start(GOOD)
    line = sshprobe("check", "--expect", "refused", target).stdout
    assert line.startswith(f"CRITICAL  {target}  ok (expected refused)  SSH-2.0-OpenSSH_10.5  ")
    [text] = sshprobe("check", "--expect", "refused", "--json", target).stdout.splitlines()
    report = json.loads(text)
    assert (report["verdict"], report["state"]) == ("ok", "critical")
    assert report["reasons"] == ["expected refused"]
    assert list(Draft202012Validator(json.loads(schema())).iter_errors(report)) == []


WRONG_WISHES = {
    "--expect silnt": "no verdict is called 'silnt'; did you mean silent?",
    "--expect ok,": "no verdict is called ''; sshprobe explain lists them",
    "--warn-on name-twise": "no finding is called 'name-twise'; did you mean name-twice?",
    "--warn-on line-too-long": "no finding is called 'line-too-long'",
    "--require cipher:aes": "write KIND:NAME with a kind of kex, host-key, encryption, mac,",
    "--expect refused --require kex:x": "--require and --forbid need a KEXINIT: add ok to --expect",
    "--source localhost": "not a numeric address to connect from: 'localhost'",
    "--source ::1 -4": "::1 is no address of IP version 4",
}


@pytest.mark.parametrize("line", WRONG_WISHES)
def test_a_wish_that_makes_no_sense_is_named(line: str) -> None:
    done = sshprobe("check", *line.split(), "host")
    assert done.returncode == 3
    assert WRONG_WISHES[line] in done.stderr.splitlines()[-1]


# 0 or 1 only. ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "status"), [(GOOD, 0), (THROTTLED, 0), (BROKEN, 1)])
def test_a_binary_status(name: str, status: int, servers: Servers) -> None:
    """A server that is full lives: restarting its container would help nobody."""
    assert sshprobe("check", "--exit-binary", servers.start(name)).returncode == status


def test_a_binary_status_of_all_else() -> None:
    assert sshprobe("check", "--exit-binary", refused_port()).returncode == 1
    assert sshprobe("check", "--exit-binary", "--limit", "x", "host").returncode == 1
    assert sshprobe("check", "--exit-binary", "--source", "192.0.2.1", HOST).returncode == 1
    assert sshprobe("check", "--exit-binary", "--help").returncode == 0


def test_a_binary_status_after_a_signal(servers: Servers) -> None:
    mute = Mute()
    with start("check", "--exit-binary", servers.start_handler(mute.serve_client)) as process:
        mute.await_client()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1


def test_a_throttled_server_can_be_a_failure_all_the_same(servers: Servers) -> None:
    done = sshprobe("check", "--exit-binary", "--expect", "ok", servers.start(THROTTLED))
    assert done.returncode == 1


# Which address. ----------------------------------------------------------------------------------


def test_each_address_has_its_line(servers: Servers) -> None:
    target = servers.start(GOOD).replace(HOST, "localhost")
    done = sshprobe("check", "--all-addresses", "-4", target)
    assert done.stdout.startswith(f"OK        {target}  ok (at 127.0.0.1)  SSH-2.0-OpenSSH_10.5  ")
    assert done.returncode == 0


def test_a_name_without_addresses_has_one_line() -> None:
    done = sshprobe("check", "--all-addresses", "no-such-host.invalid")
    [line] = done.stdout.splitlines()
    assert line.startswith("CRITICAL  no-such-host.invalid:22  name-")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")
def test_a_connection_comes_from_the_source(servers: Servers) -> None:
    target = servers.start(GOOD)
    assert sshprobe("check", "--source", "127.0.0.9", target).returncode == 0


def test_a_source_that_is_not_ours_says_nothing_of_the_server(servers: Servers) -> None:
    done = sshprobe("check", "--source", "192.0.2.1", servers.start(GOOD))
    assert done.returncode == 3
    assert "local-error" in done.stdout
    assert "EADDRNOTAVAIL" in done.stdout


def test_targets_may_stand_between_options(servers: Servers) -> None:
    one, two, three = (servers.start(GOOD) for _ in range(3))
    done = sshprobe("check", one, "--limit", "5", two, "--json", three)
    assert len(done.stdout.splitlines()) == 3


# explain and schema. -----------------------------------------------------------------------------


@pytest.mark.parametrize("code", BY_CODE)
def test_every_code_is_explained(code: str, capfd: pytest.CaptureFixture[str]) -> None:
    from probe.cli import main  # noqa: PLC0415 - in this process: 83 of them would take long

    assert main(["explain", code]) == 0
    output, complaint = capfd.readouterr()
    assert complaint == ""
    lines = output.splitlines()
    assert lines[0].startswith(f"{code}  (")
    assert " ".join(lines[2:]).startswith(BY_CODE[code].sentence)
    assert max(map(len, lines)) <= 80
    assert not BY_CODE[code].shown_by or f"servers show {BY_CODE[code].shown_by}" in output


def test_without_a_code_all_are_listed() -> None:
    done = sshprobe("explain", command=SCRIPT)
    lines = done.stdout.splitlines()
    codes = [line.strip() for line in lines if line[:2] == "  " and line[2:3] not in ("", " ")]
    assert sorted(codes) == sorted(row.code for row in EXPLANATIONS)
    assert max(map(len, lines)) <= 80
    text = " ".join(done.stdout.split())
    assert all(row.sentence in text for row in VERDICTS)


def test_the_schema_is_printed() -> None:
    assert json.loads(sshprobe("schema").stdout) == json.loads(schema())


# Law 9, in the process that a person runs. -------------------------------------------------------


@pytest.fixture(scope="module")
def every_target() -> Iterator[list[str]]:
    """Some hold a client's socket for a minute after it left, which later tests would count."""
    running = Servers()
    yield [running.start(server) for server in SERVERS if not server.needs_kernel]
    running.close()


@pytest.mark.parametrize("options", [("-vv",), ("--json", "-v"), ()], ids=" ".join)
def test_no_octet_of_any_server_reaches_a_terminal(
    options: tuple[str, ...],
    every_target: list[str],
) -> None:
    done = sshprobe("check", "--limit", "3", *options, *every_target)
    assert done.returncode == 2
    assert done.stderr == ""
    assert all(line.isprintable() for line in done.stdout.split("\n") if line)
    if options != ("-vv",):
        assert len(done.stdout.splitlines()) == len(every_target)
