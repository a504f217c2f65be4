"""What each verdict, finding and violation means: the long text behind the one sentence.

A verdict's sentence is in ``probe.verdict``, a rule's in its own table. Here is the rest: how sure
the prober is, which causes look alike from where it stands, what to look at next on either end, and
the server of the catalogue that shows it. ``sshprobe explain`` prints a row, and so does the long
form of a report.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from probe import liveness
from probe.ssh import rules
from probe.ssh.rules import VIOLATIONS, Rule, Subject
from probe.verdict import ROWS, Verdict

HERE: Final = "here"
"""On the machine that probes."""

THERE: Final = "there"
"""On the server, by its console or another way in."""


class Step(NamedTuple):
    """What to look at next.

    Attributes:
        side: ``HERE`` or ``THERE``.
        command: To be typed there; ``{target}``, ``{host}`` and ``{port}`` stand for the server's.
        why: What it tells.
    """

    side: str
    command: str
    why: str


class Kind(StrEnum):
    """What a code names."""

    VERDICT = "verdict"
    FINDING = "finding"
    VIOLATION = "violation"


class Explanation(NamedTuple):
    """A row: what a code means.

    Attributes:
        code: The verdict, or the code of the finding or violation.
        kind: Which of these it is.
        sentence: What it means, as every face says it.
        sure: How sure the prober is, and of what.
        alike: Causes that look the same from here.
        clients: What becomes of clients.
        steps: What to look at next.
        remedy: What to do about it.
        section: Where the rule is written; ``""`` if nowhere.
        shown_by: The server of the catalogue that shows it; ``""`` if none can.
    """

    code: str
    kind: Kind
    sentence: str
    sure: str
    alike: tuple[str, ...]
    clients: str
    steps: tuple[Step, ...]
    remedy: str
    section: str
    shown_by: str


def _verdict(  # noqa: PLR0913, PLR0917 - a column each
    verdict: Verdict,
    section: str,
    shown_by: str,
    sure: str,
    alike: tuple[str, ...],
    steps: tuple[Step, ...],
) -> Explanation:
    sentence = ROWS[verdict].sentence
    return Explanation(
        verdict, Kind.VERDICT, sentence, sure, alike, "", steps, "", section, shown_by
    )


def _rule(rule: Rule, shown_by: str, clients: str, remedy: str) -> Explanation:
    kind = Kind.VIOLATION if rule in VIOLATIONS else Kind.FINDING
    sure = _SEEN_BY_KERNEL if rule.subject is Subject.TCP else _CERTAIN
    return Explanation(
        rule.code, kind, rule.sentence, sure, (), clients, (), remedy, rule.section, shown_by
    )


_RESOLVER: Final = Step(HERE, "getent ahosts {host}", "what this machine's resolver says")
_ROUTE: Final = Step(HERE, "tracepath -n {host}", "where packets end, and the path MTU")
_SLOW: Final = Step(HERE, "sshprobe check -v --limit 60 {target}", "whether it is only slow")
_AGAIN: Final = Step(HERE, "sshprobe check -vv {target}", "all that passed, octet by octet")
_ALL: Final = Step(HERE, "sshprobe check --all-addresses {target}", "which address is at fault")
_LISTENS: Final = Step(THERE, "ss -ltnp 'sport = :{port}'", "what listens there, and its queue")
_PEERS: Final = Step(THERE, "ss -tnpo 'sport = :{port}'", "who is connected, and what is unread")
_LOG: Final = Step(THERE, "journalctl -u ssh -u sshd --since -10min", "what sshd says of it")
_LOAD: Final = Step(
    THERE, "uptime; free -m; df -h; journalctl -k -n 20", "load, memory, disk, kernel"
)
_LIMITS: Final = Step(
    THERE,
    "sshd -T",
    "maxstartups and persourcepenalties: whom it admits, and what it punishes",
)
_CONFIG: Final = Step(THERE, "sshd -t && sshd -T", "whether its configuration holds")
_FIREWALL: Final = Step(
    THERE, "nft list ruleset; iptables-save", "what a firewall does to this port"
)
_MTU: Final = Step(HERE, "ping -c 3 -M do -s 1472 {host}", "whether packets of 1500 octets pass")
_BANNER: Final = Step(HERE, "nc -w 5 {host} {port} </dev/null", "what answers, to the eye")
_UPGRADE: Final = Step(THERE, "sshd -V; ssh -V", "which software it is, and how old")

_BUSY: Final = "sshd is stuck, stopped in a debugger, or swapped out"
_PROXY: Final = "a proxy, a load balancer or a NAT forward answered, and what is behind it is dead"
_VANISHED: Final = "the host went away after it had acknowledged all that was sent"
_CERTAIN: Final = "Certain: it is what the server sent."
_SEEN_BY_KERNEL: Final = "Certain that this machine's kernel saw it, once."

_HARMLESS: Final = "No current client minds."
_NO_CLIENT: Final = "Every client ends the handshake here."
_FIX_SERVER: Final = "Upgrade the server's software, or report it to its author."
_FIX_BANNER: Final = "Shorten or correct the text that the server sends before its own."

EXPLANATIONS: Final = (
    _verdict(
        Verdict.OK,
        "RFC 4253 §7.1",
        "openssh",
        "Certain that sshd accepts, speaks and offers algorithms. Not tried: keys, users, login.",
        ("a honeypot that speaks SSH as well", "an sshd whose logins fail after the handshake"),
        (Step(HERE, "ssh -v -p {port} {host} true", "whether a login works, too"),),
    ),
    _verdict(
        Verdict.INTERNAL_ERROR,
        "",
        "",
        "Certain that the fault is ours: the program failed in a way that it did not mean to.",
        (),
        (Step(HERE, "sshprobe check --json -v {target}", "what to send with the report"),),
    ),
    _verdict(
        Verdict.THROTTLED,
        "RFC 4253 §4.2",
        "penalty-then-closes",
        "Certain: OpenSSH says so in these words, in place of its identification string.",
        (
            "MaxStartups: too many clients that have not logged in; it comes and goes by chance",
            "PerSourcePenalties: this source, or its NAT, misbehaved; it lasts 15 s or more",
            "PerSourceMaxStartups: too many connections from this source",
        ),
        (
            _LIMITS,
            _LOG,
            _PEERS,
            Step(HERE, "sleep 20; sshprobe check {target}", "whether it passes, as a penalty does"),
        ),
    ),
    _verdict(
        Verdict.NOT_SSH,
        "RFC 4253 §4.2",
        "http",
        "Certain that this is no SSH server; the service is named by how it begins to speak.",
        ("the port is wrong", "another program has taken the port", "a proxy routes it elsewhere"),
        (_BANNER, _LISTENS),
    ),
    _verdict(
        Verdict.NAME_ERROR,
        "RFC 1034 §4.3.1",
        "",
        "Certain that this machine's resolver gave no address. Others may get one.",
        (
            "the name is misspelt, or its search domain is missing",
            "it has no address of the IP version that was asked for",
            "the resolver is broken and answers all the same",
        ),
        (_RESOLVER, Step(HERE, "cat /etc/resolv.conf; resolvectl status", "whom it asks")),
    ),
    _verdict(
        Verdict.NAME_TIMEOUT,
        "RFC 1034 §5.3.1",
        "",
        "Certain that no answer came in time. Nothing is known of the server.",
        ("the resolver is down or overloaded", "a firewall drops DNS", "the domain's servers fail"),
        (_RESOLVER, Step(HERE, "cat /etc/resolv.conf; resolvectl status", "whom it asks")),
    ),
    _verdict(
        Verdict.BUDGET_EXHAUSTED,
        "",
        "",
        "Certain that the limit of the whole probe ran out while a stage still had time.",
        (
            "each stage was slow, and none too slow",
            "the limit is smaller than the stages need, or this machine is busy",
        ),
        (_SLOW, _LOAD),
    ),
    _verdict(
        Verdict.REFUSED,
        "RFC 9293 §3.5.2",
        "",
        "Certain that something answered for this address and turned the connection down.",
        (
            "sshd is not running, or listens on another port or address",
            "the host is booting, and sshd comes later",
            "a firewall rejects with RST or ICMP port-unreachable",
        ),
        (
            _LISTENS,
            Step(THERE, "systemctl status ssh sshd ssh.socket", "whether sshd runs"),
            _FIREWALL,
            Step(HERE, "sshprobe wait {target} --for 5m", "when it comes up"),
        ),
    ),
    _verdict(
        Verdict.UNREACHABLE,
        "RFC 1122 §3.2.2.1",
        "",
        "Certain that the kernel was told so, or found no neighbour; by whom is not known.",
        (
            "the host is down, and its router or neighbour says so",
            "no route leads there, or this machine's network is down",
            "a firewall rejects with ICMP prohibited",
        ),
        (Step(HERE, "ip route get {host}; ip neigh", "the route and the neighbour"), _ROUTE),
    ),
    _verdict(
        Verdict.CONNECT_TIMEOUT,
        "RFC 9293 §3.8.3",
        "",
        "Certain that no SYN was answered. Who swallows them cannot be told from here.",
        (
            "the host is down or the address is nobody's",
            "a firewall, fail2ban or a security group drops packets, perhaps only ours",
            "the accept queue is full: sshd is stuck, or the host is flooded",
            "the way back is broken",
        ),
        (
            _ROUTE,
            _ALL,
            Step(HERE, "sshprobe check --source ADDRESS {target}", "whether another source passes"),
            Step(THERE, "fail2ban-client status sshd", "whether this source is banned"),
            _LISTENS,
            _FIREWALL,
        ),
    ),
    _verdict(
        Verdict.LOCAL_ERROR,
        "",
        "",
        "Certain that this machine's kernel refused. Nothing is known of the server.",
        (
            "too few file descriptors or ports",
            "a local firewall or a sandbox forbids it",
            "--source is no address of this machine",
        ),
        (
            Step(HERE, "ulimit -n; ss -s", "descriptors and sockets in use"),
            Step(HERE, "ip address", "this machine's addresses"),
        ),
    ),
    _verdict(
        Verdict.DISCONNECTED,
        "RFC 4253 §11.1",
        "disconnect-too-many-connections",
        "Certain: the reason is the server's own, in its words.",
        ("a rule about who may connect", "too many connections", "a bug in either side's software"),
        (_AGAIN, _LOG, _UPGRADE),
    ),
    _verdict(
        Verdict.FLOODED,
        "RFC 4253 §4.2",
        "endless-lines",
        "Certain that more came than any client bears, and nothing that leads on.",
        ("a tarpit", "another service, a chargen for example", "a broken server in a loop"),
        (_AGAIN, _LISTENS),
    ),
    _verdict(
        Verdict.IDENTIFICATION_MALFORMED,
        "RFC 4253 §4.2",
        "softwareversion-empty",
        _CERTAIN,
        ("odd or broken server software", "a proxy that rewrites the first line"),
        (_AGAIN, _UPGRADE),
    ),
    _verdict(
        Verdict.PROTOCOL_UNSUPPORTED,
        "RFC 4253 §5",
        "ssh-1.5",
        _CERTAIN,
        ("very old software that speaks SSH-1 alone", "something that imitates SSH"),
        (_BANNER, _UPGRADE),
    ),
    _verdict(
        Verdict.PACKET_MALFORMED,
        "RFC 4253 §6",
        "text-instead-of-packet",
        _CERTAIN,
        (
            "sshd answered with a line of text, which is shown",
            "a proxy or an inspecting firewall put in its own words",
            "broken server software",
        ),
        (_AGAIN, _LOG),
    ),
    _verdict(
        Verdict.KEXINIT_MALFORMED,
        "RFC 4253 §7.1",
        "algorithms-empty",
        _CERTAIN,
        ("broken or very odd server software", "a fault in something between"),
        (_AGAIN, _UPGRADE),
    ),
    _verdict(
        Verdict.UNEXPECTED_MESSAGE,
        "RFC 4253 §7.1",
        "message-newkeys",
        _CERTAIN,
        ("broken server software", "a server that takes the prober for someone else"),
        (_AGAIN, _UPGRADE),
    ),
    _verdict(
        Verdict.CLOSED_BEFORE_IDENTIFICATION,
        "RFC 4253 §4.2",
        "closes-at-once",
        "Certain that FIN came, from the peer or from a proxy that speaks for it.",
        (
            "TCP wrappers or a firewall by address: hosts.deny",
            "MaxStartups of OpenSSH 8.1 and earlier, which says nothing",
            _PROXY,
            "sshd cannot start a session: no memory, no processes, no host keys",
        ),
        (_LOG, Step(THERE, "cat /etc/hosts.deny", "whether TCP wrappers refuse us"), _LIMITS),
    ),
    _verdict(
        Verdict.CLOSED_BEFORE_KEXINIT,
        "RFC 4253 §7.1",
        "closes-after-identification",
        "Certain that FIN came after a good identification string.",
        (
            "sshd's child died: no memory, no /run/sshd, a broken configuration",
            "it does not like our identification string",
            _PROXY,
        ),
        (_LOG, _CONFIG, _LOAD),
    ),
    _verdict(
        Verdict.IDENTIFICATION_TRICKLING,
        "RFC 4253 §4.2",
        "tarpit-line-a-second",
        "Certain that octets still came; whether they would ever have made a line is not known.",
        ("a tarpit such as endlessh", "a very slow link", "a server that is starved of CPU"),
        (_SLOW, _AGAIN, _LISTENS),
    ),
    _verdict(
        Verdict.KEXINIT_TRICKLING,
        "RFC 4253 §7.1",
        "drips-kexinit",
        "Certain that octets still came; whether KEXINIT would ever have been whole is not known.",
        ("a very slow link", "a server that is starved of CPU", "a hostile server that stalls us"),
        (_SLOW, _AGAIN, _LOAD),
    ),
    _verdict(
        Verdict.SEND_STALLED,
        "RFC 9293 §3.8.6.1",
        "window-shut",
        "Certain that its kernel lives and has no room: the process behind it does not read.",
        (_BUSY, "a tarpit with a tiny receive window, endlessh for example"),
        (_PEERS, _LOAD, _LISTENS),
    ),
    _verdict(
        Verdict.HALF_OPEN,
        "RFC 9293 §3.5.1",
        "vanishes-before-identification",
        (
            "As good as certain: a live kernel answers, whatever its processes do. On a path that"
            " loses three packets in ten, one live host in twenty looks like this."
        ),
        (
            "the host lost power, crashed or rebooted",
            "its network or a cable went, on the way or at the end",
            "a firewall or NAT forgot the connection and drops it",
        ),
        (
            Step(HERE, "ping -c 3 {host}", "whether the host answers at all"),
            _ROUTE,
            Step(THERE, "uptime; last -n 3 reboot", "whether it has just rebooted"),
            _FIREWALL,
        ),
    ),
    _verdict(
        Verdict.RESET_BEFORE_IDENTIFICATION,
        "RFC 9293 §3.5.2",
        "resets-at-once",
        (
            "Certain that RST came. A live process that aborts and a peer that was already gone"
            " look the same."
        ),
        (
            "sshd crashed, or was killed, as the connection came in",
            "a full server, or one that closed with octets of ours unread",
            "a firewall or proxy that cuts what it does not like",
        ),
        (_LOG, _LIMITS, _FIREWALL),
    ),
    _verdict(
        Verdict.RESET_BEFORE_KEXINIT,
        "RFC 9293 §3.5.2",
        "resets-after-identification",
        "Certain that RST came after a good identification string.",
        (
            "sshd's child crashed",
            "a firewall or IDS that looks at the first packets",
            "a proxy whose backend failed",
        ),
        (_LOG, _CONFIG, _FIREWALL),
    ),
    _verdict(
        Verdict.SILENT,
        "RFC 4253 §4.2",
        "silent",
        (
            "Certain that nothing came. Where the kernel's evidence shows an answer within the last"
            " second, certain that the host is alive, too."
        ),
        (
            _BUSY,
            "sshd never accepted: its queue holds the connection",
            _PROXY,
            "UseDNS or a lack of randomness delays the first line: a longer limit tells",
            _VANISHED,
        ),
        (_SLOW, _LISTENS, _LOAD, _LOG),
    ),
    _verdict(
        Verdict.IDENTIFICATION_STALLED,
        "RFC 4253 §4.2",
        "text-then-silent",
        "Certain that octets came and then none; what they were is shown.",
        (_BUSY, "another service that waits for a request", "a tarpit between two of its lines"),
        (_SLOW, _AGAIN, _LISTENS),
    ),
    _verdict(
        Verdict.KEXINIT_STALLED,
        "RFC 4253 §7.1",
        "silent-after-identification",
        (
            "Certain that a good identification string came, and no whole KEXINIT. Health checks"
            " that read the first line call this healthy."
        ),
        (
            _BUSY,
            "large packets are lost on the way, in a tunnel with a smaller MTU; small ones pass",
            "a proxy that sends a string of its own, and whose backend is dead",
            _VANISHED,
        ),
        (_MTU, _ROUTE, _PEERS, _LOAD, _SLOW),
    ),
    _rule(
        rules.LINE_BEFORE_LF_ONLY,
        "line-before-ends-in-lf",
        "Clients that split at CR LF alone take it for the beginning of the next line.",
        _FIX_BANNER,
    ),
    _rule(
        rules.LINE_BEFORE_LONG,
        "line-before-300",
        "Clients on Go's x/crypto/ssh and on russh refuse the server; OpenSSH bears 8192 octets.",
        _FIX_BANNER,
    ),
    _rule(
        rules.LINE_BEFORE_NOT_UTF_8,
        "line-before-in-latin-1",
        "Clients that decode it strictly fail; others show garbage.",
        _FIX_BANNER,
    ),
    _rule(
        rules.LINE_BEFORE_CONTROL,
        "line-before-with-escapes",
        "A client that prints it hands the server its user's terminal.",
        _FIX_BANNER,
    ),
    _rule(
        rules.LINES_BEFORE_MANY,
        "lines-before-1022",
        "paramiko stops after 100 lines, russh after 20, OpenSSH after 1024.",
        _FIX_BANNER,
    ),
    _rule(
        rules.IDENTIFICATION_LF_ONLY,
        "identification-ends-in-lf",
        "Most clients bear it, because servers of SSH-1's time did so; strict ones hang or refuse.",
        _FIX_SERVER,
    ),
    _rule(
        rules.IDENTIFICATION_CR_REPEATED,
        "identification-ends-in-cr-cr-lf",
        "Clients differ in what they take for the string, so key exchange may fail.",
        _FIX_SERVER,
    ),
    _rule(
        rules.IDENTIFICATION_LONG,
        "identification-256",
        "Clients that hold to the law refuse the server; OpenSSH bears 8192 octets.",
        "Shorten the softwareversion or its comments (VersionAddendum).",
    ),
    _rule(
        rules.PROTOVERSION_1_99,
        "protoversion-1.99",
        "Current clients take it for 2.0; checks that look for SSH-2.0 call the server down.",
        "Switch SSH-1 off: it is broken beyond repair.",
    ),
    _rule(
        rules.SOFTWAREVERSION_MINUS,
        "softwareversion-with-minus",
        "Programs that split the string at every minus read it wrongly.",
        "No current client minds. Change it if a tool of yours does.",
    ),
    _rule(
        rules.SOFTWAREVERSION_NOT_PRINTABLE,
        "softwareversion-with-escapes",
        "A client that prints it hands the server its user's terminal.",
        _FIX_SERVER,
    ),
    _rule(
        rules.COMMENTS_SPACING,
        "comments-empty",
        "Programs that split the string at spaces may read an empty comment.",
        _FIX_SERVER,
    ),
    _rule(
        rules.COMMENTS_CONTROL,
        "comments-with-escapes",
        "A client that prints it hands the server its user's terminal.",
        _FIX_SERVER,
    ),
    _rule(
        rules.PACKET_OVER_LAW,
        "kexinit-of-40000",
        "Clients need not bear it; OpenSSH and x/crypto take up to 256 KiB, libssh2 40000 octets.",
        "Offer fewer algorithms.",
    ),
    _rule(
        rules.EXT_INFO_EARLY,
        "ext-info-before-newkeys",
        "Nothing in it can be trusted, since nothing protects it; clients ignore or refuse it.",
        _FIX_SERVER,
    ),
    _rule(
        rules.STRICT_KEX_BROKEN,
        "strict-kex-broken",
        "A client that offers strict key exchange as well must end the connection here.",
        _FIX_SERVER,
    ),
    _rule(
        rules.STRICT_KEX_ABSENT,
        "go",
        (
            "With ChaCha20-Poly1305, or CBC and encrypt-then-MAC, an attacker on the path can cut"
            " the beginning of a session (Terrapin, CVE-2023-48795)."
        ),
        "Upgrade the server: OpenSSH 9.6, dropbear 2024.84, or later.",
    ),
    _rule(
        rules.DISCONNECT_TRUNCATED,
        "disconnect-truncated",
        "The server's reason may be lost.",
        _FIX_SERVER,
    ),
    _rule(
        rules.NAME_EMPTY,
        "name-empty",
        "Parsers that do not expect it fail.",
        _FIX_SERVER,
    ),
    _rule(
        rules.NAME_LONG,
        "name-of-65",
        "Clients with buffers of the law's length fail or cut it.",
        _FIX_SERVER,
    ),
    _rule(
        rules.NAME_NOT_PRINTABLE,
        "name-with-space",
        "No client knows such a name; one that prints it may harm its user's terminal.",
        _FIX_SERVER,
    ),
    _rule(
        rules.NAME_AT_SIGNS,
        "name-with-two-ats",
        "No client knows such a name, so it is never chosen.",
        _FIX_SERVER,
    ),
    _rule(
        rules.NAME_TWICE,
        "name-twice",
        _HARMLESS,
        "Remove one of them.",
    ),
    _rule(
        rules.LANGUAGES_NOT_EMPTY,
        "languages",
        _HARMLESS,
        "Leave the lists empty.",
    ),
    _rule(
        rules.BOOLEAN_NOT_0_OR_1,
        "boolean-of-2",
        "Clients that compare with 1 misread it.",
        _FIX_SERVER,
    ),
    _rule(
        rules.RESERVED_NOT_ZERO,
        "reserved-of-1",
        "Clients that take it for zero compute another exchange hash, and fail later.",
        _FIX_SERVER,
    ),
    _rule(
        rules.COOKIE_NOT_RANDOM,
        "cookie-of-zeros",
        "It adds nothing to the freshness of the key exchange, and hints at bad randomness.",
        "Find out why: a server without randomness has weak keys, too.",
    ),
    _rule(
        rules.NO_COMMON_ALGORITHM,
        "no-common-kex",
        "A current client ends with «no matching … found»; an old one may get along.",
        "Upgrade the server, or allow the algorithm in your client for this host alone.",
    ),
    _rule(
        rules.NUL_BEFORE_IDENTIFICATION,
        "garbage",
        _NO_CLIENT,
        "Find out what listens there.",
    ),
    _rule(
        rules.LINE_TOO_LONG,
        "endless-octets",
        "Clients with a cap stop, the others read for ever.",
        "Find out what listens there: it may be a tarpit.",
    ),
    _rule(
        rules.TOO_MANY_LINES,
        "endless-lines",
        "Clients with a cap stop, the others read for ever.",
        "Find out what listens there: it may be a tarpit.",
    ),
    _rule(
        rules.TOO_MANY_PACKETS,
        "ignore-flood",
        "Clients that bound neither packets nor time, OpenSSH's among them, skip them for ever.",
        "Find out what listens there.",
    ),
    _rule(
        rules.TOO_MANY_OCTETS,
        "large-ignore-flood",
        "Clients that bound neither octets nor time read for ever.",
        "Find out what listens there.",
    ),
    _rule(
        rules.NUL_IN_IDENTIFICATION,
        "nul-in-identification",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.CR_IN_IDENTIFICATION,
        "cr-in-identification",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.IDENTIFICATION_INCOMPLETE,
        "softwareversion-empty",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.PROTOVERSION_UNSUPPORTED,
        "ssh-1.5",
        _NO_CLIENT,
        "Upgrade the server: SSH-1 is broken beyond repair.",
    ),
    _rule(
        rules.TEXT_INSTEAD_OF_PACKET,
        "text-instead-of-packet",
        "Clients take four letters for a length: they refuse it, or wait for a gigabyte.",
        "Read the text: it is the server's reason, or that of a proxy before it.",
    ),
    _rule(
        rules.PACKET_LENGTH_SHORT,
        "packet-length-zero",
        "Clients refuse it; careless ones crash.",
        _FIX_SERVER,
    ),
    _rule(
        rules.PACKET_LENGTH_LONG,
        "packet-length-huge",
        "Clients refuse it; careless ones wait for four gigabytes.",
        _FIX_SERVER,
    ),
    _rule(
        rules.PACKET_LENGTH_MISALIGNED,
        "packet-length-misaligned",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.PADDING_SHORT,
        "padding-three",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.PADDING_LONG,
        "padding-longer-than-packet",
        "Clients refuse it; careless ones read beyond the packet (CVE-2019-3861).",
        _FIX_SERVER,
    ),
    _rule(
        rules.PAYLOAD_EMPTY,
        "payload-empty",
        "Clients refuse it; careless ones crash (CVE-2021-43565).",
        _FIX_SERVER,
    ),
    _rule(
        rules.KEXINIT_TRUNCATED,
        "kexinit-without-tail",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.NAME_LIST_BEYOND_PAYLOAD,
        "name-list-beyond-packet",
        "Clients refuse it; careless ones read beyond the packet (CVE-2019-3862).",
        _FIX_SERVER,
    ),
    _rule(
        rules.KEXINIT_TRAILING,
        "kexinit-with-trailing-octets",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.ALGORITHMS_EMPTY,
        "algorithms-empty",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        rules.UNIMPLEMENTED_EARLY,
        "unimplemented-first",
        "The server does not know KEXINIT, so it can begin no session.",
        "Find out what listens there.",
    ),
    _rule(
        rules.MESSAGE_UNEXPECTED,
        "message-newkeys",
        _NO_CLIENT,
        _FIX_SERVER,
    ),
    _rule(
        liveness.NOT_YET_ACKNOWLEDGED,
        "",
        "The peer may be gone, or a packet or two were lost.",
        "Probe again, with a longer limit.",
    ),
    _rule(
        liveness.KEEPALIVE_UNANSWERED,
        "",
        "The peer may have just vanished, or a packet was lost.",
        "Probe again, with a longer limit.",
    ),
    _rule(
        liveness.SEGMENT_MISSING,
        "",
        "TCP will send it again; if it never arrives, the path may swallow large packets.",
        "Look at the MTU of tunnels on the way.",
    ),
    _rule(
        liveness.ADDRESS_FAILED,
        "",
        "Clients that try it first wait for it, a quarter of a second or for minutes.",
        "Mend that address, or take it out of the DNS.",
    ),
)
"""The verdicts in the order of ``VERDICTS``, then the rules in the order of their tables."""

BY_CODE: Final = {row.code: row for row in EXPLANATIONS}


def of_kind(kind: Kind) -> list[Explanation]:
    """Return the rows of one kind, in order."""
    return [row for row in EXPLANATIONS if row.kind is kind]


def codes_of(kind: Kind) -> list[str]:
    """Return the codes of one kind, in order."""
    return [row.code for row in of_kind(kind)]
