"""Servers that fail in the key exchange, for the clients that go on to it.

All are good up to KEXINIT, so whoever ends there calls them healthy. No client can exchange keys
with any of them, and each must say so in time. A server that stops reading after its KEXINIT is
``never-closes``.
"""

from typing import Final

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.catalogue.moves import (
    Abort,
    Drip,
    HalfClose,
    Hold,
    ReadLine,
    ReadPacket,
    Repeat,
    Send,
    Wait,
)
from probe.catalogue.naive import Bite, Outcome
from probe.catalogue.octets import (
    DEBUG,
    IGNORE,
    NEWKEYS,
    UNIMPLEMENTED,
    disconnect,
    kexdh_reply,
    kexinit,
    packet,
    string,
)
from probe.catalogue.row import Expected, Level, Server

_UP_TO_KEXINIT: Final = (Send(OPENSSH_IDENTIFICATION), Send(OPENSSH_KEXINIT))

_LAX_UP_TO_KEXINIT: Final = (
    Send(OPENSSH_IDENTIFICATION),
    Send(packet(kexinit(kex="curve25519-sha256,curve25519-sha256@libssh.org"))),
)
"""Without strict key exchange, under which a client may end at the first packet out of turn."""

_READ_INIT: Final = (ReadLine(), ReadPacket(), ReadPacket())
"""The client's identification string, its KEXINIT, and its first key exchange packet."""

_ASKED: Final = (*_UP_TO_KEXINIT, *_READ_INIT)
_LAX_ASKED: Final = (*_LAX_UP_TO_KEXINIT, *_READ_INIT)

_FIN: Final = (HalfClose(), Hold())

_REPLY: Final = kexdh_reply()
_EXT_INFO: Final = packet(
    b"\x07" + (1).to_bytes(4) + string(b"server-sig-algs") + string(b"ssh-ed25519"),
)
_GEX_GROUP: Final = packet(b"\x1f" + string(b"\0" + b"\xff" * 256) + string(b"\2"))
_GLOBAL_REQUEST: Final = packet(b"\x50" + string(b"keepalive@openssh.com") + b"\1")
_BANNER: Final = packet(b"\x35" + string(b"Be patient.\r\n") + string(b""))

_OK: Final = Expected("ok")
_OK_LAX: Final = Expected("ok", findings=("strict-kex-absent",))

_IS_OVER: Final = "No reply comes over a connection that has ended: the client must end, too."
_MUST_COME: Final = "The reply must come: a client must not wait for it for ever."

EXCHANGE: Final = (
    Server(
        "X01",
        "closes-after-kexinit",
        "RFC 4253 §7.1",
        Level.MUST,
        _IS_OVER,
        (*_UP_TO_KEXINIT, *_FIN),
        _OK,
        "FIN right after KEXINIT.",
        bites=Bite("bystander", Outcome.HUNG),
    ),
    Server(
        "X02",
        "resets-after-kexinit",
        "RFC 4253 §7.1",
        Level.MUST,
        _IS_OVER,
        (*_UP_TO_KEXINIT, Wait(1.0), Abort()),
        _OK,
        "RST a second after KEXINIT.",
        bites=Bite("bystander", Outcome.HUNG),
    ),
    Server(
        "X03",
        "closes-after-kexdh-init",
        "RFC 4253 §8",
        Level.MUST,
        _IS_OVER,
        (*_ASKED, *_FIN),
        _OK,
        "FIN once the client has sent its first key exchange packet.",
        bites=Bite("bystander", Outcome.HUNG),
    ),
    Server(
        "X04",
        "resets-after-kexdh-init",
        "RFC 4253 §8",
        Level.MUST,
        _IS_OVER,
        (*_ASKED, Abort()),
        _OK,
        "RST once the client has sent its first key exchange packet.",
        bites=Bite("bystander", Outcome.HUNG),
    ),
    Server(
        "X05",
        "disconnect-then-silent",
        "RFC 4253 §11.1",
        Level.MUST,
        "After DISCONNECT nothing may be sent or accepted: a client must not wait for FIN.",
        (*_ASKED, Send(disconnect(3, b"Key exchange failed")), Hold()),
        _OK,
        "DISCONNECT instead of the reply, reason code 3; the connection stays open.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X06",
        "disconnect-beyond-packet",
        "RFC 4251 §5",
        Level.MUST,
        "A string has as many octets as it says.",
        (
            *_ASKED,
            Send(bytes.fromhex("00000014 0a 01 00000003 fffffffb 00000000000000000000")),
            Hold(),
        ),
        _OK,
        "DISCONNECT instead of the reply, its description of 4 GiB (CVE-2019-17498).",
        bites=Bite("gullible", Outcome.CRASHED),
    ),
    Server(
        "X07",
        "unimplemented-for-kexdh-init",
        "RFC 4253 §11.4",
        Level.MUST,
        "Who offers a key exchange method implements it: UNIMPLEMENTED ends the exchange.",
        (
            *_ASKED,
            Send(bytes.fromhex("0000000c 06 03 00000001 000000000000")),
            Hold(),
        ),
        _OK,
        "UNIMPLEMENTED for the client's first key exchange packet, then silent.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X08",
        "newkeys-too-early",
        "RFC 4253 §7.3",
        Level.MUST,
        "NEWKEYS ends a key exchange: it comes after the reply.",
        (*_ASKED, Send(NEWKEYS), Hold()),
        _OK,
        "NEWKEYS instead of the reply, then silent.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X09",
        "service-accept-instead-of-reply",
        "RFC 4253 §7.1",
        Level.MUST,
        "Between KEXINIT and NEWKEYS only some messages may come, and SERVICE_ACCEPT never.",
        (*_ASKED, Send(packet(b"\x06" + string(b"ssh-userauth"))), Hold()),
        _OK,
        "SERVICE_ACCEPT, which nobody asked for, then silent.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X10",
        "ext-info-instead-of-reply",
        "RFC 8308 §2.4",
        Level.MUST,
        "EXT_INFO comes after NEWKEYS; it is no reply.",
        (*_LAX_ASKED, Send(_EXT_INFO), Hold()),
        _OK_LAX,
        "EXT_INFO, then silent; without strict key exchange (CVE-2023-46445).",
        bites=Bite("until-kexinit", Outcome.HUNG),
    ),
    Server(
        "X11",
        "kexdh-reply-cut-then-silent",
        "RFC 5656 §4",
        Level.MUST,
        _MUST_COME,
        (*_LAX_ASKED, Send(_REPLY[:100]), Hold()),
        _OK_LAX,
        f"100 of the reply's {len(_REPLY)} octets.",
        bites=Bite("until-kexinit", Outcome.HUNG),
    ),
    Server(
        "X12",
        "drips-kexdh-reply",
        "RFC 5656 §4",
        Level.MUST,
        _MUST_COME,
        (*_LAX_ASKED, Drip(_REPLY), Hold()),
        _OK_LAX,
        f"A reply of {len(_REPLY)} octets, an octet a second, whose signature is wrong.",
        bites=Bite("until-kexinit", Outcome.HUNG),
    ),
    Server(
        "X13",
        "kexdh-reply-of-empty-strings",
        "RFC 8731 §3",
        Level.MUST,
        "A public key of another length than 32 octets MUST end the key exchange.",
        (
            *_LAX_ASKED,
            Send(bytes.fromhex("00000014 06 1f 00000000 00000000 00000000 000000000000")),
            Hold(),
        ),
        _OK_LAX,
        "A reply of three empty strings, then silent.",
        bites=Bite("gullible", Outcome.HUNG),
    ),
    Server(
        "X14",
        "gex-group-instead-of-reply",
        "RFC 4419 §5",
        Level.MUST,
        "31 is also DH_GEX_GROUP, which only answers DH_GEX_REQUEST.",
        (*_ASKED, Send(_GEX_GROUP), Hold()),
        _OK,
        "A group of 2048 bits, two fields of which a reply has three (CVE-2019-13115).",
        bites=Bite("gullible", Outcome.CRASHED),
    ),
    Server(
        "X15",
        "packet-length-huge-after-kexinit",
        "RFC 4253 §6.1",
        Level.MUST,
        "Check that the packet length is reasonable.",
        (*_ASKED, Send(bytes.fromhex("fffffff8 04 1f 00000000000000000000")), Hold()),
        _OK,
        "A reply of packet_length 0xfffffff8.",
        bites=Bite("gullible", Outcome.HUNG),
    ),
    Server(
        "X16",
        "garbage-after-kexinit",
        "RFC 4253 §6.1",
        Level.MUST,
        "Check that the packet length is reasonable.",
        (*_ASKED, Repeat(bytes.fromhex("9d3fc1e80b51aa00f26e0a77c4d8531c") * 256)),
        _OK,
        "Octets that are no packet, as fast as the client reads.",
        bites=Bite("gullible", Outcome.HUNG),
    ),
    Server(
        "X17",
        "ignore-after-kexinit",
        "RFC 4253 §11.2",
        Level.MUST,
        "IGNORE may come before the reply; a client must not skip it for ever.",
        (*_LAX_ASKED, Repeat(IGNORE, every_s=1.0)),
        _OK_LAX,
        "An IGNORE a second; without strict key exchange.",
        bites=Bite("until-kexinit", Outcome.HUNG),
    ),
    Server(
        "X18",
        "ignore-flood-after-kexinit",
        "RFC 4253 §11.2",
        Level.MUST,
        "IGNORE may come before the reply; a client must not skip it for ever.",
        (*_LAX_ASKED, Repeat(IGNORE * 256)),
        _OK_LAX,
        "IGNORE as fast as the client reads; without strict key exchange.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X19",
        "debug-flood-after-kexinit",
        "RFC 4253 §11.3",
        Level.MUST,
        "DEBUG may come before the reply; a client must not skip it for ever.",
        (*_LAX_ASKED, Repeat(DEBUG * 256)),
        _OK_LAX,
        "DEBUG as fast as the client reads; without strict key exchange.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X20",
        "unimplemented-flood-after-kexinit",
        "RFC 4253 §11.4",
        Level.MUST,
        "UNIMPLEMENTED may come before the reply; a client must not skip it for ever.",
        (*_LAX_ASKED, Repeat(UNIMPLEMENTED * 256)),
        _OK_LAX,
        "UNIMPLEMENTED as fast as the client reads; without strict key exchange.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X21",
        "kexinit-for-ever",
        "RFC 4253 §7.1",
        Level.MUST,
        "After KEXINIT no further one may come before NEWKEYS.",
        (*_ASKED, Repeat(OPENSSH_KEXINIT * 4)),
        _OK,
        "KEXINIT as fast as the client reads.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X22",
        "userauth-banner-flood",
        "RFC 4253 §7.1",
        Level.MUST,
        "Between KEXINIT and NEWKEYS only some messages may come, and USERAUTH_BANNER never.",
        (*_ASKED, Repeat(_BANNER * 128)),
        _OK,
        "USERAUTH_BANNER before authentication, as fast as the client reads.",
        bites=Bite("seeker", Outcome.HUNG),
    ),
    Server(
        "X23",
        "unknown-message-flood",
        "RFC 4253 §11.4",
        Level.MUST,
        "What is unknown MUST be answered, but not by waiting for ever until the answer is sent.",
        (*_LAX_ASKED, Repeat(bytes.fromhex("0000000c 0a 13 00000000000000000000") * 256)),
        _OK_LAX,
        "Message 19, allowed here and unassigned, as fast as the client reads; reads no answer.",
        bites=Bite("answerer", Outcome.HUNG),
    ),
    Server(
        "X24",
        "global-request-flood",
        "RFC 4253 §7.1",
        Level.MUST,
        "Between KEXINIT and NEWKEYS only some messages may come, and GLOBAL_REQUEST never.",
        (*_LAX_ASKED, Repeat(_GLOBAL_REQUEST * 128)),
        _OK_LAX,
        "GLOBAL_REQUEST that wants a reply, as fast as the client reads; reads no answer.",
        bites=Bite("answerer", Outcome.HUNG),
    ),
    Server(
        "X25",
        "silent-after-kexdh-init",
        "RFC 4253 §8",
        Level.MUST,
        _MUST_COME,
        (*_ASKED, Hold()),
        _OK,
        "Reads the client's first key exchange packet, and never answers.",
        bites=Bite("until-kexinit", Outcome.HUNG),
    ),
)
