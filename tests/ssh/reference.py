"""A slow, obvious reading of a whole conversation, written from RFC 4251 and RFC 4253.

It shares nothing with the package under test: not its constants, not its way of reading. It is
given everything that the server will ever say and what the client offers, and it returns plain
tuples. Where an RFC gives no figure, the figure is this project's promise and stands here again.
"""

Event = tuple[object, ...]
Names = tuple[bytes, ...]

LONGEST_LINE = 8192
MOST_LINES = 1024
LONGEST_PACKET_LENGTH = 262144
MOST_PACKETS = 1024
MOST_OCTETS = 1048576

AEAD = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


class BrokenRuleError(Exception):
    """The conversation cannot go on. The only argument is the code of the rule."""


class Reading:
    """One reading of one conversation.

    Attributes:
        events: What happened, in order. The last one is the end.
        findings: The codes of what was odd.
        consumed: How many octets belong to the lines and packets that were read.
    """

    def __init__(self, server: bytes, offer: tuple[Names, ...]) -> None:
        self.events: list[Event] = []
        self.findings: set[str] = set()
        self._server = server
        self._offer = offer
        self.consumed = 0
        try:
            ended = self._read_lines() and self._read_packets()
        except BrokenRuleError as broken:
            self.events.append(("violation", broken.args[0]))
        else:
            if not ended:
                self.events.append(("closed",))

    # RFC 4253 §4.2 -------------------------------------------------------------------------------

    def _read_lines(self) -> bool:
        """Read up to the identification string; False if the octets end before."""
        lines_before = 0
        while True:
            line = self._next_line()
            if line is None:
                return False
            text = line[:-1]
            while text.endswith(b"\r"):
                text = text[:-1]
            if line.startswith(b"SSH-"):
                event = self._identification(line, text)
                self._charge()
                self.events.append(event)
                return True
            self._judge_line_before(line, text)
            self._charge()
            lines_before += 1
            refuse("too-many-lines", when=lines_before == MOST_LINES)
            if lines_before > 100:
                self.findings.add("lines-before-many")
            self.events.append(("line-before", text))

    def _next_line(self) -> bytes | None:
        """Everything up to LF or NUL."""
        window = self._server[self.consumed : self.consumed + LONGEST_LINE]
        for last, value in enumerate(window):
            if value in (0, 10):
                self.consumed += last + 1
                return window[: last + 1]
        refuse("line-too-long", when=len(window) == LONGEST_LINE)
        return None

    def _charge(self) -> None:
        refuse("too-many-octets", when=self.consumed > MOST_OCTETS)

    def _judge_line_before(self, line: bytes, text: bytes) -> None:
        refuse("nul-before-identification", when=line[-1] == 0)
        if line[-2:] != b"\r\n":
            self.findings.add("line-before-lf-only")
        if len(line) > 255:
            self.findings.add("line-before-long")
        if line[-3:] == b"\r\r\n" or holds_control(text):
            self.findings.add("line-before-control-characters")
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            self.findings.add("line-before-not-utf-8")

    def _identification(self, line: bytes, text: bytes) -> Event:
        refuse("nul-in-identification", when=line[-1] == 0)
        refuse("cr-in-identification", when=b"\r" in text)
        parts = text[4:].split(b"-", 1)
        refuse("identification-incomplete", when=len(parts) == 1 or parts[0] == b"")
        protoversion = parts[0]
        refuse("protoversion-unsupported", when=protoversion not in (b"2.0", b"1.99"))
        words = parts[1].split(b" ", 1)
        softwareversion = words[0]
        comments = words[1] if len(words) == 2 else None
        refuse("identification-incomplete", when=softwareversion == b"")
        self._judge_identification(line, protoversion)
        self._judge_words(softwareversion, comments)
        return ("identification", text, protoversion, softwareversion, comments)

    def _judge_identification(self, line: bytes, protoversion: bytes) -> None:
        if protoversion == b"1.99":
            self.findings.add("protoversion-1.99")
        elif line[-2:] != b"\r\n":
            self.findings.add("identification-lf-only")
        if line[-3:] == b"\r\r\n":
            self.findings.add("identification-cr-repeated")
        if len(line) > 255:
            self.findings.add("identification-over-255")

    def _judge_words(self, softwareversion: bytes, comments: bytes | None) -> None:
        if b"-" in softwareversion:
            self.findings.add("softwareversion-minus")
        if any(value <= 32 or value >= 127 for value in softwareversion):
            self.findings.add("softwareversion-not-printable")
        if comments is not None and (comments == b"" or comments[:1] == b" "):
            self.findings.add("comments-spacing")
        if comments is not None and holds_control(comments):
            self.findings.add("comments-control-characters")

    # RFC 4253 §6 ---------------------------------------------------------------------------------

    def _read_packets(self) -> bool:
        """Read up to KEXINIT or DISCONNECT; False if the octets end before."""
        packets_before = 0
        while True:
            payload = self._next_payload()
            if payload is None:
                return False
            event = self._message(payload, packets_before)
            if event[0] not in ("kexinit", "disconnect"):
                packets_before += 1
                refuse("too-many-packets", when=packets_before == MOST_PACKETS)
            self.events.append(event)
            if event[0] in ("kexinit", "disconnect"):
                return True

    def _next_payload(self) -> bytes | None:
        """The next packet's payload; None if its octets end before."""
        packet = self._server[self.consumed : self.consumed + 4 + LONGEST_PACKET_LENGTH]
        if len(packet) < 4:
            return None
        length = judged_length(packet[:4])
        if len(packet) < 5:
            return None
        payload_length = judged_payload_length(length, packet[4])
        refuse("too-many-octets", when=self.consumed + 4 + length > MOST_OCTETS)
        if len(packet) < 4 + length:
            return None
        if 4 + length > 35000:
            self.findings.add("packet-over-35000")
        self.consumed += 4 + length
        return packet[5 : 5 + payload_length]

    # RFC 4253 §11, RFC 8308 ----------------------------------------------------------------------

    def _message(self, payload: bytes, packets_before: int) -> Event:
        number = payload[0]
        refuse("unimplemented-before-kexinit", when=number == 3)
        refuse("message-unexpected", when=number not in (1, 2, 4, 7, 20))
        if number == 1:
            return self._disconnect(payload)
        if number == 20:
            return self._kexinit(payload, packets_before)
        if number == 7:
            self.findings.add("ext-info-before-newkeys")
        return ({2: "ignore", 4: "debug", 7: "ext-info"}[number],)

    def _disconnect(self, payload: bytes) -> Event:
        """Keep each field that is whole."""
        reason = int.from_bytes(payload[1:5], "big") if len(payload) >= 5 else None
        description = string_at(payload, 5)
        language = None if description is None else string_at(payload, 9 + len(description))
        if language is None:
            self.findings.add("disconnect-truncated")
        return ("disconnect", reason, description or b"")

    # RFC 4253 §7.1 -------------------------------------------------------------------------------

    def _kexinit(self, payload: bytes, packets_before: int) -> Event:
        cookie, lists, rest = split_kexinit(payload)
        follows, reserved = rest[0], int.from_bytes(rest[1:], "big")
        for names in lists[:8]:
            self._judge_names(names)
            refuse("algorithms-empty", when=names == ())
        for names in lists[8:]:
            self._judge_names(names)
            if names != ():
                self.findings.add("languages-not-empty")
        if cookie == cookie[:1] * 16:
            self.findings.add("cookie-not-random")
        if follows > 1:
            self.findings.add("first-kex-packet-follows-not-0-or-1")
        if reserved != 0:
            self.findings.add("reserved-not-zero")
        self._judge_strict_kex(lists[0], packets_before)
        if not agree(self._offer, lists):
            self.findings.add("no-common-algorithm")
        return ("kexinit", cookie, lists, follows != 0, reserved)

    def _judge_names(self, names: Names) -> None:
        for name in names:
            if name == b"":
                self.findings.add("name-empty")
            if len(name) > 64:
                self.findings.add("name-over-64")
            if any(value <= 32 or value >= 127 for value in name):
                self.findings.add("name-not-printable")
            sides = name.split(b"@")
            if len(sides) > 2 or (len(sides) == 2 and b"" in sides):
                self.findings.add("name-at-signs")
            if names.count(name) > 1:
                self.findings.add("name-twice")

    def _judge_strict_kex(self, kex_algorithms: Names, packets_before: int) -> None:
        if b"kex-strict-s-v00@openssh.com" not in kex_algorithms:
            self.findings.add("strict-kex-absent")
        elif packets_before > 0:
            self.findings.add("strict-kex-broken")


def refuse(code: str, *, when: bool) -> None:
    """End the conversation if a rule is broken."""
    if when:
        raise BrokenRuleError(code)


def judged_length(field: bytes) -> int:
    """RFC 4253 §6, §6.1: packet_length, which counts everything but itself."""
    length = int.from_bytes(field, "big")
    is_text = all(value in b"\t\r\n" or 32 <= value <= 126 for value in field)
    refuse("text-instead-of-packet", when=is_text)
    refuse("packet-length-too-long", when=length > LONGEST_PACKET_LENGTH)
    refuse("packet-length-too-short", when=length < 12)
    refuse("packet-length-misaligned", when=(4 + length) % 8 != 0)
    return length


def judged_payload_length(length: int, padding: int) -> int:
    """RFC 4253 §6: n1 = packet_length - padding_length - 1."""
    payload_length = length - padding - 1
    refuse("padding-too-short", when=padding < 4)
    refuse("padding-longer-than-packet", when=payload_length < 0)
    refuse("payload-empty", when=payload_length == 0)
    return payload_length


def holds_control(text: bytes) -> bool:
    """RFC 4251 §9.2: every C0, DEL and C1, but tab; C1 as UTF-8 or as a single octet."""
    for character in text.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:  # an octet that is no UTF-8
            code -= 0xDC00
        if (code < 32 and code != 9) or 127 <= code < 160:
            return True
    return False


def string_at(payload: bytes, at: int) -> bytes | None:
    """The RFC 4251 §5 string there, or None if it is not whole."""
    if at + 4 > len(payload):
        return None
    length = int.from_bytes(payload[at : at + 4], "big")
    if at + 4 + length > len(payload):
        return None
    return payload[at + 4 : at + 4 + length]


def split_kexinit(payload: bytes) -> tuple[bytes, tuple[Names, ...], bytes]:
    """Cookie, ten name-lists, and the five octets at the end."""
    refuse("kexinit-truncated", when=len(payload) < 17)
    at = 17
    lists: list[Names] = []
    for _ in range(10):
        refuse("kexinit-truncated", when=at + 4 > len(payload))
        length = int.from_bytes(payload[at : at + 4], "big")
        refuse("name-list-beyond-payload", when=at + 4 + length > len(payload))
        text = payload[at + 4 : at + 4 + length]
        lists.append(() if text == b"" else tuple(text.split(b",")))
        at += 4 + len(text)
    rest = payload[at:]
    refuse("kexinit-truncated", when=len(rest) < 5)
    refuse("kexinit-trailing-octets", when=len(rest) > 5)
    return payload[1:17], tuple(lists), rest


def choose(ours: Names, theirs: Names) -> bytes | None:
    """RFC 4253 §7.1: the first of the client's names that the server has, too."""
    for name in ours:
        if name in theirs:
            return name
    return None


def agree(client: tuple[Names, ...], server: tuple[Names, ...]) -> bool:
    """Whether a key exchange would find a choice for everything."""
    kex, host_key, cipher_up, cipher_down, mac_up, mac_down, compress_up, compress_down = (
        choose(ours, theirs) for ours, theirs in zip(client[:8], server[:8], strict=True)
    )
    if cipher_up is not None and cipher_up.decode() in AEAD:
        mac_up = b"implicit"
    if cipher_down is not None and cipher_down.decode() in AEAD:
        mac_down = b"implicit"
    choices = (kex, host_key, cipher_up, cipher_down, mac_up, mac_down, compress_up, compress_down)
    return None not in choices
