"""Servers whose fault only the kernel can tell: over TCP, on Linux, in real time."""

from typing import Final

from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.catalogue.moves import (
    ReadLine,
    ReadPacket,
    Send,
    ShrinkWindow,
    Stall,
    Vanish,
    Wait,
)
from probe.catalogue.naive import Bite, Outcome
from probe.catalogue.row import Expected, Level, Server

_IDENTIFICATION: Final = Send(OPENSSH_IDENTIFICATION)
_MUST_END: Final = "A peer that is gone sends nothing, not even FIN: only a limit ends the wait."
_HALF_OPEN: Final = Expected("half-open", "kexinit", "kexinit", 5.0)

KERNEL: Final = (
    Server(
        "T01",
        "vanishes-before-identification",
        "RFC 9293 §3.5.1",
        Level.MUST,
        _MUST_END,
        (ReadLine(), Vanish(), Stall()),
        Expected("half-open", "first-octet", "first-octet", 4.0),
        bites=Bite("patient", Outcome.HUNG),
    ),
    Server(
        "T02",
        "vanishes-after-identification",
        "RFC 9293 §3.5.1",
        Level.MUST,
        _MUST_END,
        (_IDENTIFICATION, ReadLine(), ReadPacket(), Vanish(), Stall()),
        _HALF_OPEN,
        "It has acknowledged all: only keepalive can tell.",
        bites=Bite("half-way", Outcome.HUNG),
    ),
    Server(
        "T03",
        "vanishes-without-acknowledging",
        "RFC 9293 §3.5.1",
        Level.MUST,
        _MUST_END,
        (ReadLine(), Vanish(), _IDENTIFICATION, Stall()),
        _HALF_OPEN,
        "It never acknowledges the client's KEXINIT, which is sent again and again.",
        bites=Bite("half-way", Outcome.HUNG),
    ),
    Server(
        "T04",
        "vanishes-inside-kexinit",
        "RFC 9293 §3.5.1",
        Level.MUST,
        _MUST_END,
        (
            _IDENTIFICATION,
            ReadLine(),
            ReadPacket(),
            Send(OPENSSH_KEXINIT[:40]),
            Wait(0.25),  # for their acknowledgement, without which our kernel would send them again
            Vanish(),
            Stall(),
        ),
        _HALF_OPEN,
        "40 octets of KEXINIT came.",
        bites=Bite("half-way", Outcome.HUNG),
    ),
    Server(
        "T05",
        "window-shut",
        "RFC 9293 §3.8.6.1",
        Level.MUST,
        "A peer whose window stays shut takes no octets: a sender must not wait for it for ever.",
        (ShrinkWindow(), _IDENTIFICATION, Stall()),
        Expected("send-stalled", "kexinit", "kexinit", 5.0),
        bites=Bite("half-way", Outcome.HUNG),
    ),
)
