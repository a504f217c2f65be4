"""What the kernel's evidence says of a peer: on recorded structures, and beside each threshold."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from evidence_pieces import evidence, identified, ran_out

from probe import liveness
from probe.budget import Stage
from probe.evidence import Attempt, End, TcpInfo
from probe.liveness import LIVENESS, is_gone, is_shut, say
from probe.net.kernel import parse_tcp_info
from probe.verdict import judge

RECORDED = {
    case["name"]: parse_tcp_info(bytes.fromhex(case["octets_hex"]))
    for case in json.loads(Path(__file__).with_name("tcp_info.json").read_text())["cases"]
}

LIVE = TcpInfo(
    state=1,
    retransmits=0,
    keepalive_probes=0,
    unacked_segments=0,
    since_sent_ms=4000,
    since_ack_ms=950,
    path_mtu_octets=1500,
    rtt_us=50,
    total_retransmits=0,
    acked_octets=25,
    unsent_octets=0,
    out_of_order_segments=0,
    peer_window_octets=65536,
)

NOT_ACKNOWLEDGED = "it had not yet acknowledged what we sent"


class Says(NamedTuple):
    """What is to be concluded.

    Attributes:
        words: What the kernel saw.
        gone: Whether nobody is there.
        findings: The codes of what is noted of a probe that ran out of time.
    """

    words: str
    gone: bool = False
    findings: tuple[str, ...] = ()


def acknowledged(seconds: str) -> str:
    return f"its kernel acknowledged all that we sent, the last time {seconds} s before"


def assert_says(info: TcpInfo, says: Says) -> None:
    assert say(info) == says.words
    assert is_gone(info) == says.gone
    found = liveness.findings(evidence(tcp=info, end=End.DEADLINE))
    assert tuple(finding.rule.code for finding in found) == says.findings


# Recorded. ---------------------------------------------------------------------------------------

OF_RECORDED = {
    "is-stopped": Says(acknowledged("0.9")),
    "never-accepts": Says(acknowledged("1.0")),
    "loses-large-packets": Says(acknowledged("0.7")),
    "loses-the-large-one-of-two-packets": Says(
        acknowledged("0.9"),
        findings=("segment-missing",),
    ),
    "shuts-its-window": Says("its window is shut, and 40 octets of ours wait"),
    "vanishes-before-identification": Says(
        "it acknowledged nothing, though sent again 4 times",
        gone=True,
    ),
    "vanishes-after-identification": Says("it answered none of 3 keepalive probes", gone=True),
    "vanishes-inside-kexinit": Says("it answered none of 4 keepalive probes", gone=True),
    "loses-its-link": Says("it answered none of 3 keepalive probes", gone=True),
    "prohibited-later": Says("it answered none of 3 keepalive probes", gone=True),
    "lossy-one-probe": Says(
        "it had not yet answered 1 of the keepalive probes",
        findings=("keepalive-unanswered",),
    ),
    "lossy-three-probes": Says(
        "it had not yet answered 3 of the keepalive probes",
        findings=("keepalive-unanswered",),
    ),
    "lossy-not-yet-acknowledged": Says(NOT_ACKNOWLEDGED, findings=("not-yet-acknowledged",)),
}


@pytest.mark.parametrize("name", OF_RECORDED)
def test_recorded(name: str) -> None:
    assert_says(RECORDED[name], OF_RECORDED[name])


def test_all_recorded_structures_are_judged() -> None:
    """The one of the rebooted host is judged below, by the RST that ends its probe."""
    assert set(RECORDED) == {*OF_RECORDED, "reboots"}


def test_a_recorded_reset_that_answers_a_probe_is_a_reboot() -> None:
    rebooted = RECORDED["reboots"]
    assert rebooted.state == 7
    seen = evidence(tcp=rebooted, end=End.BROKEN, where=Stage.FIRST_OCTET)
    seen.add_error("recv", 104, "Connection reset by peer")
    assert judge(seen) == "half-open"
    seen.tcp = rebooted._replace(keepalive_probes=0)
    assert judge(seen) == "reset-before-identification"


# Thresholds. -------------------------------------------------------------------------------------

BESIDE_THRESHOLDS: dict[str, tuple[dict[str, int], Says]] = {
    "all well": ({}, Says(acknowledged("0.9"))),
    "just sent, one segment": (
        {"unacked_segments": 1, "since_sent_ms": 500},
        Says(acknowledged("0.9")),
    ),
    "sent a delayed acknowledgement ago": (
        {"unacked_segments": 1, "since_sent_ms": 501},
        Says(NOT_ACKNOWLEDGED, findings=("not-yet-acknowledged",)),
    ),
    "just sent again, once": (
        {"unacked_segments": 1, "since_sent_ms": 1, "retransmits": 1, "total_retransmits": 1},
        Says(NOT_ACKNOWLEDGED, findings=("not-yet-acknowledged",)),
    ),
    "just sent again, twice": (
        {"unacked_segments": 1, "since_sent_ms": 1, "retransmits": 2, "total_retransmits": 2},
        Says("it acknowledged nothing, though sent again 2 times", gone=True),
    ),
    "sent again, twice, with our link down": (
        {"unacked_segments": 1, "retransmits": 2, "total_retransmits": 0},
        Says("it acknowledged nothing, though sent again 2 times", gone=True),
    ),
    "sent again, twice, and acknowledged": (
        {"retransmits": 2, "total_retransmits": 2},
        Says(acknowledged("0.9")),
    ),
    "one probe": (
        {"keepalive_probes": 1},
        Says(
            "it had not yet answered 1 of the keepalive probes",
            findings=("keepalive-unanswered",),
        ),
    ),
    "two probes": (
        {"keepalive_probes": 2},
        Says(
            "it had not yet answered 2 of the keepalive probes",
            findings=("keepalive-unanswered",),
        ),
    ),
    "three probes": (
        {"keepalive_probes": 3},
        Says("it answered none of 3 keepalive probes", gone=True),
    ),
    "three probes, after a loss": (
        {"keepalive_probes": 3, "total_retransmits": 1},
        Says(
            "it had not yet answered 3 of the keepalive probes",
            findings=("keepalive-unanswered",),
        ),
    ),
    "five probes, after a loss": (
        {"keepalive_probes": 5, "total_retransmits": 1},
        Says(
            "it had not yet answered 5 of the keepalive probes",
            findings=("keepalive-unanswered",),
        ),
    ),
    "six probes, after a loss": (
        {"keepalive_probes": 6, "total_retransmits": 1},
        Says("it answered none of 6 keepalive probes", gone=True),
    ),
}


@pytest.mark.parametrize("name", BESIDE_THRESHOLDS)
def test_beside_a_threshold(name: str) -> None:
    fields, says = BESIDE_THRESHOLDS[name]
    assert_says(LIVE._replace(**fields), says)


def test_the_last_row_always_holds() -> None:
    assert all(LIVENESS[-1].holds(info) for info in [LIVE, *RECORDED.values()])


@pytest.mark.parametrize(
    ("unsent_octets", "peer_window_octets", "shut"),
    [(370, 0, True), (0, 0, False), (370, 86, False), (None, 0, False), (370, None, False)],
)
def test_a_window_is_shut_when_octets_of_ours_wait_before_it(
    unsent_octets: int | None,
    peer_window_octets: int | None,
    *,
    shut: bool,
) -> None:
    info = LIVE._replace(unsent_octets=unsent_octets, peer_window_octets=peer_window_octets)
    assert is_shut(info) == shut


# Without evidence, and besides it. ---------------------------------------------------------------


def test_without_evidence_nobody_is_gone() -> None:
    assert not is_gone(None)
    assert not is_shut(None)
    assert judge(evidence(tcp=None, **ran_out(Stage.FIRST_OCTET))) == "silent"
    assert judge(identified(tcp=None, **ran_out(Stage.KEXINIT))) == "kexinit-stalled"


@pytest.mark.parametrize("end", [end for end in End if end is not End.DEADLINE])
def test_only_an_end_by_deadline_is_explained(end: End) -> None:
    """An octet that is not yet acknowledged when the server says goodbye is nothing to note."""
    info = LIVE._replace(keepalive_probes=1, out_of_order_segments=1)
    assert list(liveness.findings(evidence(tcp=info, end=end))) == []


def test_missing_segments_are_counted_where_the_kernel_counts_them() -> None:
    details = {}
    for count in (None, 0, 1, 2):
        seen = evidence(tcp=LIVE._replace(out_of_order_segments=count), end=End.DEADLINE)
        details[count] = [finding.detail for finding in liveness.findings(seen)]
    assert details == {
        None: [],
        0: [],
        1: ["1 came too early"],
        2: ["2 came too early"],
    }


@pytest.mark.parametrize(
    ("connected_to", "codes"),
    [("192.0.2.2", ["address-failed", "address-failed"]), (None, [])],
)
def test_other_addresses_are_noted_if_one_answered(  # N18, RFC 8305 §5
    connected_to: str | None,
    codes: list[str],
) -> None:
    attempts = (
        Attempt("2001:db8::3", 0.0, 0.1, "failed", 113),
        Attempt("192.0.2.2", 0.25, 0.001, "connected"),
        Attempt("2001:db8::2", 0.0, 0.251, "abandoned"),
    )
    found = list(liveness.findings(evidence(attempts=attempts, address=connected_to)))
    assert [finding.rule.code for finding in found] == codes
    named = [str(finding.detail).split() for finding in found]
    assert named == [["2001:db8::3", "failed"], ["2001:db8::2", "abandoned"]][: len(codes)]
