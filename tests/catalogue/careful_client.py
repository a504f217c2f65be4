"""A careful client: the control of the experiment with naive ones.

Every naive client is this one with one thing changed, and no row bites this one. So what bites a
naive client is the thing that was changed. It is dull: it says healthy or not, and seldom why. It
shares no code with the prober.
"""

import re
import sys
from typing import NamedTuple

import trio

from probe.catalogue import octets
from probe.catalogue.octets import kexinit, packet, string

DISCONNECT, IGNORE, DEBUG, EXT_INFO, KEXINIT, NEWKEYS, KEXDH_REPLY = 1, 2, 4, 7, 20, 21, 31
"""Message numbers: RFC 4250 §4.1.2, RFC 8308 §2.3, RFC 5656 §7.1."""

NO_CAP = sys.maxsize

HOPELESS_OCTETS = 1024 * 1024
"""Who has read this much reads for ever: four times what any healthy server sends."""

SHOWN_CHARACTERS = 256

OUR_IDENTIFICATION = b"SSH-2.0-client\r\n"
OUR_KEXINIT = packet(kexinit())
OUR_KEXDH_INIT = packet(b"\x1e" + string(bytes(range(32))))


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """The server is not healthy, says the client."""


class Throttled(Exception):  # noqa: N818 - likewise
    """The server is alive, says the client, and does not want to talk now."""


class HopelessError(Exception):
    """The client has read ``HOPELESS_OCTETS`` and wants more."""


class Kexinit(NamedTuple):
    cookie: bytes
    lists: list[list[bytes]]
    tail: bytes


class Client:
    """Asks one server once whether it is healthy, and does so with care."""

    limit_s = 10.0
    line_end = b"\n"
    longest_line = 8192
    most_lines = 1024
    longest_packet = 256 * 1024
    most_octets = 512 * 1024
    read_at_once = 64 * 1024
    skipped = frozenset({IGNORE, DEBUG, EXT_INFO})
    identification = re.compile(rb"SSH-(2\.0|1\.99)-[^\0\r\n]+\r*\n")
    throttling = re.compile(rb"Exceeded MaxStartups\r\n|Not allowed at this time\r\n")

    stream: trio.SocketStream
    limit: trio.CancelScope

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.shown: list[str] = []
        self.octets_read = 0
        self.unread = bytearray()

    async def check(self) -> None:
        """Return if the server is healthy. Otherwise raise one of three.

        Raises:
            Refused: It is not.
            Throttled: It may be.
            trio.TooSlowError: It did not show in time that it is.
        """
        with trio.fail_after(self.limit_s) as self.limit:
            self.stream = await trio.open_tcp_stream(self.host, self.port)
            async with self.stream:
                await self.converse()

    async def converse(self) -> None:
        await self.introduce()
        await self.identify()
        await self.offer()
        await self.exchange()

    # The four parts of a conversation.

    async def introduce(self) -> None:
        await self.stream.send_all(OUR_IDENTIFICATION)

    async def identify(self) -> None:
        for _ in range(self.most_lines):
            line = await self.read_line()
            self.show(line.rstrip(b"\r\n"))
            if self.throttling.fullmatch(line):
                raise Throttled
            if line.startswith(b"SSH-"):
                return self.require(self.identification.fullmatch(line) is not None)
        raise Refused

    async def offer(self) -> None:
        await self.stream.send_all(OUR_KEXINIT)

    async def exchange(self) -> Kexinit:
        while (payload := await self.read_packet())[0] != KEXINIT:
            self.skip(payload)
        return self.read_kexinit(payload)

    # What they are made of.

    def skip(self, payload: bytes) -> None:
        if payload[0] == DISCONNECT:
            self.show(self.read_description(payload))
        self.require(payload[0] in self.skipped)

    def require(self, condition: bool) -> None:  # noqa: FBT001 - a plain assertion
        if not condition:
            raise Refused

    def show(self, text: bytes) -> None:
        escaped = repr(text)[2:-1]
        self.shown.append(escaped[:SHOWN_CHARACTERS])

    async def receive(self) -> None:
        octets = await self.stream.receive_some(self.read_at_once)
        self.require(octets != b"")
        self.unread += octets
        self.octets_read += len(octets)
        self.require(self.octets_read <= self.most_octets)
        if self.octets_read > HOPELESS_OCTETS:
            raise HopelessError

    def take(self, count: int) -> bytes:
        taken = bytes(self.unread[:count])
        del self.unread[:count]
        return taken

    async def read_line(self) -> bytes:
        while self.line_end not in self.unread:
            self.require(len(self.unread) < self.longest_line)
            await self.receive()
        length = self.unread.index(self.line_end) + len(self.line_end)
        self.require(length <= self.longest_line)
        return self.take(length)

    async def read_exactly(self, count: int) -> bytes:
        while len(self.unread) < count:
            await self.receive()
        return self.take(count)

    async def read_packet(self) -> bytes:
        """RFC 4253 §6."""
        packet_length = int.from_bytes(await self.read_exactly(4))
        self.require(12 <= packet_length <= self.longest_packet)
        self.require((4 + packet_length) % 8 == 0)
        rest = await self.read_exactly(packet_length)
        padding_length = rest[0]
        self.require(4 <= padding_length <= packet_length - 2)
        return rest[1 : packet_length - padding_length]

    def read_uint32(self, payload: bytes, at: int) -> int:
        self.require(at + 4 <= len(payload))
        return int.from_bytes(payload[at : at + 4])

    def read_string(self, payload: bytes, at: int) -> tuple[bytes, int]:
        """Return a string, and where the next field begins: RFC 4251 §5."""
        begin = at + 4
        end = begin + self.read_uint32(payload, at)
        self.require(end <= len(payload))
        return payload[begin:end], end

    def read_description(self, payload: bytes) -> bytes:
        """RFC 4253 §11.1."""
        self.read_uint32(payload, 1)
        description, at = self.read_string(payload, 5)
        self.read_string(payload, at)
        return description

    def read_kexinit(self, payload: bytes) -> Kexinit:
        """RFC 4253 §7.1."""
        lists, at = [], 17
        for _ in range(10):
            names, at = self.read_string(payload, at)
            lists.append(names.split(b","))
        kexinit = Kexinit(payload[1:17], lists, payload[at:])
        self.judge(kexinit)
        return kexinit

    def judge(self, kexinit: Kexinit) -> None:
        self.require([b""] not in kexinit.lists[:8])
        self.require(len(kexinit.tail) == 5)


class Exchanger(Client):
    """Goes on until the server says that keys have been exchanged, and does so with care.

    It looks at the form of a reply, and verifies no signature.
    """

    most_packets = 1024

    async def converse(self) -> None:
        await super().converse()
        await self.stream.send_all(OUR_KEXDH_INIT)
        self.read_reply(await self.await_message(KEXDH_REPLY))
        await self.stream.send_all(octets.NEWKEYS)
        await self.await_message(NEWKEYS)

    async def await_message(self, number: int) -> bytes:
        for _ in range(self.most_packets):
            payload = await self.read_packet()
            if payload[0] == number:
                return payload
            self.skip(payload)
        raise Refused

    def read_reply(self, payload: bytes) -> None:
        """RFC 5656 §4."""
        _, at = self.read_string(payload, 1)
        public_key, at = self.read_string(payload, at)
        self.read_string(payload, at)
        self.accept(public_key)

    def accept(self, public_key: bytes) -> None:
        """RFC 8731 §3."""
        self.require(len(public_key) == 32)
