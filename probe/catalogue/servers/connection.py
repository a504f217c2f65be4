"""Servers that fail, or are odd, before they say a word."""

from typing import Final

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.catalogue.moves import (
    Abort,
    HalfClose,
    Hold,
    NeverAccept,
    ReadLine,
    Send,
    Stall,
    Turns,
    Wait,
)
from probe.catalogue.naive import Bite, Outcome
from probe.catalogue.row import Expected, Level, Server

_BOTH_MUST_SPEAK: Final = "Both sides MUST send an identification string."
_GOOD: Final = (Send(OPENSSH_IDENTIFICATION), Send(OPENSSH_KEXINIT), Hold())

_SILENT: Final = Expected("silent", "first-octet", "first-octet", 4.0)

CONNECTION: Final = (
    Server(
        "C01",
        "silent",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (Hold(),),
        _SILENT,
        "Accepts and reads: the live process that hung the service of the story.",
        bites=Bite("patient", Outcome.HUNG),
    ),
    Server(
        "C02",
        "never-accepts",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (NeverAccept(),),
        _SILENT,
        "The kernel completes the TCP handshake, the process is stuck and never accepts.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C03",
        "never-reads",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (Stall(),),
        _SILENT,
        "Accepts and leaves what the client sends in the kernel.",
        bites=Bite("patient", Outcome.HUNG),
    ),
    Server(
        "C04",
        "closes-at-once",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (HalfClose(), Hold()),
        Expected("closed-before-identification", "first-octet"),
        "FIN before anything: TCP wrappers, or a full OpenSSH before 8.2.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C05",
        "closes-after-identification-of-client",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (ReadLine(), HalfClose(), Hold()),
        Expected("closed-before-identification", "first-octet"),
        "FIN once the client has spoken: a server of another protocol.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C06",
        "closes-after-two-seconds",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (Wait(2.0), HalfClose(), Hold()),
        Expected("closed-before-identification", "first-octet", spent_s=2.0),
        "FIN late: a proxy that could not reach its backend.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C07",
        "resets-at-once",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (Abort(),),
        Expected("reset-before-identification", "first-octet"),
        "RST before anything.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C08",
        "resets-after-identification-of-client",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (ReadLine(), Abort()),
        Expected("reset-before-identification", "first-octet"),
        "RST once the client has spoken.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C09",
        "resets-after-two-seconds",
        "RFC 4253 §4.2",
        Level.MUST,
        _BOTH_MUST_SPEAK,
        (Wait(2.0), Abort()),
        Expected("reset-before-identification", "first-octet", spent_s=2.0),
        "RST late: a firewall that lost its state, or a process that crashed.",
        bites=Bite("connect-only", Outcome.HEALTHY),
    ),
    Server(
        "C10",
        "never-closes",
        "RFC 4253 §4.2",
        Level.MUST,
        "The client that leaves must not wait for the server to leave as well.",
        (*_GOOD[:-1], Stall()),
        Expected("ok"),
        "Good, and keeps its side open after the client's FIN.",
        bites=Bite("lingerer", Outcome.HUNG),
    ),
    Server(
        "C11",
        "drops-every-second-client",
        "sshd_config(5) MaxStartups",
        Level.SHOULD,
        "A full sshd refuses clients by chance: one refusal is no outage.",
        (
            Turns(
                (
                    _GOOD,
                    (ReadLine(), Send(b"Not allowed at this time\r\n"), Abort()),
                ),
            ),
        ),
        Expected("ok"),
        "Good for the first client, throttled for the second.",
        bites=Bite("pager", Outcome.UNHEALTHY),
    ),
)
