"""Law: what client and server said is read as far as it makes sense, and nothing makes it fail."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.catalogue import BY_NAME
from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.catalogue.moves import Send
from probe.catalogue.octets import disconnect, kexinit, packet
from probe.conform.talk import Heard, read_client, read_server, share_algorithms

DATA = Path(__file__).parents[1] / "data"

IDENTIFICATION = b"SSH-2.0-client_1 comments\r\n"
KEXINIT = packet(kexinit(kex="curve25519-sha256"))
GUESS = packet(kexinit(tail=b"\x01" + bytes(4)))
ECDH_INIT = packet(b"\x1e" + bytes(36))


def test_a_client_that_goes_on_is_known_by_its_first_message_of_key_exchange() -> None:
    sent = read_client(IDENTIFICATION + KEXINIT + ECDH_INIT)
    assert sent.identification == b"SSH-2.0-client_1 comments"
    assert sent.messages == (20, 30)
    assert sent.kexinit is not None
    assert (sent.went_on, sent.guessed, sent.disconnect) == (True, False, None)


@pytest.mark.parametrize("number", [29, 50, 21])
def test_other_messages_are_no_key_exchange(number: int) -> None:
    assert not read_client(IDENTIFICATION + KEXINIT + packet(bytes((number, 0)))).went_on


def test_a_client_that_guesses_says_so() -> None:
    assert read_client(IDENTIFICATION + GUESS + ECDH_INIT).guessed


def test_the_reason_for_leaving_is_read() -> None:
    sent = read_client(IDENTIFICATION + KEXINIT + disconnect(3, b"no match"))
    assert sent.disconnect == (3, b"no match")


@pytest.mark.parametrize(
    ("octets", "messages"),
    [
        (b"", ()),
        (b"SSH-2.0-cut", ()),
        (IDENTIFICATION, ()),
        (IDENTIFICATION + KEXINIT[:-1], ()),
        (IDENTIFICATION + KEXINIT + b"\0\0\0\x01\0", (20,)),
        (IDENTIFICATION + packet(b"\x14cut"), (20,)),
    ],
)
def test_it_is_read_as_far_as_it_makes_sense(octets: bytes, messages: tuple[int, ...]) -> None:
    sent = read_client(octets)
    assert sent.messages == messages
    assert sent.kexinit is None or messages == (20,)


def test_of_a_flood_the_first_messages_are_read() -> None:
    assert len(read_client(IDENTIFICATION + KEXINIT + 1000 * ECDH_INIT).messages) == 64


@given(octets=st.binary(max_size=200), identified=st.booleans())
def test_no_octets_make_it_fail(octets: bytes, *, identified: bool) -> None:
    told = (IDENTIFICATION if identified else b"") + octets
    read_client(told)
    read_server(told)


@pytest.mark.parametrize(
    ("octets", "heard"),
    [
        (b"", Heard.NOTHING),
        (b"SSH-2", Heard.OCTETS),
        (b"HTTP/1.1 400 Bad Request\r\n", Heard.OCTETS),
        (OPENSSH_IDENTIFICATION, Heard.IDENTIFICATION),
        (b"line\r\nSSH-2.1-some_clients_go_on\r\n", Heard.IDENTIFICATION),
        (b"a line with SSH-2.0- inside\r\n", Heard.OCTETS),
        (OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT[:40], Heard.IDENTIFICATION),
        (OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT, Heard.KEXINIT),
        (OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT + b"garbage", Heard.KEXINIT),
        (b"line\r\n" + OPENSSH_IDENTIFICATION + packet(b"\x02") + OPENSSH_KEXINIT, Heard.KEXINIT),
        (OPENSSH_IDENTIFICATION + b"\0\0\0\0\0" + OPENSSH_KEXINIT, Heard.IDENTIFICATION),
    ],
)
def test_how_far_a_server_went(octets: bytes, heard: Heard) -> None:
    assert read_server(octets) is heard


@pytest.mark.parametrize("file", sorted(DATA.glob("*.json")), ids=lambda file: file.stem)
def test_captured_servers_went_as_far_as_their_capture_says(file: Path) -> None:
    capture = json.loads(file.read_text())
    octets = b"".join(
        bytes.fromhex(event["octets_hex"])
        for event in capture["events"]
        if event["direction"] == "received"
    )
    complete = capture["ended"] == "kexinit-complete"
    assert (read_server(octets) is Heard.KEXINIT) is complete


def by_server(name: str) -> bytes:
    return b"".join(move.octets for move in BY_NAME[name].moves if isinstance(move, Send))


@pytest.mark.parametrize(
    ("server", "shared"),
    [("openssh", True), ("no-common-kex", False), ("no-common-cipher", False), ("silent", False)],
)
def test_whether_client_and_server_share_algorithms(server: str, *, shared: bool) -> None:
    client = read_client(IDENTIFICATION + KEXINIT).kexinit
    assert client is not None
    assert share_algorithms(client, by_server(server)) is shared
