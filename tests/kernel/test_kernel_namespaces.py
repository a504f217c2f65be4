"""Real kernels, real faults: what the prober says when a host, a path or a process fails.

Each case has two hosts of its own, so all run at once, in real time: the clocks are the kernel's.
The peer is a real sshd wherever one can be in the case.
"""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kernel_pieces import (
    CLIENT,
    NOBODY,
    PATIENCE_S,
    SERVER,
    SERVER_6,
    Pair,
    firewall,
    inside,
    ip,
    orphans,
    pair,
    probe_from,
    probe_name_from,
    program,
    reboot,
    require_namespaces,
)

pytestmark = pytest.mark.real_server

IDENTIFICATION = b"SSH-2.0-OpenSSH_10.5\r\n"

# Filters. ----------------------------------------------------------------------------------------

INPUT = "type filter hook input priority 0"
OUTPUT = "type filter hook output priority 0"
GONE = "set gone { type ipv4_addr; flags dynamic; };"
WITH_OCTETS = "ip length > 60"  # IP and TCP take 20 octets each, the options of a SYN 20
ACKNOWLEDGEMENT = "tcp flags & syn == 0"  # the first is that of our identification string


def vanish(host: str, *, when_in: str = "", when_out: str = "") -> None:
    """Have the host vanish, for whoever's packet fits first: nothing goes in or out any more.

    A packet in that fits is the first that is lost, a packet out that fits the last that is not.
    """
    lost_in = f"{when_in} add @gone {{ ip saddr }}; " if when_in else ""
    last_out = f"; {when_out} add @gone {{ ip daddr }}" if when_out else ""
    firewall(
        host,
        f"{INPUT}; {lost_in}ip saddr @gone drop",
        f"{OUTPUT}; ip daddr @gone drop{last_out}",
        sets=GONE,
    )


# Servers, and what befalls them. -----------------------------------------------------------------


class Scene:
    """Where a case is played: two hosts, and what has to be undone after it."""

    def __init__(self, hosts: Pair, undo: ExitStack, host_key: Path) -> None:
        self.hosts = hosts
        self.undo = undo
        self._host_key = host_key

    def sshd(self) -> subprocess.Popen[bytes]:
        settings = (f"HostKey={self._host_key}", "PidFile=none", "UsePAM=no")
        flags = [flag for setting in settings for flag in ("-o", setting)]
        server = [program("sshd"), "-D", "-e", "-f", os.devnull, *flags]
        command = [program("ip"), "netns", "exec", self.hosts.server, *server]
        process = self.undo.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE))
        self.undo.callback(process.kill)
        assert process.stderr is not None
        while b"listening on 0.0.0.0" not in process.stderr.readline():
            assert process.poll() is None
        return process

    def stopped_sshd(self) -> None:
        self.sshd().send_signal(signal.SIGSTOP)

    def listener(self, *, backlog: int = 16, receive_buffer: int | None = None) -> socket.socket:
        def listen() -> socket.socket:
            sock = socket.socket()
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.bind((SERVER, 22))
            sock.listen(backlog)
            return sock

        return self.undo.enter_context(inside(self.hosts.server, listen))

    def after(self, seconds: float, function: Callable[[], object]) -> None:
        """Call ``function`` in the midst of the probe, which begins now."""
        timer = threading.Timer(seconds, function)
        timer.start()
        self.undo.callback(timer.join)


def drops_syn(scene: Scene) -> None:
    scene.sshd()
    firewall(scene.hosts.server, f"{INPUT}; tcp dport 22 drop")


def rejects(scene: Scene, answer: str) -> None:
    scene.sshd()
    firewall(scene.hosts.server, f"{INPUT}; tcp dport 22 reject with {answer}")


def is_nobody(scene: Scene) -> None:
    pass


def vanishes_before_identification(scene: Scene) -> None:
    scene.stopped_sshd()  # or else it might identify itself before
    vanish(scene.hosts.server, when_in=WITH_OCTETS)


def vanishes_after_identification(scene: Scene) -> None:
    scene.stopped_sshd()
    vanish(scene.hosts.server, when_out=ACKNOWLEDGEMENT)


def vanishes_inside_kexinit(scene: Scene) -> None:
    """Of the packets that KEXINIT comes in, the first is the last that comes at all.

    What we send is acknowledged at once: else, when sshd takes its time on a busy machine, our
    kernel sends a segment again, and the path looks like one that loses packets.
    """
    make_packets_small(scene, 576)
    ip("-n", scene.hosts.server, "route", "add", CLIENT, "dev", "eth0", "quickack", "1")
    scene.sshd()
    firewall(
        scene.hosts.client,
        f"{INPUT}; ip saddr @gone drop; ip length 576 add @gone {{ ip saddr }}",
        sets=GONE,
    )


def reboots(scene: Scene) -> None:
    vanishes_after_identification(scene)
    scene.after(1.5, partial(reboot, scene.hosts))


def loses_its_link(scene: Scene) -> None:
    scene.stopped_sshd()
    scene.after(0.3, partial(ip, "-n", scene.hosts.server, "link", "set", "eth0", "down"))


def never_accepts(scene: Scene) -> None:
    scene.listener()


def has_a_full_backlog(scene: Scene) -> None:
    scene.listener(backlog=1)
    for _ in range(2):  # Linux takes one more than it was told
        filler = inside(scene.hosts.client, partial(socket.create_connection, (SERVER, 22)))
        scene.undo.enter_context(filler)


def is_stopped(scene: Scene) -> None:
    scene.stopped_sshd()


def shuts_its_window(scene: Scene) -> None:
    listener = scene.listener(receive_buffer=1)
    listener.settimeout(PATIENCE_S)

    def identify() -> None:
        client, _ = listener.accept()
        client.sendall(IDENTIFICATION)
        scene.undo.enter_context(client)

    scene.after(0.0, identify)


def loses_every_third_packet(scene: Scene) -> None:
    scene.sshd()
    for host in scene.hosts:
        firewall(host, f"{INPUT}; meta l4proto tcp numgen inc mod 3 0 drop")


def answers_on_ipv4_alone(scene: Scene) -> None:  # N18
    scene.sshd()
    firewall(scene.hosts.server, f"{INPUT}; meta nfproto ipv6 tcp dport 22 drop")


def loses_large_packets(scene: Scene) -> None:
    scene.sshd()
    firewall(scene.hosts.client, f"{INPUT}; ip length > 600 drop")


def loses_the_large_one_of_two_packets(scene: Scene) -> None:
    """KEXINIT comes in two packets here, the second of which is small."""
    make_packets_small(scene, 800)
    loses_large_packets(scene)


def make_packets_small(scene: Scene, octets: int) -> None:
    """Have the kernels cut segments to size themselves: else the cable carries them in one."""
    for host in scene.hosts:
        ip("-n", host, "link", "set", "eth0", "mtu", str(octets), "gso_max_segs", "1")


def from_address(address: str, limit_s: float = 10.0) -> Callable[[Pair], dict[str, Any]]:
    return lambda hosts: probe_from(hosts.client, address, limit_s)


def by_name(hosts: Pair) -> dict[str, Any]:
    return probe_name_from(hosts.client, "server.example", SERVER_6, SERVER)


# The table. --------------------------------------------------------------------------------------

ESTABLISHED = {"state": range(1, 2)}
CLOSED = {"state": range(7, 8)}
ALL_ACKNOWLEDGED = {"unacked_segments": range(1), "unsent_octets": range(1)}
ANSWERED = ESTABLISHED | ALL_ACKNOWLEDGED | {"keepalive_probes": range(1)}
NO_KEEPALIVE_ANSWERED = ESTABLISHED | ALL_ACKNOWLEDGED | {"keepalive_probes": range(3, 6)}
NOTHING_ACKNOWLEDGED = ESTABLISHED | {
    "unacked_segments": range(1, 3),
    "retransmits": range(2, 9),
    "acked_octets": range(1, 2),
}
LATELY = {"since_ack_ms": range(1200)}


LEAVE_NOTHING = ("connect-timeout", "refused", "unreachable", "half-open", "send-stalled")
"""Where nobody would acknowledge FIN, the prober leaves no socket to its kernel."""


class Case(NamedTuple):
    """What befalls the server, and what must be said of it.

    Attributes:
        prepare: Makes the server, and the fault.
        verdict: The verdict.
        where: The stage that ran at the end.
        lasts_s: How long the probe takes, at the least and at the most but for a second.
        errnos: What connecting, and the calls after it, failed with.
        tcp: What the kernel must know: a range for each field that matters.
        findings: The codes of the findings.
        probe: Asks.
    """

    prepare: Callable[[Scene], None]
    verdict: str
    where: str | None
    lasts_s: tuple[float, float]
    errnos: tuple[str, ...] = ()
    tcp: dict[str, range] | None = None
    findings: tuple[str, ...] = ()
    probe: Callable[[Pair], dict[str, Any]] = from_address(SERVER)


def rejected(answer: str, verdict: str, errno: str) -> Case:
    """Linux heeds an ICMP message to a SYN at once, or when it sends the SYN again."""
    return Case(partial(rejects, answer=answer), verdict, "connect", (0.0, 1.1), (errno,))


CASES = {
    "drops-syn": Case(drops_syn, "connect-timeout", "connect", (4.0, 4.0)),
    "port-unreachable": rejected("icmp type port-unreachable", "refused", "ECONNREFUSED"),
    "host-unreachable": rejected("icmp type host-unreachable", "unreachable", "EHOSTUNREACH"),
    "prohibited": rejected("icmp type admin-prohibited", "unreachable", "EHOSTUNREACH"),
    "rejects-with-reset": rejected("tcp reset", "refused", "ECONNREFUSED"),
    "no-answer-to-arp": Case(
        is_nobody,
        "unreachable",
        "connect",
        (3.0, 3.2),
        ("EHOSTUNREACH",),
        probe=from_address(NOBODY),
    ),
    "vanishes-before-identification": Case(
        vanishes_before_identification,
        "half-open",
        "first-octet",
        (4.0, 4.0),
        tcp=NOTHING_ACKNOWLEDGED,
    ),
    "vanishes-after-identification": Case(
        vanishes_after_identification,
        "half-open",
        "first-octet",
        (4.0, 4.0),
        tcp=NO_KEEPALIVE_ANSWERED,
    ),
    "vanishes-inside-kexinit": Case(
        vanishes_inside_kexinit,
        "half-open",
        "kexinit",
        (5.0, 5.0),
        tcp=ESTABLISHED,
    ),
    "reboots": Case(
        reboots,
        "half-open",
        "first-octet",
        (1.5, 4.0),
        ("ECONNRESET",),
        tcp=CLOSED | {"keepalive_probes": range(1, 5)},
    ),
    "loses-its-link": Case(
        loses_its_link,
        "half-open",
        "first-octet",
        (4.8, 4.8),  # so that the first probe may be answered where the machine is busy
        tcp=NO_KEEPALIVE_ANSWERED,
        probe=from_address(SERVER, limit_s=12.0),
    ),
    "never-accepts": Case(
        never_accepts,
        "silent",
        "first-octet",
        (4.0, 4.0),
        tcp=ANSWERED | LATELY,
    ),
    "has-a-full-backlog": Case(has_a_full_backlog, "connect-timeout", "connect", (4.0, 4.0)),
    "is-stopped": Case(
        is_stopped,
        "silent",
        "first-octet",
        (4.0, 4.0),
        tcp=ANSWERED | LATELY | {"acked_octets": range(2, 99)},
    ),
    "shuts-its-window": Case(
        shuts_its_window,
        "send-stalled",
        "kexinit",
        (5.0, 5.0),
        tcp=ESTABLISHED | {"peer_window_octets": range(1), "unsent_octets": range(1, 9999)},
    ),
    "loses-every-third-packet": Case(
        loses_every_third_packet,
        "ok",
        None,
        (0.0, 30.0),
        tcp={"total_retransmits": range(1, 99)},
        probe=from_address(SERVER, limit_s=60.0),
    ),
    "answers-on-ipv4-alone": Case(
        answers_on_ipv4_alone,
        "ok",
        None,
        (0.25, 0.5),
        tcp=ESTABLISHED,
        findings=("address-failed",),
        probe=by_name,
    ),
    "loses-large-packets": Case(
        loses_large_packets,
        "kexinit-stalled",
        "kexinit",
        (5.0, 5.0),
        tcp=ANSWERED | {"out_of_order_segments": range(1)},
    ),
    "loses-the-large-one-of-two-packets": Case(
        loses_the_large_one_of_two_packets,
        "kexinit-stalled",
        "kexinit",
        (5.0, 5.0),
        tcp=ANSWERED | {"out_of_order_segments": range(1, 99)},
        findings=("segment-missing",),
    ),
}


class Outcome(NamedTuple):
    """What came of a case: the report, and the sockets that the prober left to its kernel."""

    report: dict[str, Any]
    orphans: list[str]


@pytest.fixture(scope="module")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_namespaces()
    key = tmp_path_factory.mktemp("sshd") / "host_key"
    keygen = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(keygen, check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    return key


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    host_key: Path,
) -> Iterator[dict[str, Future[Outcome]]]:
    """Begin all the cases that were asked for at once."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = {str(item.callspec.params["name"]) for item in items if item.function is test_case}
    with ThreadPoolExecutor(len(names)) as pool:
        yield {name: pool.submit(play, CASES[name], host_key) for name in names}


def play(case: Case, host_key: Path) -> Outcome:
    with pair() as hosts, ExitStack() as undo:
        case.prepare(Scene(hosts, undo, host_key))
        report = case.probe(hosts)
        return Outcome(report, orphans(hosts.client))


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    case, (report, orphaned) = CASES[name], outcomes[name].result()
    seen = json.dumps(report)
    assert (report["verdict"], report["where"]) == (case.verdict, case.where), seen
    assert case.lasts_s[0] <= report["spent_s"] < case.lasts_s[1] + 1, seen
    failures = [each["errno"] for each in [*report["attempts"], *report["errors"]]]
    assert tuple(errno for errno in failures if errno) == case.errnos, seen
    assert tuple(finding["code"] for finding in report["findings"]) == case.findings, seen
    assert (report["tcp"] is None) == (case.tcp is None), seen
    for field, expected in (case.tcp or {}).items():
        assert report["tcp"][field] in expected, (field, seen)
    if case.verdict in LEAVE_NOTHING:
        assert not orphaned
