"""Naive clients: a careful one, and each with one defect that real programs have.

A docstring begins with the sentence of ``NAIVE_CLIENTS``, and says in which programs the defect
was seen: in their source, in bug reports (``owner/repository#number``), or in an experiment.
"""

import math
import re
import struct
from typing import Final

import trio
from careful_client import KEXINIT, NO_CAP, Client, Exchanger, Kexinit, Refused, Throttled

from probe.catalogue.octets import STRICT, UNIMPLEMENTED

# No limit, or one that does not hold. -----------------------------------------------------------


class Patient(Client):
    """Limits the TCP connect, and nothing after it.

    Go's ssh.Dial, whose Timeout is that of the dial (golang/go#15113), and what is built on it:
    Gatus with credentials, ssh_exporter.
    """

    async def introduce(self) -> None:
        self.limit.deadline = math.inf
        await super().introduce()


class SelectOnce(Client):
    """Limits the wait for the first octet, and nothing after it.

    Ruby's Net::SSH (net-ssh/net-ssh#900: a mail server); ssh-keyscan before 10.5.
    """

    async def receive(self) -> None:
        await super().receive()
        self.limit.deadline = math.inf


class HalfWay(Client):
    """Limits everything up to the identification string, and nothing after it.

    OpenSSH's ssh, whose ConnectTimeout does not bound the key exchange (9.2).
    """

    async def offer(self) -> None:
        self.limit.deadline = math.inf
        await super().offer()


class PerRead(Client):
    """Limits each read, and begins anew with each.

    ssh-audit, ssh-keyscan, nmap's scripts, paramiko's banner_timeout, JSch, sshj; OpenSSH's ssh
    from 9.5 on.
    """

    async def receive(self) -> None:
        self.limit.deadline = trio.current_time() + self.limit_s
        await super().receive()


class PerStep(Client):
    """Limits each step, but not their sum.

    mozilla/ssh_scan, with three seconds a step.
    """

    async def offer(self) -> None:
        self.limit.deadline = trio.current_time() + self.limit_s
        await super().offer()


class Lingerer(Client):
    """Waits without limit for the server to close as well.

    Whatever awaits StreamWriter.wait_closed() as the documentation bids (python/cpython#83939,
    luqasz/librouteros#384).
    """

    async def converse(self) -> None:
        await super().converse()
        self.limit.deadline = math.inf
        await self.stream.send_eof()
        while await self.stream.receive_some():
            pass


class Uncapped(Client):
    """Puts no cap on lines, packets and octets.

    Twisted before 22.2 (CVE-2022-21716), asyncssh once (ronf/asyncssh#260), russh
    (warp-tech/warpgate#2520), sshj, SSH.NET, Net::SSH. What comes at full speed also starves the
    deadlines of libssh2 and nmap: here, no time passes at all.
    """

    longest_line = most_lines = longest_packet = most_octets = NO_CAP


class Skipper(Patient):
    """Skips any packet, and without limit, until KEXINIT comes.

    Terrapin-Scanner, which limits the dial alone.
    """

    most_octets = NO_CAP

    async def exchange(self) -> Kexinit:
        while (payload := await self.read_packet())[0] != KEXINIT:
            pass
        return self.read_kexinit(payload)


# It looks at too little. ------------------------------------------------------------------------


class ConnectOnly(Client):
    """Calls healthy what completes the TCP handshake.

    Kubernetes' tcpSocket, Consul's tcp check, Uptime Kuma, most load balancers.
    """

    async def converse(self) -> None:
        await trio.lowlevel.checkpoint()


class OneOctet(Client):
    """Calls healthy what sends an octet.

    Gatus without credentials, which does not speak either.
    """

    async def converse(self) -> None:
        await self.receive()


class Substring(Client):
    """Calls healthy what sends SSH-2.0- at any place.

    HAProxy with ``tcp-check expect string SSH-2.0-`` (drakkan/sftpgo#1977).
    """

    async def converse(self) -> None:
        await self.introduce()
        while b"SSH-2.0-" not in self.unread:
            await self.receive()


class FirstLine(Client):
    """Calls healthy what begins its first line with SSH-2.0-.

    blackbox_exporter's ssh_banner, check_ssh, zgrab2 with --hello-only.
    """

    beginning = b"SSH-2.0-"

    async def converse(self) -> None:
        await self.introduce()
        line = await self.read_line()
        self.require(line.startswith(self.beginning))


class AnyVersion(FirstLine):
    """Calls healthy what begins its first line with SSH-.

    libssh2 looks for no more than these four octets; telegraf's net_response, if told to expect
    them.
    """

    beginning = b"SSH-"


# It believes too much. --------------------------------------------------------------------------


class Trusting(HalfWay):
    """Believes every length, and takes for KEXINIT whatever has its number.

    By their source Terrapin-Scanner crashes, asyncssh 2.24.0 and nmap's scripts wait for 4 GiB;
    SerenityOS/serenity#26903, CVE-2021-43565, CVE-2019-3861, CVE-2019-3862.
    """

    async def read_packet(self) -> bytes:
        packet_length = int.from_bytes(await self.read_exactly(4))
        rest = await self.read_exactly(packet_length)
        padding_length = rest[0]
        return rest[1 : packet_length - padding_length]

    def read_uint32(self, payload: bytes, at: int) -> int:
        return int(struct.unpack_from(">I", payload, at)[0])

    def read_string(self, payload: bytes, at: int) -> tuple[bytes, int]:
        begin = at + 4
        end = begin + self.read_uint32(payload, at)
        return payload[begin:end], end

    def judge(self, kexinit: Kexinit) -> None:
        self.first_kex_packet_follows = kexinit.tail[0]


class Signed(Client):
    """Reads packet_length and padding_length as signed numbers.

    So a length of 2 GiB is below every upper limit: the kin of CVE-2019-3855. Java has no other
    octets and ints than signed ones.
    """

    async def read_packet(self) -> bytes:
        (packet_length,) = struct.unpack(">i", await self.read_exactly(4))
        self.require(packet_length <= self.longest_packet)
        rest = await self.read_exactly(packet_length)
        (padding_length,) = struct.unpack_from(">b", rest)
        return rest[1 : packet_length - padding_length]


class Raw(Client):
    """Shows a server's text as it came.

    x/crypto in its error messages, up to its commit 0f039f3.
    """

    def show(self, text: bytes) -> None:
        self.shown.append(text.decode("latin-1"))


# It takes order and timing for granted. ---------------------------------------------------------


class Impatient(Client):
    """Gives up after a second.

    Kubernetes' default timeoutSeconds, Gatus, telegraf's default read_timeout. UseDNS alone may
    take fifteen (fabric/fabric#1422).
    """

    limit_s = 1.0


class Pager(Client):
    """Calls down what refuses it once, whatever the reason given.

    Every check here that asks again and again, and an alert on the first failure
    (NixOS/infra#352, jtesta/ssh-audit#349).
    """

    async def check(self) -> None:
        for _ in range(2):
            try:
                await super().check()
            except Throttled as throttled:
                raise Refused from throttled


class Listener(Client):
    """Speaks only once the server has spoken.

    SSH.NET (sshnet/SSH.NET#505), blackbox_exporter, check_ssh, masscan.
    """

    async def converse(self) -> None:
        await self.identify()
        await self.introduce()
        await self.offer()
        await self.exchange()


class Follower(Client):
    """Sends KEXINIT only once it has the server's.

    SSH.NET (sshnet/SSH.NET#972); Terrapin-Scanner sends none at all.
    """

    async def converse(self) -> None:
        await self.introduce()
        await self.identify()
        await self.exchange()
        await self.offer()


class OneRead(Client):
    """Takes what one read returns for a line.

    check_ssh 2.3.3: «Server answer: S».
    """

    async def read_line(self) -> bytes:
        await self.receive()
        length = self.unread.find(b"\n") + 1
        return self.take(length or len(self.unread))


class Slurper(Client):
    """Takes what has come after half a second, 4096 octets at most, for KEXINIT.

    The shape of scripts: send, sleep, recv(4096). ssh-audit parses a line from whatever octets
    have arrived.
    """

    read_at_once = 4096

    async def exchange(self) -> Kexinit:
        await trio.sleep(0.5)
        await self.receive()
        packet_length = int.from_bytes(self.unread[:4])
        self.require(len(self.unread) == 4 + packet_length)
        return await super().exchange()


class Discarder(Client):
    """Drops what came in one segment with the identification string.

    What two layers of buffers do: paramiko keeps what it has read too much for this reason.
    """

    async def identify(self) -> None:
        await super().identify()
        self.unread.clear()


class KexinitFirst(Client):
    """Refuses every packet before KEXINIT.

    ssh-audit: «did not receive MSG_KEXINIT (20), instead received unknown message (2)».
    """

    skipped = frozenset()


class GuessWaiter(Client):
    """Waits for the guessed packet that KEXINIT announces.

    Right for a client that goes on to exchange keys, and one packet too many for a health check.
    """

    async def exchange(self) -> Kexinit:
        kexinit = await super().exchange()
        first_kex_packet_follows = kexinit.tail[0]
        if first_kex_packet_follows:
            await self.read_packet()
        return kexinit


# It bears less than it must, or than others do. -------------------------------------------------


class OneLine(Client):
    """Takes the first line for the identification string.

    nmap's scripts, check_ssh; swift-nio-ssh once (apple/swift-nio-ssh#74).
    """

    most_lines = 1


class FewLines(Client):
    """Bears twenty lines.

    russh; wolfSSH bears ten (wolfSSL/wolfssh#959), paramiko a hundred.
    """

    most_lines = 20


class Line255(Client):
    """Bears no line, of whichever kind, of more than 255 octets.

    russh, libssh; x/crypto even counts all lines together (golang/go#66716).
    """

    longest_line = 255


class SmallBuffer(Client):
    """Has buffers as long as the law's longest texts, less one octet for a NUL.

    What ``char line[255]`` and ``char name[64]`` hold: one octet less, as C's strings end in NUL.
    """

    longest_line = 254
    longest_name = 63

    def judge(self, kexinit: Kexinit) -> None:
        super().judge(kexinit)
        for names in kexinit.lists:
            self.require(max(map(len, names)) <= self.longest_name)


class Packet35000(Client):
    """Bears no packet of more than 35000 octets.

    Terrapin-Scanner; libssh2 stops at 40000.
    """

    longest_packet = 35000 - 4


class CrLfOnly(Client):
    """Knows no line end but CR LF.

    dartssh2 (TerminalStudio/dartssh2#14), swift-nio-ssh (apple/swift-nio-ssh#109).
    """

    line_end = b"\r\n"


class Ascii(Client):
    """Decodes as US-ASCII, and fails on anything else.

    The same with UTF-8: paramiko (paramiko/paramiko#1459, name-lists; ktbyers/netmiko#634, a
    line), asyncssh (ronf/asyncssh#786, DISCONNECT).
    """

    def show(self, text: bytes) -> None:
        self.shown.append(text.decode("ascii"))

    def judge(self, kexinit: Kexinit) -> None:
        super().judge(kexinit)
        for names in kexinit.lists:
            b",".join(names).decode("ascii")


class NoMinus(Client):
    """Allows no minus in the softwareversion.

    blackbox_exporter's ssh_banner_extract (rapier1/hpn-ssh#97).
    """

    identification = re.compile(rb"SSH-2\.0-([^ -]+)(?: (.*))?\r?\n")


class Stickler(Client):
    """Refuses every deviation from the letter of the RFCs.

    No one program is known to refuse all of this: it tempts whoever writes a prober from the RFCs
    alone.
    """

    identification = re.compile(rb"SSH-2\.0-[!-,.-~]+( [!-~]([ -~]*[!-~])?)?\r\n")
    name = re.compile(rb"(?=.{1,64}$)[!-?A-~]+(@[!-?A-~]+)?")

    def judge(self, kexinit: Kexinit) -> None:
        super().judge(kexinit)
        self.require(any(kexinit.cookie))
        self.require(kexinit.lists[8:] == [[b""], [b""]])
        for names in kexinit.lists[:8]:
            self.require(len(set(names)) == len(names))
            self.require(all(map(self.name.fullmatch, names)))


class ZeroTail(Client):
    """Takes for granted that KEXINIT ends in five zeros.

    libssh, before it read first_kex_packet_follows and reserved (its commit 8dbe0553).
    """

    def judge(self, kexinit: Kexinit) -> None:
        super().judge(kexinit)
        self.require(kexinit.tail == bytes(5))


# It asks for more than life. --------------------------------------------------------------------


class Negotiator(Client):
    """Calls unhealthy a server that shares no algorithm with it.

    zgrab2 (handshake-error), and every health check that goes through an SSH client.
    """

    known = (
        {b"curve25519-sha256", b"ecdh-sha2-nistp256", b"diffie-hellman-group14-sha256"},
        {b"ssh-ed25519", b"ecdsa-sha2-nistp256", b"rsa-sha2-256"},
        {b"chacha20-poly1305@openssh.com", b"aes128-ctr", b"aes256-ctr"},
    )
    """kex_algorithms, server_host_key_algorithms, encryption_algorithms_client_to_server."""

    def judge(self, kexinit: Kexinit) -> None:
        super().judge(kexinit)
        for ours, theirs in zip(self.known, kexinit.lists, strict=False):
            self.require(not ours.isdisjoint(theirs))


class Antique(Negotiator):
    """Does the same, and knows the algorithms of 2018.

    JSch 0.1.55, still in use: «Algorithm negotiation fail» (mwiede/jsch#111, mwiede/jsch#307).
    """

    known = (
        {b"ecdh-sha2-nistp256", b"diffie-hellman-group14-sha1", b"diffie-hellman-group1-sha1"},
        {b"ssh-rsa", b"ssh-dss", b"ecdsa-sha2-nistp256"},
        {b"aes128-ctr", b"aes128-cbc", b"3des-cbc"},
    )


class Auditor(Client):
    """Calls unhealthy a server without strict key exchange.

    An audit for a health check: the exit status of ssh-audit, Terrapin-Scanner's «vulnerable».
    """

    def judge(self, kexinit: Kexinit) -> None:
        super().judge(kexinit)
        self.require(STRICT.encode() in kexinit.lists[0])


# It goes on to exchange keys. -------------------------------------------------------------------


class UntilKexinit(Exchanger):
    """Limits everything up to KEXINIT, and nothing after it.

    OpenSSH's ssh and Go's ssh.Dial limit no more than that; hierynomus/sshj#483 and mscdex/ssh2#105
    wait for a reply that does not come.
    """

    async def exchange(self) -> Kexinit:
        kexinit = await super().exchange()
        self.limit.deadline = math.inf
        return kexinit


class Seeker(UntilKexinit):
    """Skips any packet, and without limit, until the one comes that it waits for.

    OpenSSH's ssh and ssh-keyscan, as for IGNORE and DEBUG; Go's ssh.Dial. A flood also starves the
    deadlines of asyncssh, libssh2 and nmap.
    """

    most_octets = NO_CAP

    async def await_message(self, number: int) -> bytes:
        while (payload := await self.read_packet())[0] != number:
            pass
        return payload


class Answerer(Exchanger):
    """Answers any packet, and waits without limit until the answer is sent.

    OpenSSH's ssh (9.2) with UNIMPLEMENTED; dbclient and asyncssh are late.
    """

    most_octets = NO_CAP

    async def await_message(self, number: int) -> bytes:
        while (payload := await self.read_packet())[0] != number:
            await self.answer()
        return payload

    async def answer(self) -> None:
        deadline, self.limit.deadline = self.limit.deadline, math.inf
        await self.stream.send_all(UNIMPLEMENTED)
        self.limit.deadline = deadline


class Gullible(Trusting, Exchanger):
    """Believes every length, and goes on to exchange keys.

    libssh2 before 1.9 for DH_GEX_GROUP (CVE-2019-13115), and before 1.10 for DISCONNECT
    (CVE-2019-17498).
    """

    most_octets = NO_CAP

    def accept(self, public_key: bytes) -> None:
        self.public_key = public_key


class Bystander(Exchanger):
    """Waits for the end of the key exchange, and misses that of the connection.

    Apache MINA SSHD (apache/mina-sshd#414).
    """

    async def receive(self) -> None:
        try:
            await super().receive()
        except (Refused, trio.BrokenResourceError):
            self.limit.deadline = math.inf
            await trio.sleep_forever()


CLIENTS: Final[dict[str, type[Client]]] = {
    "patient": Patient,
    "select-once": SelectOnce,
    "half-way": HalfWay,
    "per-read": PerRead,
    "per-step": PerStep,
    "lingerer": Lingerer,
    "uncapped": Uncapped,
    "skipper": Skipper,
    "connect-only": ConnectOnly,
    "one-octet": OneOctet,
    "substring": Substring,
    "first-line": FirstLine,
    "any-version": AnyVersion,
    "trusting": Trusting,
    "signed": Signed,
    "raw": Raw,
    "impatient": Impatient,
    "pager": Pager,
    "listener": Listener,
    "follower": Follower,
    "one-read": OneRead,
    "slurper": Slurper,
    "discarder": Discarder,
    "kexinit-first": KexinitFirst,
    "guess-waiter": GuessWaiter,
    "one-line": OneLine,
    "few-lines": FewLines,
    "line-255": Line255,
    "small-buffer": SmallBuffer,
    "packet-35000": Packet35000,
    "crlf-only": CrLfOnly,
    "ascii": Ascii,
    "no-minus": NoMinus,
    "stickler": Stickler,
    "zero-tail": ZeroTail,
    "negotiator": Negotiator,
    "antique": Antique,
    "auditor": Auditor,
    "until-kexinit": UntilKexinit,
    "seeker": Seeker,
    "answerer": Answerer,
    "gullible": Gullible,
    "bystander": Bystander,
}
"""The clients, by the names that the rows of the catalogue know them by."""
