"""Real servers as foreign oracles: what they said, read by hand, against what we make of it."""

from hashlib import md5
from typing import NamedTuple

import pytest
import reference
from ssh_pieces import COMPLETE, PENALISED, capture
from ssh_talk import hear

from probe.ssh.kexinit import OFFER, Algorithms, KexInit, hassh_server, negotiate


class Server(NamedTuple):
    """What a person reads in a capture."""

    name: str
    softwareversion: bytes
    comments: bytes | None
    first_kex_algorithm: bytes
    findings: set[str]
    cipher: bytes
    """The one that we and it would agree on, from server to client."""


CHACHA = b"chacha20-poly1305@openssh.com"
NOT_STRICT = {"strict-kex-absent"}

SERVERS = (
    Server("asyncssh-2.24.1", b"AsyncSSH_2.24.1", None, b"mlkem768x25519-sha256", set(), CHACHA),
    Server("dropbear-2022.83", b"dropbear_2022.83", None, b"curve25519-sha256", set(), CHACHA),
    Server("go-xcrypto-0.4.0", b"Go", None, b"curve25519-sha256", NOT_STRICT, CHACHA),
    Server("openssh-10.5p1", b"OpenSSH_10.5", None, b"mlkem768x25519-sha256", set(), CHACHA),
    Server(
        "openssh-9.2p1",
        b"OpenSSH_9.2p1",
        b"Debian-2+deb12u10",
        b"sntrup761x25519-sha512",
        set(),
        CHACHA,
    ),
    Server(
        "paramiko-5.1.0",
        b"paramiko_5.1.0",
        None,
        b"mlkem768x25519-sha256",
        set(),
        b"aes128-gcm@openssh.com",
    ),
    Server(
        "tinysshd-20230101",
        b"tinyssh_20230101-1",
        b"cK9CP4sZ",
        b"curve25519-sha256",
        NOT_STRICT | {"softwareversion-minus"},
        CHACHA,
    ),
)
BY_NAME = [pytest.param(server, id=server.name) for server in SERVERS]


def kexinit_of(name: str) -> KexInit:
    event = hear(capture(name)).machine.next_event()
    assert isinstance(event, KexInit)
    return event


def test_every_capture_is_read() -> None:
    assert sorted(server.name for server in SERVERS) == list(COMPLETE)
    assert len(COMPLETE) + len(PENALISED) == 9


@pytest.mark.parametrize("server", BY_NAME)
def test_what_a_real_server_said(server: Server) -> None:
    heard = hear(capture(server.name))
    (_, _, protoversion, softwareversion, comments), (name, _, lists, follows, reserved) = (
        heard.events
    )
    assert (protoversion, softwareversion, comments) == (
        b"2.0",
        server.softwareversion,
        server.comments,
    )
    assert (name, follows, reserved) == ("kexinit", False, 0)
    assert isinstance(lists, Algorithms)
    assert lists.kex_algorithms[0] == server.first_kex_algorithm
    assert heard.findings == server.findings
    assert heard.machine.unread_octets(1) == b""


# R60: the marker is in the octets, or it is not.
@pytest.mark.parametrize("name", COMPLETE)
def test_strict_kex_marker(name: str) -> None:
    listed = b"kex-strict-s-v00@openssh.com" in capture(name)
    assert kexinit_of(name).offers_strict_kex is listed


# R34, R35: every real server and our offer have all in common.
@pytest.mark.parametrize("server", BY_NAME)
def test_something_is_in_common(server: Server) -> None:
    chosen = negotiate(OFFER, kexinit_of(server.name).algorithms)
    assert None not in chosen
    assert chosen.encryption_algorithm_server_to_client == server.cipher
    assert chosen.mac_algorithm_server_to_client == b""


# hasshServer by another way: the MD5 of what stands in the octets, cut out by the reference.
@pytest.mark.parametrize("name", COMPLETE)
def test_hassh_server_of_a_real_server(name: str) -> None:
    octets = capture(name)
    packet = octets[octets.index(b"\r\n") + 2 :]
    _, lists, _ = reference.split_kexinit(packet[5 : len(packet) - packet[4]])
    text = b";".join(b",".join(lists[index]) for index in (0, 3, 5, 7))
    expected = md5(text, usedforsecurity=False).hexdigest()
    assert hassh_server(kexinit_of(name).algorithms) == expected


# … and by hand, from literal lists and with md5sum.
@pytest.mark.parametrize(
    ("name", "text", "digest"),
    [
        (
            "tinysshd-20230101",
            (
                b"curve25519-sha256,curve25519-sha256@libssh.org,sntrup761x25519-sha512@openssh.com;"
                b"chacha20-poly1305@openssh.com;hmac-sha2-256;none"
            ),
            "b3c29e33111dc7dce84f203076f1ce95",
        ),
        (
            "dropbear-2022.83",
            (
                b"curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,"
                b"ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group14-sha256,"
                b"diffie-hellman-group14-sha1,kexguess2@matt.ucc.asn.au,kex-strict-s-v00@openssh.com;"
                b"chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr;hmac-sha1,hmac-sha2-256;"
                b"zlib@openssh.com,none"
            ),
            "e1a0b5f8d334ec70fe937b2d5ff8d0b6",
        ),
    ],
)
def test_hassh_server_by_hand(name: str, text: bytes, digest: str) -> None:
    assert md5(text, usedforsecurity=False).hexdigest() == digest
    assert hassh_server(kexinit_of(name).algorithms) == digest


# V32: what OpenSSH says to a source that it penalises is a line, and then the end.
@pytest.mark.parametrize("name", PENALISED)
def test_penalised(name: str) -> None:
    heard = hear(capture(name), eof=True)
    assert heard.events == [("line-before", b"Not allowed at this time"), ("closed",)]
    assert heard.findings == set()
