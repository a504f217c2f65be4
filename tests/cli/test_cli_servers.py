"""``sshprobe servers``: list the catalogue, show a row, serve rows."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from cli_pieces import ENVIRONMENT, HOST, MODULE, PATIENCE_S, sshprobe

from probe.catalogue import BY_NAME, SERVERS, Server
from probe.catalogue.moves import Drip, Move, Repeat, Send
from probe.cli import main

GOOD = "openssh"
SILENT = "silent"

BEGINNING = b"SSH-2.0-OpenSSH_10.5\r\n"
"""What the good server says first, as captured."""

USAGE = 3
"""Monitoring plugins: UNKNOWN; 2 would mean that a server is critical."""

every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)

Capture = pytest.CaptureFixture[str]
Refused = Callable[..., str]


@pytest.fixture
def refused(capfd: Capture) -> Refused:
    """Return a function that runs ``sshprobe servers`` and says why that refuses."""

    def run(*arguments: str) -> str:
        try:
            status: object = main(["servers", *arguments])
        except SystemExit as end:
            status = end.code
        shown, complaints = capfd.readouterr()
        assert (status, shown) == (USAGE, "")
        return complaints.splitlines()[-1]

    return run


# List. -------------------------------------------------------------------------------------------


def test_list_is_a_table_of_every_server() -> None:
    done = sshprobe("servers", "list")
    head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["id", "server", "level"]
    for row, server in zip(rows, SERVERS, strict=True):
        assert row.split()[:3] == [server.id, server.name, server.level]
        assert f" {server.expected.verdict}" in row
        assert all(finding in row for finding in server.expected.findings)
        assert row.isprintable()
    assert (done.returncode, done.stderr) == (0, "")


def test_list_as_json_is_an_object_a_server() -> None:
    done = sshprobe("servers", "list", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["name"] for row in found] == [server.name for server in SERVERS]
    for row, server in zip(found, SERVERS, strict=True):
        for member in ("id", "section", "level", "requirement", "differs"):
            assert row[member] == getattr(server, member)
        assert row["expected"]["verdict"] == server.expected.verdict
        assert list(map(len, row["moves"])) == list(map(len, server.turns))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_left_is_no_reason_to_complain() -> None:
    """``sshprobe servers list | true``."""
    reader, writer = os.pipe()
    os.close(reader)
    command = (*MODULE, "servers", "list")
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        _, complaints = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, complaints) == (141, b"")


# Show. -------------------------------------------------------------------------------------------


def test_show_says_what_a_server_does_octet_by_octet() -> None:
    done = sshprobe("servers", "show", "softwareversion-with-escapes")
    assert done.stdout.startswith(
        """\
I67  softwareversion-with-escapes
RFC 4251 §9.2, SHOULD: Control characters are to be filtered when the string is shown.

moves:
  send 23 octets
    0000  53 53 48 2d 32 2e 30 2d 1b 5b 33 31 6d 4f 70 65  SSH-2.0-.[31mOpe
    0010  6e 9b 53 53 48 0d 0a                             n.SSH..
  send 992 octets
    0000  00 00 03 dc 07 14 51 b9 08 dc 19 52 a9 4e 3a 19  ......Q....R.N:.
"""
    )
    assert done.stdout.endswith(
        """\
    03d0  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  send nothing more, and read until the client leaves

a good prober says: ok (softwareversion-not-printable)
where: -   whose limit: -
after: 0 s, with the default budget
"""
    )
    assert (done.returncode, done.stderr) == (0, "")


@every_server
def test_show_never_prints_a_control_octet(server: Server, capfd: Capture) -> None:
    """Law 9: whoever reads about a hostile server is not to be its victim."""
    assert main(["servers", "show", server.name]) == 0
    shown = capfd.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    for part in (server.name, server.section, server.requirement, server.expected.verdict):
        assert part in shown


@every_server
def test_show_prints_the_octets_themselves(server: Server, capfd: Capture) -> None:
    """The first 1024 of each move, as hex and, where they are printable ASCII, as text."""
    main(["servers", "show", server.name])
    expected = [octets_of(move)[:1024] for part in server.turns for move in part]
    assert undump(capfd.readouterr().out) == [octets for octets in expected if octets]


def octets_of(move: Move) -> bytes:
    return move.octets if isinstance(move, Send | Drip | Repeat) else b""


def undump(shown: str) -> list[bytes]:
    """Return the octets of each hex dump; ``*`` stands for lines like the one before it."""
    dumps: list[bytearray] = []
    lengths: list[int] = []
    for line in shown.splitlines():
        if head := re.match(r"  send (?:these )?(\d+) octets", line):
            lengths.append(min(int(head[1]), 1024))
            dumps.append(bytearray())
        elif row := re.fullmatch(r"    ([0-9a-f]{4})  ([0-9a-f ]{47})  (.{1,16})", line):
            octets = bytes.fromhex(row[2])
            assert row[3] == "".join(chr(octet) if 32 <= octet < 127 else "." for octet in octets)
            fill(dumps[-1], int(row[1], 16))
            dumps[-1] += octets
    for dump, length in zip(dumps, lengths, strict=True):
        fill(dump, length)
    return list(map(bytes, dumps))


def fill(dump: bytearray, length: int) -> None:
    while len(dump) < length:
        dump += dump[-16:]


def test_show_prints_equal_lines_once_and_says_how_much_it_leaves_out() -> None:
    lines = sshprobe("servers", "show", "endless-zeros").stdout.splitlines()
    at = lines.index("  send these 4096 octets over and over; after 64 MiB, every second")
    assert lines[at + 1 : at + 4] == [
        "    0000  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................",
        "    *",
        "    …     3072 octets more",
    ]


def test_show_tells_clients_that_take_turns_apart() -> None:
    shown = sshprobe("servers", "show", "drops-every-second-client").stdout
    first, second = shown.split("client 2 of 2:")
    assert "client 1 of 2:" in first
    assert "SSH-2.0-OpenSSH_" in first
    assert "Not allowed at t" in second
    assert "send RST" in second


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("silnt", "did you mean silent?"),
        ("kexinit-twise", "did you mean kexinit-twice?"),
        ("xyzzy", "see sshprobe servers list"),
    ],
)
@pytest.mark.parametrize("action", ["show", "serve"])
def test_an_unknown_name_gets_the_nearest_one(
    action: str,
    typed: str,
    hint: str,
    refused: Refused,
) -> None:
    said = refused(action, typed)
    assert repr(typed) in said
    assert said.endswith(hint)


def test_an_action_is_required(refused: Refused) -> None:
    assert "ACTION" in refused()


# Serve. ------------------------------------------------------------------------------------------


class Serving:
    """``sshprobe servers serve`` while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self.ports: dict[str, int] = json.loads(process.stdout.readline())

    def connect(self, name: str) -> socket.socket:
        return socket.create_connection((HOST, self.ports[name]), timeout=PATIENCE_S)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, bytes, bytes]:
        """Return the exit status, and what was written after the line of JSON."""
        self.process.send_signal(number)
        out, complaints = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, complaints


@contextmanager
def serving(
    *arguments: str,
    command: tuple[str, ...] = MODULE,
    stderr: int = subprocess.PIPE,
) -> Iterator[Serving]:
    with subprocess.Popen(
        (*command, "servers", "serve", *arguments),
        env=ENVIRONMENT,
        bufsize=0,
        stdout=subprocess.PIPE,
        stderr=stderr,
    ) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()


def free_ports(count: int) -> int:
    """Return the first of ``count`` ports in a row that nobody has, below those given to any."""
    for base in range(20_000, 30_000, count):
        listeners = []
        try:
            listeners += [socket.create_server((HOST, base + more)) for more in range(count)]
        except OSError:
            continue
        finally:
            for listener in listeners:
                listener.close()
        return base
    raise LookupError


def test_serve_prints_ports_on_which_the_servers_listen() -> None:
    with serving("tinysshd", GOOD, SILENT) as running:
        assert list(running.ports) == ["tinysshd", GOOD, SILENT]
        with running.connect(GOOD) as client:
            assert client.recv(len(BEGINNING)) == BEGINNING
        with running.connect("tinysshd") as client:
            assert client.recv(1024).startswith(b"SSH-2.0-tinyssh")
        assert running.stop() == (0, b"", b"")


def test_serve_all_serves_the_whole_catalogue_one_client_at_a_time() -> None:
    """``--max-clients`` counts clients: a server that waits for one keeps no other waiting."""
    with serving("--all", "--max-clients", "1") as running:
        assert list(running.ports) == list(BY_NAME)
        for name in (GOOD, "dropbear", "max-startups-then-closes", GOOD):
            with running.connect(name) as client:
                assert client.recv(1024) != b""
        assert running.stop() == (0, b"", b"")


def test_a_client_too_many_waits_until_another_leaves() -> None:
    with serving(GOOD, "openssh-9.2", "--max-clients", "1") as running:
        with running.connect(GOOD) as first:
            assert first.recv(1024) != b""
            second = running.connect("openssh-9.2")
            second.settimeout(0.2)
            with pytest.raises(TimeoutError):
                second.recv(1024)
        with second:
            second.settimeout(PATIENCE_S)
            assert second.recv(1024) != b""


def test_serve_on_ports_in_a_row() -> None:
    names = [GOOD, SILENT, "garbage"]
    base = free_ports(len(names))
    with serving(*names, "--port-base", str(base)) as running:
        assert running.ports == dict(zip(names, range(base, base + 3), strict=True))


def test_a_name_that_is_given_twice_is_served_once() -> None:
    with serving(SILENT, GOOD, SILENT) as running:
        assert list(running.ports) == [SILENT, GOOD]


def test_serve_on_another_address() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with (
        serving(GOOD, "--host", "::1") as running,
        socket.create_connection(("::1", running.ports[GOOD]), PATIENCE_S) as client,
    ):
        assert client.recv(len(BEGINNING)) == BEGINNING


def test_verbose_logs_what_each_client_did() -> None:
    with serving(SILENT, GOOD, "--verbose") as running:
        expected = []
        for name, octets in ((SILENT, b"SSH-2.0-x\r\n"), (GOOD, b"")):
            with running.connect(name) as client:
                client.sendall(octets)
                host, port = client.getsockname()
            assert running.process.stderr is not None
            said = running.process.stderr.readline().decode()
            expected.append(
                rf"sshprobe: {name}: {host}:{port} left after 0\.\d+ s and {len(octets)} octets\n"
            )
            assert re.fullmatch(expected[-1], said)
        assert running.stop() == (0, b"", b"")


def test_a_log_that_nobody_reads_keeps_no_client_waiting() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    with serving(GOOD, "-v", stderr=writer) as running:
        for _ in range(3):
            with running.connect(GOOD) as client:
                assert client.recv(len(BEGINNING)) == BEGINNING
        assert running.stop()[:2] == (0, b"")
    os.close(writer)
    os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_ordinary_end_also_with_clients(number: signal.Signals) -> None:
    """Law 7: nothing is left, and nobody sees a traceback."""
    names = [GOOD, SILENT, "never-accepts", "never-reads", "endless-octets", "tarpit-line-a-second"]
    with serving(*names) as running, ExitStack() as clients:
        for name in names:
            clients.enter_context(running.connect(name))
        assert running.stop(number) == (0, b"", b"")
        for port in running.ports.values():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, port)).close()


# Serve, refused. ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "name the servers to serve, or write --all", id="nothing"),
        pytest.param([GOOD, "--all"], "name the servers to serve, or write --all", id="both"),
        pytest.param([GOOD, "--port-base", "-1"], "--port-base", id="port -1"),
        pytest.param([GOOD, "--port-base", "65536"], "--port-base", id="port 65536"),
        pytest.param([GOOD, "--port-base", "ssh"], "--port-base", id="port ssh"),
        pytest.param([GOOD, "--max-clients", "0"], "--max-clients", id="no clients"),
        pytest.param([GOOD, "--host", "localhost"], "'localhost'", id="a name"),
        pytest.param([GOOD, "--host", ""], "''", id="no host"),
        pytest.param(["--all", "--port-base", "65535"], "port 65536", id="beyond the last port"),
    ],
)
def test_what_cannot_be_served_is_refused(
    arguments: list[str],
    said: str,
    refused: Refused,
) -> None:
    assert said in refused("serve", *arguments)


def test_a_port_that_is_taken_is_named(refused: Refused) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("serve", SILENT, "--port-base", str(port))
    assert said.startswith(f"sshprobe: cannot serve {SILENT} on {HOST}, port {port}: ")
    assert said.endswith("Address already in use")


def test_an_address_of_another_machine_is_named(refused: Refused) -> None:
    """192.0.2.0/24 is nobody's: RFC 5737 §3."""
    said = refused("serve", SILENT, "--host", "192.0.2.1")
    assert said.startswith(f"sshprobe: cannot serve {SILENT} on 192.0.2.1, port any: ")


def test_more_servers_than_descriptors() -> None:
    command = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *MODULE)
    done = sshprobe("servers", "serve", "--all", command=command)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.endswith("Too many open files\n")


def test_a_machine_that_allows_more_descriptors_is_asked_for_them() -> None:
    """macOS gives 256 at first: a listener for each server, and its clients, need more."""
    command = ("sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh", *MODULE)
    with serving("--all", command=command) as running, ExitStack() as clients:
        for _ in range(100):
            client = clients.enter_context(running.connect(GOOD))
            assert client.recv(len(BEGINNING)) == BEGINNING
        assert running.stop() == (0, b"", b"")
