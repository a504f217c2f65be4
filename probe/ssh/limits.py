"""Every cap on what a server may send, its unit in its name and its source beside it.

A length has two thresholds. The *law* is what an RFC allows: beyond it the probe notes a finding
and goes on, because working servers cross it. The *cap* is ours: beyond it the probe stops with a
violation, because without it a peer decides how much memory and time we spend.
"""

from typing import Final

IDENTIFICATION_LAW_OCTETS: Final = 255
"""RFC 4253 §4.2: the identification string, CR LF included."""

LINE_CAP_OCTETS: Final = 8192
"""A line with its LF. OpenSSH's client stops there (SSH_MAX_BANNER_LEN), and so does asyncssh."""

LINES_CAP: Final = 1024
"""Lines up to the identification string, it included. OpenSSH, x/crypto and asyncssh agree."""

LINES_BEFORE_COMMON: Final = 100
"""Lines before the identification string that clients bear: paramiko stops after these."""

LINE_BEFORE_COMMON_OCTETS: Final = 255
"""A line before the identification string that clients bear: x/crypto and russh stop after it."""

PACKET_LAW_OCTETS: Final = 35000
"""RFC 4253 §6.1: the whole packet, its packet_length field included."""

PACKET_LENGTH_LEAST: Final = 12
"""RFC 4253 §6: the smallest packet has 16 octets, of which packet_length counts all but four."""

PACKET_LENGTH_CAP_OCTETS: Final = 256 * 1024
"""OpenSSH (PACKET_MAX_SIZE), x/crypto and sshj stop there."""

PADDING_LEAST_OCTETS: Final = 4
"""RFC 4253 §6."""

PACKET_BLOCK_OCTETS: Final = 8
"""RFC 4253 §6: in the clear a packet is a multiple of eight octets."""

PACKETS_CAP: Final = 1024
"""Packets up to KEXINIT, it included: as many as lines. No RFC or client gives a figure."""

HANDSHAKE_CAP_OCTETS: Final = 1024 * 1024
"""All lines and packets up to KEXINIT: four of the largest packets. Apache MINA allows 16 KiB for
the lines alone, OpenSSH 8 MiB; between them, one mebibyte bounds the work of a probe."""

NAME_LAW_OCTETS: Final = 64
"""RFC 4251 §6: an algorithm name."""

COOKIE_OCTETS: Final = 16
"""RFC 4253 §7.1."""

DETAIL_CAP_OCTETS: Final = 256
"""What a finding keeps of a peer's octets: a law-abiding identification string fits."""
