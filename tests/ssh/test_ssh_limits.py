"""Law 1: both sides of every limit, and the bound on a whole handshake."""

from typing import NamedTuple

import pytest
from ssh_pieces import (
    COOKIE,
    DEBUG,
    IDENTIFICATION,
    IGNORE,
    KEXINIT,
    LISTS,
    kexinit_payload,
    packet,
    packet_of,
)
from ssh_talk import ENDS, Heard, flood, hear, new_machine, plain

from probe.ssh import limits
from probe.ssh.handshake import LARGEST_HANDSHAKE_OCTETS

REST = IDENTIFICATION + KEXINIT
LONGEST_LINE = b"a" * 8190 + b"\r\n"
SIXTEEN = b"SSH-2.0-abcdef\r\n"
"""An identification string of 16 octets: after it, packets can fill the handshake exactly."""

LONG_AND_MANY = {"line-before-long", "lines-before-many"}


class Side(NamedTuple):
    """What the server says, and what must come of it."""

    octets: bytes
    outcome: str
    findings: set[str]


class Limit(NamedTuple):
    """A limit of ``probe.ssh.limits``, its figure from the source that it names."""

    name: str
    figure: int
    at: Side
    beyond: Side


def line_of(octets: int) -> bytes:
    return b"a" * (octets - 2) + b"\r\n"


def identification_of(octets: int) -> bytes:
    return b"SSH-2.0-".ljust(octets - 2, b"a") + b"\r\n"


def kexinit_with_host_key(name: bytes) -> bytes:
    return packet(kexinit_payload((LISTS[0], (b"ssh-ed25519", name), *LISTS[2:])))


LIMITS = (
    Limit(
        "IDENTIFICATION_LAW_OCTETS",
        255,
        Side(identification_of(255) + KEXINIT, "complete", set()),
        Side(identification_of(256) + KEXINIT, "complete", {"identification-over-255"}),
    ),
    Limit(
        "LINE_CAP_OCTETS",
        8192,
        Side(line_of(8192) + REST, "complete", {"line-before-long"}),
        Side(line_of(8193) + REST, "line-too-long", set()),
    ),
    Limit(
        "LINE_CAP_OCTETS",
        8192,
        Side(identification_of(8192) + KEXINIT, "complete", {"identification-over-255"}),
        Side(identification_of(8193) + KEXINIT, "line-too-long", set()),
    ),
    Limit(
        "LINES_CAP",
        1024,
        Side(b"a\r\n" * 1023 + REST, "complete", {"lines-before-many"}),
        Side(b"a\r\n" * 1024 + REST, "too-many-lines", {"lines-before-many"}),
    ),
    Limit(
        "LINES_BEFORE_COMMON",
        100,
        Side(b"a\r\n" * 100 + REST, "complete", set()),
        Side(b"a\r\n" * 101 + REST, "complete", {"lines-before-many"}),
    ),
    Limit(
        "LINE_BEFORE_COMMON_OCTETS",
        255,
        Side(line_of(255) + REST, "complete", set()),
        Side(line_of(256) + REST, "complete", {"line-before-long"}),
    ),
    Limit(
        "PACKET_LAW_OCTETS",
        35000,
        Side(IDENTIFICATION + packet_of(35000), "kexinit", set()),
        Side(IDENTIFICATION + packet_of(35008), "kexinit", {"packet-over-35000"}),
    ),
    Limit(
        "PACKET_LENGTH_LEAST",
        12,
        Side(IDENTIFICATION + b"\0\0\0\x0c", "kexinit", set()),
        Side(IDENTIFICATION + b"\0\0\0\x0b", "packet-length-too-short", set()),
    ),
    Limit(  # 262144 is not too long, but no packet_length, for want of four octets
        "PACKET_LENGTH_CAP_OCTETS",
        262144,
        Side(IDENTIFICATION + b"\0\4\0\0", "packet-length-misaligned", set()),
        Side(IDENTIFICATION + b"\0\4\0\1", "packet-length-too-long", set()),
    ),
    Limit(
        "PACKET_LENGTH_CAP_OCTETS",
        262144,
        Side(IDENTIFICATION + packet_of(262144), "kexinit", {"packet-over-35000"}),
        Side(IDENTIFICATION + packet_of(262152), "packet-length-too-long", set()),
    ),
    Limit(
        "PADDING_LEAST_OCTETS",
        4,
        Side(IDENTIFICATION + b"\0\0\0\x0c\x04", "kexinit", set()),
        Side(IDENTIFICATION + b"\0\0\0\x0c\x03", "padding-too-short", set()),
    ),
    Limit(
        "PACKET_BLOCK_OCTETS",
        8,
        Side(IDENTIFICATION + b"\0\0\0\x14", "kexinit", set()),
        Side(IDENTIFICATION + b"\0\0\0\x10", "packet-length-misaligned", set()),
    ),
    Limit(
        "PACKETS_CAP",
        1024,
        Side(IDENTIFICATION + IGNORE * 1023 + KEXINIT, "complete", {"strict-kex-broken"}),
        Side(IDENTIFICATION + IGNORE * 1024 + KEXINIT, "too-many-packets", set()),
    ),
    Limit(  # filled by lines
        "HANDSHAKE_CAP_OCTETS",
        1048576,
        Side(LONGEST_LINE * 127 + line_of(8176) + SIXTEEN, "kexinit", LONG_AND_MANY),
        Side(LONGEST_LINE * 127 + line_of(8177) + SIXTEEN, "too-many-octets", LONG_AND_MANY),
    ),
    Limit(  # filled by packets
        "HANDSHAKE_CAP_OCTETS",
        1048576,
        Side(SIXTEEN + packet_of(262136) * 4 + packet_of(16), "kexinit", {"packet-over-35000"}),
        Side(
            SIXTEEN + packet_of(262136) * 4 + packet_of(24)[:5],
            "too-many-octets",
            {"packet-over-35000"},
        ),
    ),
    Limit(
        "NAME_LAW_OCTETS",
        64,
        Side(IDENTIFICATION + kexinit_with_host_key(b"a" * 64), "complete", set()),
        Side(IDENTIFICATION + kexinit_with_host_key(b"a" * 65), "complete", {"name-over-64"}),
    ),
    Limit(
        "COOKIE_OCTETS",
        16,
        Side(IDENTIFICATION + packet(kexinit_payload(cookie=COOKIE)), "complete", set()),
        Side(IDENTIFICATION + packet(b"\x14" + COOKIE[:15]), "kexinit-truncated", set()),
    ),
)
BY_NAME = [pytest.param(limit, id=f"{limit.name}-{at}") for at, limit in enumerate(LIMITS)]

HELD_ELSEWHERE = {"DETAIL_CAP_OCTETS"}  # test_ssh_rules.py


def judged(heard: Heard) -> tuple[str, set[str]]:
    return heard.outcome, heard.findings


@pytest.mark.parametrize("limit", BY_NAME)
def test_at_the_limit(limit: Limit) -> None:
    assert getattr(limits, limit.name) == limit.figure
    assert judged(hear(limit.at.octets)) == (limit.at.outcome, limit.at.findings)


@pytest.mark.parametrize("limit", BY_NAME)
def test_beyond_the_limit(limit: Limit) -> None:
    assert judged(hear(limit.beyond.octets)) == (limit.beyond.outcome, limit.beyond.findings)


# Law 3: a limit that is added needs a row.
def test_every_limit_has_a_row() -> None:
    public = {name for name in vars(limits) if name.isupper()}
    assert {limit.name for limit in LIMITS} | HELD_ELSEWHERE == public


# The bound. --------------------------------------------------------------------------------------


# The bound is reached: one octet below it a handshake can still go on, at it none can.
def test_the_largest_handshake() -> None:
    machine = new_machine()
    octets = LONGEST_LINE * 128 + b"a" * 8191
    assert len(octets) == LARGEST_HANDSHAKE_OCTETS - 1
    machine.receive_octets(octets)
    while machine.next_event() is not None:
        pass
    assert machine.state not in ENDS
    machine.receive_octets(b"a")
    assert machine.next_event() is not None
    assert machine.state in ENDS


FLOODS = {
    "V06-lines": (b"", b"hello\r\n", "too-many-lines"),
    "V06-empty-lines": (b"", b"\n", "too-many-lines"),
    "V06-longest-lines": (b"", LONGEST_LINE, "too-many-octets"),
    "V07-octets": (b"", b"a", "line-too-long"),
    "V08-softwareversion": (b"SSH-2.0-", b"A", "line-too-long"),
    "V35-zeros": (b"", b"\0", "nul-before-identification"),
    "K24-ignore": (IDENTIFICATION, IGNORE, "too-many-packets"),
    "K24-debug": (IDENTIFICATION, DEBUG, "too-many-packets"),
    "K24-ignore-of-32-KiB": (IDENTIFICATION, packet_of(32768), "too-many-octets"),
    "K24-ignore-of-256-KiB": (IDENTIFICATION, packet_of(262144), "too-many-octets"),
    "lines-then-packets": (
        LONGEST_LINE * 127 + IDENTIFICATION,
        packet_of(16),
        "too-many-octets",
    ),
}


# V06-V08, V35, K24: a flood ends within the bound, however it is cut.
@pytest.mark.parametrize("octets_a_read", [41, 4096, 65536])
@pytest.mark.parametrize(("first", "endless", "code"), FLOODS.values(), ids=FLOODS)
def test_a_flood_ends(first: bytes, endless: bytes, code: str, octets_a_read: int) -> None:
    end = flood(first, endless, octets_a_read).next_event()
    assert end is not None
    assert plain(end) == ("violation", code)
