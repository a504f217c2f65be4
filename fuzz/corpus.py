"""Writes the corpora: small named inputs, made of the catalogue, of captures, and by hand.

    python -m fuzz.corpus

What it writes is always the same. A file whose name begins with ``found-`` is none of its own: it
holds an input that once broke an invariant, and stays.
"""

from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Final

from ssh_pieces import (
    COMPLETE,
    DEBUG,
    DISCONNECT,
    EXT_INFO,
    IDENTIFICATION,
    IGNORE,
    KEXINIT,
    LISTS,
    PENALISED,
    UNIMPLEMENTED,
    Names,
    capture,
    kexinit_payload,
    packet,
    packet_of,
)

from fuzz.play import TICK_S, play, read_script
from fuzz.work import CORPORA
from probe.catalogue import SERVERS
from probe.catalogue.moves import Abort, Drip, HalfClose, Move, Repeat, Send, Vanish, Wait

Inputs = dict[str, bytes]

FOUND: Final = "found-"
MOST_OCTETS: Final = 4096
"""Of an input that a row of the catalogue makes; a flood is cut there."""

REPETITIONS: Final = 3

REPORTED: Final = (
    "http",
    "tinysshd",
    "line-before-with-escapes",
    "disconnect-with-escapes",
    "silent-never-connected",
)
"""Scripts whose reports are inputs, too."""

# Of the catalogue and of captures. ---------------------------------------------------------------


def octets_of(move: Move) -> bytes:
    """What a move sends, a repetition a few times."""
    match move:
        case Send() | Drip():
            return move.octets
        case Repeat():
            return move.octets * REPETITIONS
    return b""


def said_by(moves: Iterable[Move]) -> bytes:
    """What a row sends in all."""
    return b"".join(map(octets_of, moves))[:MOST_OCTETS]


def conversations() -> Inputs:
    """What every row of the catalogue, and every server of the captures, says."""
    rows = {server.name: said_by(server.turns[0]) for server in SERVERS}
    return rows | {f"captured-{name}": capture(name) for name in (*COMPLETE, *PENALISED)}


def up_to_identification(octets: bytes) -> bytes:
    """The lines of a conversation, the identification string included."""
    begin = octets.find(b"SSH-")
    end = octets.find(b"\n", max(begin, 0)) + 1
    return octets[:end] if begin >= 0 and end else octets


def after_identification(octets: bytes) -> bytes:
    """The packets of a conversation."""
    lines = up_to_identification(octets)
    return octets.removeprefix(lines)


def payload_of_kexinit(octets: bytes) -> bytes:
    """What follows the message number of the first KEXINIT; nothing if there is none whole."""
    packets = after_identification(octets)
    while len(packets) > 5 and packets[5] != 20:
        packets = packets[4 + int.from_bytes(packets[:4]) :]
    if len(packets) <= 5:
        return b""
    return packets[6 : max(4 + int.from_bytes(packets[:4]) - packets[4], 6)]


def script_of(moves: Iterable[Move]) -> bytes:
    """A row as a script of ``fuzz.play``."""
    flags, passages, due_s = 0, list[bytes](), 0.0
    for move in moves:
        flags |= {HalfClose: 1, Abort: 2, Vanish: 4}.get(type(move), 0)
        if isinstance(move, Wait):
            due_s += move.seconds
        elif isinstance(move, Drip | Repeat) and move.every_s:
            pieces = (
                [move.octets] * 16 if isinstance(move, Repeat) else map(bytes, zip(move.octets))
            )
            passages += [passage(due_s + move.every_s, piece) for piece in pieces]
            due_s = 0.0
        elif octets_of(move):
            passages.append(passage(due_s, octets_of(move)[:MOST_OCTETS]))
            due_s = 0.0
    return bytes((flags,)) + b"".join(passages)


def passage(after_s: float, octets: bytes) -> bytes:
    """A passage of a script, in as many pieces as its octet of length makes of it."""
    pieces = [octets[begin : begin + 254] for begin in range(0, len(octets), 254)]
    delay = min(round(after_s / TICK_S), 255)
    return b"".join(
        bytes((0 if number else delay, len(piece))) + piece for number, piece in enumerate(pieces)
    )


# By hand. ----------------------------------------------------------------------------------------

LINES: Final[Inputs] = {
    "empty": b"",
    "one-octet": b"S",
    "lf-only": b"\n",
    "nul": b"\0",
    "line-then-nul": b"hello\0",
    "nul-in-identification": b"SSH-2.0-x\0\r\n",
    "cr-in-identification": b"SSH-2.0-x\ry\r\n",
    "cr-twice": b"SSH-2.0-x\r\r\n",
    "cr-at-the-end": b"SSH-2.0-x\r",
    "line-cr-twice": b"hello\r\r\nSSH-2.0-x\r\n",
    "no-softwareversion": b"SSH-2.0-\r\n",
    "no-softwareversion-but-comments": b"SSH-2.0- x\r\n",
    "no-protoversion": b"SSH--x\r\n",
    "no-second-minus": b"SSH-2.0\r\n",
    "prefix-alone": b"SSH-\r\n",
    "minus-in-softwareversion": b"SSH-2.0-x-y\r\n",
    "tab-in-softwareversion": b"SSH-2.0-x\ty\r\n",
    "comments-empty": b"SSH-2.0-x \r\n",
    "comments-two-spaces": b"SSH-2.0-x  y\r\n",
    "comments-c1": b"SSH-2.0-x \xc2\x9b31m\r\n",
    "comments-c1-as-octet": b"SSH-2.0-x \x9b31m\r\n",
    "1.99-lf": b"SSH-1.99-x\n",
    "1.5": b"SSH-1.5-x\n",
    "2.1": b"SSH-2.1-x\r\n",
    "escape-before": b"\x1b]0;title\x07\r\nSSH-2.0-x\r\n",
    "not-utf-8-before": b"caf\xe9\r\nSSH-2.0-x\r\n",
    "254-octets": b"SSH-2.0-".ljust(252, b"x") + b"\r\n",
    "255-octets": b"SSH-2.0-".ljust(253, b"x") + b"\r\n",
    "300-octets": b"SSH-2.0-".ljust(298, b"x") + b"\r\n",
    "256-octets": b"SSH-2.0-".ljust(254, b"x") + b"\r\n",
    "line-of-256-octets": b"a" * 254 + b"\r\n",
    "line-of-8191-octets": b"a" * 8191,
    "line-of-8192-octets": b"a" * 8191 + b"\n",
    "line-of-8193-octets": b"a" * 8192 + b"\n",
    "101-lines": b"\n" * 101 + IDENTIFICATION,
    "1023-lines": b"\n" * 1023 + IDENTIFICATION,
    "1024-lines": b"\n" * 1024 + IDENTIFICATION,
}

PACKETS: Final[Inputs] = {
    "ignore": IGNORE,
    "debug": DEBUG,
    "ext-info": EXT_INFO,
    "disconnect": DISCONNECT,
    "unimplemented": UNIMPLEMENTED,
    "kexinit": KEXINIT,
    "ignore-kexinit": IGNORE + KEXINIT,
    "kexinit-twice": KEXINIT * 2,
    "length-alone": b"\0\0\0\x0c",
    "three-octets": b"\0\0\0",
    "length-0": bytes(16),
    "length-11": b"\0\0\0\x0b\4".ljust(16, b"\0"),
    "length-16": b"\0\0\0\x10\4".ljust(20, b"\0"),
    "length-35004": packet_of(35008)[:64],
    "length-262140": packet_of(262144)[:64],
    "length-262148": packet_of(262152)[:64],
    "length-2-to-the-31": b"\x80\0\0\4\4",
    "length-4-gib": b"\xff\xff\xff\xfc\4",
    "padding-3": b"\0\0\0\x0c\3\2".ljust(16, b"\0"),
    "padding-leaves-nothing": b"\0\0\0\x0c\x0b".ljust(16, b"\0"),
    "padding-too-long": b"\0\0\0\x0c\x0c".ljust(16, b"\0"),
    "padding-leaves-nothing-cut": b"\0\0\0\x0c\x0b",
    "padding-too-long-cut": b"\0\0\0\x0c\x0c",
    "padding-255": b"\0\0\0\x0c\xff".ljust(16, b"\0"),
    "padding-most": packet(b"\2", 30),
    "text-cut": b"HTTP",
    "text": b"HTTP/1.1 400 Bad Request\r\n",
    "message-0": packet(b"\0"),
    "message-21": packet(b"\x15"),
    "message-31": packet(b"\x1f" + bytes(8)),
    "message-80": packet(b"\x50"),
    "message-255": packet(b"\xff"),
    "over-35000": packet_of(35008),
    "1023-ignores": IGNORE * 1023 + KEXINIT,
    "1024-ignores-alone": IGNORE * 1024,
    "1024-ignores": IGNORE * 1024 + KEXINIT,
}

NAMES: Final[dict[str, Names]] = {
    "empty": (b"",),
    "two-empty": (b"", b""),
    "empty-last": (b"a", b""),
    "of-64": (b"n" * 64,),
    "of-65": (b"n" * 65,),
    "space": (b"a b",),
    "nul": (b"a\0b",),
    "not-ascii": (b"\xe4",),
    "at-alone": (b"@",),
    "at-first": (b"@a",),
    "at-last": (b"a@",),
    "at-twice": (b"a@b@c",),
    "twice": (b"a", b"b", b"a"),
    "escape": (b"\x1b[2J",),
    "many": tuple(b"%d" % number for number in range(500)),
}


def kexinits() -> Inputs:
    """What follows the message number of KEXINITs that are odd in one way each."""
    whole = kexinit_payload()[1:]
    odd = {
        "empty": b"",
        "cookie-short": whole[:15],
        "cookie-alone": whole[:16],
        "first-length-short": whole[:19],
        "last-octet-missing": whole[:-1],
        "reserved-missing": whole[:-4],
        "one-octet-more": whole + b"\0",
        "list-beyond": whole[:16] + b"\0\0\1\0" + whole[20:],
        "list-of-4-gib": whole[:16] + b"\xff\xff\xff\xff" + whole[20:],
        "cookie-zeros": kexinit_payload(cookie=bytes(16))[1:],
        "follows-1": kexinit_payload(follows=1)[1:],
        "follows-255": kexinit_payload(follows=255)[1:],
        "reserved-1": kexinit_payload(reserved=1)[1:],
        "beyond-what-is-remembered": kexinit_payload(((b"a" * 4100,), *LISTS[1:]))[1:],
        "beyond-what-is-remembered-and-empty": kexinit_payload(((b"a" * 4100,), (), *LISTS[2:]))[
            1:
        ],
    }
    for index in range(len(LISTS)):
        lists = (*LISTS[:index], (), *LISTS[index + 1 :])
        odd[f"list-{index}-empty"] = kexinit_payload(lists)[1:]
    for name, names in NAMES.items():
        odd[f"name-{name}"] = kexinit_payload((*LISTS[:3], names, *LISTS[4:]))[1:]
        odd[f"language-{name}"] = kexinit_payload((*LISTS[:8], names, ()))[1:]
    return odd


MESSAGES: Final[Inputs] = {
    "empty": b"",
    "ignore": b"\1\2",
    "ignore-with-data": b"\x0a\2\0\0\0\5hello",
    "ignore-that-lies": b"\6\2\xff\xff\xff\xff\0",
    "debug": b"\x0e\4\1\0\0\0\2hi\0\0\0\2en",
    "ext-info": b"\5\7\0\0\0\0",
    "ext-info-debug-ignore": b"\5\7\0\0\0\0\2\4\0\1\2",
    "disconnect-bare": b"\1\1",
    "disconnect-reason": b"\5\1\0\0\0\2",
    "disconnect-half-a-reason": b"\3\1\0\0",
    "disconnect-without-language": b"\x0c\1\0\0\0\x0b\0\0\0\3bye",
    "disconnect-whole": b"\x10\1\0\0\0\x0c\0\0\0\3bye\0\0\0\0",
    "disconnect-that-lies": b"\x0c\1\0\0\0\x0b\0\0\1\0bye",
    "disconnect-unknown-reason": b"\x0d\1\xff\xff\xff\xff\0\0\0\0\0\0\0\0",
    "disconnect-escape": b"\x11\1\0\0\0\x0b\0\0\0\4\x1b[2J\0\0\0\0",
    "unimplemented": b"\5\3\0\0\0\0",
    "message-0": b"\1\0",
    "newkeys": b"\1\x15",
    "userauth-banner": b"\x0a\x35\0\0\0\1x\0\0\0\0",
    "kexinit-short": b"\2\x14\0",
    "ignore-then-kexinit": b"\1\2\xff" + kexinit_payload(),
    "kexinit": b"\xff" + kexinit_payload(),
}

FACES: Final[Inputs] = {
    "bars": b"\0\0\xffSSH-2.0-a|b|c \xc2\xa6 | time=0\r\n",
    "braces": b"\0\0\xff{host} {0} {} %s %(x)s\r\n",
    "quotation-marks": b'\0\0\xff"; ok. "\'\\\r\n',
    "markup": b"\0\0\xff<script>alert(1)</script>&amp;\r\n",
    "bidirectional": b"\0\0\xffSSH-2.0-\xe2\x80\xaeexe.txt\r\n",
    "c1": b"\0\0\xff\xc2\x9b31m\x9b31m\x1b]0;title\x07\r\n",
    "wide": b"\0\0\xff" + "漢字🔑e\u0301\r\n".encode() * 9,
    "surrogates": b"\0\0\xff\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\r\n",
    "long-words": b"\0\0\xff" + b"\\" * 300 + b"\r\n",
    "label": b'\0\0\xffSSH-2.0-x"} 1\\\r\n',
    "fin-after-escape": b"\1\0\xff\x1b[2J",
}

LISTS_OF_TARGETS: Final[Inputs] = {
    "empty": b"",
    "mark-alone": b"\xef\xbb\xbf",
    "mark": b"\xef\xbb\xbfhost\n",
    "mark-twice": b"\xef\xbb\xbf\xef\xbb\xbfhost\n",
    "mark-in-the-second-line": b"host\n\xef\xbb\xbfhost\n",
    "mark-and-a-long-line": b"\xef\xbb\xbf" + b"h" * 1100 + b"\nhost\n",
    "no-line-end": b"host:22",
    "crlf": b"host\r\nhost:2222\r\n",
    "comments": b"# all of them\nhost # one\n\n   \n",
    "ipv6": b"2001:db8::1\n[2001:db8::1]\n[2001:db8::1]:2222\nfe80::1%eth0\n[fe80::1%eth0]:22\n",
    "blocks": b"192.0.2.0/30\n192.0.2.7/31:2222\n2001:db8::/126\n[2001:db8::]/127:1\n",
    "largest-blocks": b"0.0.0.0/0\n::/0\n",
    "bad-blocks": b"192.0.2.0/33\n192.0.2/24\n::/129\n1.2.3.4/\n/24\n1.2.3.4/24:0\n[::1/64\n",
    "urls": b"ssh://host\nssh://user@host:22/\nSSH://[::1]:22\nssh://host/path\nssh://h?x\nssh://@\n",
    "bad": b"user@host\nhost:\nhost:0\nhost:65536\nhost:022\nhost:+22\ntwo words\n",
    "bad-brackets": b"[::1\n[]\n[::1]x\n:\n",
    "digits": "host:²²\nhost:٢٢\n".encode(),
    "not-utf-8": b"\xff\nhost\n",
    "nul": b"ho\0st\n",
    "line-of-1024": b"h" * 1024 + b"\nhost\n",
    "line-of-1025": b"h" * 1025 + b"\nhost\n",
    "line-of-3000": b"h" * 3000 + b"\nhost\n",
    "space-of-unicode": "\u00a0\u2028\x1c\n".encode(),
}

OPTIONS: Final[Inputs] = {
    "empty": b"",
    "check": b"check\0host:22",
    "check-all": b"check\0--limit\x0030\0--stage-limit\0connect=1\0-v\0--json\0host",
    "expect": b"check\0--expect\0refused\0--require\0kex:*\0--forbid\0mac:*md5*\0host",
    "limit-nan": b"check\0--limit\0nan\0host",
    "limit-inf": b"check\0--limit\0inf\0host",
    "limit-tiny": b"check\0--limit\x001e-400\0host",
    "limit-huge": b"check\0--limit\x001e400\0host",
    "unknown-stage": b"check\0--stage-limit\0kexinits=1\0host",
    "escape": b"check\0\x1b[2J",
    "not-utf-8": b"check\0\xff",
    "nagios": b"nagios\0-H\0host\0-w\x001\0-c\0@0:3\0-c\0connect=~:0.5",
    "nagios-bad-range": b"nagios\0-H\0host\0-w\x003:1",
    "sweep": b"sweep\0--rate\x0010\0--concurrency\x005\0/dev/null",
    "wait": b"wait\0--up-to\x0060\0host",
    "explain": b"explain\0silent",
    "servers": b"servers\0serve\0silent",
    "unknown": b"chekc\0host",
    "abbreviated": b"check\0--lim\x001\0host",
    "help": b"--help",
}


# The corpora. ------------------------------------------------------------------------------------


def scripts() -> Inputs:
    """Every row of the catalogue, and what a server can do that no row has."""
    rows = {server.name: script_of(server.turns[0]) for server in SERVERS}
    good = IDENTIFICATION + KEXINIT
    ways = {
        "reset": 2,
        "window-shut": 8,
        "stream": 16,
        "stream-reset": 18,
        "connected-at-the-limit": 5 << 5,
        "connected-late": 3 << 5,
        "never-connected": 7 << 5,
    }
    whole = {way: bytes((flags,)) + passage(1.0, good) for way, flags in ways.items()}
    silent = {f"silent-{way}": bytes((flags,)) for way, flags in ways.items()}
    ties = {
        f"at-{stage}-{face}": bytes((flags,)) + passage(at_s, said) + passage(5.0, good)
        for face, flags in (("socket", 0), ("stream", 16))
        for stage, at_s, said in (
            ("first-octet", 4.0, b"S"),
            ("identification", 5.0, IDENTIFICATION),
            ("kexinit", 1.0, IDENTIFICATION),
        )
    }
    return rows | whole | silent | ties


def reports() -> Inputs:
    """What ``--json`` says of some rows, and what no writer of ours would say."""
    written = {
        name: play(read_script(script)).to_json(transcript=True).encode()
        for name, script in scripts().items()
        if name in REPORTED
    }
    good = written["silent-never-connected"]
    return written | {
        "empty": b"",
        "null": b"null",
        "list": b"[]",
        "nested": b"[" * 5000,
        "not-json": b"{",
        "other-schema": good.replace(b"sshprobe-report-1", b"sshprobe-report-2"),
        "infinite": good.replace(b'"spent_s": 4.0', b'"spent_s": 1e999'),
        "not-a-number": good.replace(b'"spent_s": 4.0', b'"spent_s": NaN'),
        "infinite-port": good.replace(b'"port": 22', b'"port": 1e999'),
        "port-of-400-digits": good.replace(b'"port": 22', b'"port": 1' + b"0" * 400),
        "limit-0": good.replace(b'"limit_s": 4.0', b'"limit_s": 0'),
        "unknown-verdict": good.replace(b'"connect-timeout"', b'"lost"'),
        "escape-in-address": good.replace(b'"192.0.2.1"', b'"\\u001b[2J"'),
        "half-an-escape": good.replace(b'"host": "', b'"host": "\\\\x4'),
        "lone-surrogate": good.replace(b'"host": "', b'"host": "\\ud800'),
    }


def identifications() -> Inputs:
    """Lines alone."""
    said = {name: up_to_identification(octets) for name, octets in conversations().items()}
    return said | LINES


def packets() -> Inputs:
    """Packets alone."""
    said = {name: after_identification(octets) for name, octets in conversations().items()}
    return said | PACKETS


def offers() -> Inputs:
    """What follows the message number of KEXINITs."""
    said = {name: payload_of_kexinit(octets) for name, octets in conversations().items()}
    return said | kexinits()


def handshakes() -> Inputs:
    """Whole conversations."""
    lines = {f"lines-{name}": octets + KEXINIT for name, octets in LINES.items()}
    packets = {f"packets-{name}": IDENTIFICATION + octets for name, octets in PACKETS.items()}
    offers = {
        f"offer-{name}": IDENTIFICATION + packet(b"\x14" + octets)
        for name, octets in kexinits().items()
    }
    return conversations() | lines | packets | offers


def configurations() -> Inputs:
    """The configuration that is shipped, one that says nothing, and keys with odd values."""
    shipped = files("probe.exporter").joinpath("shipped", "exporter.toml").read_bytes()
    keys = ("exporter.fresh_s", "exporter.hosts", "modules.x.limit_s", "modules.x.stage_limits_s")
    odd = {
        f"{key}-{name}": f"{key} = {value}\n".encode()
        for key in (*keys, "modules.x.port", "modules.x.expect", "modules.x.source", "allow", "odd")
        for name, value in VALUES.items()
    }
    permits = {f"permit-{name}": f"[[allow]]\n{row}\n".encode() for name, row in PERMITS.items()}
    return (
        {"shipped": shipped, "empty": b"", "not-utf-8": b"\xff", "bom": b"\xef\xbb\xbf"}
        | odd
        | permits
    )


VALUES: Final = {
    "0": "0",
    "minus": "-1",
    "nan": "nan",
    "inf": "inf",
    "huge": "1" + "0" * 400,
    "true": "true",
    "text": '"\\u001b[2J"',
    "list": '["ok", "kex:*"]',
    "nested": "[[1], {a = 1}]",
    "table": "{connect = 1, odd = nan}",
    "date": "1979-05-27",
}
"""Values of TOML, of each kind."""

PERMITS: Final = {
    "network": 'networks = ["10.0.0.0/8", "fe80::/10"]',
    "not-a-network": 'networks = ["10.0.0.1/8"]',
    "scoped": 'networks = ["fe80::1%eth0/128"]',
    "ports": "ports = [0, 22, 65536]",
    "hosts": 'hosts = ["[", "*", "\\u202e"]',
}
"""Rows of an allow list."""

MAKERS: Final[dict[str, Callable[[], Inputs]]] = {
    "identification": identifications,
    "packet": packets,
    "kexinit": offers,
    "messages": lambda: MESSAGES,
    "handshake": handshakes,
    "script": scripts,
    "faces": lambda: FACES,
    "reports": reports,
    "target_list": lambda: LISTS_OF_TARGETS,
    "configuration": configurations,
    "command_line": lambda: OPTIONS,
}
"""What the inputs of each corpus are made of."""


def made(name: str) -> Inputs:
    """Return the inputs of a corpus by their names, each of several equal ones once."""
    named = {octets: name for name, octets in reversed(MAKERS[name]().items())}
    return {name: octets for octets, name in sorted(named.items(), key=lambda pair: pair[1])}


def main() -> None:
    """Write all of them, and remove what is not made any more."""
    for corpus in MAKERS:
        folder, inputs = CORPORA / corpus, made(corpus)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.name not in inputs and not path.name.startswith(FOUND):
                path.unlink()
        for name, octets in inputs.items():
            (folder / name).write_bytes(octets)


if __name__ == "__main__":
    main()
